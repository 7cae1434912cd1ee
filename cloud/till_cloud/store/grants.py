"""Grants, as rows: points of members that lie with a holder (a till), who alone may spend them."""

import sqlite3
from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import astuple

from till_sync.wire import GrantRow as WireRow


class GrantRow(Struct, frozen=True, kw_only=True):
    """Fields in the order of the statements' columns.

    `points` are what is left of `granted`; `recall` of them are wanted back. Gross figures are of its whole life.
    `epoch` is the holder's journal that may spend them. `until_ms` 0: no end. `recalled_at_ms` 0: not lately.
    """

    holder: str
    member_id: str
    epoch: int
    points: int = 0
    recall: int = 0
    granted: int = 0
    used: int = 0
    released: int = 0
    written_off: int = 0
    until_ms: int = 0
    recalled_at_ms: int = 0
    position: int = 0

    def wire(self) -> WireRow:
        """As the holder hears of it."""
        return WireRow(
            member_id=self.member_id,
            points=self.points,
            epoch=self.epoch,
            recall=self.recall,
            until_ms=self.until_ms,
            position=self.position,
        )


_FIND = """
SELECT holder, member_id, epoch, points, recall, granted, used, released, written_off, until_ms, recalled_at_ms,
    position
FROM grants WHERE holder = ? AND member_id = ?
"""
_OF_MEMBER = """
SELECT holder, member_id, epoch, points, recall, granted, used, released, written_off, until_ms, recalled_at_ms,
    position
FROM grants WHERE member_id = ? ORDER BY holder
"""
_OPEN_OF_MEMBER = """
SELECT holder, member_id, epoch, points, recall, granted, used, released, written_off, until_ms, recalled_at_ms,
    position
FROM grants WHERE member_id = ? AND points > 0 ORDER BY holder
"""
_OPEN = """
SELECT holder, member_id, epoch, points, recall, granted, used, released, written_off, until_ms, recalled_at_ms,
    position
FROM grants
WHERE points > 0 AND (:holder = '' OR holder = :holder) AND (:member_id = '' OR member_id = :member_id)
ORDER BY holder, member_id LIMIT :limit
"""
_UNHEARD = """
SELECT g.holder, max(t.seen_at_ms), count(*), sum(g.points) FROM grants g JOIN tills t ON t.till = g.holder
WHERE g.points > 0 AND t.seen_at_ms < :before_ms AND (:holder = '' OR g.holder = :holder)
    AND (:member_id = '' OR g.member_id = :member_id)
GROUP BY g.holder ORDER BY max(t.seen_at_ms), g.holder LIMIT :limit
"""
_PUT = """
INSERT INTO grants (holder, member_id, epoch, points, recall, granted, used, released, written_off, until_ms,
    recalled_at_ms, position)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (holder, member_id) DO UPDATE SET epoch = excluded.epoch, points = excluded.points,
    recall = excluded.recall, granted = excluded.granted, used = excluded.used, released = excluded.released,
    written_off = excluded.written_off, until_ms = excluded.until_ms, recalled_at_ms = excluded.recalled_at_ms,
    position = excluded.position
"""

# A till's rows in the order of their last change. What is closed already is nothing to a cache that begins.
_PAGE = """
SELECT member_id, points, epoch, recall, until_ms, position FROM grants
WHERE holder = :holder AND position > :after AND position <= :last AND (points > 0 OR :after > 0)
ORDER BY position LIMIT :limit
"""

