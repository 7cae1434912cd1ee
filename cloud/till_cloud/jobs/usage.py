"""Uses of limits in periods that are long over: no sale that is still on its way can ask for them."""

import sqlite3
from collections.abc import Callable
from datetime import timedelta

from till_cloud.jobs.done import JobsDone
from till_cloud.store import jobs
from till_loyalty.limits import period_key

JOB = "usage"
BLOCK_ROWS = 5_000
"""Rows looked at in one transaction: some tens of milliseconds."""

KEPT_DAYS = 62
"""Twice the longest that a till may sell without a line: its sales are counted by the uses of their own days."""

PERIODS = ("day", "week", "month")

# A stretch of the table in the order of its key.
_ROWS = """
SELECT member_id, rule, per, key FROM member_usage
WHERE (member_id, rule, per, key) > (?, ?, ?, ?) ORDER BY member_id, rule, per, key LIMIT ?
"""
_REMOVE = "DELETE FROM member_usage WHERE member_id = ? AND rule = ? AND per = ? AND key = ?"


class OldUsage:
    """Once a day, through the whole table."""

    def __init__(self, due_ms: int, wall_ms: Callable[[], int]) -> None:
        self._due_ms = due_ms
        self._wall_ms = wall_ms
        self._after = ("", "", "", "")
        self._removed = 0

    def block(self, connection: sqlite3.Connection) -> bool:
        today, _ = jobs.chain_day(connection, self._due_ms)
        if jobs.done_to(connection, JOB) == today.isoformat():
            return False
        oldest = today - timedelta(days=KEPT_DAYS)
        first_kept = {per: period_key(per, oldest) for per in PERIODS}
        rows = connection.execute(_ROWS, (*self._after, BLOCK_ROWS)).fetchall()
        # Keys of one kind of period sort by time; "" stands for a life.
        old = [row for row in rows if row[3] and row[3] < first_kept.get(row[2], "")]
        connection.executemany(_REMOVE, old)
        self._removed += len(old)
        if len(rows) == BLOCK_ROWS:
            self._after = rows[-1]
            return True
        jobs.set_done(connection, JOB, today.isoformat(), self._wall_ms())
        return False

    def tell(self, done: JobsDone) -> None:
        done.usage_removed += self._removed
