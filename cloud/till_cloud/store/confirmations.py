"""One-time codes, as rows: hashes only. Neither a code nor the phone that it went to is ever kept."""

import sqlite3
from typing import Literal

from msgspec import Struct

State = Literal["sent", "confirmed", "spent", "used"]
Purpose = Literal["register", "spend"]


class ConfirmationRow(Struct, frozen=True, kw_only=True):
    """`spent`: tried wrongly too often, or never sent. `used`: it has confirmed a member or covered a hold."""

    confirmation: str
    till: str
    purpose: Purpose
    tag: str
    member_id: str
    salt: str
    code_sha256: str
    state: State
    tries: int
    made_at_ms: int
    expires_at_ms: int


_FIELDS = ConfirmationRow.__struct_fields__
_FIND = """
SELECT confirmation, till, purpose, tag, member_id, salt, code_sha256, state, tries, made_at_ms, expires_at_ms
FROM confirmations WHERE confirmation = ?
"""
_ADD = """
INSERT INTO confirmations (confirmation, till, purpose, tag, member_id, salt, code_sha256, state, tries,
    made_at_ms, expires_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_SET_STATE = "UPDATE confirmations SET state = ?, tries = ? WHERE confirmation = ?"
_MADE_FOR_TAG = "SELECT count(*), min(made_at_ms) FROM confirmations WHERE tag = ? AND made_at_ms > ?"
_MADE_BY_TILL = "SELECT count(*), min(made_at_ms) FROM confirmations WHERE till = ? AND made_at_ms > ?"
_FORGET = "DELETE FROM confirmations WHERE till = ? AND made_at_ms < ?"


def find(connection: sqlite3.Connection, confirmation: str) -> ConfirmationRow | None:
    row = connection.execute(_FIND, (confirmation,)).fetchone()
    return None if row is None else ConfirmationRow(**dict(zip(_FIELDS, row, strict=True)))


def add(connection: sqlite3.Connection, row: ConfirmationRow) -> None:
    connection.execute(_ADD, [getattr(row, name) for name in _FIELDS])


def set_state(connection: sqlite3.Connection, confirmation: str, state: State, tries: int) -> None:
    connection.execute(_SET_STATE, (state, tries, confirmation))


def made_for_tag(connection: sqlite3.Connection, tag: str, after_ms: int) -> tuple[int, int]:
    """How many codes went to this number, by whatever till, after a time; and when the first of them was made."""
    count, first = connection.execute(_MADE_FOR_TAG, (tag, after_ms)).fetchone()
    return count, first or 0


def made_by_till(connection: sqlite3.Connection, till: str, after_ms: int) -> tuple[int, int]:
    """The same by the till that asked."""
    count, first = connection.execute(_MADE_BY_TILL, (till, after_ms)).fetchone()
    return count, first or 0


def forget(connection: sqlite3.Connection, till: str, before_ms: int) -> None:
    """Take away a till's rows from before a time."""
    connection.execute(_FORGET, (till, before_ms))
