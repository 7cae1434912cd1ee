"""Policies by scope, as rows; a version is never changed, and one number counts them all."""

import sqlite3
from typing import Literal

from msgspec import Struct

POLICIES = """
CREATE TABLE policies (
    version INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL CHECK (scope IN ('chain', 'store', 'till')),
    name TEXT NOT NULL,
    text TEXT NOT NULL,
    removed INTEGER NOT NULL CHECK (removed IN (0, 1)),
    staged INTEGER NOT NULL CHECK (staged IN (0, 1)),
    at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX policies_scope ON policies (scope, name, version)
"""
"""`name` is the store or till, "" for the chain. `removed`: this version says that there is none any more. `staged`:
only for tills that a wave of config has brought it to, until that wave is done.
"""

Scope = Literal["chain", "store", "till"]


class PolicyRow(Struct, frozen=True):
    """One version of one scope's policy."""

    version: int
    scope: Scope
    name: str
    text: str
    removed: bool
    staged: bool
    at_ms: int


_ADD = "INSERT INTO policies (scope, name, text, removed, staged, at_ms) VALUES (?, ?, ?, ?, ?, ?)"
_VERSION = "SELECT version, scope, name, text, removed, staged, at_ms FROM policies WHERE version = ?"
_NEWEST = """
SELECT version, scope, name, text, removed, staged, at_ms FROM policies p
WHERE scope = ? AND name = ? AND version <> ? AND (
    NOT staged OR version = ?
    OR EXISTS (
        SELECT 1 FROM waves w WHERE w.kind = 'config' AND w.state = 'done' AND w.version = CAST(p.version AS TEXT)
    )
)
ORDER BY version DESC LIMIT 1
"""
"""The newest that counts: not the one held back, and a staged one only where it is wanted or its wave is done."""
_ALL = "SELECT version, scope, name, text, removed, staged, at_ms FROM policies ORDER BY version DESC LIMIT ?"


def add(
    connection: sqlite3.Connection, scope: Scope, name: str, text: str, *, removed: bool, staged: bool, now_ms: int
) -> PolicyRow:
    """A new version of that scope's policy."""
    version = connection.execute(_ADD, (scope, name, text, removed, staged, now_ms)).lastrowid
    found = find(connection, version or 0)
    if found is None:
        raise sqlite3.DatabaseError("expected the policy that was just added")
    return found


def find(connection: sqlite3.Connection, version: int) -> PolicyRow | None:
    return _row(connection.execute(_VERSION, (version,)).fetchone())


def newest(
    connection: sqlite3.Connection, scope: Scope, name: str, *, without: int = 0, wanted: int = 0
) -> PolicyRow | None:
    """What counts for a scope now, be it a removal; `without` is held back from this till, `wanted` is its wave's."""
    return _row(connection.execute(_NEWEST, (scope, name, without, wanted)).fetchone())


def listed(connection: sqlite3.Connection, limit: int) -> list[PolicyRow]:
    """Every version, the newest first."""
    return [found for row in connection.execute(_ALL, (limit,)) if (found := _row(row)) is not None]


def _row(row: tuple[int, Scope, str, str, int, int, int] | None) -> PolicyRow | None:
    return None if row is None else PolicyRow(*row[:4], removed=bool(row[4]), staged=bool(row[5]), at_ms=row[6])
