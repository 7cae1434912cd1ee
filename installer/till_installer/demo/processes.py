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

from till_installer.demo.interruption import interruption

COMMAND_TIMEOUT_S = 60.0
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
        child = self._launch(words[0], words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = (text.decode(errors="replace") for text in child.communicate(timeout=COMMAND_TIMEOUT_S))
        except subprocess.TimeoutExpired as error:
            raise DemoError(f"`tillside {' '.join(words[:3])}` took over {COMMAND_TIMEOUT_S:.0f} s") from error
        self._children.pop()
        if child.returncode != 0:
            raise DemoError(f"`tillside {' '.join(words[:3])}` failed: {(err or out).strip()[-2000:]}")
        return out

    def start(self, name: str, *words: str, ready: Path | None = None, feed: bool = False) -> subprocess.Popen[bytes]:
        """Start a part that goes on until it is stopped; with `ready`, wait until it has written that file."""
        stdin = subprocess.PIPE if feed else subprocess.DEVNULL
        with (self._folder / f"{name}.log").open("ab") as log:
            child = self._launch(name, words, stdin=stdin, stdout=log, stderr=log)
        if ready is not None:
            self._await_ready(name, child, ready)
        return child

    def stop(self, name: str) -> None:
        """End one part: SIGTERM, a bounded wait, then SIGKILL."""
        for index, (label, child) in enumerate(self._children):
            if label == name:
                _end(child)
                # Only now: one whose end was interrupted is ended by `stop_all`.
                del self._children[index]
                return

    def stop_all(self) -> None:
        """End every part in reverse order, whatever signals come meanwhile."""
        with interruption.held():
            while self._children:
                _, child = self._children.pop()
                _end(child)

    def _launch(
        self, name: str, words: tuple[str, ...], *, stdin: int, stdout: int | IO[bytes], stderr: int | IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """A child in a session of its own, so that Ctrl-C reaches only us and we end it in order."""
        with interruption.held():
            child = subprocess.Popen(  # noqa: S603 - our own command
                command(*words), stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
            )
            self._children.append((name, child))
        return child

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
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGTERM)
        try:
            child.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(STOP_TIMEOUT_S)
