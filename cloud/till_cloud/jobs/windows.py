"""Lets members out of the windows of stores where they were not seen for long, and back in where a window was widened.

Once an hour, block by block; the last one judges whether tills hold their store's members (`till_cloud.windows`). A
chain that is small, as each is on its first day, is judged in every run: what it looks like is another by the next.
"""

import sqlite3
from collections.abc import Callable

from till_cloud.jobs.done import JobsDone
from till_cloud.ledger.book import Book
from till_cloud.store import jobs, meta, tills
from till_cloud.store import windows as rows
from till_cloud.windows import JOB

BLOCK_MEMBERS = 1_000
"""Members of one transaction: some ten milliseconds, which a till's push may have to wait."""

PERIOD_MS = 3_600_000

SMALL_MEMBERS = 10_000
"""Counted within a millisecond."""

KEPT_DAYS = 180
"""How long the row of who left stays: a till that was away for longer finds out by digests who has left."""


class Windows:
    """One run. Who has points or a voucher lent to a till of the store stays."""

    def __init__(self, due_ms: int, wall_ms: Callable[[], int]) -> None:
        self._due_ms = due_ms
        self._wall_ms = wall_ms
        self._left = 0
        self._back = 0

    def block(self, connection: sqlite3.Connection) -> bool:
        hour = str(self._due_ms // PERIOD_MS)
        if jobs.done_to(connection, JOB) == hour:
            if rows.is_small(connection, SMALL_MEMBERS):
                judge(connection)
            return False
        book = Book(connection, self._wall_ms())
        stores = [rows.EVERYWHERE, *(row.store for row in tills.all_stores(connection))]
        if any(self._move(book, store) for store in stores):
            book.flush()
            return True
        book.flush()
        judge(connection)
        jobs.set_done(connection, JOB, hour, book.now_ms)
        return False

    def _move(self, book: Book, store: str) -> bool:
        """Let some of a store's members out or in, and forget who left long ago; whether there were any."""
        if store == rows.EVERYWHERE:
            days = rows.days_everywhere(book.connection)
        else:
            days = rows.days_of(book.connection, store)
        if days == rows.WHOLE_BASE:
            return False
        before_ms = self._due_ms - days * rows.DAY_MS
        gone = rows.over(book.connection, store, before_ms, BLOCK_MEMBERS)
        rows.let_out(book.connection, store, [(each, book.next_position()) for each in gone], book.now_ms)
        came = rows.back(book.connection, store, before_ms, BLOCK_MEMBERS)
        rows.let_in(book.connection, store, [(each, book.next_position()) for each in came])
        forgotten = rows.forget(book.connection, store, book.now_ms - KEPT_DAYS * rows.DAY_MS, BLOCK_MEMBERS)
        self._left += len(gone)
        self._back += len(came)
        return bool(gone or came or forgotten)

    def tell(self, done: JobsDone) -> None:
        done.window_left += self._left
        done.window_back += self._back


def judge(connection: sqlite3.Connection) -> None:
    """Whether tills hold their store's members: not while most of the base was imported for no store in particular.

    In between what was judged before stands, so that tills don't pull anew again and again. A base without anybody says
    nothing yet.
    """
    everywhere, members = rows.count(connection, rows.EVERYWHERE), rows.members(connection)
    before = judged = meta.told(connection, rows.JUDGED)
    if not members:
        return
    if 2 * everywhere >= members:
        judged = "off"
    elif 4 * everywhere <= members:
        judged = "on"
    if judged != before:
        meta.tell(connection, rows.JUDGED, judged)
