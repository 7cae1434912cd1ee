"""What others take for the same work: PouchDB replicating to a peer over HTTP, and two queues on SQLite.

Their packages are put under build/ the first time; nothing of them is part of this project. `Missing` says in one line
why they can't be measured here.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).resolve().parents[1] / "peers"
BUILD = Path(__file__).resolve().parents[2] / "build" / "bench-peers"
QUEUE_PACKAGES = ("persist-queue==1.1.0", "litequeue==0.9")
INSTALL_TIMEOUT_S = 240
READY_TIMEOUT_S = 30
QUEUES_TIMEOUT_S = 120
SYNC = re.compile(r"\bf(?:data)?sync\(")
"""Not the second half of a call that strace saw in two."""


class Missing(Exception):  # noqa: N818 - says what is not there; nothing went wrong
    """Raised when a peer can't be had here: no node, no registry."""


def install_pouch() -> Path:
    """The folder with PouchDB's packages and our two scripts; Missing."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Missing("PouchDB is left out: expected node and npm on the path")
    BUILD.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "source.js", "peer.js"):
        shutil.copy2(HERE / name, BUILD / name)
    if not (BUILD / "node_modules" / "express-pouchdb").is_dir():
        _run("PouchDB", ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"])
    return BUILD


def install_queues() -> Path:
    """The Python of a venv that has both queues; Missing."""
    venv = BUILD / "queues"
    python = venv / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not (venv / "installed").exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        _run("queues", [sys.executable, "-m", "venv", str(venv)])
        _run("queues", [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *QUEUE_PACKAGES])
        (venv / "installed").touch()
    return python


def _run(name: str, words: list[str]) -> None:
    try:
        done = subprocess.run(words, cwd=BUILD, capture_output=True, timeout=INSTALL_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{name} left out: {words[0]}: {error}") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise Missing(f"{name} left out: `{Path(words[0]).name}` failed: {said[-1][:200]}")


def queues(folder: Path, documents: Path, count: int) -> dict[str, dict[str, float]]:
    """Items a second put and taken, by queue; Missing."""
    folder.mkdir()
    words = [str(install_queues()), str(HERE / "queues.py"), str(folder), str(documents), str(count)]
    try:
        done = subprocess.run(words, capture_output=True, timeout=QUEUES_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise Missing(f"queues left out: {count} items took over {QUEUES_TIMEOUT_S} s") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if done.returncode != 0:
        raise RuntimeError(f"the queues failed: {done.stderr.decode(errors='replace')[-1000:]}")
    found: dict[str, dict[str, float]] = json.loads(done.stdout)
    return found


class Pouch:
    """Two node processes: a source and its peer. `stop` ends both."""

    def __init__(self, folder: Path, documents: Path) -> None:
        build = install_pouch()
        self._folder = folder
        folder.mkdir()
        self._log = (folder / "node.log").open("wb")
        self.peer = self._start(build, "peer.js", str(folder))
        port = self._answer(self.peer)["port"]
        url = f"http://127.0.0.1:{port}/target"
        self.source = self._start(build, "source.js", str(folder), url, str(documents))

    def fill(self, count: int) -> None:
        """Documents more at the source."""
        self._ask(f"fill {count}")

    def replicate(self, batch: int, expected: int) -> float:
        """Seconds until the peer has what the source has."""
        found = self._ask(f"replicate {batch}")
        if found["written"] != expected or found["failed"]:
            raise RuntimeError(f"expected {expected} documents at the peer, not {found}")
        return float(found["seconds"])

    def stop(self) -> None:
        """End both processes and remove their files."""
        for child in (self.source, self.peer):
            if child.stdin is not None:
                child.stdin.close()
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if child.stdout is not None:
                child.stdout.close()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, build: Path, *words: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            ["node", *words], cwd=build, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log
        )

    def _ask(self, task: str) -> dict[str, Any]:
        stream: IO[bytes] | None = self.source.stdin
        if stream is None:
            raise RuntimeError("expected the source to listen")
        stream.write(f"{task}\n".encode())
        stream.flush()
        return self._answer(self.source)

    def _answer(self, child: "subprocess.Popen[bytes]") -> dict[str, Any]:
        line = child.stdout.readline() if child.stdout is not None else b""
        if not line:
            raise RuntimeError(f"node ended: {(self._folder / 'node.log').read_text(errors='replace')[-1000:]}")
        found: dict[str, Any] = json.loads(line)
        return found


class Syncs:
    """Counts fsync and fdatasync of running processes by strace; `available` says whether that can be done here."""

    available = shutil.which("strace") is not None

    def __init__(self, folder: Path, pids: dict[str, int]) -> None:
        self._files = {name: folder / f"syncs-{name}.txt" for name in pids}
        self._tracers = {
            name: subprocess.Popen(
                ["strace", "-f", "-e", "trace=fsync,fdatasync", "-o", str(self._files[name]), "-p", str(pid)],
                stderr=subprocess.DEVNULL,
            )
            for name, pid in pids.items()
        }
        time.sleep(1.0)  # until it has hold of every thread

    def stop(self) -> dict[str, int]:
        """Syncs by process."""
        found = {}
        for name, tracer in self._tracers.items():
            tracer.send_signal(signal.SIGINT)
            tracer.wait(READY_TIMEOUT_S)
            text = self._files[name].read_text(encoding="utf-8", errors="replace")
            found[name] = len(SYNC.findall(text))
        return found
