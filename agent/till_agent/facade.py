"""The agent as its bridge sees it: what is up, what is not, and the figures of both."""

import asyncio
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from till_agent.api import Status, SyncStatus
from till_agent.beating import Beating, Policies
from till_agent.bridge.endpoint import Numbers
from till_agent.bridge.events import EventHub
from till_agent.bridge.settings_shapes import Reloaded
from till_agent.core import Core
from till_agent.desk.lending import Lending
from till_agent.desk.problems import problem
from till_agent.devices import Board, Resolved, unknown
from till_agent.disk import Disk
from till_agent.exceptions import TextMissing
from till_agent.fixes import with_fix
from till_agent.happened import History
from till_agent.journal.figures import Figures
from till_agent.live_figures import live_figures
from till_agent.metrics import Metrics
from till_agent.page_api import Flags, LogTail, PageFacts
from till_agent.status import Facts, Trouble, missing, sync_status, troubles
from till_agent.store_words import ENGLISH
from till_agent.tail import Tail
from till_agent.texts import NO_PROGRAMME, Words, supported
from till_agent.trials import Trials
from till_agent.without_disk import WithoutDisk
from till_config.settings import Settings
from till_drivers.ports import Scan
from till_drivers.spool import Spool
from till_sync.client import CloudClient
from till_sync.identity import Identity
from till_sync.ports import Clock
from till_sync.problems import ProblemError
from till_sync.status import WorkerStatus

if TYPE_CHECKING:
    from till_agent.frontol_files.watching import ReportWatch
    from till_agent.reloading.parts import LiveParts
    from till_agent.reloading.reloader import Reloader
    from till_agent.reloading.starting import Start
    from till_agent.supervision import Supervision


