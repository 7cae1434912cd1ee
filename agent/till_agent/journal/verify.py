"""Checks of the stored rows against the chain: a bounded one at start, a whole one on demand."""

import sqlite3
from collections.abc import Callable, Iterator

from till_agent.journal import schema
from till_agent.journal.chain import Row
from till_agent.journal.exceptions import IndexDamaged
from till_agent.journal.reader import EntryReader, EpochState

TAIL_ROWS = 1_000
"""The newest rows are always checked at start: a fault leaves its marks where the file was being written."""
HEAD_ROWS = 1_000
"""So are the first waiting ones, which are what the cloud gets next: the largest batch."""
START_BUDGET_MS = 50
"""Older rows are checked at start for as long, or the till would not be ready in time; each is checked again whenever
it is read or sent. A day's rows take less."""
SLICE_ROWS = 200
"""Rows between two looks at the clock, and the most that commits wait for; about 5 ms."""


class Check:
    """What was looked at: `complete` when every row of every epoch was."""

    def __init__(self) -> None:
        self.rows = 0
        self.complete = False


def check_at_start(reader: EntryReader, mono_ms: Callable[[], int]) -> Check:
    """Check the tail, the rows to be sent next, and older ones while there is time. Raises JournalCorrupt."""
    check = Check()
    covered = list(first_slices(reader))
    for epoch, first, last in covered:
        check.rows += check_rows(reader, epoch, first, last)
    deadline = mono_ms() + START_BUDGET_MS
    for epoch, first, last in _rest(reader, covered):
        if mono_ms() > deadline:
            return check
        check.rows += check_rows(reader, epoch, first, last)
    check.complete = True
    return check


def first_slices(reader: EntryReader) -> Iterator[tuple[int, int, int]]:
    """What is always checked at start: the tail, and the rows to be sent next."""
    yield from sliced([part for stretch in _must_check(reader.epochs) for part in within(reader, *stretch)])


def sliced(parts: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """(epoch, first, last) in slices of SLICE_ROWS."""
    for epoch, begin, end in parts:
        for first in range(begin, end + 1, SLICE_ROWS):
            yield epoch, first, min(end, first + SLICE_ROWS - 1)


def check_rows(reader: EntryReader, epoch: int, first: int, last: int) -> int:
    """Check a stretch, and that the indexes lead to its rows. Gives how many rows; raises JournalCorrupt."""
    rows = 0
    for checked in reader.stretch(epoch, first, last, last - first + 1):
        rows += 1
        row, seq = checked.row, checked.op_id.seq
        identity = schema.row_id(epoch, seq)
        if not _indexes_lead_to(reader.connection, identity, row):
            raise IndexDamaged(f"expected the indexes to lead to op {checked.op_id}", seq=seq)
    return rows


def _indexes_lead_to(connection: sqlite3.Connection, identity: int, row: Row) -> bool:
    """A uid that its index lost would be sold twice; a return, given twice; an effect, not shown."""
    if connection.execute(schema.UID_LEADS_TO, (row.kind, row.uid)).fetchone() != (identity,):
        return False
    if row.about_uid and not connection.execute(schema.ABOUT_LEADS_TO, (row.about_uid, identity)).fetchone():
        return False
    effect = connection.execute(schema.EFFECT_LEADS_TO, (identity,)).fetchone()
    return bool(effect == ((row.subject_key, row.effect_points) if row.effect_points else None))


def slices(reader: EntryReader) -> Iterator[tuple[int, int, int]]:
    """(epoch, first, last) of every row, oldest first, in slices small enough to let commits through between."""
    for state in reader.epochs:
        yield from sliced(within(reader, state.epoch, 1, state.last_seq))


def within(reader: EntryReader, epoch: int, first: int, last: int) -> list[tuple[int, int, int]]:
    """The parts of a stretch that are there: all of it, but in a salvaged journal, which may have holes."""
    if last < first or not reader.has_links:
        return [(epoch, first, last)] if first <= last else []
    bounds = (schema.row_id(epoch, 0), schema.row_id(epoch, last - 1))
    links = [schema.split_id(row[0])[1] for row in reader.connection.execute(schema.LINKS_OF, bounds)]
    begins = [link + 1 for link in links]
    if not begins or reader.connection.execute(schema.HASH_OF, (schema.row_id(epoch, 1),)).fetchone():
        begins.insert(0, 1)
    parts: list[tuple[int, int, int]] = []
    for begin, beyond in zip(begins, [*begins[1:], last + 1], strict=True):
        before = (schema.row_id(epoch, begin), schema.row_id(epoch, beyond - 1))
        end = (
            last
            if beyond > last
            else schema.split_id(reader.connection.execute(schema.LAST_BEFORE, before).fetchone()[0] or 0)[1]
        )
        if max(begin, first) <= end:
            parts.append((epoch, max(begin, first), end))
    return parts


def _must_check(epochs: tuple[EpochState, ...]) -> list[tuple[int, int, int]]:
    """The tail over all epochs, and the head of the waiting ops; they may overlap, never by much."""
    stretches: list[tuple[int, int, int]] = []
    left = TAIL_ROWS
    for state in reversed(epochs):
        if state.last_seq and left:
            first = max(1, state.last_seq - left + 1)
            stretches.append((state.epoch, first, state.last_seq))
            left -= state.last_seq - first + 1
    waiting = next((state for state in epochs if state.waiting), None)
    if waiting is not None:
        first = waiting.acked_seq + 1
        stretches.append((waiting.epoch, first, min(waiting.last_seq, first + HEAD_ROWS - 1)))
    return stretches


def _rest(reader: EntryReader, covered: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Slices outside `covered`, newest first."""
    for epoch, first, last in reversed(list(slices(reader))):
        if not any(epoch == each and begin <= first and last <= end for each, begin, end in covered):
            yield epoch, first, last
