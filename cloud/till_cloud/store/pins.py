"""PINs of members, as rows: a salted hash, and how often it was tried wrongly."""

import sqlite3

from msgspec import Struct


class PinRow(Struct, frozen=True, kw_only=True):
    """`locked_until_ms`: 0 while it is not locked; a time that has passed leaves all tries anew."""

    member_id: str
    salt: str
    pin_scrypt: str
    tries: int
    locked_until_ms: int
    set_at_ms: int


_FIELDS = PinRow.__struct_fields__
_FIND = """
SELECT member_id, salt, pin_scrypt, tries, locked_until_ms, set_at_ms FROM member_pins WHERE member_id = ?
"""
_PUT = """
INSERT INTO member_pins (member_id, salt, pin_scrypt, tries, locked_until_ms, set_at_ms) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (member_id) DO UPDATE SET salt = excluded.salt, pin_scrypt = excluded.pin_scrypt, tries = excluded.tries,
    locked_until_ms = excluded.locked_until_ms, set_at_ms = excluded.set_at_ms
"""
_SET_TRIES = "UPDATE member_pins SET tries = ?, locked_until_ms = ? WHERE member_id = ?"
_REMOVE = "DELETE FROM member_pins WHERE member_id = ?"


def find(connection: sqlite3.Connection, member_id: str) -> PinRow | None:
    row = connection.execute(_FIND, (member_id,)).fetchone()
    return None if row is None else PinRow(**dict(zip(_FIELDS, row, strict=True)))


def put(connection: sqlite3.Connection, row: PinRow) -> None:
    """Set a member's PIN; the one before is gone."""
    connection.execute(_PUT, [getattr(row, name) for name in _FIELDS])


def set_tries(connection: sqlite3.Connection, member_id: str, tries: int, locked_until_ms: int) -> None:
    connection.execute(_SET_TRIES, (tries, locked_until_ms, member_id))


def remove(connection: sqlite3.Connection, member_id: str) -> bool:
    """Whether there was one."""
    return connection.execute(_REMOVE, (member_id,)).rowcount > 0
