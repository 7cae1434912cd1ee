"""Documentation that is carried out: the blocks of a page, and a shell that runs them and hears what they print."""

import contextlib
import os
import queue
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Self

from kit.guard import guard, release

BLOCK = re.compile(
    r"(?:^<!-- (?P<note>[^\n]*) -->\n)?^```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)
STEP_TIMEOUT_S = 90.0
"""One block starts a few programs, each within a second or two; a machine that is busy takes its time."""
STOP_TIMEOUT_S = 15.0
"""The agent gives each of its parts up to 12 s."""
TAIL_LINES = 40

CHANGING = (
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?)?(?:\.\d+Z|Z)?"), "<time>"),
    (re.compile(r"\b(?:[0-9a-f]{16,64})\b"), "<hex>"),
    (re.compile(r"\bm-[0-9a-f]{20}\b"), "<member>"),
    (re.compile(r"\bh-till-1-[\w-]{12,16}"), "<hold>"),
    (re.compile(r"\btill-1\.[0-9A-Z-]{19}\b"), "<code>"),
    (re.compile(r"\b\d{12,}\b"), "<number>"),
    (re.compile(r"(?:/[\w.-]+)+/(?=[\w.-]+)"), "<folder>/"),
    (re.compile(r"(?<=<time>) +\d+(?= )"), " <bytes>"),
    (re.compile(r"[ \t]+"), " "),
)
"""What is another at each run; it stands on the page as it was once."""


class Block(NamedTuple):
    """A fenced block: its language, its text, and the comment that stands right above it."""

    language: str
    code: str
    note: str


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a page, in order."""
    return [Block(found["language"], found["code"], found["note"] or "") for found in BLOCK.finditer(page)]


def settled(text: str) -> str:
    """`text` with what changes from run to run put in names."""
    for pattern, name in CHANGING:
        text = pattern.sub(name, text)
    return text


def missing(promised: str, printed: str) -> list[str]:
    """Lines of a page's output that a run did not print, in this order; `...` stands for any number of lines."""
    lines = iter(settled(printed).splitlines())
    wanted = [settled(line.rstrip()) for line in promised.splitlines() if line.strip() not in ("", "...")]
    return [line for line in wanted if not any(line == found.rstrip() for found in lines)]


class Shell:
    """One bash that takes block after block, as a person's terminal does; a command that fails ends it.

    Whatever it started is ended with it: all of it belongs to a session of its own, and a test that is killed takes it
    along.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._heard: list[str] = []
        self._step = 0
        bash = shutil.which("bash") or "bash"
        self._process = subprocess.Popen(
            [bash, "--norc", "--noprofile"],
            cwd=folder,
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        guard(self._process.pid)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._write("set -e -o pipefail\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT_S)
            if self._wait_empty():
                release(self._process.pid)
                break
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._reader.join(STOP_TIMEOUT_S)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def run(self, code: str) -> str:
        """What a block printed; AssertionError with the end of everything that was heard when it failed."""
        self._step += 1
        mark = f"@@@ {self._step} @@@"
        self._write(f"{code}\nprintf '\\n%s\\n' '{mark}'\n")
        printed: list[str] = []
        give_up = time.monotonic() + STEP_TIMEOUT_S
        while True:
            try:
                line = self._lines.get(timeout=max(0.01, give_up - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no end within {STEP_TIMEOUT_S:.0f} s of:\n{code}\n{self._tail()}") from None
            if line is None:
                raise AssertionError(f"a command failed in:\n{code}\n{self._tail()}")
            if line == mark:
                return "\n".join(printed)
            printed.append(line)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError, OSError):
            for line in self._process.stdout:
                self._heard.append(line.rstrip("\n"))
                self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def _write(self, text: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(text)
            self._process.stdin.flush()

    def _tail(self) -> str:
        return "\n".join(self._heard[-TAIL_LINES:])

    def _wait_empty(self) -> bool:
        """Whether nothing of the session is left."""
        give_up = time.monotonic() + STOP_TIMEOUT_S
        while time.monotonic() < give_up:
            try:
                os.killpg(self._process.pid, 0)
            except ProcessLookupError:
                return True
            except PermissionError:
                return False
            time.sleep(0.05)
        return False


def carry_out(page: str, shell: Shell, *, others: Callable[[Block], bool] = lambda block: False) -> list[str]:
    """Run the `sh` blocks of a page and hold each `text` block against what the one before it printed.

    `others` is asked first of each block, and says whether it has dealt with it. Gives the lines that are not true.
    """
    printed = ""
    wrong: list[str] = []
    for block in blocks(page):
        if others(block):
            continue
        if block.language == "sh":
            printed = shell.run(block.code)
        elif block.language == "text":
            wrong += [f"not printed: {line}\nbut:\n{printed}" for line in missing(block.code, printed)]
    return wrong