# Rows of earlier journals of a holder that still have points: members in order, so that positions can be given.
_STALE = "SELECT count(*) FROM grants WHERE holder = ? AND epoch < ? AND points > 0"
_WRITE_OFF_ALL = """
INSERT INTO grant_write_offs (holder, member_id, epoch, points, reason, at_ms)
SELECT holder, member_id, epoch, points, :reason, :now_ms FROM grants
WHERE holder = :holder AND epoch < :epoch AND points > 0
ON CONFLICT (holder, member_id, epoch) DO UPDATE SET points = points + excluded.points
"""
_FREE_ALL = """
UPDATE balances SET granted = balances.granted - freed.points
FROM (SELECT member_id, points FROM grants WHERE holder = :holder AND epoch < :epoch AND points > 0) AS freed
WHERE balances.member_id = freed.member_id
"""
_CLOSE_ALL = """
UPDATE grants SET written_off = grants.written_off + grants.points, points = 0, recall = 0,
    recalled_at_ms = :now_ms, position = :before + closed.number
FROM (SELECT member_id, row_number() OVER (ORDER BY member_id) AS number FROM grants
      WHERE holder = :holder AND epoch < :epoch AND points > 0) AS closed
WHERE grants.holder = :holder AND grants.member_id = closed.member_id
"""
_OWING = """
SELECT b.member_id FROM grants g JOIN balances b ON b.member_id = g.member_id
WHERE g.holder = ? AND g.epoch < ? AND g.points > 0 AND b.debt > 0 ORDER BY b.member_id
"""
_WRITE_OFF = """
INSERT INTO grant_write_offs (holder, member_id, epoch, points, reason, at_ms) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (holder, member_id, epoch) DO UPDATE SET points = points + excluded.points
"""

# Sales of a member by store, beyond those that were counted: in the ledger they stand by till, in order.
_COUNT_VISITS = """
INSERT INTO member_stores (member_id, store, purchases, last_day, position)
SELECT v.member_id, t.store, count(*), date(max(v.at_ms) / 1000, 'unixepoch'), max(v.position)
FROM movements v JOIN tills t ON t.till = v.till
WHERE v.member_id = :member_id AND v.kind = 'sale' AND v.position >
    (SELECT coalesce(max(position), 0) FROM member_stores WHERE member_id = :member_id)
GROUP BY v.member_id, t.store
ON CONFLICT (member_id, store) DO UPDATE SET purchases = purchases + excluded.purchases,
    last_day = max(last_day, excluded.last_day), position = excluded.position
"""
_SEEN_IN = """
INSERT INTO member_stores (member_id, store, purchases, last_day) VALUES (?, ?, 0, ?)
ON CONFLICT (member_id, store) DO UPDATE SET last_day = max(last_day, excluded.last_day)
"""

# What the one kept has not counted yet of its own is still to come, so the position stays its own.
_MOVE_VISITS = """
INSERT INTO member_stores (member_id, store, purchases, last_day)
SELECT ?, store, purchases, last_day FROM member_stores WHERE member_id = ?
ON CONFLICT (member_id, store) DO UPDATE SET purchases = purchases + excluded.purchases,
    last_day = max(last_day, excluded.last_day)
"""
_FORGET_VISITS = "DELETE FROM member_stores WHERE member_id = ?"

_VISITED = """
SELECT store, purchases FROM member_stores WHERE member_id = ? AND last_day >= ? ORDER BY purchases DESC, store
"""
# Tills that can take grants: enrolled, pushing, asking, not set apart.
_TAKERS = """
SELECT till, store, epoch FROM tills
WHERE takes_grants = 1 AND epoch > 0 AND enrolled_at_ms > 0 AND quarantined_at_ms = 0 AND seen_at_ms >= ?
ORDER BY till
"""
_TAKES = "SELECT takes_grants FROM tills WHERE till = ?"
_SET_TAKES = "UPDATE tills SET takes_grants = ? WHERE till = ?"
# What is lent to a till that has gone back to a release which knows nothing of grants.
_UNREAD = "SELECT 1 FROM tills WHERE till = ? AND takes_grants = 2"
_LEFT_BEHIND = """
SELECT holder, member_id, epoch, points, recall, granted, used, released, written_off, until_ms, recalled_at_ms,
    position
FROM grants WHERE holder = ? AND points > 0 ORDER BY member_id LIMIT ?
"""

# When the first of a member's points that could be granted expires.
_SOONEST = """
SELECT min(expires_at_ms) FROM lots
WHERE member_id = ? AND expires_at_ms IS NOT NULL AND left > 0 AND active_at_ms IS NULL
"""

