"""Watches what `till_loyalty.conduct` is about: sales and returns of the last weeks, by card and cashier.

Read from the journal, beside the sales and never before one; in memory, and read again after a restart. What a flag
names are a member's reference and the uids of receipts: no name, no number.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from datetime import date
from typing import Protocol, TypeVar, cast

import msgspec
from msgspec import Struct

from till_agent.journal import schema
from till_agent.journal.reader import EntryReader
from till_agent.page_api import Flag, Flags, FlagSignal
from till_agent.store_words import store_text
from till_loyalty.conduct import WINDOW_DAYS, Done, Entry, Flagged, first_day, flags
from till_sync.ops import OpId

T = TypeVar("T")

DONE_LIMIT = 50_000
"""Receipts that are kept in mind, some 6 MB; a busy till has 10,000 of members in the window. Past it the oldest go."""
SLICE_ROWS = 25
"""Rows whose bodies are read in one turn of the journal's thread: a few milliseconds, between commits."""
STEP_ROWS = 250
"""Rows between two whose times are read to find where the window begins; reading each would take a second of a long
queue. So up to as many are read that are older than the window, and let go at once."""
STEPS = 20
"""Such steps in one turn of the journal's thread: a millisecond."""
SALES_SHOWN = 20
FLAGS_LIMIT = 200
"""Cards that one answer names; a till with more has a fault in its cash software."""
DAY_MS = 86_400_000

_ENTRIES = frozenset(("scanned", "keyed", "typed"))
Row = tuple[int, str, str, int, bytes]


class Reads(Protocol):
    """The journal, as far as this module needs it (`till_agent.journal.DiskJournal`)."""

    async def read(self, query: Callable[[EntryReader], T]) -> T: ...


class _Day(Struct):
    business_date: str = ""


class _Back(Struct):
    points_taken: int = 0


class _Head(Struct):
    """What is read of a body; the receipt, which is most of it, is passed by."""

    clock: _Day | None = None
    cashier: str = ""
    entry: str = ""
    late: bool = False
    sale_op: str = ""
    reversal: _Back | None = None


class CardFlag(Struct, frozen=True):
    """A flag, and whose card it is about."""

    reference: str
    flagged: Flagged


_head_decoder = msgspec.json.Decoder(_Head)


class Conduct:
    """What was done with each card, and what of it is worth a look. No input or output of its own."""

    def __init__(self) -> None:
        self._cards: dict[str, list[Done]] = {}
        self._order: deque[tuple[str, Done]] = deque()
        self._flags: dict[str, tuple[Flagged, ...]] = {}
        self._today = ""
        self._since = ""

    def __len__(self) -> int:
        """Receipts kept."""
        return len(self._order)

    @property
    def count(self) -> int:
        """Cards and cashiers that are worth a look."""
        return sum([len(found) for found in self._flags.values()])

    def take(self, rows: Iterable[Row], today: str) -> None:
        """Further rows of the journal, in order, as of a day of the store."""
        touched: set[str] = set()
        self._since = first_day(today)
        for row in rows:
            key = self._take(row)
            if key:
                touched.add(key)
        touched |= self._let_go(today)
        for key in touched:
            self._judge(key, today)

    def found(self) -> tuple[CardFlag, ...]:
        """The flags, those first of which the last receipt is the newest."""
        all_of_them = [CardFlag(key, each) for key, found in self._flags.items() for each in found]
        return tuple(sorted(all_of_them, key=lambda flag: -flag.flagged.receipts[-1].place))

    def _take(self, row: Row) -> str:
        """Whose card the row is about; "" when it says nothing."""
        place, kind, key, at_ms, body = row
        head = _read(body)
        if not key or head is None or head.clock is None or not head.clock.business_date:
            return ""
        if kind == "sale":
            entry = cast("Entry", head.entry) if head.entry in _ENTRIES else ""
            self._add(key, Done(place, head.cashier, at_ms, head.clock.business_date, entry, head.late))
            return key
        sale = self._sale(key, head.sale_op)
        if kind == "void" and sale is not None:
            # A receipt that was cancelled is none; that its points were taken back stays.
            self._cards[key].remove(sale)
        if head.reversal is not None and head.reversal.points_taken:
            cashier = head.cashier or (sale.cashier if sale is not None else "")
            self._add(key, Done(place, cashier, at_ms, head.clock.business_date, back=True))
        return key

    def _add(self, key: str, done: Done) -> None:
        self._cards.setdefault(key, []).append(done)
        self._order.append((key, done))

    def _sale(self, key: str, op: str) -> Done | None:
        """The receipt that something came back of, if it is of the window."""
        try:
            named = OpId.parse(op)
        except ValueError:
            return None
        place = schema.row_id(named.epoch, named.seq)
        sales = (each for each in self._cards.get(key, ()) if each.day >= self._since and not each.back)
        return next((each for each in sales if each.place == place), None)

    def _let_go(self, today: str) -> set[str]:
        """Drop what is older than the window, or too much; gives the cards whose flags may be others now."""
        touched: set[str] = set(self._flags) if today != self._today else set()
        self._today = today
        while self._order and (self._order[0][1].day < self._since or len(self._order) > DONE_LIMIT):
            key, done = self._order.popleft()
            rest = [each for each in self._cards.get(key, ()) if each.place != done.place]
            if rest:
                self._cards[key] = rest
            else:
                self._cards.pop(key, None)
            touched.add(key)
        return touched

    def _judge(self, key: str, today: str) -> None:
        found = flags(self._cards.get(key, ()), today)
        if found:
            self._flags[key] = found
        else:
            self._flags.pop(key, None)


