"""The agent as a Windows service, run by NSSM: made, started, stopped and looked at through `nssm.exe` and `sc.exe`.

NSSM starts the starter, which runs whichever version is the current one; it starts it again whenever it ends, and stops
it with Ctrl-C, which the agent takes as it takes SIGTERM elsewhere.
"""

import contextlib
import socket
import subprocess
import threading
import time
from pathlib import Path

import msgspec

from till_agent.instance import RUNNING_FILE, Running
from till_installer.exceptions import ServiceError
from till_installer.layout import SERVICE, Layout
from till_installer.services.ports import ServiceState, ServiceStatus

ACCOUNT = f"NT SERVICE\\{SERVICE}"
"""A virtual account: Windows makes it with the service, it has no password, and nothing else runs by it."""
SYSTEM_ACCOUNT = "LocalSystem"
ASK_TIMEOUT_S = 60.0
"""`nssm start` and `stop` wait themselves."""
STOP_CONSOLE_MS = 10_000
"""The agent ends within two seconds, five when a slip is being printed."""
STOP_OTHER_MS = 1_000
STOP_MARGIN_S = 10.0
"""After Ctrl-C NSSM closes windows, ends threads, and then the process: 12 s in all."""
RESTART_MS = 1_000
THROTTLE_MS = 5_000
"""What ends sooner than that after its start is started again after twice the pause, and so on."""
OUTPUT_LIMIT_BYTES = 1_048_576
ANSWER_TIMEOUT_S = 1.0
POLL_S = 0.1
STARTS_FILE = "starts"
"""In the agent's state folder: a byte for each time that the starter ran since `start`."""
ABSENT = 3
"""Exit status of `nssm status` for a service that is not known."""
_STATES: dict[str, ServiceState] = {
    "SERVICE_RUNNING": "running",
    "SERVICE_START_PENDING": "starting",
    "SERVICE_CONTINUE_PENDING": "starting",
    "SERVICE_PAUSED": "failed",
    "SERVICE_PAUSE_PENDING": "failed",
    "SERVICE_STOP_PENDING": "running",
    "SERVICE_STOPPED": "stopped",
}


def service_command(layout: Layout) -> tuple[str, ...]:
    """What NSSM runs: the starter, which stays where it is when the version changes."""
    starter = layout.programs / "starter"
    words = (str(starter / "python.exe"), str(starter / "start.py"), "--service", str(layout.state_dir / STARTS_FILE))
    return (*words, "agent", "run", "--config", str(layout.config), "--log-file", str(layout.log_dir / "agent.log"))


