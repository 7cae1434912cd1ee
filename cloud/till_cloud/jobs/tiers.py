"""A tier period ends: members move to what their spending still carries."""

import sqlite3
from collections.abc import Callable
from datetime import date

from till_cloud.jobs.done import JobsDone
from till_cloud.ledger.account import Draft
from till_cloud.ledger.book import Book
from till_cloud.registry import Registry
from till_cloud.store import facts, jobs, tiers
from till_loyalty.programme import Programme
from till_loyalty.tiers import move_of, moves_by_spend, period_before, period_of

BLOCK_MEMBERS = 2_000
"""Members looked at in one transaction; few of them move."""

# Members in the order of their ids, with what they spent in the past period and in this one.
_MEMBERS = """
SELECT m.member_id, m.tier, coalesce(p.spent_minor, 0), coalesce(n.spent_minor, 0) FROM members m
LEFT JOIN member_spend p ON p.member_id = m.member_id AND p.period = ?
LEFT JOIN member_spend n ON n.member_id = m.member_id AND n.period = ?
WHERE m.member_id > ? AND m.status <> 'removed' ORDER BY m.member_id LIMIT ?
"""


class TierPeriods:
    """Once a period, when its last store has left it. The first run only notes the period that it finds.

    A clock that was set back starts no period again.
    """

    def __init__(self, registry: Registry, due_ms: int, wall_ms: Callable[[], int]) -> None:
        self._registry = registry
        self._due_ms = due_ms
        self._wall_ms = wall_ms
        self._after = ""
        self._moves = 0

    def block(self, connection: sqlite3.Connection) -> bool:
        version = self._registry.active(connection)
        if version is None or not version.programme.tier_period:
            return False
        programme = version.programme
        day, _ = jobs.chain_day(connection, self._due_ms)
        job, period = f"tiers {programme.id} {programme.tier_period}", period_of(programme, day)
        settled = jobs.done_to(connection, job)
        if settled == period:
            return False
        if settled and settled < period and self._settle(connection, programme, period, day):
            return True
        jobs.set_done(connection, job, period, self._wall_ms())
        return False

    def _settle(self, connection: sqlite3.Connection, programme: Programme, period: str, day: date) -> bool:
        """Look at some members; whether there are more."""
        before, now_ms = period_before(period), self._wall_ms()
        found = connection.execute(_MEMBERS, (before, period, self._after, BLOCK_MEMBERS)).fetchall()
        book = Book(connection, now_ms)
        for member_id, tier, spent_before, spent_now in found:
            if not moves_by_spend(programme, tier):
                continue
            move = move_of(programme, tier, {before: spent_before, period: spent_now}, day)
            account = None if move is None else book.account(member_id)
            if move is None or account is None:
                continue
            position = book.next_position()
            facts.set_tier(connection, member_id, move.after)
            account.tier = move.after
            tiers.add_move(
                connection, member_id, position, before=tier, after=move.after, reason="period", now_ms=now_ms
            )
            book.touch(Draft(account), position)
            self._moves += 1
        book.flush()
        if found:
            self._after = found[-1][0]
        return len(found) == BLOCK_MEMBERS

    def tell(self, done: JobsDone) -> None:
        done.tier_moves += self._moves
