"""A small file beside the journal that says how far it had come.

SQLite drops what it can't read at the end of a write-ahead log, and then the journal is whole, valid, and shorter than
what was acknowledged. The same holds for an old copy put back. Only something outside the database can tell. The mark
is written after each commit and not synced: a mark that is older than the journal says nothing, one that is ahead of
it says that rows were lost.

Behind the mark stands the salt of the epoch, without which no row can be proven: in the journal it is on one page only.
"""

import contextlib
import io
import logging
import zlib
from pathlib import Path

from msgspec import Struct

_log = logging.getLogger(__name__)

RECORD_BYTES = 128
"""One write of less than a disk sector; a till's name has at most 40 characters."""


class Mark(Struct, frozen=True):
    """The last committed op."""

    till: str
    epoch: int
    seq: int


class Witness:
    """Reads and overwrites the mark; trouble with it is logged and stops nothing, since the journal itself is whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: io.RawIOBase | None = None
        self._failed = False

    def read(self) -> Mark | None:
        """The last mark; None when there is none or it is torn."""
        try:
            record = self.path.read_bytes()[:RECORD_BYTES]
            text, checksum = record.decode("ascii").rstrip().rsplit(" ", 1)
            if f"{zlib.crc32(text.encode()):08x}" != checksum:
                return None
            till, epoch, seq = text.split(" ")
            return Mark(till, int(epoch), int(seq))
        except (OSError, ValueError):
            return None

    def write(self, mark: Mark) -> None:
        """Put the mark in place of the last one."""
        text = f"{mark.till} {mark.epoch} {mark.seq}"
        record = f"{text} {zlib.crc32(text.encode()):08x}".ljust(RECORD_BYTES - 1) + "\n"
        try:
            if self._file is None:
                self._file = self._open()
            self._file.seek(0)
            self._file.write(record.encode("ascii"))
            self._failed = False
        except OSError as exc:
            if not self._failed:
                _log.warning("the journal's witness file can't be written: %s", exc)
            self._failed = True

    def read_salt(self) -> tuple[int, str] | None:
        """(epoch, salt) of the epoch that was begun last; None where that is not known."""
        try:
            text, checksum = self.path.read_bytes()[RECORD_BYTES:].decode("ascii").rstrip().rsplit(" ", 1)
            if f"{zlib.crc32(text.encode()):08x}" != checksum:
                return None
            epoch, salt = text.split(" ")
            return int(epoch), salt
        except (OSError, ValueError):
            return None

    def write_salt(self, epoch: int, salt: str) -> None:
        """Put it behind the mark, which must have been written; trouble stops nothing, as with the mark."""
        text = f"{epoch} {salt}"
        if self._file is not None and len(text) < RECORD_BYTES - 10:
            with contextlib.suppress(OSError):
                self._file.seek(RECORD_BYTES)
                self._file.write(
                    f"{text} {zlib.crc32(text.encode()):08x}".ljust(RECORD_BYTES - 1).encode("ascii") + b"\n"
                )

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _open(self) -> io.RawIOBase:
        self.path.touch(mode=0o600, exist_ok=True)
        return self.path.open("r+b", buffering=0)
