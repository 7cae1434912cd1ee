"""Snapshots: immutable files of members' states as of one position, from which a till makes its cache.

They lie in a folder beside the database, named by their ids: scope (`chain`: all members; `store.S01`: those whom the
tills of store S01 hold), incarnation, position, and a few random characters. A snapshot is offered while its file is
there and it is of this life of the database.
"""

import contextlib
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from till_cloud import windows
from till_cloud.changes import encode_places
from till_cloud.exceptions import RefusedError, StoreUnavailableError
from till_cloud.facts import open_keys
from till_cloud.store import members, meta, programmes, snapshots, tills
from till_cloud.store import windows as window_rows
from till_cloud.store.connection import open_reader
from till_cloud.store.files import create_private
from till_cloud.store.snapshots import SnapshotRow
from till_sync import snapshot_layout
from till_sync.snapshot_file import SPARE_BYTES
from till_sync.snapshot_file import pack as pack_file
from till_sync.snapshot_rows import OF_SNAPSHOT, balance_columns, pack
from till_sync.wire import MemberRow, SnapshotAnswer

CHAIN = "chain"
STORE = "store."
"""How an id begins: for all members, and before a store's id for those of its window."""

FOLDER_SUFFIX = "-snapshots"
DRAFT_SUFFIX = ".new"

BLOCK_MEMBERS = 2_000
"""Members read at once: about 4 MB."""

GRACE_MS = 3_600_000
"""How long an old snapshot stays after it was last fetched from, or made: a till on a slow line takes it in ranges."""

OLDEST_MS = 6 * 3_600_000
LONGEST_FEED = 50_000
"""A newer one is due when the newest is that old, or that many changes behind (or a fifth of the members, if more)."""
FORGOTTEN_TILL_MS = 60 * 24 * 3_600_000
"""Nothing is made for a till that was not heard of for so long: twice what a till may go on without a line."""
LEAST_AGE_MS = 10 * 60_000
"""However fast changes come: a million members take half a minute of one core."""


MEMBER_BYTES = 600
"""Of a draft and its packed form together; a member with two tags takes 430."""


def folder_of(database: Path) -> Path:
    return database.with_name(database.name + FOLDER_SUFFIX)


def scopes(connection: sqlite3.Connection, now_ms: int) -> list[str]:
    """What tills may ask for: the whole base where a till does, and the windows of stores whose tills do."""
    asked: set[str] = set()
    for till in tills.all_tills(connection):
        if till.enrolled_at_ms and now_ms - max(till.enrolled_at_ms, till.seen_at_ms) <= FORGOTTEN_TILL_MS:
            takes, _ = window_rows.takes(connection, till.till)
            asked.add(windows.scope_of(connection, till.store, asked=takes))
    return sorted(asked or {windows.WHOLE})


def due(connection: sqlite3.Connection, folder: Path, now_ms: int) -> list[str]:
    """The scopes of which a new snapshot should be made."""
    return [scope for scope in scopes(connection, now_ms) if is_due(connection, folder, now_ms, scope)]


