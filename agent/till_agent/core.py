"""The part of the agent that needs an enrolled till: journal, cache, sale desk, slips, and the exchange with the cloud.

Built as a whole and stopped as a whole, so that the agent can run without it (not enrolled yet, no disk) and get it
later without a restart.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from msgspec import Struct

from till_agent.balances import OwnEffects
from till_agent.cache import CacheStore, CacheUnavailable
from till_agent.conduct import ConductWatch
from till_agent.desk import Desk, DeskParts, DeskSettings, StoreIdentity
from till_agent.devices import Resolved
from till_agent.exceptions import DeskProblem
from till_agent.gateways import Gateways, gateways_of
from till_agent.giving_back import GivingBack
from till_agent.identity_file import CloudKey, change_identity, keep_epoch
from till_agent.journal import DiskJournal, EpochKeeper, Place
from till_agent.queued import Queue
from till_agent.registrations import Registrations
from till_agent.scanned import Scanned
from till_agent.slips.desk import SlipPrinter, SpoolSlipDesk
from till_agent.slips.office import SlipOffice
from till_agent.slips.templates import templates_from
from till_agent.slips.watching import TemplateWatch
from till_agent.texts import local_datetime
from till_config.settings import Settings
from till_drivers.ports import Scan
from till_drivers.spool import Spool
from till_loyalty.programme import Identifiers
from till_sync.client import CloudClient
from till_sync.counters import COUNTER_FILE, Counter
from till_sync.httpx_transport import HttpxTransport
from till_sync.identity import Identity
from till_sync.ports import Clock
from till_sync.secured import SecuredTransport
from till_sync.status import WorkerStatus
from till_sync.worker import SyncWorker, WorkerSettings

log = logging.getLogger(__name__)

JOURNAL_FILE = "journal.db"
CACHE_FILE = "cache.db"
STOP_TIMEOUT_S = 12.0
"""For each part; the journal itself gives up waiting for its disk after 10 s."""
SYNC_NOW_TIMEOUT_MS = 10_000
"""A person or a script waits for it; a longer exchange goes on all the same."""


class Surroundings(Struct, frozen=True, kw_only=True):
    """What the core takes from the agent around it."""

    settings: Settings
    identity_path: Path
    clock: Clock
    spool: Spool
    printer: SlipPrinter | None
    on_sync: Callable[[WorkerStatus], None]


class Core:
    """An enrolled till at work. Made by `open_core`."""

    def __init__(
        self,
        *,
        identity: Identity,
        journal: DiskJournal,
        cache: CacheStore,
        desk: Desk,
        slips: SlipOffice,
        slip_desk: SpoolSlipDesk,
        http: HttpxTransport | None,
        client: CloudClient | None,
        worker: SyncWorker | None,
        giving: GivingBack,
        watch: TemplateWatch,
        conduct: ConductWatch,
    ) -> None:
        self.identity = identity
        self.journal = journal
        self.cache = cache
        self.desk = desk
        self.slips = slips
        self.slip_desk = slip_desk
        self.http = http
        self.queue = Queue(journal, identity.till)
        self.worker = worker
        self.giving = giving
        self.watch = watch
        self.conduct = conduct
        self.client = client
        self._scanned = Scanned(desk, self._rules)

    def start_sync(self) -> None:
        """Begin the exchange with the cloud, if there is one."""
        self.giving.start()
        self.watch.look()
        if self.worker is not None:
            self.worker.start()

    async def stop(self) -> None:
        """Stop in reverse order; each part within STOP_TIMEOUT_S, and none keeps the others from stopping."""
        if self.worker is not None:
            await stop_part("sync", self.worker.stop)
        await stop_part("giving back", self.giving.stop)
        await stop_part("slip templates", self.watch.stop)
        if self.client is not None:
            await stop_part("cloud client", self.client.close)
        await stop_part("cache", self.cache.stop)
        await stop_part("journal", self.journal.stop)

    async def sync_now(self) -> bool:
        """An exchange now; False when it was not through in time. ProblemError-free: how it went is in the status."""
        if self.worker is None:
            return True
        try:
            await self.worker.sync_now(timeout_ms=SYNC_NOW_TIMEOUT_MS)
        except TimeoutError:
            return False
        return True

    async def resolve(self, scan: Scan) -> Resolved:
        """What was scanned; see `till_agent.scanned`."""
        return await self._scanned.resolve(scan)

    def _rules(self) -> Identifiers:
        programme = self.cache.programme()
        return programme.programme.identifiers if programme else Identifiers()


async def open_core(identity: Identity, around: Surroundings) -> Core:
    """Open the stores and build the rest. JournalUnavailable when there is no disk to sell on; else it comes up."""
    clock, state_dir = around.clock, around.identity_path.parent
    effects, registrations = OwnEffects(), Registrations()
    on_page: list[Callable[[], None]] = []

    def complete(floor: tuple[int, int]) -> None:
        effects.forget_soon(floor)
        if journal.is_caught_up:  # by ids of a journal that was put aside, all of them would be included
            registrations.forget(floor)
        for told in on_page:
            told()

    path, waiting = state_dir / CACHE_FILE, partial(_waiting, effects, registrations)
    cache = CacheStore(path, identity.till, on_complete=complete, clock=clock, waiting=waiting)
    keeper = EpochKeeper(identity.last_epoch, lambda epoch: keep_epoch(around.identity_path, epoch))
    path, till = state_dir / JOURNAL_FILE, identity.till
    place = Place(path=path, till=till, keeper=keeper, clock=clock, included=lambda: cache.floor)
    journal = DiskJournal(place, effects, cache, begins_anew=True)
    await _start_stores(cache, journal, registrations)
    http, client, worker, asked = _sync_parts(identity, around, journal, cache)
    watch, slip_desk = slip_parts(identity, around, cache)
    nudge = worker.nudge_urgently if worker is not None else _nobody
    key = CloudKey(identity, around.identity_path, client)
    desk = Desk(
        DeskParts(
            identity=store_of(identity),
            journal=journal,
            cache=cache,
            pending=effects,
            holds=journal.holds,
            gateway=asked.holds,
            slips=slip_desk,
            clock=clock,
            settings=desk_settings(around),
            templates=watch.templates,
            confirmations=asked.confirmations,
            coupons=asked.coupons,
            sales=asked.sales,
            members=asked.members,
            epoch=lambda: journal.figures.epoch,
            epoch_began_ms=lambda: journal.figures.began_wall_ms,
            nudge=nudge,
            cloud_key=key,
            wallet_keys=key.wallet_keys,
            seal_key=key.seal_key,
            phone_tags=key.phone_tags,
            registrations=registrations,
        )
    )
    office = SlipOffice(
        desk.entry, slip_desk, store_name=identity.store_name, time_zone=identity.time_zone, templates=watch.templates
    )
    giving = GivingBack(desk, nudge)
    on_page += [giving.wake, key.look, watch.look]
    return Core(
        identity=identity,
        journal=journal,
        cache=cache,
        desk=desk,
        slips=office,
        slip_desk=slip_desk,
        http=http,
        client=client,
        worker=worker,
        giving=giving,
        watch=watch,
        conduct=ConductWatch(journal, lambda: today_at(identity.time_zone, clock.wall_ms())),
    )


def _waiting(effects: OwnEffects, registrations: Registrations, included: tuple[int, int]) -> frozenset[str]:
    """Whom own ops after `included` (epoch, seq) speak of."""
    return effects.speak_of(included) | registrations.speak_of(included)


async def _start_stores(cache: CacheStore, journal: DiskJournal, registrations: Registrations) -> None:
    async def load() -> None:
        registrations.load(await journal.registrations(cache.floor))

    cache.caught_up = journal.caught_up
    journal.also_reads(load)
    try:
        await cache.start()
    except CacheUnavailable as exc:
        log.error("the cache can't be opened; nobody is known here until it can: %s", exc)  # noqa: TRY400 - says it all
    try:
        await journal.start(cache.floor)
        await load()
    except BaseException:
        await stop_part("cache", cache.stop)
        await stop_part("journal", journal.stop)  # else the next try would find it open
        raise


def slip_parts(identity: Identity, around: Surroundings, cache: CacheStore) -> tuple[TemplateWatch, SpoolSlipDesk]:
    """What slips are made by, and where they go."""
    watch = TemplateWatch(templates_from(around.settings.slips.template), cache)
    desk = SpoolSlipDesk(
        around.spool,
        around.printer,
        cache,
        store_name=identity.store_name,
        time_zone=identity.time_zone,
        templates=watch.templates,
    )
    return watch, desk


def today_at(time_zone: str, wall_ms: int) -> str:
    """The store's date."""
    return local_datetime(wall_ms, time_zone).date().isoformat()


