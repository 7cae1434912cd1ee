"""The journal's sales and returns by what a report names: shift, number, time, amounts. Kept in `frontol.db`.

Read forward only, a few rows at a time between the journal's own work, and only where reports are watched.
"""

import asyncio
from collections.abc import Callable

import msgspec
from msgspec import Struct

from till_agent.frontol_files import schema
from till_agent.frontol_files.records import SoldRecord
from till_agent.frontol_files.store import Store
from till_agent.journal import DiskJournal
from till_agent.journal.reader import EntryReader
from till_agent.texts import local_datetime
from till_loyalty.receipt import StoreClock
from till_loyalty.results import Reversal

ROWS_AT_ONCE = 100
"""Half a millisecond of the thread that sales are written by."""
KINDS = ("sale", "return", "void")
CURSOR = "journal"
_INSERT = (
    f"INSERT OR IGNORE INTO sold ({schema.SOLD_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, coalesce("  # noqa: S608 - our own names
    "(SELECT max(id) FROM documents WHERE uid = ? AND state IN ('accruing', 'accrued')), 0))"
)
"""What was accrued from a report belongs to its document at once, so that it is no other document's match."""
_VOIDED = "UPDATE sold SET voided = 1 WHERE kind = 'sale' AND uid = ?"


class _Result(Struct, frozen=True):
    """Of a sale's calculation, what a report tells too."""

    total_minor: int
    discount_minor: int = 0
    redeemed_minor: int = 0
    earned_points: int = 0


class _Body(Struct, frozen=True):
    """Of an op's body, what places it; the rest is passed by."""

    sale_uid: str = ""
    number: str = ""
    shift: str = ""
    clock: StoreClock | None = None
    result: _Result | None = None
    reversal: Reversal | None = None


_body = msgspec.json.Decoder(_Body)
Rows = list[tuple[int, int, str, str, int, bytes]]


class Batch(Struct, frozen=True):
    """Rows of the journal that came in, sales that were voided, and where the last row is."""

    sold: list[SoldRecord]
    voided: list[str]
    cursor: tuple[int, int]


class JournalIndex:
    """Keeps the `sold` table up with the journal. `earned_minor` turns points into money, as reports tell them."""

    def __init__(self, store: Store, time_zone: str, earned_minor: Callable[[int], int]) -> None:
        self._store = store
        self._zone = time_zone
        self._earned_minor = earned_minor

    async def read_on(self, journal: DiskJournal) -> Batch | None:
        """The next rows of the journal, written down but for how far they go; None when there are no more."""
        epoch, seq = await asyncio.to_thread(self._cursor)
        rows, cursor = await journal.read(lambda reader: _next_rows(reader, epoch, seq))
        if cursor == (epoch, seq):
            return None
        return await asyncio.to_thread(self._take, rows, cursor)

    async def done(self, batch: Batch) -> None:
        """All that follows from these rows is written: go on behind them. Until then they come again."""
        await asyncio.to_thread(self._store.put_meta, CURSOR, f"{batch.cursor[0]}:{batch.cursor[1]}")

    def _cursor(self) -> tuple[int, int]:
        epoch, _, seq = (self._store.meta(CURSOR) or "0:0").partition(":")
        return int(epoch), int(seq)

    def _take(self, rows: Rows, cursor: tuple[int, int]) -> Batch:
        found = Batch([], [], cursor)
        for epoch, seq, kind, uid, at_wall_ms, raw in rows:
            body = _body.decode(raw)
            if kind == "void":
                found.voided.append(body.sale_uid)
            else:
                found.sold.append(self._row(epoch, seq, kind, uid, at_wall_ms, body))
        with self._store.writing() as db:
            for row in found.sold:
                db.execute(_INSERT, [*[getattr(row, name) for name in SoldRecord.__struct_fields__[:10]], row.uid])
            db.executemany(_VOIDED, [(uid,) for uid in found.voided])
        return found

    def _row(self, epoch: int, seq: int, kind: str, uid: str, at_wall_ms: int, body: _Body) -> SoldRecord:
        if body.clock is not None:
            local_time = body.clock.local_time
        else:
            local_time = local_datetime(at_wall_ms, self._zone).replace(tzinfo=None).isoformat(timespec="seconds")
        goods = redeemed = earned = 0
        if body.result is not None:
            goods = body.result.total_minor - body.result.discount_minor
            redeemed = body.result.redeemed_minor
            earned = self._earned_minor(body.result.earned_points)
        elif body.reversal is not None:
            goods = sum([line.amount_minor for line in body.reversal.lines])
        return SoldRecord(
            uid=uid,
            kind=kind,
            epoch=epoch,
            seq=seq,
            local_time=local_time,
            number=bare_number(body.number),
            shift=bare_number(body.shift),
            goods_minor=goods,
            redeemed_minor=redeemed,
            earned_minor=earned,
            voided=0,
            document=0,
        )


def bare_number(text: str) -> str:
    """A number as reports are keyed by it: without blanks and leading zeros."""
    number = text.strip()
    return number.lstrip("0") or "0" if number.isdigit() else number


def _next_rows(reader: EntryReader, epoch: int, seq: int) -> tuple[Rows, tuple[int, int]]:
    """Rows after (epoch, seq), and where the last of them is; in the journal's thread."""
    for state in reader.epochs:
        if state.epoch < epoch or (state.epoch == epoch and state.last_seq <= seq):
            continue
        first = seq + 1 if state.epoch == epoch else 1
        if state.last_seq < first:
            continue
        last = min(state.last_seq, first + ROWS_AT_ONCE - 1)
        rows: Rows = []
        for checked in reader.stretch(state.epoch, first, last, ROWS_AT_ONCE):
            row = checked.row
            if row.kind in KINDS:
                rows.append((state.epoch, checked.op_id.seq, row.kind, row.uid, row.at_wall_ms, row.body))
        return rows, (state.epoch, last)
    return [], (epoch, seq)
