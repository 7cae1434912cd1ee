"""The file of the audit log: held by one process at a time, written whole lines, and put aside when it has grown large.

It never changes its name while it is used: Windows renames no file that somebody has open, and who waits for it here
would otherwise write into the one that was put aside. Its lines are copied beside it, and then it is emptied.
"""

import contextlib
import errno
import functools
import io
import operator
import os
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from till_sync.files import sync_folder

FORMER_FILE = "audit.log.1"
DRAFT = f".{FORMER_FILE}.new"
"""What a copy is called until it is whole; one that was cut off is begun anew by the next."""
LOCK_TRIES = 100
LOCK_PAUSE_S = 0.02
"""Two seconds: an upgrade waits for nobody who holds this file."""
LOCK_AT = 1 << 30
"""Beyond its end: what is locked on Windows can't even be read by others."""
write = os.write


@contextlib.contextmanager
def held(path: Path) -> Iterator[io.FileIO]:
    """The file, made if need be, for this process alone until the end of the block. OSError."""
    with _open(path) as file:
        lock(file.fileno())
        yield file


def append(file: io.FileIO, data: bytes) -> None:
    """All of it at the end of the file, and on the disk; or nothing, and OSError."""
    end = file.seek(0, os.SEEK_END)
    if write(file.fileno(), data) != len(data):
        file.truncate(end)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(file.fileno())


def put_aside(file: io.FileIO, path: Path) -> None:
    """Copy it to `audit.log.1` and empty it. OSError: it is as it was.

    Cut off between the two, both files hold the same lines; after them, this one none.
    """
    former, draft = path.with_name(FORMER_FILE), path.with_name(DRAFT)
    draft.unlink(missing_ok=True)
    file.seek(0)
    try:
        with _open(draft, os.O_EXCL) as copy:
            append(copy, file.readall())
        draft.replace(former)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    sync_folder(path.parent)
    file.truncate(0)


def tail(path: Path, size: int) -> bytes:
    """The last bytes of a file that is only read. OSError; a pipe in its place has none and holds nobody up."""
    with io.FileIO(os.open(path, os.O_RDONLY | _flags()), "r") as file:
        return tail_of(file, size)


def tail_of(file: io.FileIO, size: int) -> bytes:
    """The last bytes of an open one."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - size))
    return file.readall()


def lock(handle: int) -> None:
    """Held until the file is closed; the commands that write take microseconds. OSError when another keeps it."""
    for _ in range(LOCK_TRIES):
        if _try_lock(handle):
            return
        threading.Event().wait(LOCK_PAUSE_S)
    raise OSError(errno.EWOULDBLOCK, "another program holds it")


def _try_lock(handle: int) -> bool:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, LOCK_AT, os.SEEK_SET)
        with contextlib.suppress(PermissionError):
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            return True
    else:
        import fcntl

        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False


def _open(path: Path, more: int = 0) -> io.FileIO:
    file = io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT | more | _flags(), 0o600), "r+")
    try:
        if sys.platform != "win32" and os.geteuid() == 0:
            _give(file.fileno(), path)
    except OSError:
        file.close()
        raise
    return file


def _flags() -> int:
    names = ("O_BINARY", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK")
    return functools.reduce(operator.or_, (getattr(os, name, 0) for name in names))


def _give(handle: int, path: Path) -> None:
    """Whoever installs and upgrades is root; the file is the agent's, like all else in the folder.

    The folder is the agent's too: what root writes to and gives away there must be no second name of a file of others.
    """
    found, owner = os.fstat(handle), path.parent.stat()
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_uid not in (0, owner.st_uid):
        raise OSError(errno.EPERM, "expected a file of the agent's with one name", str(path))
    os.fchown(handle, owner.st_uid, owner.st_gid)
