"""The log in files of its own, where no journald takes it: bounded in size and number, and in nobody's way.

A thread writes: a disk that is full or stands still keeps no sale waiting. Lines that it can't take are counted, and
the count is the next line that it does take.
"""

import contextlib
import json
import logging
import os
import threading
import time
from collections import deque
from pathlib import Path

FILE_BYTES = 5 * 1024 * 1024
FILES = 5
"""25 MB in all: a quiet till's year, a troubled one's day."""
WAITING_LINES = 2_000
"""In memory while the disk stands still, 200 bytes each; the newest beyond that are counted and dropped."""
FLUSH_S = 2.0
PAUSE_S = 1.0
"""Until a disk that took nothing is tried again."""


class LogFiles(logging.Handler):
    """Writes `path`, and keeps `path.1` (the newest) to `path.4`. `close` writes what waits, for as long as FLUSH_S."""

    def __init__(self, path: Path, *, file_bytes: int = FILE_BYTES, files: int = FILES) -> None:
        super().__init__()
        self._path = path
        self._file_bytes = file_bytes
        self._files = files
        self._waiting: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._lost = 0
        self._ending = False
        self._handle = -1
        self._size = 0
        self._writer = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._writer.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Hand the line over; never waits for the disk and never raises."""
        try:
            line = self.format(record).encode("utf-8", "backslashreplace") + b"\n"
        # The formatter words whatever it gets; should it fail once, that line is lost and nothing else.
        except Exception:  # noqa: BLE001
            with self._changed:
                self._lost += 1
            return
        with self._changed:
            if len(self._waiting) >= WAITING_LINES:
                self._lost += 1
                return
            self._waiting.append(line)
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until all is written, for FLUSH_S at most."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting, FLUSH_S)

    def close(self) -> None:
        """Write what waits and end."""
        self.flush()
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._writer.join(FLUSH_S)
        super().close()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting) or self._ending)
                if not self._waiting:
                    break
                line = self._waiting[0]
            written = self._write(line)
            with self._changed:
                if written:
                    self._waiting.popleft()
                    self._changed.notify_all()
                elif self._ending:
                    break
                else:
                    self._changed.wait(PAUSE_S)
        self._shut()

    def _write(self, line: bytes) -> bool:
        """Whether the disk took it whole. What it took in part is ended, so that the next line is one again."""
        try:
            if self._handle < 0:
                self._open()
            if self._size and self._size + len(line) > self._file_bytes:
                self._turn_over()
            lost = self._lost
            if lost:
                line = _lost_line(lost) + line
            done = os.write(self._handle, line)
            self._size += done
            if done < len(line):
                with contextlib.suppress(OSError):
                    os.ftruncate(self._handle, self._size - done)
                    self._size -= done
                return False
        except OSError:
            self._shut()
            return False
        with self._changed:
            self._lost -= lost
        return True

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        self._handle = os.open(self._path, flags, 0o640)
        self._size = os.fstat(self._handle).st_size

    def _turn_over(self) -> None:
        """Move each file on by one; where somebody holds one open (Windows), begin this one anew."""
        self._shut()
        names = [self._path, *(self._path.with_name(f"{self._path.name}.{number}") for number in range(1, self._files))]
        try:
            for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
                with contextlib.suppress(FileNotFoundError):
                    newer.replace(older)
        except OSError:
            with contextlib.suppress(OSError):
                os.truncate(self._path, 0)
        self._open()

    def _shut(self) -> None:
        handle, self._handle = self._handle, -1
        if handle >= 0:
            with contextlib.suppress(OSError):
                os.close(handle)


def _lost_line(count: int) -> bytes:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    told = {"at": at, "level": "warning", "logger": __name__, "message": f"{count} lines before this one are lost"}
    return json.dumps(told).encode() + b"\n"
