"""Copies of the journal beside it, for whoever reads it while the agent has it: each ends with its maker.

A copy holds months of sales, so none may stay after a kill. Beside each lies a file that its maker holds locked: what
nobody holds any more is swept when the next copy is made, and when the agent starts.
"""

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from till_agent.instance import hold_lock
from till_sync.clock import SystemClock

PREFIX = ".carry-"
LOCK_SUFFIX = ".lock"
TRIES = 10
"""A sweep may take away a lock file between its making and its locking."""
FORMER_AGE_S = 3_600.0
"""A former release made copies without a lock file; none was needed for as long."""


def is_held(journal: Path) -> bool:
    """Whether another program has the journal to itself, as an agent that runs does."""
    if not journal.is_file():
        return False
    connection = sqlite3.connect(journal, timeout=0, isolation_level=None)
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError as exc:
        return exc.sqlite_errorcode == sqlite3.SQLITE_BUSY
    except sqlite3.Error:
        return False
    finally:
        connection.close()
    return False


@contextlib.contextmanager
def place_for_copy(folder: Path) -> Iterator[Path]:
    """Where a copy may be put; it goes at the end, with what SQLite lays beside it. OSError."""
    sweep(folder)
    copy, lock, descriptor = _reserve(folder)
    try:
        yield copy
    finally:
        _remove(copy)
        os.close(descriptor)
        lock.unlink(missing_ok=True)


def sweep(folder: Path) -> int:
    """Remove copies whose makers are gone; gives how many. Never one that somebody holds. Raises nothing."""
    swept = 0
    with contextlib.suppress(OSError):
        names = {path.name.split(".")[1] for path in folder.glob(f"{PREFIX}*")}
        for name in sorted(names):
            with contextlib.suppress(OSError):
                swept += _sweep_one(folder / f".{name}.db", folder / f".{name}{LOCK_SUFFIX}")
    return swept


def _sweep_one(copy: Path, lock: Path) -> bool:
    try:
        descriptor = os.open(lock, os.O_RDWR | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        if copy.exists() and abs(SystemClock().wall_ms() / 1000 - copy.stat().st_mtime) > FORMER_AGE_S:
            _remove(copy)
            return True
        return False
    try:
        hold_lock(descriptor)
        was_there = copy.exists()
        _remove(copy)
        with contextlib.suppress(PermissionError):
            # Where a file that is open can't be removed, it goes below.
            lock.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
    lock.unlink(missing_ok=True)
    return was_there


def _reserve(folder: Path) -> tuple[Path, Path, int]:
    """A name that nobody has, and its locked file."""
    for _ in range(TRIES):
        name = f"{PREFIX}{secrets.token_hex(4)}"
        lock = folder / f"{name}{LOCK_SUFFIX}"
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with contextlib.suppress(OSError):
            hold_lock(descriptor)
            if os.fstat(descriptor).st_nlink and lock.exists():
                return folder / f"{name}.db", lock, descriptor
        os.close(descriptor)
    raise OSError("expected a place for a copy of the journal, which something takes away each time")


def _remove(copy: Path) -> None:
    for path in (copy, Path(f"{copy}-wal"), Path(f"{copy}-shm")):
        path.unlink(missing_ok=True)
