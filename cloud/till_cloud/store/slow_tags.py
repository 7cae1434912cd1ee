"""Slow tags of phones, as rows: which fast tag became which. Decision: docs/decisions/0040.

An identifier lies in `identifiers` under one tag: once a phone's slow tag is made, it takes the fast one's place, and
the fast one is an alias of it here. So members, merges, the feed and its digests know of one name a phone.
"""

import sqlite3

from till_cloud.store import meta
from till_loyalty.identifiers import FAST_PHONE, SLOW_PHONE
from till_sync.phone_tags import NO_SLOW_TAGS, PhoneTags

SLOW_TAGS = """
CREATE TABLE slow_tags (
    tag TEXT PRIMARY KEY,
    slow TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX slow_tags_slow ON slow_tags (slow)
"""

_COST, _ONLY = "phone_cost", "phone_slow_only"
_AFTER_FAST, _AFTER_SLOW = "phone;", "phone2;"
"""The first texts behind all tags of a kind."""

_SLOW_OF = "SELECT slow FROM slow_tags WHERE tag = ?"
_FAST_OF = "SELECT tag FROM slow_tags WHERE slow = ?"
_NOTE = "INSERT INTO slow_tags (tag, slow) VALUES (?, ?) ON CONFLICT (tag) DO UPDATE SET slow = excluded.slow"
_FORGET = "DELETE FROM slow_tags WHERE slow = ?"
_WAITING = "SELECT tag FROM identifiers WHERE tag > ? AND tag < ? ORDER BY tag LIMIT ?"
_COUNT = "SELECT count(*) FROM identifiers WHERE tag >= ? AND tag < ?"
_OWNER = "SELECT member_id FROM identifiers WHERE tag = ?"
_DROP = "DELETE FROM identifiers WHERE tag = ?"


def phone_tags(connection: sqlite3.Connection) -> PhoneTags:
    """What the chain has, as tills are told."""
    cost = meta.told(connection, _COST)
    return PhoneTags(cost=int(cost), only=bool(meta.told(connection, _ONLY))) if cost else NO_SLOW_TAGS


def begin(connection: sqlite3.Connection, cost: int) -> None:
    """Have slow tags made at that cost from now on. A cost stays: with another all tags would be others."""
    meta.tell(connection, _COST, str(cost))


def set_only(connection: sqlite3.Connection) -> None:
    """Every member has theirs."""
    meta.tell(connection, _ONLY, "yes")


def slow_of(connection: sqlite3.Connection, tag: str) -> str:
    """The tag that took a fast one's place; "" while none did."""
    row = connection.execute(_SLOW_OF, (tag,)).fetchone() if tag.startswith(FAST_PHONE) else None
    return "" if row is None else str(row[0])


def kept(connection: sqlite3.Connection, tag: str) -> str:
    """The tag under which an identifier lies, or would."""
    return slow_of(connection, tag) or tag


def fast_of(connection: sqlite3.Connection, tag: str) -> list[str]:
    """The fast tags of a slow one; of any other, nothing."""
    return [str(row[0]) for row in connection.execute(_FAST_OF, (tag,))] if tag.startswith(SLOW_PHONE) else []


def note(connection: sqlite3.Connection, tag: str, slow: str) -> None:
    """The slow tag takes the fast one's place."""
    connection.execute(_DROP, (tag,))
    connection.execute(_NOTE, (tag, slow))


def forget(connection: sqlite3.Connection, slow: str) -> None:
    """Of a slow tag that is nobody's any more, nothing leads to it."""
    connection.execute(_FORGET, (slow,))


def owner(connection: sqlite3.Connection, tag: str) -> str:
    """Whose that very tag is, without regard to aliases; "" for nobody."""
    row = connection.execute(_OWNER, (tag,)).fetchone()
    return "" if row is None else str(row[0])


def waiting(connection: sqlite3.Connection, after: str, limit: int) -> list[str]:
    """Fast tags of members after that one, in order."""
    found = connection.execute(_WAITING, (after or FAST_PHONE, _AFTER_FAST, limit))
    return [str(row[0]) for row in found]


def counts(connection: sqlite3.Connection) -> tuple[int, int]:
    """How many phones lie under a slow tag, and how many under a fast one."""
    slow = connection.execute(_COUNT, (SLOW_PHONE, _AFTER_SLOW)).fetchone()[0]
    return int(slow), int(connection.execute(_COUNT, (FAST_PHONE, _AFTER_FAST)).fetchone()[0])
