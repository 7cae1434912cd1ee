"""A new cache built beside the one that serves: a snapshot's file, checked, and the pages of changes since."""

import contextlib
import os
import sqlite3
from pathlib import Path

import msgspec

from till_agent.cache import leaving, pages, schema
from till_agent.cache.opening import SIDE_FILES, open_writer
from till_agent.cache.pages import Progress, Waiting, save_progress
from till_agent.ports import Seen
from till_sync import snapshot_layout
from till_sync.exceptions import SnapshotUnusable
from till_sync.snapshot_file import unpack
from till_sync.wire import ChangesAnswer, ProgrammeRow, SnapshotAnswer

NEXT_SUFFIX = ".next"
SNAPSHOT_SUFFIX = ".snapshot"


class Aside:
    """Belongs to the cache's writer thread. What a crash leaves of it is cleared away at the next start."""

    def __init__(self, cache: Path, till: str) -> None:
        self.path = cache.with_name(cache.name + NEXT_SUFFIX)
        self._till = till
        self._connection: sqlite3.Connection | None = None
        self.removed: set[str] = set()
        """Whom pages for it took away: the cloud erased them, or merged them into others."""
        self.progress = Progress(till=till)

    def build(self, snapshot: Path, answer: SnapshotAnswer, serving: sqlite3.Connection | None) -> None:
        """Unpack, check, add what only this till has. SnapshotUnusable, OSError, sqlite3.Error."""
        self.clear()
        os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        unpack(snapshot, self.path, sha256=answer.sha256)
        try:
            with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
                connection.execute("PRAGMA trusted_schema = OFF")
                connection.execute("PRAGMA cell_size_check = ON")
                connection.execute("PRAGMA journal_mode = OFF")
                connection.execute("PRAGMA synchronous = OFF")
                _check(connection, answer)
                self._make_own(connection, answer, serving)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            raise SnapshotUnusable(f"expected a whole database, not {error}") from error
        # While pages are fetched, the disk may take what it has not taken yet; `finish` waits for the rest.
        self._connection, self.progress = open_writer(self.path, self._till)

    def write_page(self, page: ChangesAnswer, seen: Seen | None, waiting: Waiting) -> bool:
        """Store a page; whether the new cache is complete with it. `waiting`: whom own ops speak of that it does not
        include. sqlite3.Error."""
        connection = self._opened()
        connection.execute("BEGIN IMMEDIATE")
        try:
            after = pages.write_page(connection, self.progress, page, seen, waiting, serves=False)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        self.progress = after
        self.removed |= pages.removed_by(page)
        if not after.filling:
            self._flush()
        return not after.filling

    def carry_over(self, serving: sqlite3.Connection | None, before: Progress, waiting: frozenset[str] | None) -> None:
        """Take from the cache that serves (`before`) whom waiting ops speak of, where the new one does not have them;
        not who was erased, of whom nothing is to stay. Their rows include no more than they did."""
        connection = self._opened()
        if serving is None or waiting is None:
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            more = leaving.carry_over(serving, connection, before.base, waiting, self.removed)
            floor = min(self.progress.floor, before.floor) if leaving.is_any(connection) else self.progress.floor
            self.progress = msgspec.structs.replace(self.progress, members=self.progress.members + more, floor=floor)
            save_progress(connection, self.progress)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    def finish(self) -> None:
        """Everything in one file, and on disk, ready to be renamed."""
        self._flush()
        self._opened().close()
        self._connection = None

    def clear(self) -> None:
        """Away with it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        for suffix in ("", *SIDE_FILES):
            with contextlib.suppress(FileNotFoundError):
                self.path.with_name(self.path.name + suffix).unlink()

    def _flush(self) -> None:
        """With the last page already: what is taken over after that is little, and soon on the disk."""
        self._opened().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with self.path.open("rb") as whole:
            os.fsync(whole.fileno())

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise SnapshotUnusable("expected a cache that is being built")
        return self._connection

    def _make_own(
        self, connection: sqlite3.Connection, answer: SnapshotAnswer, serving: sqlite3.Connection | None
    ) -> None:
        """The tables of this till alone, and the programmes that it can use."""
        for statement in schema.OWN:
            connection.execute(statement)
        found = connection.execute("SELECT programme_id, version, digest, active, body FROM programmes").fetchall()
        connection.execute("DELETE FROM programmes")
        if serving is not None:
            known = serving.execute("SELECT programme_id, version, digest, active, body FROM programmes").fetchall()
            connection.executemany(snapshot_layout.PUT_PROGRAMME, known)
        rows = [
            ProgrammeRow(programme_id=programme_id, version=version, digest=digest, active=bool(active), body=body)
            for programme_id, version, digest, active, body in found
        ]
        pages.write_programmes(connection, rows)
        save_progress(
            connection,
            Progress(
                till=self._till,
                cursor=answer.cursor,
                incarnation=answer.incarnation,
                as_of_ms=answer.as_of_ms,
                members=answer.members,
                generation=snapshot_layout.GENERATION,
            ),
        )
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID:d}")
        connection.execute(f"PRAGMA user_version = {schema.VERSION:d}")


def _check(connection: sqlite3.Connection, answer: SnapshotAnswer) -> None:
    """SnapshotUnusable unless it is a whole database of exactly a snapshot's tables, and of nothing that runs."""
    marks = tuple(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if marks != (snapshot_layout.APPLICATION_ID, snapshot_layout.VERSION):
        raise SnapshotUnusable(f"expected a snapshot of version {snapshot_layout.VERSION}, not {marks}")
    found = connection.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()
    tables = sorted((name, snapshot_layout.normal(text)) for kind, name, text in found if kind == "table")
    if len(tables) != len(found) or tables != snapshot_layout.schema_of(snapshot_layout.CREATE):
        raise SnapshotUnusable("expected a snapshot's tables, not others")
    problems = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
    if problems != ["ok"]:
        raise SnapshotUnusable(f"expected a whole database, not: {problems[0]}"[:300])
    members = connection.execute("SELECT count(*) FROM members").fetchone()[0]
    if members != answer.members:
        raise SnapshotUnusable(f"expected {answer.members} members, not {members}")
