"""Holds, as rows: points promised to a receipt under way."""

import sqlite3
from typing import Literal

from msgspec import Struct

HoldState = Literal["open", "used", "released"]


class HoldRow(Struct, frozen=True, kw_only=True):
    """`balance`, `held`, `position`: the member's, right after the hold was granted; its answer for ever.

    `inactive`: points of that balance that could not be spent yet.
    """

    hold: str
    till: str
    member_id: str
    sale_uid: str
    points: int
    state: HoldState
    made_at_ms: int
    expires_at_ms: int
    balance: int
    held: int
    position: int
    inactive: int = 0

    @property
    def spendable_then(self) -> int:
        """What the member could have spent when the hold was granted, this hold's points included."""
        return self.balance - self.inactive - self.held + self.points


_COLUMNS = (
    "hold, till, member_id, sale_uid, points, state, made_at_ms, expires_at_ms, balance, held, position, inactive"
)
_FIELDS = tuple(_COLUMNS.split(", "))
_FIND = """
SELECT hold, till, member_id, sale_uid, points, state, made_at_ms, expires_at_ms, balance, held, position, inactive
FROM holds WHERE hold = ?
"""
_ADD = """
INSERT INTO holds (hold, till, member_id, sale_uid, points, state, made_at_ms, expires_at_ms, balance, held,
    position, inactive, resolved_by)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_RESOLVE = "UPDATE holds SET state = ?, resolved_by = ? WHERE hold = ? AND state = 'open'"
_OPEN_COUNT = "SELECT count(*) FROM holds WHERE till = ? AND state = 'open'"
_FORGOTTEN = """
SELECT hold, till, member_id, sale_uid, points, state, made_at_ms, expires_at_ms, balance, held, position, inactive
FROM holds WHERE till = ? AND state = 'open' AND expires_at_ms < ? ORDER BY hold
"""
# What a till has reserved for one of its sales.
_OF_SALE = "SELECT member_id, points FROM holds WHERE till = ? AND sale_uid = ? AND state = 'open' ORDER BY hold"


def open_of_sale(connection: sqlite3.Connection, till: str, sale_uid: str) -> list[tuple[str, int]]:
    """(member, points) of each open hold for a sale."""
    return [(str(member), int(points)) for member, points in connection.execute(_OF_SALE, (till, sale_uid))]


def find(connection: sqlite3.Connection, hold: str) -> HoldRow | None:
    row = connection.execute(_FIND, (hold,)).fetchone()
    return None if row is None else _row(row)


def add(connection: sqlite3.Connection, row: HoldRow, *, resolved_by: str = "") -> None:
    connection.execute(_ADD, (*[getattr(row, name) for name in _FIELDS], resolved_by))


def resolve(connection: sqlite3.Connection, hold: str, state: HoldState, resolved_by: str) -> bool:
    """Close an open hold; False when it was not open any more."""
    return connection.execute(_RESOLVE, (state, resolved_by, hold)).rowcount == 1


def open_count(connection: sqlite3.Connection, till: str) -> int:
    """Open holds of a till."""
    return int(connection.execute(_OPEN_COUNT, (till,)).fetchone()[0])


def forgotten(connection: sqlite3.Connection, till: str, before_ms: int) -> list[HoldRow]:
    """Open holds of a till that had expired before a time."""
    return [_row(row) for row in connection.execute(_FORGOTTEN, (till, before_ms)).fetchall()]


def _row(values: tuple[object, ...]) -> HoldRow:
    return HoldRow(**dict(zip(_FIELDS, values, strict=True)))  # type: ignore[arg-type]  # by the table's own types
