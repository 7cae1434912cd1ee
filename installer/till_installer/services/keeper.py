"""Keeps one process running on a machine without systemd: `python keeper.py FOLDER`, detached, until SIGTERM.

It reads `service.json` in the folder, starts the command, and starts it again whenever it ends, each time a little
later, for ever. What it does stands in `keeper.json`. It speaks systemd's protocol with the process: `READY=1`, and
where a watchdog is set, a process that does not say `WATCHDOG=1` in time is ended and started again.

Only the standard library: this process stays for as long as the till runs, and takes 8 MB.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import pwd
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SERVICE_FILE = "service.json"
STATE_FILE = "keeper.json"
LOCK_FILE = "keeper.lock"
OUTPUT_FILE = "agent.out"
NOTIFY_FILE = "notify.sock"

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0
"""An agent that can't start is tried six times a minute: what keeps it down may end at any moment."""
GOOD_LIFE_S = 60.0
"""Who lived this long starts again at once."""
LOOK_S = 1.0
"""Silence is counted in waits of at most this, none of them for more than twice as much."""
STOP_TIMEOUT_S = 30.0
"""Longer than any agent needs; whoever stops it may be less patient, and ends keeper and agent by force."""
OUTPUT_LIMIT_BYTES = 1_048_576
"""What the process prints is kept up to this size, and begun anew at the next start after it."""
MESSAGE_LIMIT_BYTES = 4_096
ADDRESS_LIMIT_BYTES = 107
"""Of a Unix socket, by the kernel."""
PR_SET_PDEATHSIG = 1
_C = ctypes.CDLL(None)


