"""A real till without its threads and sockets: journal, cache, sale desk and sync worker on a simulated machine.

A machine's files are in a folder. A crash copies what the disk would hold into a new one and goes on there; what is
left of the former life can do nothing any more but write into a folder that nobody looks at.
"""

import asyncio
import os
import shutil
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any, Literal, TypeVar
from unittest import mock

import tenacity  # noqa: F401 - loaded here, a worker does not wait for its thread, which no simulated clock moves

from fakes.slips import FakeSlipDesk
from simulation.centre import SimulatedCloud
from simulation.network import Line, SimulatedTransport
from till_agent.balances import OwnEffects
from till_agent.cache import CacheStore
from till_agent.desk import Desk, DeskParts, DeskSettings, StoreIdentity
from till_agent.gateways import gateways_of
from till_agent.giving_back import GivingBack
from till_agent.journal import DiskJournal, EpochKeeper, Place
from till_agent.journal import journal as journal_module
from till_agent.journal.writer import Writer
from till_sync.client import CloudClient
from till_sync.counters import COUNTER_FILE, Counter
from till_sync.phone_tags import NO_SLOW_TAGS, PhoneTags
from till_sync.secured import SecuredTransport
from till_sync.transport import Transport
from till_sync.worker import SyncWorker, WorkerSettings

T = TypeVar("T")

LOG_HEAD_BYTES, LOG_FRAME_HEAD_BYTES = 32, 24
FULL = 2
"""`PRAGMA synchronous`: each commit is on the disk when it returns."""
Death = Literal["", "before_commit", "after_commit"]


class Died(Exception):  # noqa: N818 - what the cash software sees: the agent is not there any more
    """Raised to whoever waits for a till that has gone."""


class Life:
    """One run of the agent's process."""

    def __init__(self) -> None:
        self.alive = True
        self.death: Death = ""
        self.ended = asyncio.Event()
        self.synced_log_bytes = 0
        self.tasks: list[asyncio.Task[None]] = []

    def end(self) -> None:
        """Nobody hears of it any more; what its tasks still do on their way out is done to files that were left."""
        self.alive = False
        self.ended.set()


