"""A process that has imported the journal and forks a life for each request: strace makes imports take most of a start.

As a program it reads JSON lines (`what`, `folder`, `mutant`, `out`) and answers each with a process id. That process
waits until strace has taken hold of it, and then lives: `day` of journal_child.py, or `salvage` of salvage_child.py.
"""

import asyncio
import atexit
import contextlib
import ctypes
import functools
import gc
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

from faults.journal import journal_child, journal_mutants, salvage_child
from till_agent.journal import connect

HELD_ERROR = "EXDEV"
HELD = ("-e", f"inject=getpgid:error={HELD_ERROR}")
"""By this a process knows that strace has its calls in hand: asking for a process group fails, as it never does. strace
changes only calls that it is told to trace."""
WAIT_S = 60
ANY_TRACER = ctypes.c_ulong(-1)
PR_SET_PTRACER = 0x59616D61
"""Where the system lets only parents trace, as Ubuntu's does, a process may allow others to trace it."""


def live_under(what: str, folder: Path, options: tuple[str, ...], mutant: str = "") -> list[str]:
    """A life under strace with these options, which write to the file `trace` in the folder; the lines it said."""
    out = folder.with_name(f"{folder.name}.out")
    pid = _nest().start({"what": what, "folder": str(folder), "mutant": mutant, "out": str(out)})
    handle = os.pidfd_open(pid)  # it waits, so it is there
    # Without --seccomp-bpf, with which strace forgets to send the signal of a later call than the first.
    traced = [f"{option},getpgid" if option.startswith("trace=") else option for option in options]
    strace = ["strace", "-f", "-qq", "-o", str(folder / "trace"), *traced, *HELD, "-p", str(pid)]
    try:
        subprocess.run(strace, check=False, capture_output=True, timeout=WAIT_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        os.close(handle)
    said = out.read_text(encoding="utf-8").splitlines()
    out.unlink()
    return said


class Nest:
    """Runs the program below until this process ends."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        atexit.register(self._close)

    def start(self, request: dict[str, Any]) -> int:
        """The process id of a life that waits for strace."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def _close(self) -> None:
        self._process.communicate(timeout=WAIT_S)


@functools.cache
def _nest() -> Nest:
    from faults.journal.journal_faults import environment

    return Nest(environment())


def _serve() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a life ended
    gc.freeze()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _live(json.loads(line))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _live(request: dict[str, Any]) -> NoReturn:
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(os.open(request["out"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), 1)
        _wait_for_strace()
        if request["mutant"]:
            journal_mutants.break_it(request["mutant"])
        if request["what"] == "day":
            connect.LOG_BYTES = journal_child.SHORT_LOG_BYTES
            asyncio.run(journal_child.day(Path(request["folder"])))
        else:
            asyncio.run(salvage_child.main(Path(request["folder"])))
    except BaseException:  # it has no other way to tell; some lives are meant to end so
        traceback.print_exc()
    finally:
        os._exit(0)


def _wait_for_strace() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANY_TRACER, 0, 0, 0)
    give_up = time.monotonic() + WAIT_S
    while time.monotonic() < give_up:
        try:
            os.getpgid(0)
        except OSError:
            return
        time.sleep(0.001)
    raise TimeoutError("expected strace to take hold")


if __name__ == "__main__":
    _serve()
