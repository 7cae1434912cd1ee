"""Vouchers, as rows: points of a member put aside for one till, which takes them on a signed text."""

import sqlite3
from typing import Literal

from msgspec import Struct

VoucherState = Literal["open", "used", "returned"]


class VoucherRow(Struct, frozen=True):
    """As issued. `resolved_by` is the op that used it, or why its points went back."""

    voucher: str
    member_id: str
    holder: str
    store: str
    points: int
    state: VoucherState
    made_at_ms: int
    expires_at_ms: int
    resolved_by: str = ""


_FIND = """
SELECT voucher, member_id, holder, store, points, state, made_at_ms, expires_at_ms, resolved_by
FROM vouchers WHERE voucher = ?
"""
_NEWEST = """
SELECT voucher, member_id, holder, store, points, state, made_at_ms, expires_at_ms, resolved_by
FROM vouchers ORDER BY made_at_ms DESC, voucher LIMIT ?
"""
_OPEN_OF_HOLDER = """
SELECT voucher, member_id, holder, store, points, state, made_at_ms, expires_at_ms, resolved_by
FROM vouchers WHERE holder = ? AND state = 'open' AND expires_at_ms < ? ORDER BY voucher
"""
_SET_ASIDE = "SELECT coalesce(sum(points), 0) FROM vouchers WHERE member_id = ? AND state = 'open'"
_ADD = """
INSERT INTO vouchers (voucher, member_id, holder, store, points, state, made_at_ms, expires_at_ms, resolved_by)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_RESOLVE = "UPDATE vouchers SET state = ?, resolved_by = ? WHERE voucher = ? AND state = 'open'"
_MOVE = "UPDATE vouchers SET member_id = ? WHERE member_id = ?"

ANY_TIME_MS = 2**63 - 1
"""Later than any voucher ends."""


def find(connection: sqlite3.Connection, voucher: str) -> VoucherRow | None:
    row = connection.execute(_FIND, (voucher,)).fetchone()
    return None if row is None else VoucherRow(*row)


def newest(connection: sqlite3.Connection, limit: int) -> list[VoucherRow]:
    """The newest `limit` vouchers, newest first."""
    return [VoucherRow(*row) for row in connection.execute(_NEWEST, (limit,))]


def open_of_holder(
    connection: sqlite3.Connection, holder: str, *, ended_before_ms: int = ANY_TIME_MS
) -> list[VoucherRow]:
    """Open vouchers of a till, or only those that had ended before a time."""
    return [VoucherRow(*row) for row in connection.execute(_OPEN_OF_HOLDER, (holder, ended_before_ms)).fetchall()]


def points_of(connection: sqlite3.Connection, member_id: str) -> int:
    """What is set aside by a member's open vouchers."""
    return int(connection.execute(_SET_ASIDE, (member_id,)).fetchone()[0])


def add(connection: sqlite3.Connection, row: VoucherRow) -> None:
    values = (row.voucher, row.member_id, row.holder, row.store, row.points, row.state, row.made_at_ms)
    connection.execute(_ADD, (*values, row.expires_at_ms, row.resolved_by))


def resolve(connection: sqlite3.Connection, voucher: str, state: VoucherState, resolved_by: str) -> bool:
    """Close an open voucher; False when it was not open any more."""
    return connection.execute(_RESOLVE, (state, resolved_by, voucher)).rowcount == 1


def move(connection: sqlite3.Connection, old: str, into: str) -> None:
    """The vouchers of a merged member are the one's that is kept."""
    connection.execute(_MOVE, (into, old))
