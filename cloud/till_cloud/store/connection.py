"""Opening the cloud's database: pragmas, the gate that keeps writers of several processes apart, and migrations."""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from till_cloud.exceptions import StoreFormatError, StoreUnavailableError
from till_cloud.store.files import create_private

log = logging.getLogger(__name__)

APPLICATION_ID = 0x54494C43
"""`PRAGMA application_id`: "TILC" says that the file is a cloud database."""

SCHEMA_VERSION = 10
"""`PRAGMA user_version` that this code makes and expects: how many migrations there are."""

BUSY_TIMEOUT_MS = 30_000
"""How long to wait for another process's transaction: the longest one, a block of imported members, takes under 1 s."""

WRITER_CACHE_KIB = 64 * 1024
"""Pages that the writer keeps: with a million members, the upper levels of every index fit."""

CHECKPOINT_PAGES = 8_000
"""WAL pages after which a commit also checkpoints: 32 MB, so that a burst of pushes pays for it seldom."""

TELL_EVERY_S = 5.0
"""How often a long migration says that it goes on."""

STEPS_BETWEEN = 200_000
"""Of SQLite's machine, between two looks at the clock: some milliseconds."""


class Gate:
    """A lock that one writing connection of one process holds at a time, and that the system frees with the process.

    SQLite's own write lock does not cover checkpoints, and up to version 3.51.2 a checkpoint that races a commit of
    another connection can lose that commit (sqlite.org/wal.html, "the WAL-reset bug"). Everyone who commits,
    checkpoints or closes last does so behind this gate. It is a lock on an empty SQLite file beside the database,
    because SQLite's file locks work the same on every system.
    """

    def __init__(self, database: Path) -> None:
        path = database.with_name(database.name + "-gate")
        try:
            self._connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False
            )
        except sqlite3.OperationalError as error:
            raise StoreUnavailableError(f"the file {path} can't be opened: {error}") from error

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Wait for the gate, keep it within the block; StoreUnavailableError past `BUSY_TIMEOUT_MS`."""
        try:
            self._connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise StoreUnavailableError(f"another process keeps the database: {error}") from error
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        self._connection.close()


def open_writer(path: Path) -> sqlite3.Connection:
    """The connection of the one writer, schema migrated. Transactions are explicit.

    Call it, and close what it gives, behind the gate. StoreFormatError when the file is not ours or too new,
    StoreUnavailableError when it can't be opened.
    """
    create_private(path)
    try:
        connection = sqlite3.connect(
            path,
            timeout=BUSY_TIMEOUT_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
    except sqlite3.OperationalError as error:
        raise StoreUnavailableError(f"the database {path} can't be opened: {error}") from error
    try:
        _prepare(connection, path)
    except sqlite3.DatabaseError as error:
        connection.close()
        if isinstance(error, sqlite3.OperationalError):
            raise StoreUnavailableError(f"the database {path} can't be used: {error}") from error
        raise StoreFormatError(f"expected a cloud database at {path}, not this file: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    # Who was erased must not lie on in free pages.
    connection.execute("PRAGMA secure_delete=ON")
    connection.execute(f"PRAGMA cache_size=-{WRITER_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
    _migrate(connection, path)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application != APPLICATION_ID and tables:
        raise StoreFormatError(f"expected a cloud database at {path}, not a database with application_id {application}")
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > SCHEMA_VERSION:
        raise StoreFormatError(
            f"expected a schema of at most {SCHEMA_VERSION}, not {found}: {path} was made by a later Tillside"
        )
    if found == SCHEMA_VERSION:
        return
    # Loaded for a schema that is to change only: sqlite-utils brings half a second and 30 MB with it.
    import sqlite_utils

    from till_cloud.store.copying import keep_former
    from till_cloud.store.migrations import migrations

    clock = _Telling(path)
    if found:
        keep_former(connection, path, found, clock.tell)
    database = sqlite_utils.Database(connection)
    connection.set_progress_handler(clock.tell, STEPS_BETWEEN)
    # All migrations and the version in one transaction: a file is of one release or of the next, never in between, so
    # that the former release can go on with it when an upgrade fails. Within it, each migration is a savepoint.
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        migrations.apply(database)
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    finally:
        connection.set_progress_handler(None, 0)


class _Telling:
    """Says now and then that a schema is still being brought up to date: nobody is to take a long one for hung."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._began = self._told = time.monotonic()

    def tell(self) -> int:
        """0, by which SQLite goes on."""
        now = time.monotonic()
        if now - self._told >= TELL_EVERY_S:
            self._told = now
            log.warning("%s is being brought up to date, for %.0f s so far", self._path, now - self._began)
        return 0


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file itself can't be read, which no second try mends."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def check_format(connection: sqlite3.Connection, path: Path) -> None:
    """StoreFormatError unless the file is a cloud database of the very schema that this code knows."""
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        found = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise StoreFormatError(f"expected a cloud database at {path}, not this file: {error}") from error
    if application != APPLICATION_ID or found != SCHEMA_VERSION:
        raise StoreFormatError(
            f"expected a cloud database with schema {SCHEMA_VERSION} at {path}, not application_id {application}, "
            f"schema {found}: `tillside cloud init` brings an older one up to date"
        )


def open_reader(path: Path) -> sqlite3.Connection:
    """A read-only connection: it never checkpoints, and refuses to write. Transactions are explicit.

    StoreUnavailableError when there is no such file.
    """
    try:
        connection = _connect_reader(path)
    except sqlite3.OperationalError as error:
        raise StoreUnavailableError(f"the database {path} can't be opened: {error}") from error
    try:
        connection.execute("PRAGMA query_only=ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_reader(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=BUSY_TIMEOUT_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=64,
    )
