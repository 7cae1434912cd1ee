"""Copies of the whole database: whole and on disk under their name, or not there."""

import contextlib
import logging
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from till_cloud.store.files import create_private

log = logging.getLogger(__name__)

ROOM_FACTOR = 2
"""Free room wanted, in sizes of the database, for the copy and for what a migration writes beside it."""


COPIED_PAGES = 20_000
"""Of 4 KB, copied at once where somebody is told how far it is: some tenths of a second."""


def write_copy(source: sqlite3.Connection, target: Path, tell: Callable[[], object] | None = None) -> int:
    """Copy what `source` sees to `target`, in place of what was there; gives its bytes. Readable by its owner only.

    `tell` is called now and then; only where nobody else writes, or the copy begins anew each time.

    OSError or sqlite3.Error when the disk refuses; what was there stays then.
    """
    draft = target.with_name(target.name + ".new")
    try:
        draft.unlink(missing_ok=True)
        create_private(draft)
        with contextlib.closing(sqlite3.connect(draft)) as copy:
            if tell is None:
                source.backup(copy)
            else:
                source.backup(copy, pages=COPIED_PAGES, progress=lambda *_: tell())
            # One file without companions: it can be carried away, and read where nothing can be written.
            copy.execute("PRAGMA journal_mode=DELETE")
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(target)
        return target.stat().st_size
    except (OSError, sqlite3.Error):
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def kept_as(path: Path, version: int) -> Path:
    """The name of the copy that an upgrade from that schema leaves beside the database."""
    return path.with_name(f"{path.name}.schema-{version}")


def keep_former(
    connection: sqlite3.Connection, path: Path, version: int, tell: Callable[[], object] | None = None
) -> None:
    """Before a migration: keep the file as the former release knows it, which can't read what comes after.

    Where there is no room for it, or the disk refuses, the upgrade goes on without, and says so: it is for going back
    only, since a migration that fails leaves the file as it was.
    """
    target = kept_as(path, version)
    size = path.stat().st_size + _size_of(path.with_name(path.name + "-wal"))
    free = shutil.disk_usage(path.parent).free
    if free < ROOM_FACTOR * size:
        room = f"{ROOM_FACTOR * size} bytes free wanted, {free} found"
        log.warning("no room to keep %s as schema %d has it (%s): back only by a backup", path, version, room)
        return
    try:
        write_copy(connection, target, tell)
    except (OSError, sqlite3.Error) as error:
        log.warning("%s can't be kept as schema %d has it (%s): back only by a backup", path, version, error)
        return
    log.warning("%s is brought up to date; as schema %d had it, it is kept as %s", path, version, target.name)


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
