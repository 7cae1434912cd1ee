"""Reads a damaged journal as far as it goes: rows one by one around bad pages, log or no log, each proven by the chain.

Nothing of the file is changed. A view is one way to read it: as SQLite does; with every page of its log laid over it,
also those that SQLite drops behind a bad one; without its log. A row counts when some view of it fits the hash of the
row before, so it does not matter which view gave it.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from msgspec import Struct

from till_agent.journal import schema
from till_agent.journal.chain import FIRST, Row, row_hash
from till_sync.ops import OpId

SLICE_ROWS = 50
"""Rows read at once; a bad page costs some ten tries to find the rows around it."""
STEPS_BETWEEN_LOOKS = 10_000
"""SQLite's steps between two looks at the clock: pages that lead round in a circle would be read for ever."""
LOG_HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24
SCRATCH_SUFFIX = "-scratch"

Columns = tuple[Any, ...]

_UNREADABLE = (sqlite3.Error, ValueError, TypeError, OverflowError, MemoryError)
_ROWS = f"SELECT {schema.ENTRY_COLUMNS} FROM entries e WHERE e.id BETWEEN ? AND ?"  # noqa: S608 - only constants
_NAMES = "SELECT id, kind, uid FROM entries INDEXED BY entries_by_uid WHERE id BETWEEN ? AND ? LIMIT ?"
_LAST_BY_INDEX = "SELECT max(id) FROM entries INDEXED BY entries_by_uid WHERE +id BETWEEN ? AND ?"


class OutOfTime(Exception):  # noqa: N818 - a condition, not an error
    """Raised when reading took as long as it may; what was read so far stands."""


class WreckEpoch(Struct, frozen=True):
    """An epoch as the damaged file tells of it; only its rows can prove it."""

    epoch: int
    till: str
    salt: str
    acked_seq: int


class Proven(Struct, frozen=True):
    """A row that fits its own hash and that of the row before it, `previous`."""

    epoch: int
    seq: int
    previous: bytes
    hash: bytes
    row: Row


class Wreck:
    """A damaged journal at `path`, its log beside it; a context, since it opens files."""

    def __init__(self, path: Path, out_of_time: Callable[[], bool]) -> None:
        self._path = path
        self._out_of_time = out_of_time
        self._views: list[sqlite3.Connection] = []
        self._more: list[Callable[[], sqlite3.Connection | None]] = [self._laid_over, self._without_log]
        self._stopped = False
        self._index = Path(f"{path}-shm")
        self._had_index = self._index.exists()

    def __enter__(self) -> Self:
        self._add(self._as_sqlite_does)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for view in self._views:
            with contextlib.suppress(sqlite3.Error):
                view.close()
        self._views.clear()
        self._scratch.unlink(missing_ok=True)
        if not self._had_index:
            self._index.unlink(missing_ok=True)

    def epochs(self) -> list[WreckEpoch]:
        """Every epoch that some view tells of, oldest first."""
        found: dict[int, WreckEpoch] = {}
        for view in self._every_view():
            with contextlib.suppress(*_UNREADABLE):
                for epoch, till, salt, acked_seq in view.execute(schema.EPOCHS).fetchall():
                    if 0 < epoch <= schema.LARGEST_EPOCH and 0 <= acked_seq <= schema.LARGEST_SEQ:
                        found.setdefault(epoch, WreckEpoch(epoch, str(till), str(salt), acked_seq))
            if found:
                break
        return [found[epoch] for epoch in sorted(found)]

    def last_seq(self, epoch: int) -> int:
        """The last seq that any view or index knows of; 0 when none does."""
        bounds = (schema.row_id(epoch, 1), schema.row_id(epoch, schema.LARGEST_SEQ))
        found = 0
        for view in self._every_view():
            for statement in (schema.LAST_OF, _LAST_BY_INDEX):
                with contextlib.suppress(*_UNREADABLE):
                    row = view.execute(statement, bounds).fetchone()
                    if row is not None and row[0] is not None:
                        found = max(found, schema.split_id(int(row[0]))[1])
        return found

    def names(self, epoch: int, first: int, last: int, limit: int) -> dict[int, tuple[str, str]]:
        """(kind, uid) by seq, from an index: what the rows were that can't be read themselves."""
        found: dict[int, tuple[str, str]] = {}
        for view in self._every_view():
            with contextlib.suppress(*_UNREADABLE):
                for identity, kind, uid in view.execute(
                    _NAMES, (schema.row_id(epoch, first), schema.row_id(epoch, last), limit)
                ):
                    found.setdefault(schema.split_id(identity)[1], (str(kind), str(uid)))
        return found

    def open_holds(self) -> list[Columns]:
        """Holds that were asked for or granted, by the first view that can tell."""
        for view in self._every_view():
            with contextlib.suppress(*_UNREADABLE):
                return view.execute(schema.OPEN_HOLDS).fetchall()
        return []

    def proven(self, epoch: WreckEpoch, first: int, last: int, head: bytes | None = None) -> Iterator[Proven]:
        """Rows `first` to `last` that can be proven, in order. `head`: the hash before `first`, where it is known.

        OutOfTime when there is no time left; SLICE_ROWS at a time.
        """
        for begin in range(first, last + 1, SLICE_ROWS):
            if self._out_of_time():
                raise OutOfTime
            end = min(last, begin + SLICE_ROWS - 1)
            known = {begin - 1: FIRST} if begin == 1 else {}
            if head is not None:
                known[begin - 1] = head
            found = self._slice(epoch, begin, end, known)
            yield from found
            head = found[-1].hash if found and found[-1].seq == end else None

    def _slice(self, epoch: WreckEpoch, first: int, last: int, known: dict[int, bytes]) -> list[Proven]:
        candidates: dict[int, list[Columns]] = {}
        found: list[Proven] = []
        number = 0
        while number < len(self._views) or self._open_next():
            self._gather(candidates, self._views[number], epoch.epoch, first, last)
            found = _prove(self._op_of(epoch), epoch.salt, candidates, known, first, last)
            if len(found) == last - first + 1:
                break
            number += 1
        return found

    @staticmethod
    def _op_of(epoch: WreckEpoch) -> Callable[[int], OpId]:
        return lambda seq: OpId(epoch.till, epoch.epoch, seq)

    def _gather(
        self, candidates: dict[int, list[Columns]], view: sqlite3.Connection, epoch: int, first: int, last: int
    ) -> None:
        low = max(1, first - 1)
        for columns in self._read(view, schema.row_id(epoch, low), schema.row_id(epoch, last)):
            known = candidates.setdefault(schema.split_id(columns[0])[1], [])
            if columns not in known:
                known.append(columns)

    def _read(self, view: sqlite3.Connection, first: int, last: int) -> list[Columns]:
        """Rows with these keys; where some can't be read, the others all the same."""
        try:
            return view.execute(_ROWS, (first, last)).fetchall()
        except _UNREADABLE as exc:
            if self._stopped or self._out_of_time():
                raise OutOfTime from exc
        if first == last:
            return []
        middle = (first + last) // 2
        return self._read(view, first, middle) + self._read(view, middle + 1, last)

    def _every_view(self) -> Iterator[sqlite3.Connection]:
        number = 0
        while number < len(self._views) or self._open_next():
            yield self._views[number]
            number += 1

    def _open_next(self) -> bool:
        """Open one more view; False when there is none."""
        while self._more:
            if self._add(self._more.pop(0)):
                return True
        return False

    def _add(self, opened: Callable[[], sqlite3.Connection | None]) -> bool:
        try:
            view = opened()
        except (*_UNREADABLE, OSError):
            return False
        if view is None:
            return False
        view.set_progress_handler(self._look_at_clock, STEPS_BETWEEN_LOOKS)
        self._views.append(view)
        return True

    def _look_at_clock(self) -> bool:
        self._stopped = self._stopped or self._out_of_time()
        return self._stopped

    def _as_sqlite_does(self) -> sqlite3.Connection:
        # Read only, so that closing does not copy the log into what is kept for whoever looks into it.
        return _connect(self._path, "mode=ro")

    def _without_log(self) -> sqlite3.Connection:
        return _connect(self._path, "mode=ro&immutable=1")

    @property
    def _scratch(self) -> Path:
        return self._path.with_name(self._path.name + SCRATCH_SUFFIX)

    def _laid_over(self) -> sqlite3.Connection | None:
        """A copy with every page of the log in its place, valid or not."""
        log = Path(f"{self._path}-wal").read_bytes()
        if len(log) < LOG_HEADER_BYTES + FRAME_HEADER_BYTES:
            return None
        shutil.copyfile(self._path, self._scratch)
        with self._scratch.open("r+b", buffering=0) as file:
            for page_number, page in _pages_of(log):
                file.seek((page_number - 1) * len(page))
                file.write(page)
        # What the pages say is read as it is: to lay the log over it once more would be SQLite's choice of them.
        return _connect(self._scratch, "mode=ro&immutable=1")


