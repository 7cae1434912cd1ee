"""The spool's file: schema, statements, and nothing that waits for anyone. One thread writes, see `spool`.

`PRAGMA user_version` says how many of `MIGRATIONS` a file has had. A step that reshapes a table imports sqlite-utils;
making a new file does not, because the import takes 0.7 s and 25 MB, which a till on its first day would keep.
"""

import contextlib
import enum
import os
import sqlite3
from pathlib import Path
from typing import Any

from msgspec import Struct

from till_drivers.exceptions import SpoolUnavailable

WAITING_AGE_MS = 4 * 3_600_000
"""A slip that could not be printed for this long is given up: its member is gone, and a printer that is mended in the
evening must not pour out the whole day's slips."""
RETAINED_COUNT = 2_000
"""Finished jobs that are remembered: some days of a busy till."""
RETAINED_AGE_MS = 7 * 86_400_000
"""Finished jobs older than this are forgotten."""
BUSY_TIMEOUT_MS = 2_000
"""Nobody else writes here but a person with a database tool."""

DETAIL_LIMIT = 500
"""Letters of what a driver or a template says of a job."""

TOO_OLD = "waited too long for the printer"
CUT_SHORT = "the till stopped while it was printing"


class PrintState(enum.StrEnum):
    """A job's state. REFUSED while it waits is tried again when the printer is ready; UNKNOWN never is."""

    QUEUED = "queued"
    PRINTING = "printing"
    PRINTED = "printed"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


_STATES = frozenset(PrintState)


class SpoolJob(Struct, frozen=True, kw_only=True):
    """A job as stored; times are wall-clock milliseconds. `data` is empty once nobody needs it: nothing more will be
    printed of it, and its printer has begun another, before which it may have had to be brought back into step.

    `waits`: it is still to be tried (queued, or refused and young enough).
    """

    seq: int
    job_id: str
    printer: str
    reference: str
    copy: bool
    state: PrintState
    waits: bool
    attempts: int
    detail: str
    created_ms: int
    updated_ms: int
    data: bytes = b""


_FIELDS = "seq, job_id, printer, reference, copy, state, waits, attempts, detail, created_ms, updated_ms"
# Take a new job; one that is there already stays as it is.
_INSERT = """insert into jobs
    (job_id, printer, reference, copy, state, waits, attempts, detail, created_ms, updated_ms, data)
    values (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?) on conflict (job_id) do nothing"""
# The oldest job that a printer still owes.
_NEXT = f"select {_FIELDS}, data from jobs where waits = 1 and printer = ? order by seq limit 1"  # noqa: S608  # constants
# Before the first byte goes to the printer; no row when the job is not to be tried any more.
_BEGIN = """update jobs set state = 'printing', waits = 0, attempts = attempts + 1, detail = '', updated_ms = ?
    where job_id = ? and waits = 1"""
# What became of a job that was printing; its bytes are kept when it will be tried again, or may have broken off.
_FINISH = """update jobs set state = ?, waits = ?, detail = ?, updated_ms = ?,
    data = case when ? then data else x'' end where job_id = ? and state = 'printing'"""
# After a restart: nobody knows how far these came.
_CUT_SHORT = "update jobs set state = 'unknown', detail = ?, updated_ms = ? where state = 'printing'"
# Jobs that may have broken off within a command, the newest last; their printers have begun nothing since.
_TORN = "select printer, data from jobs where state = 'unknown' and length(data) > 0 order by seq"
# Their printer is in step again.
_MENDED = "update jobs set data = x'' where state = 'unknown' and length(data) > 0 and printer = ?"
# Give up what has waited too long.
_EXPIRE = """update jobs set state = 'refused', waits = 0, detail = ?, updated_ms = ?, data = x''
    where waits = 1 and created_ms < ?"""
# Forget what is finished and old, or too many.
_TRIM = """delete from jobs where waits = 0 and state != 'printing'
    and (updated_ms < ? or seq <= (select max(seq) from jobs) - ?)"""
# Not yet on paper: waiting, or being printed just now.
_COUNT = """select (select count(*) from jobs where waits = 1)
    + (select count(*) from jobs where state = 'printing')"""
# The newest job about a sale: what a look-up of its slip shows.
_BY_REFERENCE = f"select {_FIELDS} from jobs where reference = ? order by seq desc limit 1"  # noqa: S608  # constants
_BY_ID = f"select {_FIELDS} from jobs where job_id = ?"  # noqa: S608  # constants
_RECENT = f"select {_FIELDS} from jobs order by seq desc limit ?"  # noqa: S608  # constants


def connect(path: Path) -> sqlite3.Connection:
    """The writing connection: every commit is on disk when it returns. Raises sqlite3.Error, OSError."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives its side files the same mode
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_MS / 1000)
    try:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        _check(connection)
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection) -> None:
    finding = connection.execute("pragma quick_check(1)").fetchone()[0]
    if finding != "ok":
        raise sqlite3.DatabaseError(finding)


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection for look-ups, which the caller guards with a lock."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
    connection.execute("pragma query_only = on")
    return connection


def is_damage(exc: sqlite3.DatabaseError) -> bool:
    """Is it the file's own fault, so that a new one helps? Not when it is locked, read-only, or its disk is full."""
    # SQLITE_ERROR is a schema that is not ours: another program's tables, or a table where none was to be.
    return not isinstance(exc, sqlite3.OperationalError) or (exc.sqlite_errorcode & 0xFF) == sqlite3.SQLITE_ERROR


