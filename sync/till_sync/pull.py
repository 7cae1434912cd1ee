"""The cloud's way to the cache: a snapshot for a cache without a cursor, then pages of changes after it, one by one."""

import logging

from msgspec import Struct

from till_sync.batch_size import BatchSize
from till_sync.client import CloudClient
from till_sync.exceptions import AnswerMismatch, CloudUnreachable, CursorGone, IncarnationChanged
from till_sync.ports import CacheSink, Clock, DigestSink, SnapshotSink
from till_sync.snapshots import SINCE, Loading, SnapshotLoader
from till_sync.wire import ChangesAnswer

log = logging.getLogger(__name__)

FIRST_PAGE_ROWS = 1_000
MOST_PAGE_ROWS = 2_000
"""About 700 KB: 3 ms in which no sale goes on while they are decoded. A first load comes as a snapshot."""

LEAST_PAGE_ROWS = 50

PAGES_AT_ONCE = 50
"""Then the push gets its turn: a first load of a million members must not keep sales from the cloud."""

TURN_MS = 5_000
"""As after so long: on a slow line each page takes a second or two."""

CHECK_EVERY_MS = 60_000
"""Between two digests: a million members are gone round in four hours, for some 50 ms of either end a minute."""

CHECK_SELDOM_MS = 6 * 3_600_000
"""The longest time between two, after a stretch that was mended came apart again and again: somebody has to look."""


class Pulled(Struct, frozen=True):
    """How many pages and rows were stored, and whether the cloud has more."""

    pages: int
    rows: int
    more: bool


class Puller:
    """Asks for pages and hands them to the cache. Not safe for use by two tasks at once."""

    def __init__(self, client: CloudClient, sink: CacheSink, *, clock: Clock) -> None:
        self._client = client
        self._sink = sink
        self._clock = clock
        self._rows = BatchSize(initial=FIRST_PAGE_ROWS, ceiling=MOST_PAGE_ROWS, floor=LEAST_PAGE_ROWS)
        self._loader = SnapshotLoader(client, sink, clock=clock) if isinstance(sink, SnapshotSink) else None
        self._digests = sink if isinstance(sink, DigestSink) else None
        self._check_due_ms = 0
        self._mended: dict[str, int] = {}

    @property
    def loading(self) -> Loading:
        """How far a snapshot has come."""
        return Loading() if self._loader is None else self._loader.loading

    async def reset(self) -> None:
        """Forget the cursor; the rows keep serving until the new pages replace them."""
        if self._loader is not None:
            self._loader.forget()
        await self._sink.reset()

    async def pull(
        self, incarnation: str, *, known: tuple[int, int], pages: int = PAGES_AT_ONCE, wait_ms: int = 0
    ) -> Pulled:
        """Store up to `pages` pages. `known` is the last own (epoch, seq) that the cloud can know of.

        SyncError's children: those of the exchange, AnswerMismatch, IncarnationChanged. A cursor that the cloud no
        longer has is forgotten, and the pull starts anew; each page and its cursor are stored together.
        """
        stored = rows = resets = 0
        until_ms = self._clock.mono_ms() + TURN_MS
        while stored < pages and (not stored or self._clock.mono_ms() < until_ms):
            if self._loader is not None and await self._loader.wanted() and await self._loader.step(incarnation):
                return Pulled(stored, rows, more=True)
            cursor = await self._sink.cursor()
            try:
                page = await self._page(cursor, wait_ms)
            except CursorGone:
                resets += 1
                if not cursor or resets > 1:
                    raise
                await self._sink.reset()
                continue
            check_page(page, incarnation=incarnation, cursor=cursor, known=known)
            # An empty page is stored too: it says as of when the rows stand.
            await self._sink.store_page(page)
            stored += 1
            rows += len(page.rows)
            if not page.more:
                await self._mend(page, incarnation, known)
                return Pulled(stored, rows, more=False)
        return Pulled(stored, rows, more=True)

    async def _page(self, cursor: str, wait_ms: int) -> ChangesAnswer:
        asked = self._rows.current
        check = await self._check_after(cursor)
        started_ms = self._clock.mono_ms()
        try:
            page = await self._client.changes(cursor, limit=asked, wait_ms=wait_ms, check=check)
        except CloudUnreachable as error:
            if error.code == "timeout":
                self._rows.too_slow(asked)
            raise
        if page.more:
            self._rows.done(asked, self._clock.mono_ms() - started_ms)
        elif check is not None:
            # Of a stretch that stays apart `_mend` says more, once it is known.
            self._check_due_ms = self._clock.mono_ms() + CHECK_EVERY_MS
        return page

    async def _check_after(self, cursor: str) -> str | None:
        """After which member to ask for a digest now; None when it is not time, or there is nothing to compare yet."""
        due = self._clock.mono_ms() >= self._check_due_ms
        if self._digests is None or not cursor or not due or self._client.protocol < SINCE:
            return None
        return await self._digests.check_after()

    async def _mend(self, last: ChangesAnswer, incarnation: str, known: tuple[int, int]) -> None:
        """Read a stretch anew that has come apart; one that does so again, ever more seldom."""
        apart = None if self._digests is None else await self._digests.apart()
        if self._digests is None or apart is None:
            if last.stretch is not None:
                self._mended.pop(last.stretch.after, None)
            return
        cursor, times = last.next, self._mended.get(apart.after, 0)
        self._mended[apart.after] = times + 1
        if times:
            self._check_due_ms = self._clock.mono_ms() + min(CHECK_EVERY_MS << min(times, 20), CHECK_SELDOM_MS)
            log.critical("Members after %r to %r: what was mended stays apart from the cloud", apart.after, apart.last)
        page = await self._client.changes(cursor, limit=self._rows.current, members=(apart.after, apart.last))
        check_page(page, incarnation=incarnation, cursor=cursor, known=known)
        if page.stretch is None or page.stretch.after != apart.after or page.more:
            raise AnswerMismatch(f"expected the members after {apart.after!r}, not a page")
        await self._digests.mend(page)


def check_page(page: ChangesAnswer, *, incarnation: str, cursor: str, known: tuple[int, int]) -> None:
    """AnswerMismatch or IncarnationChanged unless the page can be the one after `cursor` for this till.

    A page that claims to include own ops which were never sent would hide their effect on the balances shown.
    """
    if page.incarnation != incarnation:
        raise IncarnationChanged("the page comes from another incarnation of the cloud than the one greeted")
    if page.more and page.next == cursor:
        raise AnswerMismatch("expected a page that gets on: it says more, and its cursor is the one before")
    if not page.next and page.rows:
        raise AnswerMismatch("expected a cursor after rows")
    if (page.epoch, page.acked_seq) > known:
        raise AnswerMismatch(f"expected own ops up to {known}, not {(page.epoch, page.acked_seq)}")
