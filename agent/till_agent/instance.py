"""One agent per state directory: the folder, its lock, and the file that says "ready"."""

import contextlib
import errno
import logging
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from till_agent.bridge.exceptions import AgentStartError, AlreadyRunningError
from till_sync.files import give_to_folders_owner

log = logging.getLogger(__name__)

OF_THE_DISK = frozenset((errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO))
"""With these nothing can be written though the folder is ours; another user's folder is a mistake, told at start."""
LOCK_FILE = "agent.lock"
RUNNING_FILE = "running.json"
"""Where the agent of a state directory listens, for the command line; there while it runs."""


class Running(Struct, frozen=True, kw_only=True):
    """What the running file and the ready file say."""

    port: int
    pid: int


class StateDir:
    """A state directory that only this process uses, for as long as the context lasts.

    Raises AgentStartError when it can't be made or read, AlreadyRunningError when another agent has it. The system
    drops the lock with the process, so that a killed agent leaves nothing to clean up. Where nothing may be written
    what is there is locked: an agent that can say what is wrong is better than none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = -1

    def __enter__(self) -> Self:
        make_state_dir(self.path)
        self._lock = _open_lock(self.path)
        try:
            hold_lock(self._lock)
        except OSError as exc:
            self._close()
            raise AlreadyRunningError(
                f"another agent is running on {self.path}; stop it first, or give this one its own agent.state_dir"
            ) from exc
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _open_lock(path: Path) -> int:
    """A descriptor to lock: of the file; where the disk takes none, of what is there. AgentStartError."""
    file = path / LOCK_FILE
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        with contextlib.suppress(OSError):  # locked it can be all the same
            give_to_folders_owner(path, handle)
        return handle  # noqa: TRY300 - the except below is for the opening
    except OSError as exc:
        if exc.errno not in OF_THE_DISK or sys.platform == "win32":
            raise _unwritable(path, exc) from exc
        log.error("nothing can be written into %s: %s", path, exc.strerror)  # noqa: TRY400 - says it all
        try:
            return os.open(file if file.exists() else path, os.O_RDONLY)
        except OSError:
            raise _unwritable(path, exc) from exc


def make_state_dir(path: Path) -> None:
    """Make the folder if it is missing, for its owner alone. AgentStartError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise _unwritable(path, exc) from exc


def _unwritable(path: Path, exc: OSError) -> AgentStartError:
    return AgentStartError(
        f"expected to write into agent.state_dir {path}: {exc.strerror or exc}; make the folder, give it to the "
        "agent's user, or name another one"
    )


def is_running(path: Path) -> bool:
    """Whether some agent holds the lock of that state directory; nothing is made there."""
    if not (path / LOCK_FILE).exists():
        return False
    try:
        with StateDir(path):
            return False
    except AlreadyRunningError:
        return True


def hold_lock(descriptor: int) -> None:
    """Lock an open file until it is closed, or the process ends; OSError when another one has it."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def told_ready(path: Path | None, port: int, *, must: bool = True) -> Iterator[None]:
    """Tell whoever waits for the file that the bridge listens (`{"port": ..., "pid": ...}`); it goes with the agent.

    The file is there whole or not at all. AgentStartError when it can't be written and `must` be.
    """
    if path is None:
        yield
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        draft.write_bytes(msgspec.json.encode(Running(port=port, pid=os.getpid())) + b"\n")
        draft.replace(path)
    except OSError as exc:
        if must:
            raise AgentStartError(f"expected to write the ready file {path}: {exc.strerror}") from exc
        log.warning("commands will not find this agent, for %s can't be written: %s", path, exc.strerror)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
