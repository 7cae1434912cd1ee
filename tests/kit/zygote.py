"""A process that has imported the agent and forks a fresh one for each request: a start without the imports.

For tests that start the agent hundreds of times. As a program it reads a JSON line a start (`words`, `folder`, `log`)
and answers each with the child's process id; its children are real processes of their own session, as any other.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

ANSWER_TIMEOUT_S = 30


class Forked:
    """A child of the zygote, with as much of Popen's manner as is needed."""

    stdin = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._handle = os.pidfd_open(pid)
        except ProcessLookupError:
            self._handle = -1

    def poll(self) -> int | None:
        """None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float) -> int:
        """0 when it has ended: its exit status is the zygote's to know. TimeoutExpired."""
        ended = self._ended(int(timeout * 1000))
        if ended is None:
            raise subprocess.TimeoutExpired([str(self.pid)], timeout)
        return ended

    def send_signal(self, number: signal.Signals) -> None:
        """To this very process: a handle can't come to mean another one. One that has just ended needs no signal."""
        if self._handle >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        """At once."""
        if self.poll() is None:
            self.send_signal(signal.SIGKILL)

    def _ended(self, timeout_ms: int) -> int | None:
        if self._handle < 0:
            return 0
        poller = select.poll()
        poller.register(self._handle, select.POLLIN)
        if not poller.poll(timeout_ms):
            return None
        os.close(self._handle)
        self._handle = -1
        return 0


class Zygote:
    """Runs the program below for as long as the context lasts. May be used from several threads."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._turn = threading.Lock()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(ANSWER_TIMEOUT_S)
        self._process.stdout.close()

    def start(self, words: list[str], folder: Path, log: Path) -> Forked:
        """A process that runs `tillside` with these words."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"words": words, "folder": str(folder), "log": str(log)}
        with self._turn:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            return Forked(int(self._process.stdout.readline()))


def _serve() -> None:
    import phonenumbers  # noqa: F401 - what the agent loads after its start

    import till_agent.root  # noqa: F401 - the agent itself
    from till_drivers.slips.template import default_template

    default_template().compile()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are not waited for
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(request)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _become(request: dict[str, Any]) -> None:
    from till_config.main import main

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.chdir(request["folder"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.argv = ["tillside", *request["words"]]
    try:
        main()
    finally:
        sys.stderr.flush()
        os._exit(0)


if __name__ == "__main__":
    _serve()
