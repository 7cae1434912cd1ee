"""Points that awake on their first day, and points that expire after their last."""

import sqlite3
from collections.abc import Callable

from till_cloud.jobs.done import JobsDone
from till_cloud.ledger.account import Draft
from till_cloud.ledger.book import Book
from till_cloud.ledger.expiring import expire_due

BLOCK_LOTS = 1_000
"""Lots of one transaction: some tens of milliseconds, which a till's push may have to wait."""

# Lots whose first day has begun; there are few that sleep, and this finds the first of them at once.
_WAKING = """
SELECT member_id, lot FROM lots WHERE active_at_ms IS NOT NULL AND active_at_ms <= ? ORDER BY active_at_ms LIMIT ?
"""
_AWAKE = "UPDATE lots SET active_at_ms = NULL WHERE member_id = ? AND lot = ?"

# Lots whose last day is over, from the one where the block before ended: points that holds keep stay due.
_DUE = """
SELECT expires_at_ms, member_id, lot FROM lots
WHERE expires_at_ms IS NOT NULL AND left > 0 AND expires_at_ms <= ?
    AND (expires_at_ms, member_id, lot) > (?, ?, ?)
ORDER BY expires_at_ms, member_id, lot LIMIT ?
"""


class Waking:
    """Makes lots active for good: no clock that is set back puts them to sleep again."""

    def __init__(self, due_ms: int, wall_ms: Callable[[], int]) -> None:
        self._due_ms = due_ms
        self._wall_ms = wall_ms
        self._awoken: set[str] = set()

    def block(self, connection: sqlite3.Connection) -> bool:
        """Wake some lots; their members get a new position, so that tills hear of it."""
        found = connection.execute(_WAKING, (self._due_ms, BLOCK_LOTS)).fetchall()
        connection.executemany(_AWAKE, found)
        book = Book(connection, self._wall_ms())
        for member_id in dict.fromkeys(member_id for member_id, _ in found):
            account = book.account(member_id)
            if account is not None:
                book.touch(Draft(account), book.next_position())
                self._awoken.add(member_id)
        book.flush()
        return len(found) == BLOCK_LOTS

    def tell(self, done: JobsDone) -> None:
        done.awoken_members += len(self._awoken)


class Expiry:
    """Takes points whose time is over out of their lots, but for what holds keep: a later run takes that."""

    def __init__(self, due_ms: int, wall_ms: Callable[[], int]) -> None:
        self._due_ms = due_ms
        self._wall_ms = wall_ms
        self._after: tuple[int, str, int] = (-1, "", 0)
        self._members: set[str] = set()
        self._points = 0

    def block(self, connection: sqlite3.Connection) -> bool:
        """Expire the points of some lots' members: one movement for all that is due of a member."""
        found = connection.execute(_DUE, (self._due_ms, *self._after, BLOCK_LOTS)).fetchall()
        book = Book(connection, self._wall_ms())
        for member_id in dict.fromkeys(member_id for _, member_id, _ in found):
            account = book.account(member_id)
            if account is None:
                continue
            expired = expire_due(book, account, self._due_ms)
            if expired:
                self._members.add(member_id)
                self._points += expired
        book.flush()
        if found:
            self._after = found[-1]
        return len(found) == BLOCK_LOTS

    def tell(self, done: JobsDone) -> None:
        done.expired_members += len(self._members)
        done.expired_points += self._points
