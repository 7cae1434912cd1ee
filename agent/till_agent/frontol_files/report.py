"""A sales report as bytes: its head, and its rows in slices of bounded size, each with where it ends.

The encoding is the configured one unless a byte order mark says otherwise. A row counts once its line end is there:
what Frontol is still writing waits for the next look.
"""

import codecs
import hashlib
from typing import BinaryIO, Literal

from msgspec import Struct

from till_agent.frontol_files.exceptions import ReportUnfinished, ReportUnreadable

SLICE_BYTES = 256 * 1024
"""Read at once: some 2,000 rows, which take 20 ms in the thread that reads."""
ROW_BYTES = 64 * 1024
"""No row of 44 fields is longer, marks of goods included; what is, is no row."""
HEAD_BYTES = 4 * 1024
"""The first three lines are some ten bytes each."""
TAIL_BYTES = 1024
"""Looked at once more before a report that has grown is read on: the same bytes, so the same file."""
MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
PENDING, TAKEN = "#", "@"
END_OF_FILE = "\x1a"
"""Ctrl-Z, with which some programs still end a text file."""


class Head(Struct, frozen=True, kw_only=True):
    """The first three lines. `start`: where rows begin; `mark_at`: where the byte of `mark` is."""

    mark: Literal["#", "@"]
    database: str
    report: str
    encoding: str
    start: int
    mark_at: int

    @property
    def unit(self) -> int:
        """Bytes of a line end's letter."""
        return 2 if self.encoding.startswith("utf-16") else 1

    def same_report(self, other: "Head") -> bool:
        """Whether it is the same report, whoever has marked it meanwhile."""
        mine = (self.database, self.report, self.encoding, self.start)
        return mine == (other.database, other.report, other.encoding, other.start)


class Slice(Struct, frozen=True, kw_only=True):
    """Whole rows as text, by line number; `end`, `line`: where the next slice begins. `too_long`: lines left out."""

    rows: list[tuple[int, str]]
    end: int
    line: int
    too_long: tuple[int, ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing more is there, as yet."""
        return not self.rows and not self.too_long


def read_head(file: BinaryIO, encoding: str) -> Head:
    """The head of a report. ReportUnfinished while it is not whole, ReportUnreadable when it is something else."""
    file.seek(0)
    raw = file.read(HEAD_BYTES)
    skip = 0
    for mark, name in MARKS:
        if raw.startswith(mark):
            encoding, skip = name, len(mark)
            break
    newline = "\n".encode(encoding)
    lines: list[str] = []
    place = skip
    for _ in range(3):
        end = _find(raw, newline, place, skip)
        if end < 0:
            if len(raw) >= HEAD_BYTES:
                raise ReportUnreadable("expected three short lines before the rows, not a long one")
            if not _may_begin(raw, raw[skip:].decode(encoding, "ignore"), lines):
                raise ReportUnreadable("expected a sales report, which begins with `#` or `@`")
            raise ReportUnfinished("the report has no whole head yet")
        lines.append(raw[place:end].decode(encoding, "replace").strip())
        place = end + len(newline)
        if lines[0] not in (PENDING, TAKEN):
            raise ReportUnreadable("expected a sales report, which begins with `#` or `@`")
    if not lines[1] or ";" in lines[1] + lines[2]:
        raise ReportUnreadable("expected the database's id and the report's number in lines 2 and 3")
    mark_of: Literal["#", "@"] = "#" if lines[0] == PENDING else "@"
    mark_at = _find(raw, mark_of.encode(encoding), skip, skip)
    return Head(mark=mark_of, database=lines[1], report=lines[2], encoding=encoding, start=place, mark_at=mark_at)


def read_slice(file: BinaryIO, head: Head, offset: int, line: int, *, last: bool = False) -> Slice:
    """Rows from `offset` on, at most some SLICE_BYTES of them. `last`: the file has settled, so that what follows the
    last line end is a row too."""
    file.seek(offset)
    raw = file.read(SLICE_BYTES)
    newline = "\n".encode(head.encoding)
    end = _rfind(raw, newline)
    if end < 0:
        if last and 0 < len(raw) < ROW_BYTES:
            return Slice(rows=_texts(raw, head, line), end=offset + len(raw), line=line + 1)
        if len(raw) < ROW_BYTES:
            return Slice(rows=[], end=offset, line=line)
        return _past_long_row(file, head, offset, line, last=last)
    whole = raw[: end + len(newline)]
    rows = _texts(whole, head, line)
    too_long = tuple([number for number, text in rows if len(text) > ROW_BYTES])
    if too_long:
        rows = [(number, text) for number, text in rows if len(text) <= ROW_BYTES]
    return Slice(rows=rows, end=offset + len(whole), line=line + _count(whole, head), too_long=too_long)


def digest_before(file: BinaryIO, start: int, offset: int) -> bytes:
    """Of the last TAIL_BYTES before `offset`; a report that was replaced in its place has others there."""
    begin = max(start, offset - TAIL_BYTES)
    file.seek(begin)
    return hashlib.sha256(file.read(offset - begin)).digest()


def mark_taken(file: BinaryIO, head: Head) -> bool:
    """Turn the report's `#` into `@`: one letter, written in its place, so that nothing else of the file changes.
    False when it is marked already."""
    file.seek(head.mark_at)
    before = PENDING.encode(head.encoding)
    if file.read(len(before)) != before:
        return False
    file.seek(head.mark_at)
    file.write(TAKEN.encode(head.encoding))
    file.flush()
    return True


def _may_begin(raw: bytes, text: str, lines: list[str]) -> bool:
    """Whether what is there so far can become a report: nothing yet, a mark in part, or its first letter."""
    begun = any(mark.startswith(raw) for mark, _ in MARKS)
    return begun or bool(lines) or text.strip()[:1] in ("", PENDING, TAKEN)


def _past_long_row(file: BinaryIO, head: Head, offset: int, line: int, *, last: bool) -> Slice:
    """Leave out a row that is longer than any may be, without holding it; it is not over while it has no line end, but
    for the last one (zeros of a power cut)."""
    newline = "\n".encode(head.encoding)
    place = offset
    while True:
        file.seek(place)
        raw = file.read(SLICE_BYTES)
        end = _find(raw, newline, 0, 0)
        if end >= 0:
            return Slice(rows=[], end=place + end + len(newline), line=line + 1, too_long=(line,))
        if len(raw) < SLICE_BYTES:
            if last:
                return Slice(rows=[], end=place + len(raw), line=line + 1, too_long=(line,))
            return Slice(rows=[], end=offset, line=line)
        place += len(raw)


def _texts(raw: bytes, head: Head, line: int) -> list[tuple[int, str]]:
    text = raw.decode(head.encoding, "replace")
    text = text.removesuffix("\n")
    found = []
    for number, row in enumerate(text.split("\n"), line):
        stripped = row.rstrip("\r")
        if stripped.strip() and stripped.strip(END_OF_FILE + " "):
            found.append((number, stripped))
    return found


def _count(whole: bytes, head: Head) -> int:
    return whole.decode(head.encoding, "replace").count("\n") if head.unit == 2 else whole.count(b"\n")


def _find(raw: bytes, sought: bytes, place: int, base: int) -> int:
    """Where `sought` begins at a letter's border; -1 when nowhere."""
    found = raw.find(sought, place)
    while found >= 0 and (found - base) % len(sought):
        found = raw.find(sought, found + 1)
    return found


def _rfind(raw: bytes, sought: bytes) -> int:
    found = raw.rfind(sought)
    while found >= 0 and found % len(sought):
        found = raw.rfind(sought, 0, found + len(sought) - 1)
    return found
