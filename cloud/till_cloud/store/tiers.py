"""Spending by period and moves between tiers, as rows."""

import sqlite3
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

MoveReason = Literal["spend", "period", "hand", "merge"]


class TierMove(Struct, frozen=True):
    """A member's move at a ledger position."""

    before: str
    after: str
    at_ms: int


_MOVES_AFTER = """
SELECT tier_before, tier_after, at_ms FROM tier_moves WHERE member_id = ? AND at_ms > ? ORDER BY position
"""
_ADD_MOVE = """
INSERT INTO tier_moves (member_id, position, tier_before, tier_after, reason, at_ms) VALUES (?, ?, ?, ?, ?, ?)
"""
_COUNT_AS_SPENT = """
INSERT INTO member_spend (member_id, period, spent_minor) VALUES (?, ?, ?)
ON CONFLICT (member_id, period) DO UPDATE SET spent_minor = max(spent_minor, excluded.spent_minor)
"""
_SPENT = "SELECT period, spent_minor FROM member_spend WHERE member_id = ?"
_SPEND = """
INSERT INTO member_spend (member_id, period, spent_minor) VALUES (?1, ?2, max(?3, 0))
ON CONFLICT (member_id, period) DO UPDATE SET spent_minor = max(spent_minor + ?3, 0)
"""


def moves_after(connection: sqlite3.Connection, member_id: str, at_ms: int) -> list[TierMove]:
    """A member's moves later than a moment, in order."""
    return [TierMove(*row) for row in connection.execute(_MOVES_AFTER, (member_id, at_ms))]


def add_move(
    connection: sqlite3.Connection,
    member_id: str,
    position: int,
    *,
    before: str,
    after: str,
    reason: MoveReason,
    now_ms: int,
) -> None:
    connection.execute(_ADD_MOVE, (member_id, position, before, after, reason, now_ms))


def count_as_spent(connection: sqlite3.Connection, rows: Iterable[tuple[str, str, int]]) -> None:
    """Rows of (member id, period, least minor money): who was given a tier counts as having spent what it takes."""
    connection.executemany(_COUNT_AS_SPENT, rows)


def spent(connection: sqlite3.Connection, member_id: str) -> dict[str, int]:
    """What a member paid by period, less returns."""
    return dict(connection.execute(_SPENT, (member_id,)).fetchall())


def spend(connection: sqlite3.Connection, member_id: str, period: str, paid_minor: int) -> None:
    """Add to what a member paid in a period; below 0 for what came back. What was paid before we counted stays 0."""
    connection.execute(_SPEND, (member_id, period, paid_minor))
