"""Events that members were given points for, as rows: each (event, key) of a member once."""

import sqlite3

from msgspec import Struct


class GivenRow(Struct, frozen=True):
    """`position` is the movement that gave the points; 0: they were taken back. `about` is the op that brought it."""

    event: str
    key: str
    position: int
    about: str


_GIVEN = "SELECT event, key, position, about FROM events_given WHERE member_id = ?"
_ADD = """
INSERT INTO events_given (member_id, event, key, position, about) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (member_id, event, key) DO NOTHING
"""
_TAKEN_BACK = "UPDATE events_given SET position = 0 WHERE member_id = ? AND event = ? AND key = ?"
_FORGET = "DELETE FROM events_given WHERE member_id = ? AND event = ? AND key = ?"


def given(connection: sqlite3.Connection, member_id: str) -> list[GivenRow]:
    """Every event that a member has had."""
    return [GivenRow(*row) for row in connection.execute(_GIVEN, (member_id,))]


def add(connection: sqlite3.Connection, member_id: str, row: GivenRow) -> bool:
    """Whether the member had not had it before."""
    values = (member_id, row.event, row.key, row.position, row.about)
    return connection.execute(_ADD, values).rowcount > 0


def taken_back(connection: sqlite3.Connection, member_id: str, row: GivenRow) -> None:
    """Its points are gone; it does not come again."""
    connection.execute(_TAKEN_BACK, (member_id, row.event, row.key))


def forget(connection: sqlite3.Connection, member_id: str, row: GivenRow) -> None:
    """It has never been, and may come."""
    connection.execute(_FORGET, (member_id, row.event, row.key))
