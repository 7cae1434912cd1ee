"""Which members each store's tills hold: those seen there lately, as rows. Decision: docs/decisions/0040.

A row of store "" stands for every store: members of an import that named none. `position` is of the change by which a
member came in, or went out; who went out stays as a row for a while, so that tills hear of it.
"""

import sqlite3
from collections.abc import Sequence

WINDOWS = """
CREATE TABLE window_members (
    store TEXT NOT NULL,
    member_id TEXT NOT NULL REFERENCES members,
    seen_at_ms INTEGER NOT NULL,
    inside INTEGER NOT NULL CHECK (inside IN (0, 1)),
    position INTEGER NOT NULL,
    left_at_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (store, member_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX window_members_moved ON window_members (store, position);
CREATE INDEX window_members_seen ON window_members (store, inside, seen_at_ms);
CREATE INDEX window_members_left ON window_members (store, left_at_ms) WHERE inside = 0;
CREATE INDEX window_members_member ON window_members (member_id);

CREATE TABLE window_days (
    store TEXT PRIMARY KEY,
    days INTEGER NOT NULL CHECK (days >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE erasures (
    member_id TEXT PRIMARY KEY REFERENCES members,
    at_ms INTEGER NOT NULL,
    why TEXT NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE members ADD COLUMN seen_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tills ADD COLUMN takes_window INTEGER NOT NULL DEFAULT 0 CHECK (takes_window IN (0, 1));

INSERT INTO window_members (store, member_id, seen_at_ms, inside, position)
SELECT t.store, v.member_id, max(v.at_ms), 1, 0 FROM movements v JOIN tills t ON t.till = v.till
WHERE v.at_ms >= CAST(strftime('%s', 'now') AS INTEGER) * 1000 - 7776000000
GROUP BY t.store, v.member_id;

INSERT INTO window_members (store, member_id, seen_at_ms, inside, position)
SELECT '', member_id, CASE WHEN EXISTS (SELECT 1 FROM movements WHERE till <> '') THEN added_at_ms
    ELSE CAST(strftime('%s', 'now') AS INTEGER) * 1000 END, 1, 0
FROM members WHERE status <> 'removed' AND (
    added_at_ms >= CAST(strftime('%s', 'now') AS INTEGER) * 1000 - 7776000000
    OR NOT EXISTS (SELECT 1 FROM movements WHERE till <> ''))
"""
"""Of a database of a former release: who bought in 90 days is seen there, who was added in them is seen everywhere; and
so is everybody of a chain that has not sold yet. `members.seen_at_ms`: the last time of rows that are gone. `erasures`:
who was erased for their age, and why.
"""

WINDOW_SINCE = """
ALTER TABLE tills ADD COLUMN window_since_ms INTEGER NOT NULL DEFAULT 0 CHECK (window_since_ms >= 0);

UPDATE tills SET window_since_ms = CAST(strftime('%s', 'now') AS INTEGER) * 1000 WHERE takes_window = 1
"""
"""Since when a till has asked for its store's members without a question for the whole base in between; 0: it does not.
"""

EVERYWHERE = ""
"""The store of a row that counts for every store, and of the setting that is the chain's."""

DEFAULT_DAYS = 90
WHOLE_BASE = 0
LEAST_DAYS = 7
MOST_DAYS = 3_650
"""A week, or a member who comes each Saturday would be a stranger on the next; ten years."""

DAY_MS = 86_400_000

SCAN_MEMBERS = 20_000
"""Changed members that are looked at for one page: some 20 ms, however few of them are the store's."""

FEW_CHANGES = 500
"""So many are walked whatever the window is: under half a millisecond, and what a till finds in each usual poll."""

JUDGED = "window_judged"
"""In the database's meta: "on" once tills are to hold their store's members, "off" while they hold the whole base."""

_SEEN = "SELECT inside, seen_at_ms FROM window_members WHERE store = ? AND member_id = ?"
_SEE = """
INSERT INTO window_members (store, member_id, seen_at_ms, inside, position) VALUES (?, ?, ?, 1, ?)
ON CONFLICT (store, member_id) DO UPDATE SET seen_at_ms = max(seen_at_ms, excluded.seen_at_ms), inside = 1,
    position = excluded.position
"""
_SEE_AGAIN = "UPDATE window_members SET seen_at_ms = max(seen_at_ms, ?) WHERE store = ? AND member_id = ?"
_INSIDE = "SELECT 1 FROM window_members WHERE store IN (?, '') AND member_id = ? AND inside = 1"
_STORES_OF = "SELECT store, seen_at_ms FROM window_members WHERE member_id = ? AND inside = 1 ORDER BY store"