class ConductWatch:
    """Reads on in the journal when it is told to look. Used on the loop."""

    def __init__(self, journal: Reads, today: Callable[[], str]) -> None:
        self._journal = journal
        self._today = today
        self._turn = asyncio.Lock()
        self._upto: int | None = None
        self.conduct = Conduct()

    async def look(self, pause_s: float = 0.0) -> None:
        """Take in what was done since the last look; the first one reads the window's weeks, in slices."""
        async with self._turn:
            if self._upto is None:
                self._upto = await self._begin(pause_s)
            while True:
                rows = await self._journal.read(_rows_after(self._upto))
                self.conduct.take(rows, self._today())
                if rows:
                    self._upto = rows[-1][0]
                if len(rows) < SLICE_ROWS:
                    return
                await asyncio.sleep(pause_s)

    async def told(self, language: str) -> Flags:
        """The flags as of now."""
        await self.look()
        found = self.conduct.found()
        told = [shown(each, await self._journal.read(_uids(each.flagged)), language) for each in found[:FLAGS_LIMIT]]
        return Flags(flags=tuple(told), count=len(found), days=WINDOW_DAYS)

    async def _begin(self, pause_s: float) -> int:
        since_ms = beginning_ms(self._today())
        upto, found = schema.LARGEST_ID, False
        for _ in range(DONE_LIMIT // STEP_ROWS // STEPS):
            upto, found = await self._journal.read(_steps_back(upto, since_ms))
            if found:
                break
            await asyncio.sleep(pause_s)
        return upto


def shown(flag: CardFlag, uids: tuple[str, ...], language: str) -> Flag:
    """A flag as the bridge and the command line show it."""
    flagged = flag.flagged
    return Flag(
        cashier=flagged.cashier,
        reference=flag.reference,
        signals=tuple(
            [
                FlagSignal(
                    code=each.code,
                    count=each.count,
                    of=each.of,
                    text=store_text(language, "flags", each.code, {"count": each.count, "of": each.of}),
                )
                for each in flagged.signals
            ]
        ),
        receipts=sum([not each.back for each in flagged.receipts]),
        sales=uids,
        first_ms=flagged.receipts[0].at_ms,
        last_ms=flagged.receipts[-1].at_ms,
    )


def of_journal(reader: EntryReader, today: str, language: str) -> Flags:
    """The same of a journal at rest, at once."""
    conduct, upto, found_it = Conduct(), schema.LARGEST_ID, False
    while not found_it:
        upto, found_it = _steps_back(upto, beginning_ms(today))(reader)
    while rows := reader.done_after(upto, SLICE_ROWS):
        conduct.take(rows, today)
        upto = rows[-1][0]
    found = conduct.found()
    told = [shown(each, _uids(each.flagged)(reader), language) for each in found[:FLAGS_LIMIT]]
    return Flags(flags=tuple(told), count=len(found), days=WINDOW_DAYS)


def beginning_ms(today: str) -> int:
    """Before it nothing counts, wherever the store's midnight lies."""
    days = date.fromisoformat(today).toordinal() - date(1970, 1, 1).toordinal() - WINDOW_DAYS - 1
    return days * DAY_MS


def _uids(flagged: Flagged) -> Callable[[EntryReader], tuple[str, ...]]:
    """What the cash software calls the newest receipts of a flag."""
    places = [each.place for each in flagged.receipts[::-1] if not each.back][:SALES_SHOWN]
    return lambda reader: tuple([reader.uid_of(place) for place in places])


def _read(body: bytes) -> _Head | None:
    try:
        return _head_decoder.decode(body)
    except msgspec.DecodeError:
        return None


def _rows_after(upto: int) -> Callable[[EntryReader], list[Row]]:
    return lambda reader: reader.done_after(upto, SLICE_ROWS)


def _steps_back(upto: int, since_ms: int) -> Callable[[EntryReader], tuple[int, bool]]:
    """Steps towards the first row, or one that is older than the window: where it came to, and whether that is it."""

    def query(reader: EntryReader) -> tuple[int, bool]:
        place = upto
        for _ in range(STEPS):
            row = reader.made_before(place)
            if row is None:
                return 0, True
            identity, at_ms = row
            if at_ms < since_ms:
                return identity, True
            place = max(0, identity - STEP_ROWS)
        return place, False

    return query
