"""Programme versions, as rows."""

import sqlite3

from till_sync.wire import ProgrammeRow

_ACTIVE = "SELECT programme_id, version, digest, active, body FROM programmes WHERE active = 1"
_ACTIVE_KEY = "SELECT programme_id, version FROM programmes WHERE active = 1"
_VERSION = "SELECT programme_id, version, digest, active, body FROM programmes WHERE programme_id = ? AND version = ?"
_ALL = "SELECT programme_id, version, digest, active, body FROM programmes ORDER BY programme_id, version"
_PAGE = """
SELECT position, programme_id, version, digest, active, body
FROM programmes WHERE position > ? AND position <= ? ORDER BY position LIMIT ?
"""
_HIGHEST = "SELECT max(version) FROM programmes WHERE programme_id = ?"
_MOVED = "SELECT EXISTS (SELECT 1 FROM movements)"
_DEACTIVATE = "UPDATE programmes SET active = 0, position = ? WHERE active = 1"
_ADD = """
INSERT INTO programmes (programme_id, version, digest, body, active, position, uploaded_at_ms)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_ACTIVATE = "UPDATE programmes SET active = 1, position = ? WHERE programme_id = ? AND version = ?"
_TOUCH = "UPDATE programmes SET position = ? WHERE programme_id = ? AND version = ?"


def _row(values: tuple[str, int, str, int, str]) -> ProgrammeRow:
    programme_id, version, digest, active, body = values
    return ProgrammeRow(programme_id=programme_id, version=version, digest=digest, active=bool(active), body=body)


def active(connection: sqlite3.Connection) -> ProgrammeRow | None:
    """The version to sell by."""
    values = connection.execute(_ACTIVE).fetchone()
    return None if values is None else _row(values)


def active_key(connection: sqlite3.Connection) -> tuple[str, int] | None:
    """Id and number of the version to sell by."""
    row = connection.execute(_ACTIVE_KEY).fetchone()
    return None if row is None else (str(row[0]), int(row[1]))


def version(connection: sqlite3.Connection, programme_id: str, number: int) -> ProgrammeRow | None:
    values = connection.execute(_VERSION, (programme_id, number)).fetchone()
    return None if values is None else _row(values)


def all_versions(connection: sqlite3.Connection) -> list[ProgrammeRow]:
    return [_row(values) for values in connection.execute(_ALL)]


def page(connection: sqlite3.Connection, after: int, until: int, limit: int) -> list[tuple[int, ProgrammeRow]]:
    """Versions whose last change lies in (`after`, `until`], each with its position."""
    return [(values[0], _row(values[1:])) for values in connection.execute(_PAGE, (after, until, limit))]


def points_have_moved(connection: sqlite3.Connection) -> bool:
    """Whether any member has, or had, points that a version counted."""
    return bool(connection.execute(_MOVED).fetchone()[0])


def highest_version(connection: sqlite3.Connection, programme_id: str) -> int:
    """0 when there is none."""
    return int(connection.execute(_HIGHEST, (programme_id,)).fetchone()[0] or 0)


def deactivate(connection: sqlite3.Connection, position: int) -> None:
    """Retire the active version, if any."""
    connection.execute(_DEACTIVATE, (position,))


def activate(connection: sqlite3.Connection, programme_id: str, number: int, position: int) -> None:
    """Make a version that was added the one to sell by; `deactivate` first."""
    connection.execute(_ACTIVATE, (position, programme_id, number))


def touch(connection: sqlite3.Connection, programme_id: str, number: int, position: int) -> None:
    """Have tills read a version's row once more."""
    connection.execute(_TOUCH, (position, programme_id, number))


def add(connection: sqlite3.Connection, row: ProgrammeRow, position: int, now_ms: int) -> None:
    """Add a version; before one that is active, `deactivate`."""
    values = (row.programme_id, row.version, row.digest, row.body, int(row.active), position, now_ms)
    connection.execute(_ADD, values)
