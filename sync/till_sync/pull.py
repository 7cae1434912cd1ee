"""The cloud's way to the cache: pages of changes after a cursor, stored one by one."""

from msgspec import Struct

from till_sync.batch_size import BatchSize
from till_sync.client import CloudClient
from till_sync.exceptions import AnswerMismatch, CloudUnreachable, CursorGone, IncarnationChanged
from till_sync.ports import CacheSink, Clock
from till_sync.wire import ChangesAnswer

FIRST_PAGE_ROWS = 1_000
MOST_PAGE_ROWS = 10_000
"""About 4 MB, and 70 ms of writing to the cache."""

LEAST_PAGE_ROWS = 50

PAGES_AT_ONCE = 10
"""Then the push gets its turn: a first load of a million members must not keep sales from the cloud."""


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

    async def reset(self) -> None:
        """Forget the cursor; the rows keep serving until the new pages replace them."""
        await self._sink.reset()

    async def pull(
        self, incarnation: str, *, known: tuple[int, int], pages: int = PAGES_AT_ONCE, wait_ms: int = 0
    ) -> Pulled:
        """Store up to `pages` pages. `known` is the last own (epoch, seq) that the cloud can know of.

        SyncError's children: those of the exchange, AnswerMismatch, IncarnationChanged. A cursor that the cloud no
        longer has is forgotten, and the pull starts anew; each page and its cursor are stored together.
        """
        stored = rows = resets = 0
        while stored < pages:
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
                return Pulled(stored, rows, more=False)
        return Pulled(stored, rows, more=True)

    async def _page(self, cursor: str, wait_ms: int) -> ChangesAnswer:
        asked = self._rows.current
        started_ms = self._clock.mono_ms()
        try:
            page = await self._client.changes(cursor, limit=asked, wait_ms=wait_ms)
        except CloudUnreachable as error:
            if error.code == "timeout":
                self._rows.too_slow(asked)
            raise
        if page.more:
            self._rows.done(asked, self._clock.mono_ms() - started_ms)
        return page


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
