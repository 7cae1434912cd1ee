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

from till_agent.bridge.exceptions import AgentStartError, AlreadyRunningError

LOCK_FILE = "agent.lock"


class StateDir:
    """A state directory that only this process uses, for as long as the context lasts.

    Raises AgentStartError when it can't be made or written, AlreadyRunningError when another agent has it. The system
    drops the lock with the process, so that a killed agent leaves nothing to clean up.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = (self.path / LOCK_FILE).open("ab")
        except OSError as exc:
            raise AgentStartError(
                f"expected to write into agent.state_dir {self.path}: {exc.strerror or exc}; make the folder, give it "
                "to the agent's user, or name another one"
            ) from exc
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
        draft.write_bytes(msgspec.json.encode({"port": port, "pid": os.getpid()}) + b"\n")
        draft.replace(path)
    except OSError as exc:
        raise AgentStartError(f"expected to write the ready file {path}: {exc.strerror}") from exc
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
