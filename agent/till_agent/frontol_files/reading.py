"""One slice of one report: opened, looked at whether it is still the same, read, gathered, written down. In a thread.

The file is open for that long only: on Windows nobody can replace a file that another program holds.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from till_agent.frontol_files.documents import Document, Gathering
from till_agent.frontol_files.exceptions import ReportUnfinished, ReportUnreadable
from till_agent.frontol_files.gathering import Counts, Gatherer, Refused
from till_agent.frontol_files.records import FileRecord
from till_agent.frontol_files.report import Head, digest_before, mark_taken, read_head, read_slice
from till_agent.frontol_files.store import Store


class Gathered(Struct, kw_only=True):
    """What a slice gave; nothing of it is written down yet. `more`: there may be another slice."""

    record: FileRecord
    head: Head
    closed: list[Document]
    refused: list[Refused]
    still_open: list[Gathering]
    more: bool


def signature_of(path: Path) -> str:
    """By what a look tells whether anything has changed; "" for a file that is not there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ""
    except OSError as exc:
        raise ReportUnreadable(f"{path.name}: {exc.strerror or exc}") from exc
    return f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"


def gather(store: Store, path: Path, *, encoding: str, exponent: int, settled: bool) -> Gathered:
    """The next slice of a report, from where it was read to, or from its beginning when it is another one now.

    ReportUnfinished, ReportUnreadable. `settled`: nothing was written for a while, so a last row without its line end
    is a row.
    """
    with _opened(path, "rb") as file:
        head = read_head(file, encoding)
        size = os.fstat(file.fileno()).st_size
        before = store.file(str(path))
        if before is None or not _goes_on(file, head, before, size):
            before = FileRecord(path=str(path), offset=head.start)
            store.restart_file(before)
        record = before
        record.state, record.error, record.mark = "reading", "", head.mark
        record.database, record.report, record.start = head.database, head.report, head.start
        record.size, record.inode = size, os.fstat(file.fileno()).st_ino
        found = read_slice(file, head, record.offset, record.line, last=settled)
        if not read_head(file, encoding).same_report(head):
            raise ReportUnfinished("the report was replaced while it was read")
        gatherer = Gatherer(head, exponent=exponent, open_documents=store.open_documents(head.database))
        for line, text in found.rows:
            gatherer.add(line, text)
        gatherer.refused += [
            Refused(line=line, code="row_too_long", detail="the row has no end") for line in found.too_long
        ]
        record.offset, record.line = found.end, found.line
        record.tail = digest_before(file, head.start, found.end)
    closed, refused, counts = gatherer.take()
    _add(record, counts)
    return Gathered(
        record=record,
        head=head,
        closed=closed,
        refused=refused,
        still_open=list(gatherer.open.values()),
        more=not found.empty,
    )


def mark_report(path: Path, record: FileRecord, encoding: str) -> bool:
    """Tell Frontol that the report was read: only if it is still the one that was, to its last byte. False if not."""
    with _opened(path, "r+b") as file:
        head = read_head(file, encoding)
        same = (head.database, head.report, head.start) == (record.database, record.report, record.start)
        if not same or os.fstat(file.fileno()).st_size != record.offset:
            return False
        if digest_before(file, head.start, record.offset) != record.tail:
            return False
        if mark_taken(file, head):
            os.fsync(file.fileno())
    return True


def _goes_on(file: BinaryIO, head: Head, record: FileRecord, size: int) -> bool:
    """Whether what was read so far is still there."""
    mine = (record.database, record.report, record.start)
    if mine != (head.database, head.report, head.start) or size < record.offset:
        return False
    return digest_before(file, head.start, record.offset) == record.tail


def _add(record: FileRecord, counts: Counts) -> None:
    for name in counts.__struct_fields__:
        setattr(record, name, getattr(record, name) + getattr(counts, name))


def _opened(path: Path, mode: str) -> BinaryIO:
    try:
        return _open(path, mode)
    except OSError as exc:
        raise ReportUnreadable(f"{path.name}: {exc.strerror or exc}") from exc


_open: Callable[[Path, str], BinaryIO] = open  # type: ignore[assignment]  # both modes are binary