# Members whose lent points were asked back, or came back, a while ago, and may be lent to again.
_RESTED = "SELECT DISTINCT member_id FROM grants WHERE recalled_at_ms > 0 AND recalled_at_ms <= ? LIMIT ?"
_REST_OVER = "UPDATE grants SET recalled_at_ms = 0 WHERE member_id = ? AND recalled_at_ms > 0"

# Members changed after a position, with what could be granted of them.
_CHANGED = """
SELECT member_id, position, balance - held - granted - debt > 0 FROM balances
WHERE position > ? ORDER BY position LIMIT ?
"""


def find(connection: sqlite3.Connection, holder: str, member_id: str) -> GrantRow | None:
    row = connection.execute(_FIND, (holder, member_id)).fetchone()
    return None if row is None else _row(row)


def of_member(connection: sqlite3.Connection, member_id: str) -> list[GrantRow]:
    """All grants of a member, by holder, those too of which nothing is left."""
    return [_row(row) for row in connection.execute(_OF_MEMBER, (member_id,))]


def open_of_member(connection: sqlite3.Connection, member_id: str) -> list[GrantRow]:
    """Grants of a member that have points left, by holder."""
    return [_row(row) for row in connection.execute(_OPEN_OF_MEMBER, (member_id,))]


def open_rows(connection: sqlite3.Connection, *, holder: str = "", member_id: str = "", limit: int) -> list[GrantRow]:
    """Open grants, of a holder or a member where one is named, at most `limit`."""
    named = {"holder": holder, "member_id": member_id, "limit": limit}
    return [_row(row) for row in connection.execute(_OPEN, named)]


class Unheard(Struct, frozen=True, kw_only=True):
    """A till that has points and was not heard of since `seen_at_ms`: what it has, and of how many members."""

    till: str
    seen_at_ms: int
    members: int
    points: int


def unheard(
    connection: sqlite3.Connection, before_ms: int, *, holder: str = "", member_id: str = "", limit: int
) -> list[Unheard]:
    """Tills with open grants that were not heard of since `before_ms`, the longest silent first, at most `limit`."""
    named = {"before_ms": before_ms, "holder": holder, "member_id": member_id, "limit": limit}
    rows = connection.execute(_UNHEARD, named)
    return [Unheard(till=till, seen_at_ms=seen, members=count, points=points) for till, seen, count, points in rows]


def put(connection: sqlite3.Connection, row: GrantRow) -> None:
    """Add a row or replace all of it."""
    connection.execute(_PUT, astuple(row))


def points_of(connection: sqlite3.Connection, holder: str, member_id: str) -> int:
    """What a holder has of a member."""
    row = connection.execute(_FIND, (holder, member_id)).fetchone()
    return 0 if row is None else _row(row).points


def page(connection: sqlite3.Connection, holder: str, after: int, last: int, limit: int) -> list[WireRow]:
    """A holder's grants changed in (`after`, `last`], at most `limit`, in order of their last change."""
    named = {"holder": holder, "after": after, "last": last, "limit": limit}
    return [
        WireRow(member_id=member_id, points=points, epoch=epoch, recall=recall, until_ms=until_ms, position=position)
        for member_id, points, epoch, recall, until_ms, position in connection.execute(_PAGE, named)
    ]


def stale_count(connection: sqlite3.Connection, holder: str, epoch: int) -> int:
    """How many grants of a holder's journals before `epoch` have points left."""
    return int(connection.execute(_STALE, (holder, epoch)).fetchone()[0])


def owing(connection: sqlite3.Connection, holder: str, epoch: int) -> list[str]:
    """Members of those grants who owe points."""
    return [str(row[0]) for row in connection.execute(_OWING, (holder, epoch))]


def write_off_stale(
    connection: sqlite3.Connection, holder: str, epoch: int, *, before: int, reason: str, now_ms: int
) -> None:
    """Close those grants; they get the positions after `before`."""
    named = {"holder": holder, "epoch": epoch, "before": before, "reason": reason, "now_ms": now_ms}
    connection.execute(_WRITE_OFF_ALL, named)
    connection.execute(_FREE_ALL, named)
    connection.execute(_CLOSE_ALL, named)


