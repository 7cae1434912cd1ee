"""Opens the cache's file, or begins it anew: whatever is wrong with it, the cloud has it all."""

import contextlib
import logging
import os
import sqlite3
from pathlib import Path

from till_agent.cache import leaving, schema
from till_agent.cache.pages import Progress, load_progress, save_progress
from till_sync.files import sync_folder

_log = logging.getLogger(__name__)

BUSY_WAIT_SECONDS = 1.0
"""The file's own second connection may hold it for a moment while a log is begun anew."""
WRITE_CACHE_KIB = 8_192
"""Pages of the trees that a page of changes touches."""
READ_CACHE_KIB = 8_192
"""The branches of the trees that a look-up among a million members goes down, 9 MB; their leaves are the system's to
keep. With 2 MB a look-up reads three pages more, of which a system short of memory has few. Given back now and then."""
LOG_PAGES = 16_000
"""64 MB of log, some pages of changes to a large cache: if nobody rests till then, SQLite copies it within a commit."""
LOG_KEPT_BYTES = 16 * 1024 * 1024
"""Of a log that was longer, once it is copied."""
SIDE_FILES = ("-wal", "-shm", "-journal")
DAMAGED_SUFFIX = ".damaged"
"""One damaged cache is kept for whoever looks into it, and replaced by the next: a cache is large and worth little."""

_NOT_THE_FILE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
}


def is_damage(exc: BaseException) -> bool:
    """Is it the file's own fault, so that a new one helps? A mistake of ours is no reason to throw a cache away."""
    if isinstance(exc, sqlite3.ProgrammingError | sqlite3.InterfaceError):
        return False
    return (getattr(exc, "sqlite_errorcode", 0) & 0xFF) not in _NOT_THE_FILE


def open_writer(path: Path, till: str) -> tuple[sqlite3.Connection, Progress]:
    """The connection that writes, on a file of this schema and this till. sqlite3.Error when the disk refuses."""
    try:
        return _open(path, till)
    except (sqlite3.Error, ValueError, TypeError) as exc:
        if not is_damage(exc):
            raise
        _log.warning("the cache can't be used (%s) and is rebuilt from the cloud", exc)
    clear_away(path)
    return _open(path, till)


def open_reader(path: Path) -> sqlite3.Connection:
    """The connection for look-ups on the loop; it never writes, and so never copies the log into the file."""
    connection = sqlite3.connect(path, timeout=BUSY_WAIT_SECONDS, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(f"PRAGMA cache_size = -{READ_CACHE_KIB:d}")
    except BaseException:
        connection.close()
        raise
    return connection


def settle(path: Path) -> sqlite3.Connection:
    """A connection that reads the file as it is, without its log and without locks: nobody may write meanwhile.

    Where an open file can't be replaced (Windows) there is none: sqlite3.OperationalError.
    """
    if os.name == "nt":
        raise sqlite3.OperationalError("expected a system where an open file can be replaced")
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)


def put_in_place(path: Path, new: Path) -> None:
    """Rename a whole new file over the cache's, whose log is empty. OSError.

    The old one's log must be gone for good before the new file has the name, or it would be taken for the new one's.
    """
    for suffix in SIDE_FILES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    sync_folder(path.parent)
    new.replace(path)
    sync_folder(path.parent)


def clear_away(path: Path) -> None:
    """Put a file that can't be used out of the way, its log with it."""
    for suffix in SIDE_FILES:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{path}{suffix}")  # noqa: PTH108 - the names are not paths of their own
    if path.exists():
        path.replace(path.with_name(path.name + DAMAGED_SUFFIX))


def _open(path: Path, till: str) -> tuple[sqlite3.Connection, Progress]:
    connection = sqlite3.connect(path, timeout=BUSY_WAIT_SECONDS, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # A crash may cost the last pages; they and their cursor are lost together, and are pulled again.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES:d}")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_KEPT_BYTES:d}")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA cache_size = -{WRITE_CACHE_KIB:d}")
        # Who left this store's members is not to be read from what the file holds beside its rows.
        connection.execute("PRAGMA secure_delete = ON")
        _recognise(connection, till)
        connection.execute(leaving.CREATE)  # also in a cache of a former release
        progress = load_progress(connection)
        _need_owner(progress, till)
    except BaseException:
        connection.close()
        raise
    return connection, progress


def _need_owner(progress: Progress, till: str) -> None:
    if progress.till != till:
        raise ValueError(f"expected the cache of till {till!r}, not of {progress.till!r}")


def _recognise(connection: sqlite3.Connection, till: str) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if (version, application, tables) == (0, 0, 0):
        connection.execute("BEGIN IMMEDIATE")
        for statement in schema.CREATE:
            connection.execute(statement)
        save_progress(connection, Progress(till=till))
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID:d}")
        connection.execute(f"PRAGMA user_version = {schema.VERSION:d}")
        connection.execute("COMMIT")
    elif (version, application) != (schema.VERSION, schema.APPLICATION_ID):
        raise ValueError(f"expected a cache of version {schema.VERSION}, not {version} of application {application:#x}")
