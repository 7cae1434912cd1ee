"""The journal's connection, and what SQLite's errors mean for the file."""

import os
import sqlite3
from pathlib import Path

from till_agent.exceptions import JournalUnavailable
from till_agent.journal.exceptions import DamagedError, JournalInUse

LOCK_WAIT_SECONDS = 1.0
"""A predecessor that is just going down may hold the file for a moment; anything longer is a second agent."""
CACHE_KIB = 4_096
"""Pages kept in memory; point look-ups and the end of the file need little."""
LOG_BYTES = 4 * 1024 * 1024
"""Room for the write-ahead log: a sync of a file that grows also waits for the file system's own journal, twice as long
and more. 230 sales fit, and the writer copies the log into the file before it is full, when it has time."""
_ZEROS = bytes(16 * 1024)
WAL_PAGES_LIMIT = 4_000
"""16 MB of write-ahead log: past it, in a rush without a quarter of a second's pause, SQLite copies within a commit."""

_IN_USE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_DISK_TROUBLE = {
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
}
_BAD_SECTORS = {sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS}
"""I/O errors that are the file's, not the moment's."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection that is the only one on the file and syncs every commit. sqlite3.Error when it can't be."""
    connection = sqlite3.connect(path, timeout=LOCK_WAIT_SECONDS, isolation_level=None)
    try:
        # Before the log is first touched: its index then lives in memory, and no second connection races a checkpoint.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        _need_wal(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        # Rows that are let go of must not lie on in free pages; nothing else is ever deleted here.
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB:d}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES_LIMIT:d}")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def make_room(path: Path) -> None:
    """Lengthen the log with zeros, which SQLite takes for its end as it does the rests of former rounds.

    For the thread that owns the connection, between two transactions. OSError when there is no room; then the log is
    as long as it was.
    """
    log = path.with_name(path.name + "-wal")
    with log.open("ab", buffering=0) as file:
        before = file.tell()
        try:
            for _ in range(before, LOG_BYTES, len(_ZEROS)):
                file.write(_ZEROS)
            os.fsync(file.fileno())
        except OSError:
            file.truncate(before)
            raise


def _need_wal(mode: str) -> None:
    if mode != "wal":
        raise JournalUnavailable(f"expected a disk that can keep a write-ahead log, not journal mode {mode!r}")


def is_damage(exc: BaseException) -> bool:
    """Does SQLite say that the file's structure is broken?"""
    return getattr(exc, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def translate(path: Path, exc: sqlite3.Error) -> Exception:
    """Whose fault is it: another process's, the disk's, or the file's?"""
    code = getattr(exc, "sqlite_errorcode", 0)
    primary = code & 0xFF
    if primary in _IN_USE:
        return JournalInUse(f"expected {path.name} to be free, not open in another process: {exc}")
    if primary == sqlite3.SQLITE_READONLY and not _may_write(path):
        return JournalUnavailable(f"expected to write to {path.name}, not {exc}")
    if primary in _DISK_TROUBLE and code not in _BAD_SECTORS:
        return JournalUnavailable(f"expected the disk to serve {path.name}, not {exc}")
    return DamagedError("damaged", str(exc))


def _may_write(path: Path) -> bool:
    """A file that the system lets us write, and SQLite does not, has a header that says so: damage."""
    try:
        with path.open("r+b"):
            return True
    except OSError:
        return False
