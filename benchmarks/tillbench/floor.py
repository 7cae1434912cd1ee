"""What the disk itself takes for a commit: as many bytes, in a file that is there already, made durable by one sync."""

import contextlib
import os
import time
from pathlib import Path

from journal_floor import COMMIT_BYTES, FLOOR_FILE_BYTES


class DiskFloor:
    """A file of its own beside the state directory, so that both are on the same disk."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "floor.bin"
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._block = b"\xab" * COMMIT_BYTES
        self._offset = 0
        # A write-ahead log is there after its first round; a file that grows would cost more than a commit does.
        os.write(self._handle, b"\0" * FLOOR_FILE_BYTES)
        os.fsync(self._handle)

    def time_us(self) -> float:
        """Microseconds of one pwrite and the sync of its data."""
        started = time.perf_counter_ns()
        os.pwrite(self._handle, self._block, self._offset)
        os.fdatasync(self._handle)
        took = time.perf_counter_ns() - started
        self._offset += COMMIT_BYTES
        if self._offset + COMMIT_BYTES > FLOOR_FILE_BYTES:
            self._offset = 0
        return took / 1000

    def close(self) -> None:
        """Remove the file."""
        os.close(self._handle)
        with contextlib.suppress(OSError):
            self._path.unlink()
