"""A process that has imported agent and cloud and forks a fresh one for each request: a start without the imports.

For tests that start them often. As a program it reads JSON lines and answers each with a number: a start (`words`,
`folder`, `log`, `mutant`, `env`) with the child's process id, and `ended`, a process id, with its exit status. Its
children are real processes of their own session, as any other. That the command itself starts, others prove.
"""

import contextlib
import gc
import json
import os
import select
import signal
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, NoReturn, Self

ANSWER_TIMEOUT_S = 30
TESTS = Path(__file__).resolve().parents[1]


class Forked:
    """A child of the zygote, with as much of Popen's manner as is needed."""

    stdin = None

    def __init__(self, pid: int, zygote: "Zygote") -> None:
        self.pid = pid
        self._zygote = zygote
        self._status = 0
        self._handle = os.pidfd_open(pid)  # it is there for as long as nobody has asked for its status

    def poll(self) -> int | None:
        """None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float) -> int:
        """Its exit status, as of Popen. TimeoutExpired."""
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
            return self._status
        poller = select.poll()
        poller.register(self._handle, select.POLLIN)
        if not poller.poll(timeout_ms):
            return None
        os.close(self._handle)
        self._handle = -1
        self._status = self._zygote.status_of(self.pid)
        return self._status


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

    def start(self, words: list[str], folder: Path, log: Path, mutant: str = "") -> Forked:
        """A process that runs `tillside` with these words, in our environment, with a deliberate defect if named."""
        request = {"words": words, "folder": str(folder), "log": str(log), "mutant": mutant, "env": dict(os.environ)}
        return Forked(self._ask(request), self)

    def status_of(self, pid: int) -> int:
        """The exit status of a child that has ended."""
        return self._ask({"ended": pid})

    def _ask(self, request: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())


def _serve() -> None:
    import phonenumbers  # noqa: F401 - what the agent loads after its start

    import till_agent.root  # noqa: F401 - the agent itself
    import till_cloud.server  # noqa: F401 - the cloud itself
    from till_drivers.slips.template import default_template

    default_template().compile()
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        sys.stdout.write(f"{_answer(request)}\n")
        sys.stdout.flush()


def _answer(request: dict[str, Any]) -> int:
    if "ended" in request:
        return os.waitstatus_to_exitcode(os.waitpid(request["ended"], 0)[1])
    pid = os.fork()
    if pid == 0:
        _become(request)
    return pid


def _become(request: dict[str, Any]) -> NoReturn:
    status = 1  # as the interpreter's, after an error
    try:
        os.setsid()
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["env"])
        nothing = os.open(os.devnull, os.O_RDONLY)
        log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(nothing, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.argv = ["tillside", *request["words"]]
        if request["mutant"]:
            sys.path.insert(0, str(TESTS))
            from kit.mutants import MUTANTS

            MUTANTS[request["mutant"]]()
        from till_config.main import main

        main()
        status = 0
    except SystemExit as exc:
        status = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