class MachineClock:
    """Fits `till_sync.ports.Clock`. `shift_ms` is how wrong the wall clock is."""

    def __init__(self, life: Life, boot: str, base_ms: int, shift_ms: int) -> None:
        self._life = life
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._base_ms = base_ms
        self.shift_ms = shift_ms
        self.boot = boot

    def wall_ms(self) -> int:
        return self._base_ms + self.shift_ms + int(self._loop.time() * 1000)

    def mono_ms(self) -> int:
        return int((self._loop.time() - self._started) * 1000) + 1_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class InlineWriter(Writer):
    """The journal's writer: its own transactions, on the loop instead of in a thread, each after a moment."""

    def __init__(self, life: Life, random: Random, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._life = life
        self._random = random
        self._due = False
        self._room_made = True

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        await self.submit(lambda _session: None, writes=False)

    def submit(self, run: Any, **how: Any) -> Any:
        future = super().submit(run, **how)
        self._plan()
        return future

    async def stop(self, wait_seconds: float = 10.0) -> bool:
        self._plan()
        return await super().stop(wait_seconds)

    def _plan(self) -> None:
        if not self._due and self._loop is not None:
            self._due = True
            self._loop.call_later(self._random.uniform(0.0005, 0.01), self._pump)

    def _pump(self) -> None:
        self._due = False
        life = self._life
        if not life.alive:
            return
        jobs = self._take() if self._jobs else []
        writes = any(job.writes for job in jobs)
        if writes and life.death == "before_commit":
            life.end()
            return
        if jobs:
            self._serve(jobs)
            self._note_sync()
        if writes and life.death == "after_commit":
            life.end()
            return
        if self._jobs:
            self._plan()
        elif self._stopping:
            self._drop_session()
            self._tell(self._end)
        elif self._random.randrange(40) == 0:
            self._log_bytes = 0
            self._tidy()
            self._note_sync(checkpoint=True)

    def _note_sync(self, *, checkpoint: bool = False) -> None:
        """How much of the log survives a power cut: all of it, if commits are synced as they should be."""
        session = self._session
        if session is None:
            return
        path = Path(session.connection.execute("PRAGMA database_list").fetchone()[2] + "-wal")
        if checkpoint or session.connection.execute("PRAGMA synchronous").fetchone()[0] >= FULL:
            self._life.synced_log_bytes = path.stat().st_size if path.exists() else 0

    def _tell(self, call: Callable[[], None]) -> None:
        life = self._life

        def alone() -> None:
            if life.alive:
                call()

        super()._tell(alone)


class SimulatedTill:
    """A till and its machine. `start` brings the agent up; `kill` and `cut_power` end it in mid-air."""

    def __init__(
        self, identity: StoreIdentity, token: str, folder: Path, cloud: SimulatedCloud, base_ms: int, random: Random
    ) -> None:
        self.identity = identity
        self.line = Line()
        self.life = Life()
        self.life.alive = False
        self._token = token
        self._root = folder
        self._cloud = cloud
        self._base_ms = base_ms
        self._random = random
        self._losses = Random(repr(random.getstate()))
        """What the cache loses is drawn apart, so that all else comes as it would without."""
        self._number = 0
        self._boots = 0
        self._epoch = 0
        self._shift_ms = 0
        self._open: list[Any] = []
        self._image: Path | None = None
        self._left = False
        self.phone_tags = NO_SLOW_TAGS
        self.private_key = ""
        """Signs the till's requests; "": they go out as those of a till of 0.1."""
        self.caches_lost = 0
        self.may_be_gone: dict[tuple[str, str], tuple[int, bytes, bytes]] = {}
        self.folder = folder / f"{identity.till}-0"
        self.folder.mkdir()

    @property
    def name(self) -> str:
        return self.identity.till

    async def start(self) -> None:
        """The agent comes up on what the disk holds."""
        if self.life.alive:
            return
        if self._left:
            self._move()  # it ended by itself, in a commit
        self._left = True
        life = self.life = Life()
        self._boots += 1
        self.clock = MachineClock(life, f"{self.name}-boot-{self._boots}", self._base_ms, self._shift_ms)
        effects = OwnEffects()
        on_page: list[Callable[[], None]] = []

        def complete(floor: tuple[int, int]) -> None:
            effects.forget(floor)
            for told in on_page:
                told()

        self.cache = CacheStore(
            self.folder / "cache.db", self.name, on_complete=complete, clock=self.clock, waiting=effects.speak_of
        )
        keeper = EpochKeeper(self._epoch, self._keep_epoch)
        cache = self.cache
        place = Place(
            path=self.folder / "journal.db",
            till=self.name,
            keeper=keeper,
            clock=self.clock,
            included=lambda: cache.floor,
        )

        def writer(*args: Any, **more: Any) -> InlineWriter:
            return InlineWriter(life, self._random, *args, **more)

        with mock.patch.object(journal_module, "Writer", writer):
            self.journal = DiskJournal(place, effects, self.cache, begins_anew=True)
        self.effects = effects
        self.cache.caught_up = self.journal.caught_up
        await self.cache.start()
        await self.journal.start(self.cache.floor)
        self._connect(life)
        on_page += [self._hear_tags, self.giving.wake]

    def _connect(self, life: Life) -> None:
        transport: Transport = SimulatedTransport(self._cloud.carry, self.line, self._random, lambda: life.alive)
        if self.private_key:
            transport = SecuredTransport(
                transport,
                till=self.name,
                clock=self.clock,
                counter=Counter(self.folder / COUNTER_FILE),
                private_key=self.private_key,
            )
        client = self._client = CloudClient(transport, till=self.name, token=self._token, clock=self.clock)
        self.worker = SyncWorker(
            client,
            self.journal,
            self.cache,
            clock=self.clock,
            random=self._random,
            settings=WorkerSettings(poll_interval_ms=30_000, spread_ms=5_000),
        )
        asked = gateways_of(client, self.worker)
        self.desk = Desk(
            DeskParts(
                identity=self.identity,
                journal=self.journal,
                cache=self.cache,
                pending=self.effects,
                holds=self.journal.holds,
                gateway=asked.holds,
                slips=FakeSlipDesk(),
                clock=self.clock,
                settings=DeskSettings(print_slips=False),
                epoch=lambda: self.journal.figures.epoch,
                nudge=self.worker.nudge_urgently,
                members=asked.members,
                phone_tags=lambda: self.phone_tags,
            )
        )
        self.giving = GivingBack(self.desk, self.worker.nudge_urgently)
        self.giving.start()
        self.worker.start()
        life.tasks = [task for task in (self.worker._task, self.giving._task) if task is not None]
        self._open.append((self.journal, self.cache))

    def _hear_tags(self) -> None:
        """What the cloud said of slow tags is kept with the till's identity, as `till_agent.identity_file` does."""
        told = self._client.phone_tags
        if told is not None:
            self.phone_tags = told if told.cost else PhoneTags(cost=self.phone_tags.cost)

    async def call(self, work: Awaitable[T]) -> T:
        """What the cash software gets; Died when the agent goes away before it answers."""
        if not self.life.alive:
            _close(work)
            raise Died
        task = asyncio.ensure_future(work)
        gone = asyncio.ensure_future(self.life.ended.wait())
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not self.life.alive:
            task.add_done_callback(_look_away)
            raise Died
        return await task

    async def stop(self) -> None:
        """An orderly end."""
        if not self.life.alive:
            return
        await self.worker.stop()
        await self.giving.stop()
        await self.cache.stop()
        await self.journal.stop()
        self.life.end()

    def kill(self) -> None:
        """The process ends; the system keeps what it wrote."""
        self.life.end()
        self._move()

    def cut_power(self) -> None:
        """The machine ends: of the journal's log survives what was synced, and maybe a part of what was not; so it is
        with the cache's, which is synced by checkpoints alone."""
        self.life.end()
        synced = self.life.synced_log_bytes
        cached, written = _synced_and_written(self.folder / "cache.db-shm")
        self._move()
        if cached < written:
            self.caches_lost += 1
            os.truncate(self.folder / "cache.db-wal", self._losses.randint(cached, written))
        log = self.folder / "journal.db-wal"
        if log.exists() and log.stat().st_size > synced:
            os.truncate(log, self._random.choice((synced, self._random.randint(synced, log.stat().st_size))))

    def lose_cache(self) -> None:
        """Somebody deletes the cache."""
        self.kill()
        self.caches_lost += 1
        for path in self.folder.glob("cache.db*"):
            path.unlink()

    def lose_journal(self) -> None:
        """The disk is replaced: only the till's identity is set up again, by a new enrolment."""
        self.kill()
        self.caches_lost += 1
        for path in self.folder.iterdir():
            path.unlink()

    def keep_copy(self) -> None:
        """Somebody copies the journal's files."""
        self._image = self._root / f"{self.name}-image"
        shutil.rmtree(self._image, ignore_errors=True)
        shutil.copytree(
            self.folder, self._image, ignore=shutil.ignore_patterns("*-shm", "*-witness", "*-facts", "cache.db*")
        )

    @property
    def has_copy(self) -> bool:
        """Whether somebody copied the journal."""
        return self._image is not None

    def put_copy_back(self) -> bool:
        """The copy of the journal is put back; witness, identity, and what an orderly stop put down beside the journal
        are as they were left. False when there is none."""
        if self._image is None:
            return False
        if self.life.alive:
            self.kill()
        elif self._left:
            self._move()
        for suffix in ("", "-wal"):
            (self.folder / f"journal.db{suffix}").unlink(missing_ok=True)
        shutil.copytree(self._image, self.folder, dirs_exist_ok=True)
        return True

    def shift_clock(self, ms: int) -> None:
        """The wall clock is set."""
        self._shift_ms = ms
        if self.life.alive:
            self.clock.shift_ms = ms

    def fill_disk(self, *, full: bool) -> None:
        """No page more for the journal, or room again: SQLite itself says so."""
        session = self.journal._writer._session if self.life.alive else None
        if session is not None:
            pages = session.connection.execute("PRAGMA page_count").fetchone()[0]
            session.connection.execute(f"PRAGMA max_page_count = {pages if full else 1_073_741_823:d}")

    def entries(self) -> sqlite3.Connection:
        """The journal's file as it lies there, read by other means."""
        return sqlite3.connect(f"file:{self.folder / 'journal.db'}?mode=ro", uri=True)

    def close(self) -> None:
        """Close every life's files."""
        for journal, cache in self._open:
            journal._writer._drop_session()
            cache._reader.close()
            cache._close_writer()
            cache._thread.shutdown(wait=False)

    def _move(self) -> None:
        """Go on in a copy of what the disk holds now."""
        self._left = False
        self._number += 1
        after = self._root / f"{self.name}-{self._number}"
        shutil.copytree(self.folder, after, ignore=shutil.ignore_patterns("*-shm"))
        self.folder = after
        for task in self.life.tasks:
            task.cancel()

    def _keep_epoch(self, epoch: int) -> None:
        self._epoch = epoch


def _synced_and_written(index: Path) -> tuple[int, int]:
    """How much of a log is on the disk for certain, and how much is in it, as its index tells (SQLite's file format):
    frames are copied into the database only after a sync of the log."""
    if not index.exists():
        return 0, 0
    content = index.read_bytes()
    page_bytes = int.from_bytes(content[14:16], sys.byteorder)
    frames, copied = (int.from_bytes(content[at : at + 4], sys.byteorder) for at in (16, 96))
    frame_bytes = LOG_FRAME_HEAD_BYTES + page_bytes
    return LOG_HEAD_BYTES + copied * frame_bytes, LOG_HEAD_BYTES + frames * frame_bytes


def _look_away(task: "asyncio.Future[Any]") -> None:
    if not task.cancelled():
        task.exception()


def _close(work: Any) -> None:
    if asyncio.iscoroutine(work):
        work.close()