def move_aside(path: Path, now_ms: int) -> Path:
    """Rename a broken spool with its side files, so that the till starts with a new one; returns the new name."""
    aside = path.with_name(f"{path.name}.broken-{now_ms}")
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    path.rename(aside)
    return aside


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema up to date; forward only, each step in a transaction with its number."""
    applied = int(connection.execute("pragma user_version").fetchone()[0])
    for number, step in enumerate(MIGRATIONS[applied:], start=applied + 1):
        connection.execute("begin immediate")
        try:
            step(connection)
            # A pragma takes no parameters; the number is our own.
            connection.execute(f"pragma user_version = {number:d}")
            connection.execute("commit")
        except BaseException:
            if connection.in_transaction:
                connection.execute("rollback")
            raise


def m0001_jobs(connection: sqlite3.Connection) -> None:
    """Jobs in the order they came."""
    connection.execute(
        """create table jobs (
            seq integer primary key autoincrement,
            job_id text not null unique,
            printer text not null,
            reference text not null,
            copy integer not null,
            state text not null,
            waits integer not null,
            attempts integer not null,
            detail text not null,
            created_ms integer not null,
            updated_ms integer not null,
            data blob not null
        )"""
    )
    connection.execute("create index jobs_by_reference on jobs (reference, seq)")
    connection.execute("create index jobs_waiting on jobs (printer, seq) where waits = 1")
    connection.execute("create index jobs_printing on jobs (seq) where state = 'printing'")


MIGRATIONS = (m0001_jobs,)


class JobTable:
    """The statements, on one connection. All raise SpoolUnavailable when the file can't be used."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def recover(self, now_ms: int) -> int:
        """After a start: jobs found printing become unknown; returns how many."""
        return self._run(_CUT_SHORT, (CUT_SHORT, now_ms)).rowcount

    def add(self, job: SpoolJob) -> None:
        self._run(
            _INSERT,
            (
                job.job_id, job.printer, job.reference, job.copy, job.state.value, job.waits, _kept(job.detail),
                job.created_ms, job.updated_ms, job.data,
            ),
        )  # fmt: skip

    def next(self, printer: str, now_ms: int) -> SpoolJob | None:
        """The oldest waiting job of `printer`, after giving up those that waited too long."""
        self._run(_EXPIRE, (TOO_OLD, now_ms, now_ms - WAITING_AGE_MS))
        return _first(self._fetch(_NEXT, (printer,)))

    def begin(self, job_id: str, now_ms: int) -> bool:
        return self._run(_BEGIN, (now_ms, job_id)).rowcount == 1

    def finish(self, job_id: str, state: PrintState, detail: str, now_ms: int) -> bool:
        waits = state is PrintState.REFUSED
        keeps = waits or state is PrintState.UNKNOWN
        return self._run(_FINISH, (state.value, waits, _kept(detail), now_ms, keeps, job_id)).rowcount == 1

    def torn(self) -> dict[str, bytes]:
        """By printer, the last job that may have broken off in it; later jobs have not been begun since."""
        return {str(row[0]): bytes(row[1]) for row in self._fetch(_TORN, ())}

    def mended(self, printer: str) -> None:
        self._run(_MENDED, (printer,))

    def trim(self, now_ms: int) -> None:
        self._run(_EXPIRE, (TOO_OLD, now_ms, now_ms - WAITING_AGE_MS))
        self._run(_TRIM, (now_ms - RETAINED_AGE_MS, RETAINED_COUNT))

    def waiting(self) -> int:
        return int(self._fetch(_COUNT, ())[0][0])

    def by_reference(self, reference: str) -> SpoolJob | None:
        return _first(self._fetch(_BY_REFERENCE, (reference,)))

    def by_id(self, job_id: str) -> SpoolJob | None:
        return _first(self._fetch(_BY_ID, (job_id,)))

    def recent(self, limit: int) -> list[SpoolJob]:
        return [_job(row) for row in self._fetch(_RECENT, (limit,))]

    def begin_transaction(self) -> None:
        self._run("begin immediate", ())

    def commit(self) -> None:
        self._run("commit", ())

    def rollback(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._connection.rollback()

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def _run(self, statement: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, values)
        except (sqlite3.Error, OverflowError, UnicodeError) as exc:  # the last two: values that no file can hold
            raise SpoolUnavailable(f"the print queue's file: {exc}") from exc

    def _fetch(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """All rows: damage may come to light only behind the first."""
        cursor = self._run(statement, values)
        try:
            return cursor.fetchall()
        except sqlite3.Error as exc:
            raise SpoolUnavailable(f"the print queue's file: {exc}") from exc


def _kept(detail: str) -> str:
    """A driver's words as a file can hold them: a path in them may have bytes that are no letters, and an outcome that
    can't be written holds up every printer."""
    return detail[:DETAIL_LIMIT].encode(errors="replace").decode()


def _first(rows: list[tuple[Any, ...]]) -> SpoolJob | None:
    return _job(rows[0]) if rows else None


def _job(row: tuple[Any, ...]) -> SpoolJob:
    return SpoolJob(
        seq=row[0],
        job_id=row[1],
        printer=row[2],
        reference=row[3],
        copy=bool(row[4]),
        state=PrintState(row[5]) if row[5] in _STATES else PrintState.UNKNOWN,  # a later version's, or a person's
        waits=bool(row[6]),
        attempts=row[7],
        detail=row[8],
        created_ms=row[9],
        updated_ms=row[10],
        data=row[11] if len(row) > 11 else b"",
    )
