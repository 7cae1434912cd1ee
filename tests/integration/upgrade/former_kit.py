"""Programs of 0.1.0 itself: its packages as they were released, run in processes of their own (`code.tar.xz`)."""

import contextlib
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from integration.upgrade.upgrade_kit import GOLDEN

PACKAGES = ("loyalty", "config", "sync", "drivers", "agent", "cloud")
LOOK = Path(__file__).with_name("former_look.py")
READY_S = 60.0
STOP_S = 30.0
SCRIPT_S = 100.0


class Former:
    """The unpacked code."""

    def __init__(self, folder: Path) -> None:
        with tarfile.open(GOLDEN / "code.tar.xz") as archive:
            archive.extractall(folder, filter="data")
        path = os.pathsep.join(str(folder / package) for package in PACKAGES)
        self._environment = os.environ | {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}

    def command(self, *words: object, status: int | None = 0) -> "subprocess.CompletedProcess[str]":
        """`tillside` of then, to its end."""
        return self._run(["-m", "till_config", *map(str, words)], status)

    def look(self, state_dir: Path) -> dict[str, Any]:
        """What it finds in a journal; see `former_look.py`."""
        return json.loads(self._run([str(LOOK), str(state_dir)], 0).stdout)

    @contextlib.contextmanager
    def agent(self, config: Path, log: Path) -> Iterator[int]:
        """Its agent, running; gives the bridge's port."""
        with self._serving(["agent", "run", "--config", str(config)], log) as port:
            yield port

    @contextlib.contextmanager
    def cloud(self, database: Path, log: Path) -> Iterator[int]:
        """Its cloud, serving; gives the port."""
        with self._serving(["cloud", "run", "--db", str(database), "--port", "0"], log) as port:
            yield port

    def _run(self, words: list[str], status: int | None) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, *words],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=SCRIPT_S,
        )
        assert status is None or done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
        return done

    @contextlib.contextmanager
    def _serving(self, words: list[str], log: Path) -> Iterator[int]:
        ready = log.with_suffix(".ready")
        with log.open("ab") as told:
            process = subprocess.Popen(
                [sys.executable, "-m", "till_config", *words, "--ready-file", str(ready)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
            )
        try:
            yield _port(ready, process, log)
        finally:
            process.terminate()
            try:
                ended = process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
        assert ended in (0, -15), log.read_text("utf-8", "replace")[-3000:]


def _port(ready: Path, process: "subprocess.Popen[bytes]", log: Path) -> int:
    give_up = time.monotonic() + READY_S
    while time.monotonic() < give_up and process.poll() is None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            return int(json.loads(ready.read_bytes())["port"])
        time.sleep(0.02)
    raise AssertionError(f"0.1.0 did not come up: {log.read_text('utf-8', 'replace')[-3000:]}")
