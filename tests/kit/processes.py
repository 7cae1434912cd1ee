"""The installed `tillside` command as processes: started, awaited within bounds, ended for certain by their ids."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from kit.guard import guard, release
from kit.waiting import POLL_S, wait_for
from kit.zygote import Forked, Zygote

COMMAND = (str(Path(sys.executable).with_name("tillside")),)
LAUNCHER = Path(__file__).with_name("mutants.py")

FIRST_PORT = 20_000
WORKERS_LIMIT = 32
"""Each worker of the suite has ports of its own; with more of them, two share."""
COMMAND_TIMEOUT_S = 180.0
"""Commands take a second or two; checking what a soak left, on a busy machine, takes minutes."""
READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
"""The agent gives each of its parts up to 12 s; one that needs longer than this hangs."""


class Ran:
    """What a command left: exit status and what it printed."""

    def __init__(self, done: "subprocess.CompletedProcess[str]") -> None:
        self.status = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    def __repr__(self) -> str:
        return f"Ran(status={self.status}, out={self.out!r}, err={self.err!r})"


def run(*words: str | Path, folder: Path, status: int | None = 0, env: dict[str, str] | None = None) -> Ran:
    """Run a command of `tillside` to its end; AssertionError unless it ends with `status` (None: any)."""
    done = subprocess.run(
        [*COMMAND, *map(str, words)],
        cwd=folder,
        env=os.environ | (env or {}),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=COMMAND_TIMEOUT_S,
    )
    ran = Ran(done)
    if status is not None and ran.status != status:
        raise AssertionError(f"`tillside {' '.join(map(str, words))}` ended with {ran.status}, not {status}: {ran!r}")
    return ran


class Part:
    """One process of `tillside` that goes on until it is ended; `mutant` names a deliberate defect in it."""

    def __init__(
        self, name: str, *words: str | Path, folder: Path, mutant: str = "", zygote: Zygote | None = None
    ) -> None:
        self.name = name
        self.ready_file = folder / f"{name}.ready"
        self.log = folder / f"{name}.log"
        self.ready_file.unlink(missing_ok=True)
        self.process: subprocess.Popen[bytes] | Forked
        told = [*map(str, words), "--ready-file", str(self.ready_file)]
        if zygote is not None:
            self.process = zygote.start(told, folder, self.log, mutant)
            guard(self.process.pid)
            return
        command = (sys.executable, str(LAUNCHER), mutant) if mutant else COMMAND
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *told],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        guard(self.process.pid)

    def facts(self) -> dict[str, Any]:
        """What the process wrote into its ready file, as soon as it has; AssertionError with its log when it died."""
        give_up = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < give_up:
            with contextlib.suppress(OSError, ValueError):
                facts: dict[str, Any] = json.loads(self.ready_file.read_bytes())
                return facts
            if self.process.poll() is not None:
                break
            time.sleep(POLL_S / 4)
        raise AssertionError(f"the {self.name} did not come up ({self.process.poll()}); its log: {self.tail()}")

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-3000:]

    @property
    def runs(self) -> bool:
        """Whether the process is there."""
        return self.process.poll() is None

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        stream = self.process.stdin
        assert stream is not None
        stream.write(line.encode() + b"\n")
        stream.flush()

    def kill(self) -> None:
        """As the power does: at once, with no chance to say good-bye."""
        self.process.kill()
        self.process.wait(STOP_TIMEOUT_S)
        self._hang_up()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """In order; the exit status. One that does not end is killed, and that is an AssertionError."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired as exc:
            self.kill()
            raise AssertionError(f"the {self.name} did not stop within {STOP_TIMEOUT_S} s: {self.tail()}") from exc
        finally:
            self._hang_up()

    def end(self) -> None:
        """For clean-up: whatever state it is in, it is gone after this."""
        if self.process.poll() is None:
            with contextlib.suppress(AssertionError):
                self.stop()
        self._hang_up()

    def _hang_up(self) -> None:
        if self.process.poll() is not None:
            release(self.process.pid)
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()


def marked(mark: str) -> dict[int, str]:
    """Processes whose environment holds `mark`: pid and command line. Finds children of children too."""
    found: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if mark.encode() in (folder / "environ").read_bytes():
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found[int(folder.name)] = words
    return found


def listening(pids: "dict[int, str]") -> set[tuple[str, int]]:
    """Sockets on which any of the processes listens: inode and TCP port."""
    inodes: set[str] = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for handle in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    target = str(handle.readlink())
                    if target.startswith("socket:["):
                        inodes.add(target[8:-1])
    return {(inode, port) for inode, port in all_listening() if inode in inodes}


def all_listening() -> set[tuple[str, int]]:
    """Sockets on which anything on this machine listens: inode and TCP port, which by itself another may get again."""
    rows: set[tuple[str, int]] = set()
    for table in ("tcp", "tcp6"):
        path = Path("/proc/net") / table
        if path.exists():
            for line in path.read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A":
                    rows.add((fields[9], int(fields[1].rpartition(":")[2], 16)))
    return rows


def free_port() -> int:
    """A port on which nothing listens: for a device that is not there, or not there yet.

    It is not one of those that the system deals out, nor one of another worker of this suite: it stays free.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS_LIMIT
    # The shuffle of the suite seeds `random` anew for each test, which would give all of them the same port.
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(FIRST_PORT, _end_of_ports(), WORKERS_LIMIT) + worker
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _end_of_ports() -> int:
    dealt = 32_768
    with contextlib.suppress(OSError):
        dealt = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    # A machine that deals out nearly all ports leaves none to choose from: then one of them has to do.
    return max(dealt, FIRST_PORT + 10_000) - WORKERS_LIMIT


def wait_gone(mark: str) -> None:
    """Wait until no process with the mark is left; AssertionError names those that are."""
    wait_for(lambda: not marked(mark), f"no process to be left, there are {marked(mark)}", patience_s=5.0)
