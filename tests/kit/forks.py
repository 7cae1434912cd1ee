"""A process that has imported pytest and what is heavy, and forks for each run: a run without the start and imports.

For tests that run pytest dozens of times, each over another copy of a package of ours. As a program it reads a JSON
line a run (`folder`, `words`) and answers each, when it has ended, with its exit status. It imports nothing of ours:
a fork imports the copy that it is shown.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn, Self

ROOT = Path(__file__).resolve().parents[2]
RUN_TIMEOUT_S = 90
ANSWER_TIMEOUT_S = RUN_TIMEOUT_S + 30
OUTPUT = "pytest.out"
HEAVY = ("asyncio", "httptools", "httpx", "hypothesis", "jinja2", "msgspec.json", "phonenumbers", "PIL.Image",
         "pygments.lexers", "pytest", "rich.console", "sqlite3", "starlette.applications", "tenacity", "trustme",
         "unittest.mock", "uvicorn", "zoneinfo")  # fmt: skip
"""What most runs import that is not ours. Not the plugin pytest_timeout: pytest rewrites its code as it loads it."""


class Ran:
    """Exit status of a run, and what it printed."""

    def __init__(self, status: int, out: str) -> None:
        self.status = status
        self.out = out


class Forks:
    """Runs the program below from the first run on, for as long as the context lasts."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.communicate(timeout=ANSWER_TIMEOUT_S)

    def pytest(self, folder: Path, *words: str) -> Ran:
        """Run pytest with `folder` first on the path; TimeoutExpired."""
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"folder": str(folder), "words": words}).encode() + b"\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        assert answer, f"expected a status, not the end of the process that forks: {process.wait(ANSWER_TIMEOUT_S)}"
        status = json.loads(answer)
        if status is None:
            raise subprocess.TimeoutExpired(["pytest", *words], RUN_TIMEOUT_S)
        return Ran(status, (folder / OUTPUT).read_text(encoding="utf-8", errors="replace"))

    def _start(self) -> "subprocess.Popen[bytes]":
        # Only the plugin that the settings name: the others take longer to load than the tests to run.
        env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        self._process = subprocess.Popen(
            [sys.executable, __file__], cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self._process


def _serve() -> None:
    sys.path[0] = str(ROOT)  # as `python -m pytest` has it
    for name in HEAVY:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    ours = [name for name in sys.modules if name.startswith("till_")]
    if ours:
        raise RuntimeError(f"expected nothing of ours to be loaded before a fork, not {ours}")
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(request)
        sys.stdout.write(json.dumps(_status_of(pid)) + "\n")
        sys.stdout.flush()


def _status_of(pid: int) -> int | None:
    """Its exit status; None if it was ended for taking too long. Whatever it started and left is ended too."""
    handle = os.pidfd_open(pid)
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    is_in_time = bool(poller.poll(RUN_TIMEOUT_S * 1000))
    os.close(handle)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) if is_in_time else None


def _become(request: dict[str, Any]) -> NoReturn:
    status = 1  # as the interpreter's, after an error such as one of pytest when a test left a socket open
    try:
        os.setsid()
        folder = request["folder"]
        nothing = os.open(os.devnull, os.O_RDONLY)
        out = os.open(f"{folder}/{OUTPUT}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(nothing, 0)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.environ["PYTHONPATH"] = folder  # for the processes that it starts
        sys.path.insert(1, folder)

        import pytest

        status = int(pytest.main(request["words"]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