_DAYS = "SELECT store, days FROM window_days WHERE store IN (?, '') ORDER BY store DESC LIMIT 1"
_ALL_DAYS = "SELECT store, days FROM window_days ORDER BY store"
_SET_DAYS = "INSERT INTO window_days (store, days) VALUES (?, ?) ON CONFLICT (store) DO UPDATE SET days = excluded.days"
_UNSET_DAYS = "DELETE FROM window_days WHERE store = ?"

# Up to where a page looks at most: the position of the last of so many changed members.
_BOUND = "SELECT position FROM balances WHERE position > ? ORDER BY position LIMIT 1 OFFSET ?"
# Changed members of a store's window. In this order by their positions; left to itself SQLite walks the window.
_CHANGED = """
SELECT b.position, b.member_id FROM balances b
WHERE b.position > :after AND b.position <= :bound AND (
    EXISTS (SELECT 1 FROM window_members s WHERE s.store = :store AND s.member_id = b.member_id AND s.inside = 1)
    OR EXISTS (SELECT 1 FROM window_members s WHERE s.store = '' AND s.member_id = b.member_id AND s.inside = 1))
ORDER BY b.position LIMIT :limit
"""
# The same found from the other end: of a small window sooner than of all that a large chain changed.
_CHANGED_OF_FEW = """
SELECT b.position, b.member_id FROM window_members s CROSS JOIN balances b ON b.member_id = s.member_id
WHERE s.store = :store AND s.inside = 1 AND b.position > :after AND b.position <= :bound
UNION
SELECT b.position, b.member_id FROM window_members s CROSS JOIN balances b ON b.member_id = s.member_id
WHERE s.store = '' AND s.inside = 1 AND b.position > :after AND b.position <= :bound
ORDER BY 1 LIMIT :limit
"""
# How many changes there are to walk, and how many members; of the second no more are counted than there are changes.
_CHANGES = "SELECT count(*) FROM balances WHERE position > ? AND position <= ?"
_FEWER = """
SELECT count(*) FROM (SELECT 1 FROM window_members WHERE store IN (?, '') AND inside = 1 LIMIT ?)
"""
# Who came into the window, or went out of it.
_MOVED = """
SELECT s.position, s.member_id, EXISTS (SELECT 1 FROM window_members o
    WHERE o.store IN (:store, '') AND o.member_id = s.member_id AND o.inside = 1)
FROM window_members s WHERE s.store = :store AND s.position > :after AND s.position <= :bound
UNION ALL
SELECT s.position, s.member_id, EXISTS (SELECT 1 FROM window_members o
    WHERE o.store IN (:store, '') AND o.member_id = s.member_id AND o.inside = 1)
FROM window_members s WHERE s.store = '' AND s.position > :after AND s.position <= :bound
ORDER BY 1 LIMIT :limit
"""
_IDS = """
SELECT member_id FROM window_members WHERE store = :store AND inside = 1 AND member_id > :after AND member_id <= :last
UNION
SELECT member_id FROM window_members WHERE store = '' AND inside = 1 AND member_id > :after AND member_id <= :last
ORDER BY member_id LIMIT :limit
"""
# Tags of those who are there, in the order in which a cache keeps them.
_TAGS = """
SELECT i.tag, i.member_id FROM (
    SELECT member_id FROM window_members WHERE store = :store AND inside = 1
    UNION SELECT member_id FROM window_members WHERE store = '' AND inside = 1
) s CROSS JOIN members m ON m.member_id = s.member_id CROSS JOIN identifiers i ON i.member_id = s.member_id
WHERE m.status <> 'removed' ORDER BY i.tag
"""
_COUNT = "SELECT count(*) FROM window_members WHERE store = ? AND inside = 1"
# Each member has one balance, and an index of these is read ten times sooner than the members themselves.
_MEMBERS = "SELECT count(*) FROM balances"
_IS_SMALL = "SELECT count(*) <= ? FROM (SELECT 1 FROM balances LIMIT ? + 1)"

