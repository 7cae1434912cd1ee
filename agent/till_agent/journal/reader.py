"""Reads on the journal's one connection, each row checked against its hash and the row before it."""

import sqlite3
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from till_agent.exceptions import JournalCorrupt
from till_agent.journal import schema
from till_agent.journal.chain import FIRST, Row, row_hash
from till_agent.ports import Entry
from till_sync.ops import OpId
from till_sync.wire import OpResult

_COLUMNS = 12
"""id, row_hash and the ten that `Row` has, as `schema.ENTRY_COLUMNS` lists them."""


class EpochState(Struct, frozen=True):
    """One epoch of this journal: `last_seq` is 0 and `head` is empty before its first op."""

    epoch: int
    salt: str
    last_seq: int
    acked_seq: int
    head: bytes

    @property
    def waiting(self) -> int:
        """Ops that the cloud has not acknowledged."""
        return self.last_seq - self.acked_seq


class CheckedRow(Struct, frozen=True):
    """A stored row that is as it was written, its own hash, and the fingerprint of its op."""

    op_id: OpId
    row: Row
    hash: bytes
    fingerprint: str


class EntryReader:
    """Implements `till_agent.ports.JournalReader`; used in the writer thread only.

    `epochs` may be replaced as the journal grows. Raises JournalCorrupt for a row that is not what was written.
    """

    def __init__(self, connection: sqlite3.Connection, till: str, epochs: tuple[EpochState, ...]) -> None:
        self.connection = connection
        self.till = till
        self.epochs = epochs
        self.has_links = connection.execute(schema.HAS_LINKS).fetchone() is not None

    @property
    def current(self) -> EpochState:
        """The epoch that new ops get."""
        return self.epochs[-1]

    @property
    def next_op_id(self) -> OpId:
        """The id of the op that a Draft returned now will have."""
        return OpId(self.till, self.current.epoch, self.current.last_seq + 1)

    def find(self, kind: str, uid: str) -> Entry | None:
        """The row of that kind that the cash software calls `uid`."""
        return self._one(schema.FIND, (kind, uid))

    def by_op(self, op_id: OpId) -> Entry | None:
        """The row of an op; None too for a number that no op of a till can have, of which other rows' keys are made."""
        if op_id.till != self.till or not schema.may_be(op_id.epoch, op_id.seq):
            return None
        return self._one(schema.BY_ID, (schema.row_id(op_id.epoch, op_id.seq),))

    def about(self, sale_uid: str) -> list[Entry]:
        """Voids and returns of a sale, in order."""
        return self._many(schema.ABOUT, (sale_uid,))

    def recent(self, limit: int) -> list[Entry]:
        """The newest rows, newest first."""
        return self._many(schema.RECENT, (limit,))

    def sales(self, before: int, limit: int) -> list[tuple[OpId, int]]:
        """The newest sales, or those before a row id, newest first, with the size of each body; no body is read."""
        rows = self.connection.execute(schema.SALES_BEFORE, (before or schema.LARGEST_ID, limit))
        return [(OpId(self.till, *schema.split_id(identity)), size) for identity, size in rows]

    def made_before(self, before: int) -> tuple[int, int] | None:
        """Row id and time of the last row before an id; None when there is none."""
        columns = self.connection.execute(schema.MADE_BEFORE, (before,)).fetchone()
        return None if columns is None else (columns[0], columns[1])

    def done_after(self, after: int, limit: int) -> list[tuple[int, str, str, int, bytes]]:
        """Sales, voids and returns after a row, in order: row id, kind, subject's key, time, body."""
        return self.connection.execute(schema.DONE_AFTER, (after, limit)).fetchall()

    def uid_of(self, identity: int) -> str:
        """What the cash software calls a row; "" for one that is not there."""
        columns = self.connection.execute(schema.UID_OF, (identity,)).fetchone()
        return "" if columns is None else str(columns[0])

    def of_kind(self, kind: str, after: int, limit: int) -> list[Entry]:
        """The newest rows of a kind with a row id above `after`, oldest first."""
        return self._many(schema.OF_KIND, (kind, after, limit))[::-1]

    def verdict(self, op_id: OpId) -> OpResult | None:
        """What the cloud said to an op; None before it has."""
        columns = self.connection.execute(schema.VERDICT, (schema.row_id(op_id.epoch, op_id.seq),)).fetchone()
        if columns is None:
            return None
        status, code, member_id, tag, balance, held, effect_points, position = columns
        return OpResult(
            seq=op_id.seq,
            status=status,
            code=code,
            member_id=member_id,
            tag=tag,
            balance=balance,
            held=held,
            effect_points=effect_points,
            position=position,
        )

    def stretch(self, epoch: int, first_seq: int, last_seq: int, limit: int) -> Iterator[CheckedRow]:
        """Rows of one epoch in sequence, at most `limit`, chained from the row before `first_seq`.

        Stops early only at `limit`: a row that is missing is JournalCorrupt like one that was changed.
        """
        previous = self.hash_of(epoch, first_seq - 1)
        bounds = (schema.row_id(epoch, first_seq), schema.row_id(epoch, last_seq), limit)
        expected = first_seq
        for columns in self.connection.execute(schema.STRETCH, bounds):
            found = schema.split_id(columns[0])[1]
            if found != expected:
                raise JournalCorrupt(f"expected op {epoch}:{expected}, not {epoch}:{found}", seq=expected)
            checked = self._check(columns, previous)
            yield checked
            previous = checked.hash
            expected += 1
        wanted = min(last_seq, first_seq + limit - 1)
        if expected <= wanted:
            raise JournalCorrupt(f"expected ops of epoch {epoch} up to {wanted}, not {expected - 1}", seq=expected)

    def hash_of(self, epoch: int, seq: int) -> bytes:
        """The stored hash of a row; empty before the first. JournalCorrupt when the row is not there."""
        if seq == 0:
            return FIRST
        identity = schema.row_id(epoch, seq)
        columns = self.connection.execute(schema.HASH_OF, (identity,)).fetchone()
        if columns is None and self.has_links:
            columns = self.connection.execute(schema.LINK, (identity,)).fetchone()
        if columns is None:
            raise JournalCorrupt(f"expected op {epoch}:{seq} in the journal, not a gap", seq=seq)
        return bytes(columns[0])

    def _one(self, statement: str, values: tuple[object, ...]) -> Entry | None:
        columns = self.connection.execute(statement, values).fetchone()
        return None if columns is None else self._entry(columns)

    def _many(self, statement: str, values: tuple[object, ...]) -> list[Entry]:
        return [self._entry(columns) for columns in self.connection.execute(statement, values)]

    def _entry(self, columns: tuple[Any, ...]) -> Entry:
        previous = columns[_COLUMNS]
        if previous is None:
            epoch, seq = schema.split_id(columns[0])
            previous = self.hash_of(epoch, seq - 1) if self.has_links else FIRST
        checked = self._check(columns[:_COLUMNS], previous)
        return as_entry(checked.op_id, checked.row)

    def _check(self, columns: tuple[Any, ...], previous: bytes) -> CheckedRow:
        """sqlite3 gives untyped columns; the hash proves that they are what was written, types included."""
        epoch, seq = schema.split_id(columns[0])
        salt = next((state.salt for state in self.epochs if state.epoch == epoch), None)
        if salt is None:
            raise JournalCorrupt(f"expected an epoch of this journal, not {epoch}", seq=seq)
        op_id = OpId(self.till, epoch, seq)
        row = Row(*columns[2:])
        try:
            found, mark = row_hash(previous, op_id, salt, row)
        except (AttributeError, TypeError) as exc:
            raise JournalCorrupt(f"expected op {op_id} with typed columns, not {exc}", seq=seq) from exc
        if found != columns[1]:
            raise JournalCorrupt(f"expected op {op_id} as it was written, not changed", seq=seq)
        return CheckedRow(op_id, row, found, mark)


def as_entry(op_id: OpId, row: Row) -> Entry:
    """The row as the sale desk sees it."""
    return Entry(
        op_id=op_id,
        kind=row.kind,
        uid=row.uid,
        about_uid=row.about_uid,
        request_digest=row.request_digest,
        body=row.body,
        answer=row.answer,
        at_wall_ms=row.at_wall_ms,
    )