def read_log(path: Path) -> bytes:
    """What stands in the log beside `path` now; empty when there is none."""
    try:
        return Path(f"{path}-wal").read_bytes()
    except OSError:
        return b""


def _pages_of(log: bytes) -> Iterator[tuple[int, bytes]]:
    """(page number, page) of each frame of the log's present round, in order; the checksums are not looked at."""
    size = int.from_bytes(log[8:12], "big")
    size = 65_536 if size == 1 else size
    if not 512 <= size <= 65_536 or size & (size - 1):
        return
    salts = log[16:24]
    largest = max(1, len(log) // size + 1_000_000)
    for start in range(LOG_HEADER_BYTES, len(log) - FRAME_HEADER_BYTES - size + 1, FRAME_HEADER_BYTES + size):
        number = int.from_bytes(log[start : start + 4], "big")
        if log[start + 8 : start + 16] == salts and 0 < number <= largest:
            yield number, log[start + FRAME_HEADER_BYTES : start + FRAME_HEADER_BYTES + size]


def _connect(path: Path, options: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(os.fspath(path))}?{options}", uri=True, isolation_level=None, timeout=0)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _prove(
    op_of: Callable[[int], OpId],
    salt: str,
    candidates: dict[int, list[Columns]],
    known: dict[int, bytes],
    first: int,
    last: int,
) -> list[Proven]:
    """The rows that fit what stands before them: its proven hash, or else what its own row says, which they prove."""
    found: list[Proven] = []
    head = known.get(first - 1)
    for seq in range(first, last + 1):
        befores = [head] if head is not None else [columns[1] for columns in candidates.get(seq - 1, ())]
        proof = None
        for columns in candidates.get(seq, ()):
            proof = proof or _fits(op_of(seq), salt, columns, befores)
        head = None if proof is None else proof.hash
        if proof is not None:
            found.append(proof)
    return found


def _fits(op_id: OpId, salt: str, columns: Columns, befores: list[bytes]) -> Proven | None:
    row = Row(*columns[2:])
    for before in befores:
        try:
            found, _mark = row_hash(before, op_id, salt, row)
        except (AttributeError, TypeError, ValueError):
            return None
        if found == columns[1]:
            return Proven(op_id.epoch, op_id.seq, before, found, row)
    return None
