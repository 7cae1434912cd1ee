"""One agent per state directory: the folder, its lock, and the file that says "ready"."""

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec
from msgspec import Struct

from till_agent.bridge.exceptions import AgentStartError, AlreadyRunningError

LOCK_FILE = "agent.lock"
RUNNING_FILE = "running.json"
"""Where the agent of a state directory listens, for the command line; there while it runs."""


class Running(Struct, frozen=True, kw_only=True):
    """What the running file and the ready file say."""

    port: int
    pid: int


class StateDir:
    """A state directory that only this process uses, for as long as the context lasts.

    Raises AgentStartError when it can't be made or written, AlreadyRunningError when another agent has it. The system
    drops the lock with the process, so that a killed agent leaves nothing to clean up.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> Self:
        make_state_dir(self.path)
        try:
            self._lock = (self.path / LOCK_FILE).open("ab")
        except OSError as exc:
            raise _unwritable(self.path, exc) from exc
        try:
            _lock(self._lock)
        except OSError as exc:
            self._lock.close()
            raise AlreadyRunningError(
                f"another agent is running on {self.path}; stop it first, or give this one its own agent.state_dir"
            ) from exc
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


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


def _lock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def told_ready(path: Path | None, port: int) -> Iterator[None]:
    """Tell whoever waits for the file that the bridge listens (`{"port": ..., "pid": ...}`); it goes with the agent.

    The file is there whole or not at all. AgentStartError when it can't be written.
    """
    if path is None:
        yield
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        draft.write_bytes(msgspec.json.encode(Running(port=port, pid=os.getpid())) + b"\n")
        draft.replace(path)
    except OSError as exc:
        raise AgentStartError(f"expected to write the ready file {path}: {exc.strerror}") from exc
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
