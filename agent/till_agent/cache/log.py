"""Transactions of the cache's writer, and when their log is copied into the file: not while somebody sells.

A copy syncs the log and the file, 10 to 40 ms each for a page of 2,000 members. The commit of a sale that comes
meanwhile waits for the same disk. So as long as calls come between one write and the next, the log grows instead; a
till without a line writes nothing, and one with a line does so every few seconds.
"""

import contextlib
import sqlite3
from collections.abc import Callable
from typing import TypeVar

from till_agent.cache import turns
from till_agent.cache.exceptions import DamagedCacheError
from till_agent.cache.opening import is_damage
from till_agent.cache.rows import UNREADABLE

T = TypeVar("T")

WORTH_ROWS = 1_000
"""Changed rows that are worth a copy; some four megabytes of log."""


class Log:
    """Of one cache, in its writer thread. `copies` counts how often it was copied at a moment of rest."""

    def __init__(self) -> None:
        self._calls = 0
        self._changes = 0
        self.copies = 0

    def transact(self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
        """`work` in one transaction. DamagedCacheError, or the sqlite3.Error that the disk gave; then nothing of it."""
        try:
            connection.execute("BEGIN IMMEDIATE")
            done = work(connection)
            connection.execute("COMMIT")
        except (sqlite3.Error, *UNREADABLE) as exc:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            if is_damage(exc):
                raise DamagedCacheError(str(exc)) from exc
            raise
        self._copy_at_rest(connection)
        return done

    def _copy_at_rest(self, connection: sqlite3.Connection) -> None:
        calls, before = turns.pace.calls, self._calls
        self._calls = calls
        if connection.total_changes < self._changes:  # another file since
            self._changes = 0
        if calls != before or connection.total_changes - self._changes < WORTH_ROWS:
            return
        self._changes = connection.total_changes
        # All is in the log whether or not it can be copied; the next writes try again, and SQLite itself.
        with contextlib.suppress(sqlite3.Error):
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self.copies += 1