# Who was not seen for so long, and has nothing lent to a till of the store: neither points nor a voucher.
_OVER = """
SELECT s.member_id FROM window_members s WHERE s.store = :store AND s.inside = 1 AND s.seen_at_ms < :before
    AND NOT EXISTS (SELECT 1 FROM grants g JOIN tills t ON t.till = g.holder
        WHERE g.member_id = s.member_id AND g.points > 0 AND t.store = s.store)
    AND NOT EXISTS (SELECT 1 FROM vouchers v JOIN tills t ON t.till = v.holder
        WHERE v.member_id = s.member_id AND v.state = 'open' AND t.store = s.store)
ORDER BY s.seen_at_ms LIMIT :limit
"""
# Who would be inside, now that the window is wider.
_BACK = """
SELECT member_id FROM window_members WHERE store = ? AND inside = 0 AND seen_at_ms >= ? ORDER BY seen_at_ms LIMIT ?
"""
_MOVE = "UPDATE window_members SET inside = ?, left_at_ms = ?, position = ? WHERE store = ? AND member_id = ?"
_GONE = """
SELECT member_id, seen_at_ms FROM window_members WHERE store = ? AND inside = 0 AND left_at_ms < ? LIMIT ?
"""
_TELL_ERASED = "UPDATE window_members SET position = ? WHERE member_id = ? AND inside = 0"
_KEEP_SEEN = "UPDATE members SET seen_at_ms = max(seen_at_ms, ?) WHERE member_id = ?"
_FORGET = "DELETE FROM window_members WHERE store = ? AND member_id = ?"
_TAKES = "SELECT takes_window, window_since_ms FROM tills WHERE till = ?"
_SET_TAKES = "UPDATE tills SET takes_window = ?, window_since_ms = ? WHERE till = ?"


def seen_at(connection: sqlite3.Connection, store: str, member_id: str) -> tuple[bool, int]:
    """Whether a member has a row inside a store's window, and when they were seen last."""
    row = connection.execute(_SEEN, (store, member_id)).fetchone()
    return (False, 0) if row is None else (bool(row[0]), row[1])


def put(connection: sqlite3.Connection, store: str, member_id: str, at_ms: int, position: int) -> None:
    """The member is inside from this change on."""
    connection.execute(_SEE, (store, member_id, at_ms, position))


def put_many(connection: sqlite3.Connection, store: str, rows: Sequence[tuple[str, int]], at_ms: int) -> None:
    """Members with their positions."""
    connection.executemany(_SEE, [(store, member_id, at_ms, position) for member_id, position in rows])


def again(connection: sqlite3.Connection, store: str, member_id: str, at_ms: int) -> None:
    """The member, who is inside, was seen again."""
    connection.execute(_SEE_AGAIN, (at_ms, store, member_id))


def is_inside(connection: sqlite3.Connection, store: str, member_id: str) -> bool:
    return connection.execute(_INSIDE, (store, member_id)).fetchone() is not None


def stores_of(connection: sqlite3.Connection, member_id: str) -> list[tuple[str, int]]:
    """In whose windows a member is, and when they were seen there."""
    return [(str(store), int(at_ms)) for store, at_ms in connection.execute(_STORES_OF, (member_id,))]


def days_of(connection: sqlite3.Connection, store: str) -> int:
    """How many days a store's tills remember who was seen there; `WHOLE_BASE`: everybody, for ever."""
    row = connection.execute(_DAYS, (store,)).fetchone()
    return DEFAULT_DAYS if row is None else int(row[1])


def days_everywhere(connection: sqlite3.Connection) -> int:
    """How long members of an import for no store count for every store: the chain's days. Where the chain's tills hold
    the whole base, the most that a store was given, whose tills alone look at it; `WHOLE_BASE` where none was."""
    chain = days_of(connection, EVERYWHERE)
    if chain != WHOLE_BASE:
        return chain
    return max(settings(connection).values(), default=WHOLE_BASE)


def settings(connection: sqlite3.Connection) -> dict[str, int]:
    """What was set, by store; "" for the chain."""
    return {str(store): int(days) for store, days in connection.execute(_ALL_DAYS)}


def set_days(connection: sqlite3.Connection, store: str, days: int | None) -> None:
    """None: a store does as the chain does, and the chain by default."""
    if days is None:
        connection.execute(_UNSET_DAYS, (store,))
    else:
        connection.execute(_SET_DAYS, (store, days))


def bound(connection: sqlite3.Connection, after: int, newest: int) -> int:
    """The last position that one page may look at."""
    row = connection.execute(_BOUND, (after, SCAN_MEMBERS - 1)).fetchone()
    return newest if row is None else int(row[0])


