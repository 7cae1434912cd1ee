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
from till_agent.journal.migrations import STEPS, migrate
from till_agent.journal.wreck_log import FRAME_HEADER_BYTES, LOG_HEADER_BYTES, USUAL_PAGE_BYTES, pages_of
from till_agent.journal.wreck_marks import Taker, read_marks
from till_sync.ops import OpId

SLICE_ROWS = 50
"""Rows read at once; a bad page costs some ten tries to find the rows around it."""
STEPS_BETWEEN_LOOKS = 10_000
"""SQLite's steps between two looks at the clock: pages that lead round in a circle would be read for ever."""
EPOCHS_LIMIT = 100
SCRATCH_SUFFIX = "-scratch"

Columns = tuple[Any, ...]

_UNREADABLE = (sqlite3.Error, ValueError, TypeError, OverflowError, MemoryError)
_ROWS = f"SELECT {schema.ENTRY_COLUMNS} FROM entries e WHERE e.id BETWEEN ? AND ?"  # noqa: S608 - only constants
_LINKS = "SELECT id, row_hash FROM links WHERE id BETWEEN ? AND ?"
_NEXT_ID = "SELECT id FROM entries WHERE id > ? ORDER BY id LIMIT 1"
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

    def __init__(self, path: Path, out_of_time: Callable[[], bool], salt: tuple[int, str] | None = None) -> None:
        """`salt`: what the witness says of an epoch's salt."""
        self._path = path
        self._salt = salt
        self._out_of_time = out_of_time
        self._views: list[sqlite3.Connection] = []
        self._more: list[Callable[[], sqlite3.Connection | None]] = [
            lambda: self._laid_over(checked=False),
            lambda: self._laid_over(checked=True),
            self._without_log,
            self._with_a_new_first_page,
        ]
        self._scratches: list[Path] = []
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
        for scratch in self._scratches:
            scratch.unlink(missing_ok=True)
        if not self._had_index:
            self._index.unlink(missing_ok=True)

    def epochs(self, till: str) -> list[WreckEpoch]:
        """Epochs of this till, oldest first, by the first view that can tell.

        Rows prove whose they are. So an epoch counts that is told to be another till's, or to have another number,
        if there are rows which say that it is not.
        """
        for view in self._every_view():
            stored: list[tuple[int, str, str, int]] = []
            with contextlib.suppress(*_UNREADABLE):
                stored = [row for row in view.execute(schema.EPOCHS).fetchall() if _is_epoch(row)]
            if stored:
                told = {row[0]: self._salted(WreckEpoch(row[0], till, row[2], row[3])) for row in stored}
                doubtful = {row[0] for row in stored if row[1] != till}
                for number in self._epochs_of_rows(view) - told.keys():
                    # A number that changed: its rows have the old one, and some epoch has none.
                    for each in list(told.values()):
                        found = WreckEpoch(number, till, each.salt, each.acked_seq)
                        if not self.last_seq(each.epoch) and self._proves(found):
                            told[number] = found
                return [told[number] for number in sorted(told) if number not in doubtful or self._proves(told[number])]
        if self._salt is not None:
            # How much of it the cloud has is not known: all of it is sent once more, as duplicates.
            found = WreckEpoch(self._salt[0], till, self._salt[1], 0)
            return [found] if self._proves(found) else []
        return []

    def _salted(self, epoch: WreckEpoch) -> WreckEpoch:
        """The epoch with the witness's salt, where its own proves nothing."""
        if self._salt is None or self._salt[0] != epoch.epoch or self._salt[1] == epoch.salt or self._proves(epoch):
            return epoch
        return WreckEpoch(epoch.epoch, epoch.till, self._salt[1], epoch.acked_seq)

    def _epochs_of_rows(self, view: sqlite3.Connection) -> set[int]:
        found: set[int] = set()
        after = 0
        with contextlib.suppress(*_UNREADABLE):
            while len(found) < EPOCHS_LIMIT and (row := view.execute(_NEXT_ID, (after,)).fetchone()):
                epoch = schema.split_id(row[0])[0]
                found.add(epoch)
                after = schema.row_id(epoch, schema.LARGEST_SEQ)
        return found

    def _proves(self, epoch: WreckEpoch) -> bool:
        """Is there a row at either end that fits this epoch's salt, number and till?"""
        last = self.last_seq(epoch.epoch)
        ends = [(1, min(last, SLICE_ROWS)), (max(1, last - SLICE_ROWS), last)]
        with contextlib.suppress(OutOfTime):
            return any(True for first, end in ends for _ in self.proven(epoch, first, end))
        return False

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

    def look(self, read: Callable[[sqlite3.Connection], bool]) -> None:
        """Let `read` see view after view, until it has all; what it meets of bad pages ends its look at that view.
        OutOfTime."""
        for view in self._every_view():
            try:
                if read(view):
                    return
            except _UNREADABLE:
                self._expect_time()

    def marks(self, take: Taker) -> None:
        """Give the marks of documents that were let go of to `take`, some at a time. OutOfTime."""
        for view in self._every_view():
            if self._out_of_time():
                raise OutOfTime
            if read_marks(view, take, _UNREADABLE, self._expect_time):
                return

    def _expect_time(self) -> None:
        if self._stopped or self._out_of_time():
            raise OutOfTime

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
        links: dict[int, list[bytes]] = {}
        found: list[Proven] = []
        number = 0
        while number < len(self._views) or self._open_next():
            self._gather(candidates, self._views[number], epoch.epoch, first, last)
            self._gather_links(links, self._views[number], epoch.epoch, first, last)
            found = _prove(self._op_of(epoch), epoch.salt, candidates, links, known, first, last)
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

    def _gather_links(
        self, links: dict[int, list[bytes]], view: sqlite3.Connection, epoch: int, first: int, last: int
    ) -> None:
        """Hashes of rows that were let go of for their age, by seq: what stands behind a gap is proven by them."""
        with contextlib.suppress(*_UNREADABLE):  # most journals have none
            bounds = (schema.row_id(epoch, first - 1), schema.row_id(epoch, last - 1))
            for identity, row_hash_before in view.execute(_LINKS, bounds):
                links.setdefault(schema.split_id(identity)[1], []).append(row_hash_before)

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

    def _laid_over(self, *, checked: bool) -> sqlite3.Connection | None:
        """A copy with every page of the log in its place; with `checked`, those whose own checksum is right.

        A page that was changed stands in the log in former states too, most often.
        """
        log = Path(f"{self._path}-wal").read_bytes()
        if len(log) < LOG_HEADER_BYTES + FRAME_HEADER_BYTES:
            return None
        scratch = self._copy()
        with scratch.open("r+b", buffering=0) as file:
            for page_number, page in pages_of(log, checked=checked):
                file.seek((page_number - 1) * len(page))
                file.write(page)
        # What the pages say is read as it is: to lay the log over it once more would be SQLite's choice of them.
        return _connect(scratch, "mode=ro&immutable=1")

    def _with_a_new_first_page(self) -> sqlite3.Connection:
        """A copy whose header and schema are those of a new journal, which are the same in each."""
        scratch, fresh = self._copy(), self._copy()
        fresh.unlink()
        with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as made:
            migrate(made, STEPS)
        page = bytearray(fresh.read_bytes()[:USUAL_PAGE_BYTES])
        page[28:32] = (scratch.stat().st_size // USUAL_PAGE_BYTES).to_bytes(4, "big")
        page[92:96] = page[24:28]
        with scratch.open("r+b", buffering=0) as file:
            file.write(page)
        return _connect(scratch, "mode=ro&immutable=1")

    def _copy(self) -> Path:
        scratch = self._path.with_name(f"{self._path.name}{SCRATCH_SUFFIX}-{len(self._scratches)}")
        self._scratches.append(scratch)
        shutil.copyfile(self._path, scratch)
        return scratch


def read_log(path: Path) -> bytes:
    """What stands in the log beside `path` now; empty when there is none."""
    try:
        return Path(f"{path}-wal").read_bytes()
    except OSError:
        return b""


def _is_epoch(row: Columns) -> bool:
    return 0 < row[0] <= schema.LARGEST_EPOCH and 0 <= row[3] <= schema.LARGEST_SEQ and isinstance(row[2], str)


def _connect(path: Path, options: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(os.fspath(path))}?{options}", uri=True, isolation_level=None, timeout=0)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _prove(
    op_of: Callable[[int], OpId],
    salt: str,
    candidates: dict[int, list[Columns]],
    links: dict[int, list[bytes]],
    known: dict[int, bytes],
    first: int,
    last: int,
) -> list[Proven]:
    """The rows that fit what stands before them: its proven hash, or else what its own row or link says, which they
    prove."""
    found: list[Proven] = []
    head = known.get(first - 1)
    for seq in range(first, last + 1):
        told = [*(columns[1] for columns in candidates.get(seq - 1, ())), *links.get(seq - 1, ())]
        befores = told if head is None else [head]
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
