"""Snapshots that were made, as rows; the files lie in a folder beside the database."""

import sqlite3

from msgspec import Struct


class SnapshotRow(Struct, frozen=True):
    """A snapshot as of `position`; `bytes` and `sha256` are of the file as tills fetch it."""

    snapshot: str
    format: str
    position: int
    bytes: int
    sha256: str
    members: int
    made_at_ms: int


_ALL = """
SELECT snapshot, format, position, bytes, sha256, members, made_at_ms FROM snapshots
ORDER BY made_at_ms DESC, position DESC
"""
_ADD = """
INSERT INTO snapshots (snapshot, format, position, bytes, sha256, members, made_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_REMOVE = "DELETE FROM snapshots WHERE snapshot = ?"
_MEMBERS = "SELECT count(*) FROM members"
# All tags of members who are still there, in the order in which a cache keeps them.
_TAGS = """
SELECT i.tag, i.member_id FROM identifiers i JOIN members m ON m.member_id = i.member_id
WHERE m.status <> 'removed' ORDER BY i.tag
"""


def newest_first(connection: sqlite3.Connection) -> list[SnapshotRow]:
    return [SnapshotRow(*row) for row in connection.execute(_ALL)]


def add(connection: sqlite3.Connection, row: SnapshotRow) -> None:
    values = (row.snapshot, row.format, row.position, row.bytes, row.sha256, row.members, row.made_at_ms)
    connection.execute(_ADD, values)


def remove(connection: sqlite3.Connection, snapshot: str) -> None:
    connection.execute(_REMOVE, (snapshot,))


def members(connection: sqlite3.Connection) -> int:
    """How many members there are, about: removed ones count too."""
    return int(connection.execute(_MEMBERS).fetchone()[0])


def all_tags(connection: sqlite3.Connection) -> sqlite3.Cursor:
    """(tag, member_id) of every member's identifiers."""
    return connection.execute(_TAGS)