class WindowsManager:
    """Of the service of one installation. `nssm`, `sc`: the programs to call, with words that come first."""

    kind = "windows"

    def __init__(
        self,
        layout: Layout,
        *,
        nssm: tuple[str, ...] = (),
        sc: tuple[str, ...] = ("sc.exe",),
        account: str = ACCOUNT,
    ) -> None:
        self.layout = layout
        self._nssm = nssm or (str(layout.programs / "nssm.exe"),)
        self._sc = sc
        self._account = account

    def install(self, command: tuple[str, ...], *, config: Path) -> None:
        """Make the service known, or have it as it should be. ServiceError."""
        del config  # It is among the words of the command.
        if self._state() is None:
            self._call("install", SERVICE, command[0])
        for setting in self._settings(command):
            self._set(setting)
        if self._account == SYSTEM_ACCOUNT:
            self._set(("ObjectName", SYSTEM_ACCOUNT))
        else:
            self._control("config", SERVICE, "obj=", self._account)
        # NSSM itself may be ended too: then Windows starts it again.
        self._control(
            "failure", SERVICE, "reset=", "86400", "actions=", "restart/1000/restart/5000/restart/5000"
        )  # fmt: skip

    def is_as_installed(self, command: tuple[str, ...], *, config: Path) -> bool:
        """Whether the service is there as `install` makes it."""
        del config
        return self._state() is not None and all(
            self._get(name, values) == values[-1] for name, *values in self._settings(command)
        )

    def remove(self) -> None:
        """Stop it and forget it. ServiceError."""
        if self._state() is None:
            return
        self.stop()
        self._call("remove", SERVICE, "confirm")
        (self.layout.state_dir / STARTS_FILE).unlink(missing_ok=True)

    def start(self) -> None:
        """Start it; nothing when it runs. ServiceError."""
        state = self._state()
        if state is None:
            raise ServiceError("expected the service to be installed; run the set-up again", code="service_absent")
        if state in ("running", "starting"):
            return
        if state == "failed":
            # NSSM pauses between two tries, and would wait on: what is started by hand is tried now.
            self.stop()
        with contextlib.suppress(OSError):
            (self.layout.state_dir / STARTS_FILE).write_bytes(b"")
        done = self._run(self._nssm, "start", SERVICE)
        # It gives up waiting before a slow machine has started it: what counts is whether that is under way.
        if done.returncode and self._state() not in ("running", "starting"):
            raise _refused("start", done)

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop it and wait until NSSM says that no process of it is left. ServiceError."""
        if self._state() in (None, "stopped"):
            return
        # It says no when somebody else is stopping it at this moment; what counts is how it ends.
        self._run(self._nssm, "stop", SERVICE)
        until, pause = time.monotonic() + timeout_s + STOP_MARGIN_S, threading.Event()
        while self._state() not in (None, "stopped"):
            if time.monotonic() > until:
                raise ServiceError(
                    f"expected the service to stop within {timeout_s + STOP_MARGIN_S:g} s; end its python.exe in the "
                    "Task Manager, or restart the machine"
                )
            pause.wait(POLL_S)

    def status(self) -> ServiceStatus:
        """As NSSM has it; "running" when the bridge answers too. ServiceError."""
        state = self._state()
        if state is None:
            return ServiceStatus(state="absent")
        restarts = max(0, self._starts() - 1)
        if state != "running":
            detail = "it ends again and again, and is tried after a pause" if state == "failed" else ""
            return ServiceStatus(state=state, restarts=restarts, detail=detail)
        running = self._running()
        if running is None or not _answers(running.port):
            return ServiceStatus(state="starting", restarts=restarts)
        return ServiceStatus(state="running", pid=running.pid, restarts=restarts)

    def _settings(self, command: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Name and values of each: the last one is what `nssm get` says."""
        output = str(self.layout.log_dir / "service.log")
        return [
            ("Application", command[0]),
            ("AppParameters", subprocess.list2cmdline(command[1:])),
            ("AppDirectory", str(self.layout.programs)),
            ("DisplayName", "Tillside"),
            ("Description", "Loyalty at this till: prices, points and slips, with and without a line."),
            ("Start", "SERVICE_AUTO_START"),
            ("AppExit", "Default", "Restart"),
            ("AppRestartDelay", str(RESTART_MS)),
            ("AppThrottle", str(THROTTLE_MS)),
            ("AppStopMethodConsole", str(STOP_CONSOLE_MS)),
            ("AppStopMethodWindow", str(STOP_OTHER_MS)),
            ("AppStopMethodThreads", str(STOP_OTHER_MS)),
            ("AppStdout", output),
            ("AppStderr", output),
            ("AppRotateFiles", "1"),
            ("AppRotateBytes", str(OUTPUT_LIMIT_BYTES)),
        ]

    def _set(self, setting: tuple[str, ...]) -> None:
        name, *values = setting
        if self._get(name, values) != values[-1]:
            self._call("set", SERVICE, name, *values)

    def _get(self, name: str, values: list[str]) -> str:
        done = self._run(self._nssm, "get", SERVICE, name, *values[:-1])
        return _text(done.stdout).strip() if done.returncode == 0 else ""

    def _state(self) -> ServiceState | None:
        """None: there is no such service, or not even what would run it."""
        if not Path(self._nssm[0]).exists():
            return None
        done = self._run(self._nssm, "status", SERVICE)
        said = _text(done.stdout).strip()
        if done.returncode == ABSENT:
            return None
        if said not in _STATES:
            raise ServiceError(f"expected `nssm status` to name a state, not {said or _text(done.stderr).strip()!r}")
        return _STATES[said]

    def _running(self) -> Running | None:
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode((self.layout.state_dir / RUNNING_FILE).read_bytes(), type=Running)
        return None

    def _starts(self) -> int:
        try:
            return (self.layout.state_dir / STARTS_FILE).stat().st_size
        except OSError:
            return 0

    def _call(self, *words: str) -> None:
        done = self._run(self._nssm, *words)
        if done.returncode:
            raise _refused(words[0], done)

    def _control(self, *words: str) -> None:
        done = self._run(self._sc, *words)
        if done.returncode:
            said = " ".join(_text(done.stdout).split()) or f"it ended with {done.returncode}"
            raise ServiceError(f"`sc {' '.join(words[:3])}` failed: {said}; run the set-up as an administrator")

    @staticmethod
    def _run(program: tuple[str, ...], *words: str) -> "subprocess.CompletedProcess[bytes]":
        try:
            return subprocess.run(  # noqa: S603 - programs of ours and of Windows, with words of our own
                [*program, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=ASK_TIMEOUT_S,
            )
        except FileNotFoundError as exc:
            raise ServiceError(f"expected {program[0]}; run the set-up again", code="no_service_program") from exc
        except subprocess.TimeoutExpired as exc:
            raise ServiceError(f"expected `{Path(program[0]).name} {words[0]}` to end within {ASK_TIMEOUT_S:g} s; "
                               "restart the machine") from exc  # fmt: skip


def _refused(verb: str, done: "subprocess.CompletedProcess[bytes]") -> ServiceError:
    said = " ".join((_text(done.stderr) or _text(done.stdout)).split()) or f"it ended with {done.returncode}"
    return ServiceError(f"`nssm {verb}` failed: {said}; run the set-up as an administrator")


def _text(data: bytes) -> str:
    """NSSM writes UTF-16 into a pipe; `sc` what the machine's code page is."""
    return data.decode("utf-16-le" if b"\0" in data else "utf-8", "replace").lstrip("\ufeff")


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_TIMEOUT_S):
            return True
    except OSError:
        return False