def add_write_off(
    connection: sqlite3.Connection, holder: str, member_id: str, epoch: int, points: int, reason: str, now_ms: int
) -> None:
    """What a holder may have spent in operations that nobody will ever see; points above 0."""
    connection.execute(_WRITE_OFF, (holder, member_id, epoch, points, reason, now_ms))


def count_visits(connection: sqlite3.Connection, member_id: str) -> None:
    """Count the sales that a member's ledger has beyond those counted: where they buy, and when last."""
    connection.execute(_COUNT_VISITS, {"member_id": member_id})


def seen_in(connection: sqlite3.Connection, member_id: str, store: str, day: str) -> None:
    """The member is in that store, whatever they buy."""
    connection.execute(_SEEN_IN, (member_id, store, day))


def move_visits(connection: sqlite3.Connection, old: str, into: str) -> None:
    """What a merged member bought counts for the one kept."""
    connection.execute(_MOVE_VISITS, (into, old))
    connection.execute(_FORGET_VISITS, (old,))


def visited(connection: sqlite3.Connection, member_id: str, since_day: str) -> list[tuple[str, int]]:
    """(store, purchases) where a member bought since that day, the most visited first."""
    return [(str(store), int(count)) for store, count in connection.execute(_VISITED, (member_id, since_day))]


def takers(connection: sqlite3.Connection, seen_since_ms: int) -> Iterator[tuple[str, str, int]]:
    """(till, store, epoch) of all tills that may be lent to, by till. It looks at every till of the chain."""
    return iter(connection.execute(_TAKERS, (seen_since_ms,)))


def takes(connection: sqlite3.Connection, till: str) -> bool:
    """Whether the till asks for grants."""
    row = connection.execute(_TAKES, (till,)).fetchone()
    return row is not None and row[0] == 1


def set_takes(connection: sqlite3.Connection, till: str, *, asks: bool) -> None:
    connection.execute(_SET_TAKES, (int(asks), till))


def stopped_taking(connection: sqlite3.Connection, till: str) -> None:
    """It asked for changes without grants, having asked with them before."""
    connection.execute(_SET_TAKES, (2, till))


def left_behind(connection: sqlite3.Connection, till: str, limit: int) -> list[GrantRow] | None:
    """Open grants of a till that stopped taking them, at most `limit`; None for any other till."""
    if connection.execute(_UNREAD, (till,)).fetchone() is None:
        return None
    return [_row(row) for row in connection.execute(_LEFT_BEHIND, (till, limit))]


def soonest_expiry_ms(connection: sqlite3.Connection, member_id: str) -> int:
    """When the first of the member's active points expires; 0: never."""
    return int(connection.execute(_SOONEST, (member_id,)).fetchone()[0] or 0)


def rested(connection: sqlite3.Connection, recalled_before_ms: int, limit: int) -> list[str]:
    """Members of whom nothing was recalled since then; ask `rest_over` when they were seen to."""
    return [str(row[0]) for row in connection.execute(_RESTED, (recalled_before_ms, limit))]


def rest_over(connection: sqlite3.Connection, member_id: str) -> None:
    connection.execute(_REST_OVER, (member_id,))


def changed(connection: sqlite3.Connection, after: int, limit: int) -> Iterator[tuple[str, int, bool]]:
    """Members in the order of their last change: id, position, whether they may have points that nobody keeps."""
    for member_id, position, free in connection.execute(_CHANGED, (after, limit)).fetchall():
        yield str(member_id), int(position), bool(free)


def _row(values: tuple[Any, ...]) -> GrantRow:
    holder, member_id, epoch, points, recall, granted, used, released, written_off, until_ms, at_ms, position = values
    return GrantRow(
        holder=holder,
        member_id=member_id,
        epoch=epoch,
        points=points,
        recall=recall,
        granted=granted,
        used=used,
        released=released,
        written_off=written_off,
        until_ms=until_ms,
        recalled_at_ms=at_ms,
        position=position,
    )
