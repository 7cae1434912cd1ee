"""A printer behind a device file: `/dev/usb/lp0`, a parallel port, a named pipe.

Done by hand rather than with Python's files, because of what `usblp` does: a write blocks while the paper is out, and
a close throws away what the printer has not taken yet. So the file is opened without blocking, each write waits for
room, and a job is only taken when the driver says that it has room again behind its last byte.
"""

import contextlib
import errno
import os
import select
import stat
import sys
import threading
import time
from functools import partial
from pathlib import Path

from till_drivers.exceptions import SettingsError, TransportAbsent, TransportError, TransportLost, TransportStalled
from till_drivers.transports.device_thread import DeviceThread

CHUNK_BYTES = 4096
"""Bytes given to the driver at once; a pipe takes as many or none."""
CALL_GRACE_MS = 500
"""How much longer than asked a call may take in the driver before its thread is given up."""
NO_READING = frozenset({errno.EACCES, errno.EPERM, errno.EINVAL})
"""What opening says of a file that may be written and not read."""
GONE = 0x08 | 0x10 | 0x20
"""POLLERR, POLLHUP, POLLNVAL: by number, since Windows, where this module is only imported, has none of them."""
READ_PAUSE_SECONDS = 0.02
"""Between two looks at a driver that says it has something to read and then has nothing."""


class FileTransport:
    """The file that `path` names at the moment of `open`, alone (`flock`, and the driver's own lock if it has one)."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file: int | None = None
        self._is_one_way = False
        self._thread = DeviceThread(f"file-{path}")

    @property
    def is_one_way(self) -> bool:
        """Whether the open file can't be read: the printer is sent slips, and can tell nothing."""
        return self._is_one_way

    async def open(self, timeout_ms: int) -> None:
        """Open the file. Raises TransportAbsent; SettingsError when it is no device file."""
        await self.close(0)
        if sys.platform == "win32":
            raise SettingsError(f"expected Linux for the device file {self.path!r}: here name the printer's queue")
        try:
            opened = await self._thread.call(lambda: _open(self.path), timeout_ms, undo=_undo)
            self._file, self._is_one_way = opened
        except TimeoutError as exc:
            raise TransportAbsent(f"{self.path}: no answer to open in {timeout_ms} ms") from exc
        except OSError as exc:
            raise TransportAbsent(f"{self.path}: {_words(exc)}") from exc

    async def read(self, size: int, timeout_ms: int) -> bytes:
        """Up to `size` bytes, at least one; b"" when none came in time. Raises TransportLost."""
        file = self._need()
        try:
            return await self._thread.call(lambda: _read(file, size, timeout_ms), timeout_ms + CALL_GRACE_MS)
        except TimeoutError as exc:
            raise TransportLost(f"{self.path}: the driver hangs in a read") from exc
        except OSError as exc:
            raise TransportLost(f"{self.path}: {_words(exc)}") from exc

    async def write(self, data: bytes, timeout_ms: int) -> None:
        """Until the printer took all of `data`. Raises TransportStalled when it does not in time, TransportLost."""
        file = self._need()
        try:
            await self._thread.call(lambda: _write(file, data, timeout_ms, self.path), timeout_ms + CALL_GRACE_MS)
        except TimeoutError as exc:
            raise TransportStalled(f"{self.path}: the driver hangs in a write", sent=len(data)) from exc
        except TransportError:
            raise
        except OSError as exc:
            raise TransportLost(f"{self.path}: {_words(exc)}") from exc

    async def close(self, timeout_ms: int) -> None:
        """Give the file back, at most after `timeout_ms`; never raises for a device that is gone."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(TimeoutError, TransportLost, OSError):
                await self._thread.call(partial(os.close, file), timeout_ms or 1)
        self._thread.end()

    def _need(self) -> int:
        if self._file is None:
            raise TransportLost(f"{self.path}: not open")
        return self._file


def _open(path: str) -> tuple[int, bool]:
    """Descriptor, and whether it goes one way only."""
    import fcntl

    if not Path(path).exists():
        raise TransportAbsent(f"{path}: not plugged in")
    mode = Path(path).stat().st_mode
    if not stat.S_ISCHR(mode) and not stat.S_ISFIFO(mode):
        raise SettingsError(f"expected a device file such as /dev/usb/lp0, not {path!r}")
    flags = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    file, is_one_way = -1, stat.S_ISFIFO(mode)  # a pipe opened both ways would be read by its own writer
    if not is_one_way:
        try:
            file = os.open(path, os.O_RDWR | flags)
        except OSError as exc:
            if exc.errno not in NO_READING:
                raise
            is_one_way = True
    if is_one_way:
        file = os.open(path, os.O_WRONLY | flags)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(file)
        raise
    return file, is_one_way


def _undo(opened: tuple[int, bool]) -> None:
    os.close(opened[0])


def _read(file: int, size: int, timeout_ms: int) -> bytes:
    deadline = time.monotonic() + timeout_ms / 1000
    while True:
        left = max(0.0, deadline - time.monotonic())
        state = _wait(file, select.POLLIN, left)
        if not state:
            return b""
        data = b""
        with contextlib.suppress(BlockingIOError):
            data = os.read(file, size)
        if data:
            return data
        if state & GONE:
            raise OSError(errno.ENODEV, "unplugged")
        # `usblp` reads nothing, again and again, from a printer with nothing to say.
        threading.Event().wait(min(READ_PAUSE_SECONDS, left))  # in the device's own thread


def _write(file: int, data: bytes, timeout_ms: int, path: str) -> None:
    deadline = time.monotonic() + timeout_ms / 1000
    sent = 0
    while sent < len(data):
        if not _has_room(file, deadline):
            raise TransportStalled(f"{path}: the printer takes no bytes", sent=sent)
        with contextlib.suppress(BlockingIOError):
            sent += os.write(file, data[sent : sent + CHUNK_BYTES])
    if not _has_room(file, deadline):
        raise TransportStalled(f"{path}: the printer stopped taking bytes", sent=sent)


def _has_room(file: int, deadline: float) -> bool:
    """Whether the driver takes bytes before that moment. Raises OSError when its device is gone."""
    state = _wait(file, select.POLLOUT, deadline - time.monotonic())
    if state & GONE:
        raise OSError(errno.ENODEV, "unplugged")
    return bool(state)


def _wait(file: int, event: int, seconds: float) -> int:
    """What `poll` says of the file within that time; 0 when nothing has come of it."""
    poll = select.poll()
    poll.register(file, event)
    found = poll.poll(max(0.0, seconds) * 1000)
    return found[0][1] if found else 0


def _words(exc: OSError) -> str:
    """What went wrong, in words that lead to its end."""
    known = {
        errno.EACCES: "Permission denied: the agent's user has to be in the file's group (lp)",
        errno.EPERM: "Permission denied: the agent's user has to be in the file's group (lp)",
        errno.EBUSY: "another program holds the printer (CUPS?)",
        errno.EAGAIN: "another program holds the printer (CUPS?)",
        errno.ENXIO: "nothing reads at its other end",
        errno.ENOSPC: "the printer is out of paper",
    }
    return known.get(exc.errno or 0, exc.strerror or str(exc))