def store_of(identity: Identity) -> StoreIdentity:
    """Who the till is, as the desk sees it."""
    return StoreIdentity(
        till=identity.till,
        store=identity.store,
        store_name=identity.store_name,
        time_zone=identity.time_zone,
        identifier_key=identity.key,
        cloud_key=identity.cloud_key,
    )


def desk_settings(around: Surroundings) -> DeskSettings:
    """The settings that the desk works by."""
    settings = around.settings
    return DeskSettings(
        language=settings.agent.language,
        cloud_budget_ms=settings.bridge.cloud_budget_ms,
        print_slips=settings.slips.print,
        columns=around.printer.profile.columns if around.printer else DeskSettings().columns,
    )


def _nobody() -> None:
    """There is no cloud to send to."""


def _sync_parts(
    identity: Identity, around: Surroundings, journal: DiskJournal, cache: CacheStore
) -> tuple[HttpxTransport | None, CloudClient | None, SyncWorker | None, Gateways]:
    cloud = around.settings.cloud
    if not cloud.url:
        return None, None, None, Gateways()
    path = around.identity_path
    http = HttpxTransport(
        cloud.url, connect_timeout_ms=cloud.connect_timeout_ms, request_timeout_ms=cloud.request_timeout_ms
    )
    transport = SecuredTransport(
        http,
        till=identity.till,
        clock=around.clock,
        counter=Counter(path.with_name(COUNTER_FILE)),
        private_key=identity.private_key,
        keep_key=lambda key: change_identity(path, lambda kept: kept.with_private_key(key)),
    )
    client = CloudClient(
        transport,
        till=identity.till,
        token=identity.token,
        clock=around.clock,
        request_timeout_ms=cloud.request_timeout_ms,
    )
    worker = SyncWorker(
        client,
        journal,
        cache,
        clock=around.clock,
        random=random.Random(),  # noqa: S311 - spreads load; guards nothing
        settings=WorkerSettings(poll_interval_ms=cloud.poll_interval_ms, spread_ms=cloud.spread_ms),
        on_status=around.on_sync,
    )
    return http, client, worker, gateways_of(client, worker)


async def stop_part(name: str, stop: Callable[[], Awaitable[object]], timeout_s: float = STOP_TIMEOUT_S) -> None:
    """Wait for a part to stop, not longer than that; whatever it raises is said and goes no further."""
    try:
        async with asyncio.timeout(timeout_s):
            await stop()
    except TimeoutError:
        log.error("%s did not stop within %d s", name, timeout_s)  # noqa: TRY400 - there is nothing to trace
    except Exception:  # Reason: the others must stop too, and this one is on its way out.
        log.exception("%s did not stop in order", name)


async def release_abandoned(desk: Desk) -> int:
    """Give back holds that no sale can use; what fails is tried the next time."""
    with contextlib.suppress(DeskProblem):
        return await desk.release_abandoned()
    return 0
