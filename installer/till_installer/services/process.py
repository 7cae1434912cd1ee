"""The agent kept running without systemd: a small keeper process starts it, and again whenever it ends.

It serves containers, tills with another init system, and tests: `ServiceManager` with real processes and no root.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from till_installer.exceptions import ServiceError
from till_installer.services import keeper
from till_installer.services.ports import ServiceState, ServiceStatus

START_TRIES = 3
START_TIMEOUT_S = 12.0
"""The keeper says that it started the agent within 0.1 s; the rest is for a busy machine."""
FORCED_TIMEOUT_S = 5.0
"""What was killed is gone at once, unless a disk hangs."""
POLL_S = 0.02


class ProcessManager:
    """Runs one service out of `folder` (run folder: settings, state, output, all the agent's user's own).

    `notify`: the state is "starting" until the process says READY=1; `watchdog_s`: one that says no WATCHDOG=1 for as
    long is started again (0: never). `environment` is added to that of whoever starts it; `user` is who runs it
    ("": who starts it).
    """

    kind = "process"

    def __init__(
        self,
        folder: Path,
        *,
        notify: bool = False,
        watchdog_s: float = 0.0,
        environment: dict[str, str] | None = None,
        user: str = "",
    ) -> None:
        self.folder = folder
        self._notify = notify
        self._watchdog_s = watchdog_s
        self._environment = environment or {}
        self._user = user

    def install(self, command: tuple[str, ...], *, config: Path) -> None:
        """Keep the command. One that runs goes on as it is until it is started again. ServiceError."""
        wanted = msgspec.json.encode(
            {
                "command": command,
                "config": str(config),
                "notify": self._notify,
                "watchdog_s": self._watchdog_s,
                "environment": self._environment,
                "user": self._user,
            }
        )
        path = self.folder / keeper.SERVICE_FILE
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.exists() and path.read_bytes() == wanted:
                return
            draft = path.with_name(f".{path.name}")
            draft.write_bytes(wanted)
            draft.replace(path)
        except OSError as exc:
            raise ServiceError(f"expected to write {path}: {exc.strerror}; make room, or run this as root") from exc

    def remove(self) -> None:
        """Stop it and forget it."""
        self.stop()
        for name in (keeper.SERVICE_FILE, keeper.STATE_FILE, keeper.OUTPUT_FILE, keeper.LOCK_FILE, keeper.NOTIFY_FILE):
            (self.folder / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def start(self) -> None:
        """Start it; nothing when it runs. ServiceError when it can't be."""
        if not (self.folder / keeper.SERVICE_FILE).exists():
            raise ServiceError(
                "expected the service to be installed; run `tillside setup repair`", code="service_absent"
            )
        if self._is_kept():
            return
        (self.folder / keeper.STATE_FILE).unlink(missing_ok=True)
        # Whoever looks whether a keeper runs holds its lock for a moment, and one that starts just then gives up.
        for _ in range(START_TRIES):
            self._start_keeper()
            if _within(START_TIMEOUT_S / START_TRIES, lambda: bool(self._state())):
                return
        raise ServiceError(f"expected the service's keeper to start in {self.folder}; see that the disk is not full")

    def _start_keeper(self) -> None:
        subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-I", keeper.__file__, str(self.folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=START_TIMEOUT_S,
        )

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop it and wait until no process is left; what has not ended after `timeout_s` is killed. ServiceError."""
        if not self._is_kept():
            return
        _signal(self._keeper(), signal.SIGTERM)
        if _within(timeout_s, lambda: not self._is_kept()):
            return
        state = self._state()
        child = int(state.get("pid", 0))
        _signal(self._keeper(), signal.SIGKILL)
        if child:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
        if not _within(FORCED_TIMEOUT_S, lambda: not self._is_kept() and not _is_there(child)):
            raise ServiceError(f"expected process {child} to end when killed; it waits for a disk or a device: restart")

    def status(self) -> ServiceStatus:
        """As it is now."""
        if not (self.folder / keeper.SERVICE_FILE).exists():
            return ServiceStatus(state="absent")
        state = self._state()
        if not self._is_kept() or not state:
            return ServiceStatus(state="stopped", restarts=int(state.get("restarts", 0)))
        known: dict[str, ServiceState] = {"running": "running", "starting": "starting", "failed": "failed"}
        return ServiceStatus(
            state=known.get(str(state["state"]), "stopped"),
            pid=int(state["pid"]),
            restarts=int(state["restarts"]),
            detail=str(state["detail"]),
        )

    def _keeper(self) -> int:
        return int(self._state().get("keeper", 0))

    def _is_kept(self) -> bool:
        """Whether a keeper holds its lock; the system drops that with the process, so no number of one is trusted."""
        if sys.platform == "win32":
            return False
        import fcntl

        try:
            lock = os.open(self.folder / keeper.LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(lock)
        return False

    def _state(self) -> dict[str, Any]:
        try:
            return msgspec.json.decode((self.folder / keeper.STATE_FILE).read_bytes(), type=dict[str, Any])
        except (OSError, msgspec.MsgspecError):
            return {}


def _signal(pid: int, number: signal.Signals) -> None:
    if pid > 1:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _is_there(pid: int) -> bool:
    """Whether that process runs; one that ended and was not asked for by its parent yet does not."""
    if pid <= 1:
        return False
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] != "Z"


def _within(limit_s: float, condition: Callable[[], bool]) -> bool:
    """Whether it comes true in time."""
    until, pause = time.monotonic() + limit_s, threading.Event()
    while not condition():
        if time.monotonic() > until:
            return False
        pause.wait(POLL_S)
    return True