def changed(connection: sqlite3.Connection, store: str, after: int, last: int, limit: int) -> list[tuple[int, str]]:
    """(position, member) of members of the window whose state changed in (`after`, `last`].

    Whichever is less is walked: after an outage of a chain each store's window is a small part of what changed, and all
    of its tills ask.
    """
    changes = int(connection.execute(_CHANGES, (after, last)).fetchone()[0])
    if changes <= FEW_CHANGES:
        query = _CHANGED
    else:
        window = int(connection.execute(_FEWER, (store, changes)).fetchone()[0])
        query = _CHANGED_OF_FEW if window < changes else _CHANGED
    named = {"store": store, "after": after, "bound": last, "limit": limit}
    return [(int(position), str(member_id)) for position, member_id in connection.execute(query, named)]


def moved(connection: sqlite3.Connection, store: str, after: int, last: int, limit: int) -> list[tuple[int, str, bool]]:
    """(position, member, whether they are inside now) of those who came or went in (`after`, `last`]."""
    named = {"store": store, "after": after, "bound": last, "limit": limit}
    return [(int(at), str(member_id), bool(inside)) for at, member_id, inside in connection.execute(_MOVED, named)]


def ids_after(
    connection: sqlite3.Connection, store: str, after: str, limit: int, last: str, end: str
) -> tuple[list[str], str]:
    """As `stretches.ids_after`, of a store's window; `end` stands for "" as the last id."""
    named = {"store": store, "after": after, "last": last or end, "limit": limit}
    ids = [str(row[0]) for row in connection.execute(_IDS, named)]
    return ids, ids[-1] if len(ids) == limit else last


def tags(connection: sqlite3.Connection, store: str) -> sqlite3.Cursor:
    """(tag, member_id) of every identifier of a store's window."""
    return connection.execute(_TAGS, {"store": store})


def count(connection: sqlite3.Connection, store: str) -> int:
    """Rows inside a store's window, without those that count for every store."""
    return int(connection.execute(_COUNT, (store,)).fetchone()[0])


def members(connection: sqlite3.Connection) -> int:
    """Members of the chain, about: those who were removed are among them, as they are among a window's rows."""
    return int(connection.execute(_MEMBERS).fetchone()[0])


def is_small(connection: sqlite3.Connection, limit: int) -> bool:
    """Whether the chain has so many members at most; it looks no further."""
    return bool(connection.execute(_IS_SMALL, (limit, limit)).fetchone()[0])


def over(connection: sqlite3.Connection, store: str, before_ms: int, limit: int) -> list[str]:
    """Who is to leave a store's window: not seen since then, and nothing of theirs is lent there."""
    named = {"store": store, "before": before_ms, "limit": limit}
    return [str(row[0]) for row in connection.execute(_OVER, named)]


def back(connection: sqlite3.Connection, store: str, since_ms: int, limit: int) -> list[str]:
    """Who is outside and was seen since then: the window was made wider."""
    return [str(row[0]) for row in connection.execute(_BACK, (store, since_ms, limit))]


def let_out(connection: sqlite3.Connection, store: str, rows: Sequence[tuple[str, int]], now_ms: int) -> None:
    """Members leave, each at their position."""
    connection.executemany(_MOVE, [(0, now_ms, position, store, member_id) for member_id, position in rows])


def let_in(connection: sqlite3.Connection, store: str, rows: Sequence[tuple[str, int]]) -> None:
    """Members come back, each at their position."""
    connection.executemany(_MOVE, [(1, 0, position, store, member_id) for member_id, position in rows])


def tell_erased(connection: sqlite3.Connection, member_id: str, position: int) -> None:
    """Stores whose windows a member has left hear of them once more: a till there may still hold them for its ops."""
    connection.execute(_TELL_ERASED, (position, member_id))


def forget(connection: sqlite3.Connection, store: str, before_ms: int, limit: int) -> int:
    """Drop rows of who left before then, so many at most; how many. When a member was seen last stays with them."""
    gone = connection.execute(_GONE, (store, before_ms, limit)).fetchall()
    connection.executemany(_KEEP_SEEN, [(seen_at_ms, member_id) for member_id, seen_at_ms in gone])
    connection.executemany(_FORGET, [(store, member_id) for member_id, _ in gone])
    return len(gone)


def takes(connection: sqlite3.Connection, till: str) -> tuple[bool, int]:
    """Whether the till asks for its store's members only, and since when it has asked for nothing else; 0 where it
    does not, or was enrolled anew and has not asked yet."""
    row = connection.execute(_TAKES, (till,)).fetchone()
    return (False, 0) if row is None else (row[0] == 1, int(row[1]))


def set_takes(connection: sqlite3.Connection, till: str, *, asks: bool, now_ms: int) -> None:
    connection.execute(_SET_TAKES, (int(asks), now_ms if asks else 0, till))
