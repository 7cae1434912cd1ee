"""Files on which a way back depends: copied while an agent writes to them, brought up to date, given to their owner.

Root works here in a folder of the agent's user, who may be anybody by now: nothing is opened through a link, nothing is
given away by a name that may be another file's by then, and what has to be made there is made with that user's rights.
"""

import contextlib
import errno
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from till_installer.upgrade.exceptions import RefusedError
from till_installer.upgrade.pausing import pause
from till_sync.files import replace_file, sync_folder

BLOCK_BYTES = 1_048_576
LOG_HEADER_BYTES = 32
"""Of SQLite's write-ahead log: it holds two salts that change whenever the log begins anew."""
COPY_TRIES = 20
"""The log begins anew after some 200 sales; a copy that met that is made again."""
BREATH_S = 0.002
"""Between two blocks: a copy of 300 MB must not keep the disk from a sale."""


def copy_live(source: Path, target: Path) -> bool:
    """Copy a SQLite database with its write-ahead log while a program writes to it; False when there is none.

    The database first, then the log: whatever a checkpoint changes in the database meanwhile stands in the log, as long
    as that does not begin anew, which its salts tell; then the copy is made again. The file's locks are not touched.
    OSError; RefusedError `journal_unreadable` when it never holds still.
    """
    for _ in range(COPY_TRIES):
        before = _state(source)
        if before is None:
            return False
        _copy(source, target)
        log, log_copy = beside(source, "-wal"), beside(target, "-wal")
        log_copy.unlink(missing_ok=True)
        beside(target, "-shm").unlink(missing_ok=True)
        if before[0]:
            _copy(log, log_copy)
        if _state(source) == before or (before[0] and _log_header(log) == before[0]):
            return True
    raise RefusedError(
        f"expected {source.name} to hold still for a copy; try again when less is sold", code="journal_unreadable"
    )


def beside(path: Path, suffix: str) -> Path:
    """What SQLite keeps beside a database."""
    return path.with_name(path.name + suffix)


def bring_up_to_date(source: Path, target: Path) -> None:
    """Make a copy of a file at rest the same as the file, by writing only the blocks that differ. OSError."""
    if not target.exists():
        _copy(source, target)
        return
    with open_plain(source) as new, target.open("r+b") as old:
        place = 0
        while block := new.read(BLOCK_BYTES):
            if old.read(BLOCK_BYTES) != block:
                old.seek(place)
                old.write(block)
            place += len(block)
            old.seek(place)
        old.truncate(place)
        old.flush()
        os.fsync(old.fileno())


def mirror_at_rest(source: Path, target: Path) -> None:
    """Bring a copy of a database that no program has open up to date, with its log if there is one. OSError."""
    bring_up_to_date(source, target)
    beside(target, "-shm").unlink(missing_ok=True)
    if beside(source, "-wal").exists():
        bring_up_to_date(beside(source, "-wal"), beside(target, "-wal"))
    else:
        beside(target, "-wal").unlink(missing_ok=True)
    sync_folder(target.parent)


def give_to(path: Path, like: Path) -> None:
    """Give a file to the owner of `like`: what root writes into the agent's folder, the agent must be able to read."""
    if os.name != "nt" and os.geteuid() == 0:
        owner = like.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def write_for_agent(path: Path, content: bytes) -> None:
    """Replace a file of the agent's folder, whole or not at all, and the agent's own; its name is durable. OSError."""
    replace_file(path, content)
    sync_folder(path.parent)


def new_file(path: Path, like: Path) -> BinaryIO:
    """A file that was not there, open to be written, its owner's alone: whose `like` is. OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        if sys.platform != "win32" and os.geteuid() == 0:
            owner = like.stat()
            os.fchown(handle, owner.st_uid, owner.st_gid)
        return os.fdopen(handle, "wb")
    except BaseException:
        os.close(handle)
        raise


def open_plain(path: Path) -> BinaryIO:
    """A file to be read, and nothing else: no link, no device, no second name of a file of somebody else's. OSError."""
    if sys.platform == "win32":
        return path.open("rb")
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or (found.st_nlink > 1 and found.st_uid != path.parent.stat().st_uid):
        os.close(handle)
        raise OSError(errno.EPERM, "expected a plain file of the agent's", str(path))
    return os.fdopen(handle, "rb")


@contextlib.contextmanager
def as_owner_of(folder: Path) -> Iterator[None]:
    """With the rights of a folder's owner, not with root's. Only while this process has no other thread at work."""
    if sys.platform == "win32" or os.geteuid() != 0 or not (owner := folder.stat()).st_uid:
        yield
        return
    own_groups, own_group = os.getgroups(), os.getegid()
    try:
        os.setgroups([])
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(own_group)
        os.setgroups(own_groups)


def remove_tree(path: Path) -> None:
    """Remove a folder of ours; what is not there is as good."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)


def size_of(path: Path) -> int:
    """Bytes of a file or of all files below a folder; 0 for none."""
    if path.is_file():
        return path.stat().st_size
    return sum(each.lstat().st_size for each in path.rglob("*") if each.is_file()) if path.is_dir() else 0


def need_room(folder: Path, wanted_bytes: int, free: Callable[[Path], int] | None = None) -> None:
    """RefusedError `disk_full` unless there is as much room where `folder` is."""
    there = (free or free_bytes)(folder)
    if there < wanted_bytes:
        raise RefusedError(
            f"expected {wanted_bytes // 1_000_000 + 1} MB free for {folder}, not {there // 1_000_000}; make room",
            code="disk_full",
        )


def free_bytes(folder: Path) -> int:
    """Of the disk that holds a folder, or will."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _copy(source: Path, target: Path) -> None:
    with open_plain(source) as read, target.open("wb") as written:
        os.chmod(target, 0o600)  # noqa: PTH101 - before a byte of it is there
        while block := read.read(BLOCK_BYTES):
            written.write(block)
            if len(block) == BLOCK_BYTES:
                pause(BREATH_S)
        written.flush()
        os.fsync(written.fileno())


def _state(source: Path) -> tuple[bytes, int, int] | None:
    """The log's header, and size and time of the database; None when there is no database."""
    try:
        found = source.stat()
    except FileNotFoundError:
        return None
    return _log_header(beside(source, "-wal")), found.st_size, found.st_mtime_ns


def _log_header(log: Path) -> bytes:
    try:
        with open_plain(log) as file:
            return file.read(LOG_HEADER_BYTES)
    except FileNotFoundError:
        return b""