def is_due(connection: sqlite3.Connection, folder: Path, now_ms: int, scope: str = windows.WHOLE) -> bool:
    """Whether the newest is too old, or too far behind, for a base that is worth a snapshot."""
    count = _count(connection, scope)
    if count < snapshot_layout.LEAST_MEMBERS:
        return False
    row = newest(connection, folder, scope)
    if row is None:
        return True
    age_ms, behind = now_ms - row.made_at_ms, meta.position(connection) - row.position
    if behind == 0 or 0 <= age_ms < LEAST_AGE_MS:
        return False
    return not 0 <= age_ms < OLDEST_MS or behind > max(LONGEST_FEED, count // 5)


def newest(connection: sqlite3.Connection, folder: Path, scope: str = windows.WHOLE) -> SnapshotRow | None:
    """The one to offer."""
    prefix = f"{_named(scope)}-{meta.incarnation(connection)}-"
    for row in snapshots.newest_first(connection):
        if row.format == snapshot_layout.FORMAT and row.snapshot.startswith(prefix) and _is_whole(folder, row):
            return row
    return None


def answer(connection: sqlite3.Connection, folder: Path, now_ms: int, scope: str = windows.WHOLE) -> SnapshotAnswer:
    """What a till is told of the newest; RefusedError 404 `snapshot_none`."""
    row = newest(connection, folder, scope)
    if row is None:
        raise RefusedError(404, "snapshot_none", "expected pages of changes to be asked for: there is no snapshot now")
    incarnation = meta.incarnation(connection)
    return SnapshotAnswer(
        snapshot=row.snapshot,
        format=row.format,
        cursor=encode_places(incarnation, row.position, 0, scope),
        bytes=row.bytes,
        sha256=row.sha256,
        members=row.members,
        as_of_ms=row.made_at_ms,
        incarnation=incarnation,
        server_time_ms=now_ms,
    )


def file_of(connection: sqlite3.Connection, folder: Path, snapshot: str) -> tuple[Path, SnapshotRow]:
    """A snapshot that may still be fetched; RefusedError 404 `snapshot_gone`. It counts as fetched from now."""
    for row in snapshots.newest_first(connection):
        if row.snapshot == snapshot and _is_whole(folder, row):
            path = folder / snapshot
            with contextlib.suppress(OSError):
                os.utime(path)
            return path, row
    raise RefusedError(404, "snapshot_gone", "expected a snapshot that is kept: ask which one is the newest")


def make(database: Path, *, wall_ms: Callable[[], int], scope: str = windows.WHOLE) -> SnapshotRow:
    """Write the file of a new snapshot, of all members or of a store's window; its row is for the caller to add.

    Reads in a transaction of its own, while the cloud goes on. StoreUnavailableError when the disk refuses, or would be
    full, and nothing is left then.
    """
    folder = folder_of(database)
    draft = folder / f"{_named(scope)}-{secrets.token_hex(4)}{DRAFT_SUFFIX}"
    packed = draft.with_name(draft.name + "-packed")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        create_private(draft)
        create_private(packed)
        with contextlib.closing(open_reader(database)) as source:
            source.execute("BEGIN")
            made_at_ms = wall_ms()
            incarnation, position = meta.incarnation(source), meta.position(source)
            _expect_room(folder, MEMBER_BYTES * _count(source, scope))
            count = _write(source, draft, made_at_ms, scope)
        size, sha256 = pack_file(draft, packed)
        name = f"{_named(scope)}-{incarnation}-{position}-{secrets.token_hex(4)}"
        packed.rename(folder / name)
        return SnapshotRow(name, snapshot_layout.FORMAT, position, size, sha256, count, made_at_ms)
    except (OSError, sqlite3.OperationalError) as error:
        raise StoreUnavailableError(f"the snapshot can't be written: {error}") from error
    finally:
        for path in (draft, packed):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def old(connection: sqlite3.Connection, folder: Path, now_ms: int) -> list[SnapshotRow]:
    """Rows that may go: not the newest, and not fetched from for a while, or without a file."""
    best = [newest(connection, folder, scope) for scope in scopes(connection, now_ms)]
    return [row for row in snapshots.newest_first(connection) if row not in best and not _is_used(folder, row, now_ms)]


def is_of(connection: sqlite3.Connection, snapshot: str, scope: str) -> bool:
    """Whether the file has the members of that scope."""
    return snapshot.startswith(f"{_named(scope)}-{meta.incarnation(connection)}-")


def remove_files(folder: Path, kept: Sequence[SnapshotRow], now_ms: int) -> int:
    """Remove what no row names, once it is old enough not to be in the making. Gives how many."""
    names = {row.snapshot for row in kept}
    removed = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(OSError):
            if path.name not in names and abs(now_ms - path.stat().st_mtime * 1000) > GRACE_MS:
                path.unlink()
                removed += 1
    return removed


def _is_used(folder: Path, row: SnapshotRow, now_ms: int) -> bool:
    try:
        touched_ms = (folder / row.snapshot).stat().st_mtime * 1000
    except OSError:
        return False
    return abs(now_ms - touched_ms) <= GRACE_MS


def _is_whole(folder: Path, row: SnapshotRow) -> bool:
    try:
        return (folder / row.snapshot).stat().st_size == row.bytes
    except OSError:
        return False


def _expect_room(folder: Path, wanted_bytes: int) -> None:
    """StoreUnavailableError unless the disk takes so much and has some left: the ledger lies on it as well."""
    free = shutil.disk_usage(folder).free
    if free < wanted_bytes + SPARE_BYTES:
        detail = f"expected {wanted_bytes + SPARE_BYTES} bytes free for a snapshot, not {free}"
        raise StoreUnavailableError(detail)


def _named(scope: str) -> str:
    return CHAIN if scope == windows.WHOLE else STORE + scope


def _count(connection: sqlite3.Connection, scope: str) -> int:
    """How many members it would have, about."""
    if scope == windows.WHOLE:
        return snapshots.members(connection)
    return window_rows.count(connection, scope) + window_rows.count(connection, window_rows.EVERYWHERE)


def _write(source: sqlite3.Connection, target: Path, now_ms: int, scope: str) -> int:
    """Fill the layout's tables from one moment of the database; how many members there are."""
    count = 0
    with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as file:
        # Nobody reads a draft: what a crash leaves of it is removed.
        file.execute("PRAGMA journal_mode = OFF")
        file.execute("PRAGMA synchronous = OFF")
        file.execute(f"PRAGMA application_id = {snapshot_layout.APPLICATION_ID:d}")
        file.execute(f"PRAGMA user_version = {snapshot_layout.VERSION:d}")
        file.execute("BEGIN")
        for statement in snapshot_layout.CREATE:
            file.execute(statement)
        for rows in _blocks(source, now_ms, scope):
            count += len(rows)
            _expect_room(target.parent, 0)
            file.executemany(
                snapshot_layout.PUT_MEMBER, [(row.member_id, snapshot_layout.GENERATION, pack(row)) for row in rows]
            )
            file.executemany(
                snapshot_layout.PUT_BALANCE,
                [(row.member_id, *balance_columns(row, (OF_SNAPSHOT, 0), now_ms)) for row in rows],
            )
        tags = snapshots.all_tags(source) if scope == windows.WHOLE else window_rows.tags(source, scope)
        file.executemany(snapshot_layout.PUT_TAG, tags)
        file.executemany(
            snapshot_layout.PUT_PROGRAMME,
            [
                (row.programme_id, row.version, row.digest, int(row.active), row.body)
                for row in programmes.all_versions(source)
            ],
        )
        file.execute("COMMIT")
    return count


def _blocks(source: sqlite3.Connection, now_ms: int, scope: str) -> Iterator[list[MemberRow]]:
    keys = open_keys(now_ms)
    after = ""
    while True:
        ids, last = windows.ids_after(source, scope, after, BLOCK_MEMBERS)
        yield [row for row in members.of_ids(source, ids, keys) if row.status != "removed"]
        if not last:
            return
        after = last
