"""Points lent to tills ahead: members whose account changed, in the order of the change, and those whose rest is over.

The mark of how far it came is durable, and grants move members ahead of it; they come by once more, and nothing is left
to lend them then. Another programme begins from the start, for all may be lent otherwise.
"""

import sqlite3
from collections.abc import Callable

from msgspec.structs import replace

from till_cloud.granting import REST_MS, lends, share_out
from till_cloud.jobs.done import JobsDone
from till_cloud.ledger.book import Book
from till_cloud.registry import Registry, Version
from till_cloud.store import grants, jobs, meta
from till_cloud.takers import Takers

JOB = "lending"

BLOCK_MEMBERS = 100
BLOCK_TILLS = 400
"""Members of one transaction, and tills that are looked at for them: after so many no further member is begun. Some
twenty milliseconds, which a till's push may have to wait, however many tills a store has, for `Takers` names a hundred
of one member at most.
"""


class Lending:
    """Lends what `till_loyalty.lending` says; under a programme that lends nothing, asks everything back."""

    def __init__(self, registry: Registry, wall_ms: Callable[[], int]) -> None:
        self._registry = registry
        self._wall_ms = wall_ms
        self._points = 0
        self._members: set[str] = set()

    def block(self, connection: sqlite3.Connection) -> bool:
        """See to some members; whether there may be more."""
        version = self._registry.active(connection)
        if version is None:
            return False
        book = Book(connection, self._wall_ms())
        takers = Takers(connection, version.programme.redemption.lending, book.now_ms)
        rested = grants.rested(connection, book.now_ms - REST_MS, BLOCK_MEMBERS)
        more = len(rested) == BLOCK_MEMBERS
        for member_id in rested:
            if takers.looked_at >= BLOCK_TILLS:
                break
            grants.rest_over(connection, member_id)
            self._lend(book, version, takers, member_id)
        after = done = mark(connection, version)
        found = list(grants.changed(connection, after, BLOCK_MEMBERS))
        for member_id, position, free in found:
            if takers.looked_at >= BLOCK_TILLS:
                break
            if free or not lends(version.programme):
                self._lend(book, version, takers, member_id)
            done = position
        book.flush()
        if done > after:
            jobs.set_done(connection, JOB, f"{version.digest[:16]}:{done}", book.now_ms)
        return more or len(found) == BLOCK_MEMBERS or takers.looked_at >= BLOCK_TILLS

    def _lend(self, book: Book, version: Version, takers: Takers, member_id: str) -> None:
        account = book.account(member_id)
        if account is None:
            return
        if not lends(version.programme):
            takers.looked_at += ask_back(book, member_id)
            return
        before = account.granted
        share_out(book, version.programme, account, takers)
        if account.granted > before:
            self._points += account.granted - before
            self._members.add(member_id)

    def tell(self, done: JobsDone) -> None:
        done.lent_members += len(self._members)
        done.lent_points += self._points


def mark(connection: sqlite3.Connection, version: Version) -> int:
    """The position up to which members were seen to under this programme."""
    digest, _, position = jobs.done_to(connection, JOB).partition(":")
    known = digest == version.digest[:16] and position.isdigit()
    return int(position) if known else 0


def waiting(connection: sqlite3.Connection, registry: Registry, now_ms: int) -> bool:
    """Whether the job has anything to look at: two indexed reads."""
    version = registry.active(connection)
    if version is None:
        return False
    newest = meta.position(connection)
    if grants.rested(connection, now_ms - REST_MS, 1):
        return True
    after = mark(connection, version)
    return after < newest and any(True for _ in grants.changed(connection, after, 1))


def ask_back(book: Book, member_id: str) -> int:
    """The programme lends no more: holders give back what they have, as soon as they can. Answers how many have."""
    rows = grants.open_of_member(book.connection, member_id)
    for row in rows:
        if row.recall < row.points:
            grants.put(book.connection, replace(row, recall=row.points, position=book.next_position()))
    return len(rows)
