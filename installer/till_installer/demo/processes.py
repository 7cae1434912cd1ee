"""Starting and ending the demo's processes: each is the installed `tillside` command, as a user would run it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

READY_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 8.0
POLL_S = 0.02


class DemoError(Exception):
    """Raised when the demo can't go on; the message says which part failed and where its log is."""


class Processes:
    """Children in the order they were started; stopped in reverse, politely first, and never left behind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[tuple[str, subprocess.Popen[bytes]]] = []

    def run(self, *words: str) -> str:
        """Run one command to its end and hand back what it printed; DemoError when it fails."""
        done = subprocess.run(command(*words), capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - our own command
        if done.returncode != 0:
            raise DemoError(f"`tillside {' '.join(words[:3])}` failed: {(done.stderr or done.stdout).strip()[-2000:]}")
        return done.stdout

    def start(self, name: str, *words: str, ready: Path | None = None, feed: bool = False) -> subprocess.Popen[bytes]:
        """Start a part in its own session, so that Ctrl-C reaches only us and we end it in order."""
        log = (self._folder / f"{name}.log").open("ab")
        child = subprocess.Popen(  # noqa: S603 - our own command
            command(*words),
            stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        self._children.append((name, child))
        if ready is not None:
            self._await_ready(name, child, ready)
        return child

    def stop(self, name: str) -> None:
        """End one part: SIGTERM, a bounded wait, then SIGKILL."""
        for index, (label, child) in enumerate(self._children):
            if label == name:
                del self._children[index]
                _end(child)
                return

    def stop_all(self) -> None:
        """End every part in reverse order."""
        while self._children:
            _, child = self._children.pop()
            _end(child)

    def _await_ready(self, name: str, child: subprocess.Popen[bytes], ready: Path) -> None:
        give_up = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < give_up:
            if ready.exists() and ready.read_bytes().strip():
                return
            if child.poll() is not None:
                break
            time.sleep(POLL_S)
        log = self._folder / f"{name}.log"
        tail = log.read_text(encoding="utf-8", errors="replace").strip()[-2000:]
        raise DemoError(f"the {name} did not come up; its log ({log}) ends with:\n{tail}")


def command(*words: str) -> list[str]:
    """The installed command by this very interpreter, so that the demo runs the version it belongs to."""
    return [sys.executable, "-m", "till_config", *words]


def ready_facts(path: Path) -> dict[str, Any]:
    """What a part wrote when it began to listen."""
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return facts


def feed(child: subprocess.Popen[bytes], text: str) -> None:
    """Write one line to a child's standard input."""
    stream: IO[bytes] | None = child.stdin
    if stream is None:
        raise DemoError("the part was started without an input")
    stream.write(text.encode() + b"\n")
    stream.flush()


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.stdin is not None:
        with contextlib.suppress(OSError):
            child.stdin.close()
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGTERM)
        try:
            child.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(STOP_TIMEOUT_S)