class Keeper:
    """One process and its state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        service: dict[str, Any] = json.loads((folder / SERVICE_FILE).read_bytes())
        self.command: list[str] = service["command"]
        self.watchdog_s: float = service["watchdog_s"]
        self.is_notifying: bool = service["notify"]
        self.environment: dict[str, str] = service["environment"]
        self.user: str = service.get("user", "")
        self.restarts = 0
        self.pause_s = 0.0
        self.stopping = False
        self.process: subprocess.Popen[bytes] | None = None
        self.wake, self._poke = os.pipe()
        self.address = ""
        self.inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def run(self) -> None:
        """Until SIGTERM."""
        os.set_blocking(self._poke, False)
        signal.set_wakeup_fd(self._poke, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        path = self.folder / NOTIFY_FILE
        path.unlink(missing_ok=True)
        self._listen(path)
        try:
            while not self.stopping:
                self._live_once()
        finally:
            self._end()
            path.unlink(missing_ok=True)
            self._tell("stopped")

    def _listen(self, path: Path) -> None:
        """On a socket in the folder, which is its owner's; for another user, or a long name: abstract."""
        self.address = str(path)
        if self.user or len(os.fsencode(path)) > ADDRESS_LIMIT_BYTES:
            self.address = f"@tillside-{os.getpid()}-{os.urandom(8).hex()}"
        self.inbox.bind(self.address.replace("@", "\0", 1) if self.address.startswith("@") else self.address)
        self.inbox.setblocking(False)  # noqa: FBT003 - its only argument has no name

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def _live_once(self) -> None:
        begun = time.monotonic()
        try:
            self._start()
        except (OSError, KeyError, subprocess.SubprocessError) as exc:
            self._pause(f"could not be started: {exc}", failed=True)
            return
        why = self._watch()
        self._end()
        if self.stopping:
            return
        if time.monotonic() - begun >= GOOD_LIFE_S:
            self.pause_s = 0.0
        self.restarts += 1
        self._pause(why)

    def _start(self) -> None:
        output = self.folder / OUTPUT_FILE
        is_large = output.exists() and output.stat().st_size > OUTPUT_LIMIT_BYTES
        environment = {**os.environ, **self.environment}
        if self.is_notifying:
            environment["NOTIFY_SOCKET"] = self.address
        if self.watchdog_s:
            environment["WATCHDOG_USEC"] = str(round(self.watchdog_s * 1_000_000))
        groups = os.getgrouplist(self.user, pwd.getpwnam(self.user).pw_gid) if self.user else None
        with output.open("wb" if is_large else "ab") as file:
            self.process = subprocess.Popen(  # noqa: S603 - of the service that was installed
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=environment,
                cwd="/",
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - this process has one thread
                user=self.user or None,
                group=groups[0] if groups else None,
                extra_groups=groups,
            )
        self._tell("starting" if self.is_notifying else "running")

    def _watch(self) -> str:
        """Until the process ends, is to end, or says nothing for too long; gives why."""
        process = self.process
        if process is None:
            return ""
        silent_s = 0.0
        is_ready = not self.is_notifying
        while not self.stopping:
            status = process.poll()
            if status is not None:
                return f"ended with status {status}" if status >= 0 else f"ended by signal {-status}"
            wait_s = None
            if self.watchdog_s and is_ready:
                if silent_s >= self.watchdog_s:
                    return f"said nothing for {self.watchdog_s:g} s"
                wait_s = min(LOOK_S, self.watchdog_s - silent_s)
            begun = time.monotonic()
            messages = self._heard(wait_s)
            # What this process itself missed was missed by the other one too: a machine that stood still is no fault.
            silent_s += min(time.monotonic() - begun, 2 * LOOK_S)
            for message in messages:
                if "WATCHDOG=1" in message:
                    silent_s = 0.0
                if "READY=1" in message and not is_ready:
                    is_ready, silent_s = True, 0.0
                    self._tell("running")
        return "was stopped"

    def _heard(self, wait_s: float | None) -> list[list[str]]:
        """Messages that are there when something happens: a signal, a message, or the time is over."""
        ready, _, _ = select.select([self.wake, self.inbox.fileno()], [], [], wait_s)
        if self.wake in ready:
            os.read(self.wake, MESSAGE_LIMIT_BYTES)
        messages = []
        if self.inbox.fileno() in ready:
            with contextlib.suppress(BlockingIOError):
                while True:
                    data = self.inbox.recv(MESSAGE_LIMIT_BYTES)
                    messages.append(data.decode("utf-8", "replace").splitlines())
        return messages

    def _end(self) -> None:
        """Of the process and whatever it started."""
        process, self.process = self.process, None
        if process is None:
            return
        if process.poll() is None:
            number = signal.SIGTERM if self.stopping else signal.SIGKILL
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT_S)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        while True:
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                # Its disk does not answer: the kernel ends it once that does, and the till is to sell again then.
                if self.stopping:
                    return
                self._tell("starting", "waits for the end of a process that its disk does not let go of")
            else:
                return

    def _pause(self, why: str, *, failed: bool = False) -> None:
        self._tell("failed" if failed else "starting", f"{why}; started again in {self.pause_s:g} s")
        until = time.monotonic() + self.pause_s
        while not self.stopping and (left := until - time.monotonic()) > 0:
            self._heard(left)
        self.pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, self.pause_s * 2))

    def _tell(self, state: str, detail: str = "") -> None:
        value = {
            "state": state,
            "keeper": os.getpid(),
            "pid": self.process.pid if self.process is not None else 0,
            "restarts": self.restarts,
            "detail": detail,
        }
        draft = self.folder / f".{STATE_FILE}"
        # A full disk must not end what keeps the till selling.
        with contextlib.suppress(OSError):
            draft.write_text(json.dumps(value), encoding="utf-8")
            draft.replace(self.folder / STATE_FILE)


def _die_with_parent() -> None:
    """A process whose keeper was killed ends too: else it would hold the journal, and nobody could stop it.

    By then it is the agent's user's, who may not be able to read this Python: nothing is loaded any more.
    """
    _C.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def main() -> int:
    """Detach and keep; 1 when another keeper has the folder."""
    folder = Path(sys.argv[1]).absolute()
    lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return 1
    if os.fork():
        return 0
    os.setsid()
    Keeper(folder).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