class Agent:
    """Implements `till_agent.bridge.context.Bridge`. Used on the loop; the composition root calls `put_core`."""

    def __init__(self, settings: Settings, clock: Clock, spool: Spool) -> None:
        self.settings = settings
        self.clock = clock
        self.spool = spool
        self.events = EventHub(clock)
        self.board = Board(clock, self.events)
        self.figures = Metrics()
        self.trials = Trials(spool, self.board.health)
        self.tail = Tail()
        self.history = History()
        self.disk = Disk(Path(settings.agent.state_dir))
        self.version = version("tillside")
        self.identity: Identity | None = None
        self.reports: ReportWatch | None = None
        """What watches Frontol's sales reports, where there are any."""
        self.not_ready = "starting"
        self.detail = ""
        self._core: Core | None = None
        self._without_disk: WithoutDisk | None = None
        self._started_ms = clock.wall_ms()
        self.policies: Policies | None = None
        """What keeps the settings that the chain decides, where somebody does."""
        self.parts: LiveParts | None = None
        """What takes other settings in."""
        self._reloader: Reloader | None = None
        self.supervision: Supervision | None = None
        """What watches over the daemon; None of an agent within another program."""
        self.beating = Beating(self, Path(settings.agent.state_dir), clock=clock)

    def use_start(self, start: "Start", parts: "LiveParts") -> None:
        """Where the settings came from, and what other ones are taken in by."""
        from till_agent.reloading.reloader import Reloader

        self.parts = parts
        self._reloader = Reloader(start, parts.change)

    async def keep_policy(self, state_dir: Path) -> None:
        """Ask for the chain's policy every few minutes and obey it, until cancelled."""
        from till_agent.reloading.policies import PolicyKeeper

        if self._reloader is not None:
            keeper = PolicyKeeper(
                self._reloader, state_dir, line=lambda: self.line, identity=lambda: self.identity, clock=self.clock
            )
            self.policies = keeper
            await keeper.run()

    async def keep_last_good(self, state_dir: Path) -> None:
        """The agent is up by these settings."""
        if self._reloader is not None:
            await self._reloader.keep(state_dir)

    async def reload(self) -> Reloaded:
        """See `till_agent.bridge.context.Bridge`."""
        from till_agent.reloading.exceptions import ReloadRefusedError

        if self._reloader is None:
            raise ProblemError(409, "no_config_file", "expected an agent that was started with a file")
        try:
            return await self._reloader.reload()
        except ReloadRefusedError as error:
            status = 409 if error.code == "no_config_file" else 422
            raise ProblemError(status, error.code, str(error), extras={"problems": error.problems}) from error

    @property
    def language(self) -> str:
        """The till's own."""
        return self.settings.agent.language

    @property
    def open_core(self) -> Core | None:
        """The core while there is one."""
        return self._core

    @property
    def core(self) -> Core | WithoutDisk:
        """The core, or what goes on without a disk; else DeskProblem `till_not_enrolled` or `journal_unavailable`."""
        if self._core is not None:
            return self._core
        if self._without_disk is not None:
            return self._without_disk
        if self.not_ready == "till_retired":
            raise problem("till_retired", "expected the machine that the till was moved to: this one is retired")
        code = "till_not_enrolled" if self.not_ready.startswith(("till", "identity")) else "journal_unavailable"
        raise problem(code, f"expected an agent that takes sales, not one that does not: {self.not_ready}")

    @property
    def sync(self) -> "Agent.Sync":
        """The exchange with the cloud."""
        return Agent.Sync(self)

    @property
    def online(self) -> bool:
        """Whether the last exchange with the cloud succeeded."""
        return self._core is not None and self._core.worker is not None and self._core.worker.line.online

    @property
    def line(self) -> CloudClient | None:
        """What asks the cloud; None without one, or before the enrolment."""
        return self._core.client if self._core is not None else None

    @property
    def figures_of_journal(self) -> Figures | None:
        """Where the journal stands; None before it is open."""
        return self._core.journal.figures if self._core is not None else None

    def codes(self) -> tuple[bool, tuple[str, ...]]:
        """Whether sales are taken, and the codes of what somebody should mend."""
        return not self.not_ready, tuple([trouble.code for trouble in troubles(self._facts())])

    def put_core(
        self,
        core: Core | None,
        *,
        not_ready: str = "",
        detail: str = "",
        without_disk: WithoutDisk | None = None,
    ) -> None:
        """Sales are taken from now on, or no more, and why; `without_disk` answers those of nobody meanwhile."""
        self._core = core
        self._without_disk = without_disk
        self.not_ready = not_ready
        self.detail = detail

    def ready(self) -> str:
        """See `till_agent.bridge.context.Bridge`."""
        return self.not_ready

    def committed(self) -> None:
        """There is a new op: push soon."""
        if self._core is not None and self._core.worker is not None:
            self._core.worker.nudge()

    def refused(self, reason: str) -> None:
        """The bridge refused a request."""
        self.figures.refused(reason)

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """The bridge answered a request."""
        self.figures.answered(operation, status, seconds)

    def cashier(self, code: str, status: int, numbers: Numbers | None = None, language: str | None = None) -> str:
        """See `till_agent.bridge.endpoint.Observer`."""
        told_in = supported(language, self.language)
        try:
            if self._core is not None:
                return self._core.desk.sentence(code, numbers or {}, status=status, language=told_in)
            return Words(told_in).problem(code, numbers or {}, status=status)
        except TextMissing:
            # A sentence with numbers that this problem does not have: the general one is better than none.
            return Words(told_in).problem("", status=status)

    async def resolve(self, scan: Scan) -> Resolved:
        """What was scanned; before the enrolment nobody can tell."""
        if self._core is None:
            return unknown(scan)
        return await self._core.resolve(scan)

    def sync_changed(self, worker: WorkerStatus) -> None:
        """The line came or went, or sync was halted."""
        self.events.publish("sync", self.sync_status(worker))

    def sync_status(self, worker: WorkerStatus | None = None) -> SyncStatus:
        """How the exchange stands."""
        core = self._core
        if worker is None and core is not None and core.worker is not None:
            worker = core.worker.status
        return sync_status(
            enrolled=self.identity is not None,
            figures=core.journal.figures if core else None,
            cache=core.cache if core else None,
            worker=worker,
            now_wall_ms=self.clock.wall_ms(),
            last_error="" if self.settings.cloud.url else "cloud.url is not set",
        )

    def look(self) -> tuple[Trouble, ...]:
        """Everything that somebody should mend; what is new is told once, in the till's language."""
        found = troubles(self._facts())
        for trouble in self.history.note(found, self.clock.wall_ms()):
            self.events.publish("alert", trouble.said(self.language))
        return found

    def missing(self) -> tuple[str, ...]:
        """See `till_agent.bridge.context.Bridge`."""
        return missing(self._facts())

    def _facts(self) -> Facts:
        core = self._core
        start = self._reloader.start if self._reloader else None
        return Facts(
            not_ready=self.not_ready,
            detail=self.detail,
            now_wall_ms=self.clock.wall_ms(),
            has_cloud_url=bool(self.settings.cloud.url),
            figures=core.journal.figures if core else None,
            report=core.journal.report if core else None,
            worker=core.worker.status if core and core.worker else None,
            has_programme=core is not None and core.cache.programme() is not None,
            devices=self.board.health(),
            cache_as_of_ms=core.cache.as_of_ms if core else 0,
            print_trouble=self.spool.trouble,
            slip_trouble=core.watch.templates.trouble if core else "",
            lending=core.desk.lending() if core else None,
            codes_on_trust=core.desk.codes_on_trust() if core else 0,
            disk_free_bytes=self.disk.room.free_bytes,
            report_findings=self.reports.tally.found if self.reports else 0,
            report_troubles=self.reports.troubles if self.reports else (),
            config_trouble=start.config_trouble if start else "",
            policy_refused=start.policy_refused if start else 0,
            policy_trouble=start.policy_trouble if start else "",
            restart_needed=self._reloader.restart_needed if self._reloader else (),
        )

    def page(self, scopes: Iterable[str]) -> PageFacts:
        """See `till_agent.bridge.context.Bridge`."""
        cached = self._core.cache.programme() if self._core else None
        if self._core is not None and "sale" in scopes:
            # Who opens a page may search: by the time that somebody types, the index is there.
            self._core.cache.finder.prepare()
        rules = cached.programme if cached else None
        known = self.identity
        return PageFacts(
            version=self.version,
            language=self.settings.agent.language,
            till=known.till if known else "",
            store=known.store if known else "",
            store_name=known.store_name if known else "",
            time_zone=known.time_zone if known else "",
            currency=rules.currency if rules else "",
            currency_exponent=rules.currency_exponent if rules else NO_PROGRAMME.currency_exponent,
            points_exponent=rules.points_exponent if rules else NO_PROGRAMME.points_exponent,
            point_value_minor=rules.point_value_minor if rules else NO_PROGRAMME.point_value_minor,
            programme=f"{rules.id} {rules.version}" if rules else "",
            country=rules.identifiers.phone_countries[0] if rules else "",
            sell=self.settings.pages.sell,
            scopes=tuple(sorted(scopes)),
        )

    def log_tail(self, after: int | None, limit: int) -> LogTail:
        """See `till_agent.bridge.context.Bridge`."""
        return self.tail.read(after, limit)

    async def flags(self, language: str | None = None) -> Flags:
        """See `till_agent.bridge.context.Bridge`."""
        core = self.core
        if not isinstance(core, Core):
            raise problem("journal_unavailable", "expected a journal to look into")
        return await core.conduct.told(language or ENGLISH)

    async def status(self, language: str | None = None) -> Status:
        """See `till_agent.bridge.context.Bridge`."""
        core = self._core
        language = language or ENGLISH
        found = self.look()
        programme = core.cache.programme() if core else None
        worker = core.worker.status if core and core.worker else None
        lending = core.desk.lending() if core else Lending()
        return Status(
            version=self.version,
            till=self.identity.till if self.identity else "",
            store=self.identity.store if self.identity else "",
            started_ms=self._started_ms,
            now_ms=self.clock.wall_ms(),
            ready=not self.not_ready,
            problems=tuple([trouble.said(language) for trouble in found]),
            programme=f"{programme.programme.id} {programme.programme.version}" if programme else "",
            members_cached=core.cache.member_count if core else 0,
            cache_as_of_ms=core.cache.as_of_ms if core else 0,
            # The worker counts the cloud's clock from ours; people ask how far the till's is off.
            clock_skew_ms=-worker.skew_ms if worker is not None and worker.skew_ms is not None else None,
            sync=self.sync_status(worker),
            devices=tuple([with_fix(device, language) for device in self.board.health()]),
            prints_waiting=self.spool.waiting_count,
            grants=lending.grants,
            granted_points=lending.granted_points,
            floor_spent_points=lending.floor_spent_points,
            floor_limit_points=lending.floor_limit_points,
            disk_free_bytes=self.disk.room.free_bytes,
            disk_total_bytes=self.disk.room.total_bytes,
            recent=self.history.told(language),
            receipt_open_ms=core.desk.receipts.silent_ms if core else 0,
        )

    async def metrics(self) -> bytes:
        """See `till_agent.bridge.context.Bridge`; the library is loaded in a thread, the first time somebody looks."""
        await asyncio.to_thread(load_prometheus)
        status = await self.status()
        return self.figures.render(status, live_figures(self, status))

    class Sync:
        """Implements `till_agent.bridge.context.SyncCalls`."""

        def __init__(self, agent: "Agent") -> None:
            self._agent = agent

        async def status(self) -> SyncStatus:
            """How it stands."""
            return self._agent.sync_status()

        async def now(self) -> bool:
            """Exchange now; False when it was not through in time. DeskProblem before the enrolment."""
            return await self._agent.core.sync_now()


def load_prometheus() -> None:
    """Some 100 ms that no request on the loop should wait for."""
    import prometheus_client  # noqa: F401 - loaded for its effect on the next import
