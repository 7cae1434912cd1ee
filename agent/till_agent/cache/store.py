"""The cache: look-ups on the loop by a connection of their own, writes in a thread of their own."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from till_agent.cache import checking, grants, leaving, pages, schema, turns
from till_agent.cache.aside import SNAPSHOT_SUFFIX, Aside
from till_agent.cache.crossing import Crossing
from till_agent.cache.exceptions import CacheUnavailable, DamagedCacheError
from till_agent.cache.former import FormerProgrammes
from till_agent.cache.lent import Lent
from till_agent.cache.log import Log
from till_agent.cache.lookups import Lookups
from till_agent.cache.opening import clear_away, open_writer, put_in_place
from till_agent.cache.pages import Progress, Waiting
from till_agent.cache.programmes import active_programme
from till_agent.cache.reading import Reader
from till_agent.cache.searching import Search
from till_agent.ports import CachedMember, CachedProgramme, Seen, Shares
from till_loyalty.programme import Programme
from till_loyalty.receipt import Place
from till_sync.asking import MemberAnswer
from till_sync.ports import Clock
from till_sync.wire import ChangesAnswer, GrantRow, OpResult, SnapshotAnswer, StretchDigest

_log = logging.getLogger(__name__)

T = TypeVar("T")

STOP_WAIT_SECONDS = 5.0
"""For a page that is being written; what is not finished is pulled again."""


async def _at_once() -> None:
    """Whom own ops speak of is known."""


class CacheStore:
    """Implements `till_agent.ports.Cache` and `till_sync.ports.CacheSink`, and takes verdicts.

    Made and used on the loop. Look-ups never wait for a write and never raise: in a damaged file they find nobody.

    `on_complete(floor)` is called on the loop after each page that made the cache complete: every cached balance then
    includes own ops up to `floor` (epoch, seq). By `clock` it is noted when the newest page came. `waiting(included)`,
    asked after `caught_up()`, says whom own ops after that one speak of: they are kept, whoever a page says has left.
    """

    def __init__(
        self,
        path: Path,
        till: str,
        *,
        on_complete: Callable[[tuple[int, int]], None] = lambda _floor: None,
        clock: Clock | None = None,
        waiting: Callable[[tuple[int, int]], frozenset[str]] = lambda _included: frozenset(),
    ) -> None:
        self._path = path
        self._waiting = waiting
        self.caught_up: Callable[[], Awaitable[None]] = _at_once
        self._keeps = False
        self._crossing = Crossing()
        self._till = till
        self._on_complete = on_complete
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cache-writer")
        self._writer: sqlite3.Connection | None = None
        self._log = Log()
        self._reader = Reader(path, self._mend)
        self.give_back = self._reader.give_back
        self._lookups = Lookups(self._reader, clock, self._mend)
        self._lent = Lent(self._reader)
        self.grant, self.grants_due, self.granted = self._lent.of, self._lent.due, self._lent.in_epoch
        self.finder = Search(path, self._write)
        self._progress = Progress(till=till)
        self._programme: CachedProgramme | None = None
        self._former = FormerProgrammes()
        self._mending: asyncio.Task[None] | None = None
        self._aside: Aside | None = None
        self._apart: StretchDigest | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Open the file or begin it anew. With no disk to be on it is empty, and each write tries again."""
        with contextlib.suppress(OSError):
            Aside(self._path, self._till).clear()
        try:
            await self._in_thread(self._open)
        except CacheUnavailable as exc:
            _log.error("the till starts without a cache: %s", exc)
        else:
            self._reader.open()

    async def stop(self, wait_seconds: float = STOP_WAIT_SECONDS) -> bool:
        """Close the file. False when a write did not end in time."""
        await self.finder.stop()
        if self._mending is not None:
            self._mending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._mending
        self._reader.close()
        closing = asyncio.get_running_loop().run_in_executor(self._thread, self._close_all)
        done, _ = await asyncio.wait([closing], timeout=wait_seconds)
        self._thread.shutdown(wait=False, cancel_futures=True)
        return bool(done)

    def by_tag(self, tag: str) -> CachedMember | None:
        """The member that an identifier's tag leads to."""
        return self._lookups.find(schema.BY_TAG, tag, self._progress.base)

    def by_id(self, member_id: str) -> CachedMember | None:
        """The member of that id."""
        return self._lookups.find(schema.BY_ID, member_id, self._progress.base)

    def programme(self) -> CachedProgramme | None:
        """The programme to sell by, parsed when it came. Whoever asks for it sells: members are written with pauses."""
        turns.pace.called()
        return self._programme

    def programme_version(self, programme_id: str, version: int) -> Programme | None:
        """Any programme that the cloud ever sent."""
        active = self._programme
        if active is not None and (active.programme.id, active.programme.version) == (programme_id, version):
            return active.programme
        return self._former.find(self._reader, programme_id, version)

    @property
    def as_of_ms(self) -> int:
        """Cloud's time of the last stored page; 0 when there was none."""
        return self._progress.as_of_ms

    @property
    def member_count(self) -> int:
        """Members in the cache."""
        return self._progress.members

    @property
    def shares(self) -> Shares:
        """What the newest page said is left of this till's shares of budgets."""
        return self._progress.allotted.shares

    @property
    def place(self) -> Place | None:
        """Where the till stands; None before the cloud has said."""
        return self._progress.allotted.place

    @property
    def seen(self) -> Seen | None:
        """When the newest page came, by the till's clocks; None before the first."""
        return self._progress.allotted.seen

    @property
    def floor(self) -> tuple[int, int] | None:
        """The last own op (epoch, seq) that every cached balance includes, (0, 0) where they include none; None when
        there was no page yet."""
        return self._progress.floor if self._progress.as_of_ms else None

    @property
    def filling(self) -> bool:
        """Is a pull from the beginning under way, so that members may be missing?"""
        return self._progress.filling

    @property
    def window_days(self) -> int:
        """In how many days the members here were seen in this store; 0: they are all that the chain has."""
        return self._progress.allotted.window_days

    async def take(self, answer: MemberAnswer) -> bool:
        """Store whom the cloud was asked about; False for nobody, from another cloud than the cache's, or too late."""
        if answer.incarnation != self._progress.incarnation or not self._crossing.takes(answer):
            return False
        self._progress = await self._write(lambda connection: pages.take(connection, answer))
        return True

    async def cursor(self) -> str:
        """Where the last stored page ended; "" before the first. Of the cache that is being built, if one is."""
        return self._progress.cursor if self._aside is None else self._aside.progress.cursor

    @property
    def snapshot_path(self) -> Path:
        """Where a snapshot's bytes are to be put while they come."""
        return self._path.with_name(self._path.name + SNAPSHOT_SUFFIX)

    @property
    def divergences(self) -> int:
        """Stretches of members that had come apart from the cloud, and were mended, since the cache was begun."""
        return self._progress.divergences

    async def adopt(self, answer: SnapshotAnswer) -> None:
        """Build a new cache from the fetched snapshot, beside the one that goes on serving. Pages go into the new one
        from now on, until there are no more; then it takes the other's place. SnapshotUnusable, CacheUnavailable.
        """
        aside = Aside(self._path, self._till)
        try:
            await self._in_thread(lambda: aside.build(self.snapshot_path, answer, self._writer))
        except BaseException:
            await self._in_thread(aside.clear)
            raise
        self._aside = aside

    async def check_after(self) -> str:
        """After which member the next digest is wanted."""
        self._crossing.asked()
        return self._progress.checked_to

    async def apart(self) -> StretchDigest | None:
        """A stretch that is to be read anew."""
        return self._apart

    async def mend(self, page: ChangesAnswer) -> None:
        """Put the members of `page.stretch` in place of those in the cache; the cursor stays."""
        stretch, self._apart, self._keeps = page.stretch, None, True
        if stretch is not None and not self._progress.filling:
            async with self._letting_go(page) as stay:
                self._progress = await self._write(
                    lambda each: self._lookups.keep(each, checking.mend(each, page, stretch, stay), page)
                )

    async def store_page(self, page: ChangesAnswer) -> None:
        """Rows and cursor in one transaction; CacheUnavailable when it can't be kept."""
        page = self._crossing.brought(page)
        if self._keeps or self._aside is not None or pages.leaves(self._progress, page):
            async with self._letting_go(page) as stay:
                await self._store(page, stay)
        else:
            await self._store(page, None)

    async def _store(self, page: ChangesAnswer, stay: Waiting) -> None:
        seen = pages.seen_by(self._clock)
        if self._aside is not None:
            await self._store_aside(self._aside, page, seen, stay)
            return
        erased = pages.Erased(self._lookups.is_here, page)

        def write(connection: sqlite3.Connection) -> tuple[Progress, CachedProgramme | None, bool]:
            before = pages.load_progress(connection)
            progress = self._lookups.keep(connection, pages.write_page(connection, before, page, seen, stay), page)
            if before.filling or any(isinstance(row, GrantRow) for row in page.rows):
                self._lent.totals = grants.totals(connection)
            self._keeps = leaving.is_any(connection)
            progress, agrees = checking.compare(connection, progress, page)
            return progress, active_programme(connection, self._programme), agrees

        self._progress, self._programme, agrees = await self._write(write)
        await erased.note(self._path.parent)
        self._apart = None if agrees else page.stretch
        if not self._progress.filling and not page.more:
            self._on_complete(self._progress.floor)
            self.finder.go_on()

    async def record_results(self, epoch: int, results: tuple[OpResult, ...]) -> None:
        """Balances right after own ops. Raises nothing: what can't be kept comes again with a page."""
        try:
            await self._write(lambda connection: pages.judge(connection, epoch, results))
        except CacheUnavailable as exc:
            _log.warning("verdicts could not be put into the cache: %s", exc)

    async def reset(self) -> None:
        """Begin the next pull from the start; rows stay until it is through, and then those it did not bring go."""
        if self._aside is not None:
            await self._drop_aside(self._aside)
        if self._progress.cursor:
            self._progress = await self._write(pages.begin_anew)

    @contextlib.asynccontextmanager
    async def _letting_go(self, page: ChangesAnswer) -> AsyncIterator[frozenset[str]]:
        """Whom a page may not take away. Who is looked up within it may not be either, and stays or is brought back."""
        await self.caught_up()
        aside = self._aside
        with self._lookups.noting(self._progress.floor):
            yield self._waiting((page.epoch, page.acked_seq)) | self._lookups.lately()
            if gone := self._lookups.gone(pages.removed_by(page) | (aside.removed if aside else set())):
                self._progress, self._keeps = await self._write(lambda each: self._lookups.bring_back(each, gone)), True

    async def _store_aside(self, aside: Aside, page: ChangesAnswer, seen: Seen | None, stay: Waiting) -> None:
        """A page for the new cache; with the last one it takes the place of the one that serves."""
        try:
            complete = await self._in_thread(lambda: aside.write_page(page, seen, stay))
            if complete:
                await self._swap(aside, stay)
        except BaseException:
            await self._drop_aside(aside)
            raise
        if complete:
            self._on_complete(self._progress.floor)
            self.finder.go_on()

    async def _drop_aside(self, aside: Aside) -> None:
        self._aside = None
        await self._in_thread(aside.clear)

    async def _swap(self, aside: Aside, stay: Waiting) -> None:
        """The new cache in the other's place: look-ups go on all the while, and a crash leaves the one or the other."""
        async with self.finder.turn, self._turn:
            await self._run(lambda: self._settle(aside, stay))
            # The old file is whole without its log now, and nobody writes: it is read without locks until it goes.
            self._reader.settle()
            try:
                await self._run(lambda: put_in_place(self._path, aside.path))
            finally:
                self._reader.open()
            self._aside, self._apart, self._progress = None, None, aside.progress
            await self._run(self._open)
        self.snapshot_path.unlink(missing_ok=True)
        _log.info("a new cache of %d members serves", self._progress.members)

    def _settle(self, aside: Aside, stay: Waiting) -> None:
        """In the writer thread."""
        aside.carry_over(self._writer, self._progress, self._lookups.with_noted(stay))
        aside.finish()
        if self._writer is not None and self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            raise sqlite3.OperationalError("another process reads the cache, which can't be replaced under it")
        self._close_writer()

    def _mend(self, exc: Exception) -> None:
        """A look-up met damage: no more look-ups until there is a new file."""
        _log.error("the cache is damaged and is rebuilt from the cloud: %s", exc)
        self._reader.close()
        if self._mending is None or self._mending.done():
            self._mending = asyncio.get_running_loop().create_task(self._rebuild())

    async def _rebuild(self) -> None:
        try:
            await self._in_thread(self._begin_anew)
        except CacheUnavailable as exc:
            _log.warning("the cache could not be begun anew: %s", exc)
            return
        self._reader.open()

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """One transaction in the writer thread; on damage a new file, and the work is lost with the old one."""
        try:
            done = await self._in_thread(lambda: self._transact(work))
        except DamagedCacheError as exc:
            self._reader.close()
            await self._rebuild()
            raise CacheUnavailable(f"expected a whole cache, not a damaged one: {exc}") from exc
        if not self._reader.is_open:
            self._reader.open()
        return done

    async def _in_thread(self, work: Callable[[], T]) -> T:
        async with self._turn:
            return await self._run(work)

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError) as exc:
            raise CacheUnavailable(f"expected the disk to take the cache, not {exc}") from exc

    def _open(self) -> None:
        """In the writer thread."""
        self._writer, self._progress = open_writer(self._path, self._till)
        self._programme = active_programme(self._writer, self._programme)
        self._lent.totals = grants.totals(self._writer)
        self._keeps = leaving.is_any(self._writer)

    def _begin_anew(self) -> None:
        """In the writer thread."""
        self._close_writer()
        clear_away(self._path)
        self._former = FormerProgrammes()
        self._open()

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """In the writer thread."""
        if self._writer is None:
            self._open()
        connection = self._writer
        if connection is None:
            raise CacheUnavailable("expected an open cache")
        return self._log.transact(connection, work)

    def _close_all(self) -> None:
        """In the writer thread. A cache that is being built would be cleared away at the next start."""
        self._close_writer()
        if self._aside is not None:
            with contextlib.suppress(OSError, sqlite3.Error):
                self._aside.clear()

    def _close_writer(self) -> None:
        connection, self._writer = self._writer, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()
