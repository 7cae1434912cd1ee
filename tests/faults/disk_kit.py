"""An agent on a small disk, or one whose system calls fail for a while."""

import contextlib
import functools
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.processes import COMMAND, Part
from kit.waiting import wait_for
from kit.world import Till

JAIL = Path(__file__).with_name("disk_jail.py")


@functools.cache
def can_mount() -> bool:
    """May this user make a file system of its own?"""
    if shutil.which("unshare") is None:
        return False
    probe = ["unshare", "-Urm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(probe, capture_output=True, check=False, timeout=20).returncode == 0


needs_mount = pytest.mark.skipif(not can_mount(), reason="no user may mount a tmpfs of its own here (unshare -Urm)")


class Jailed(Part):
    """A till's agent on a disk with so much room. What it left is in `out` once it has stopped."""

    def __init__(self, till: Till, free_kib: int) -> None:
        self.name = till.name
        self.ready_file = till.folder / f"{till.name}.ready"
        self.log = till.folder / f"{till.name}.log"
        self.ready_file.unlink(missing_ok=True)
        self.out = till.folder / f"{till.name}.out"
        agent = [*COMMAND, "agent", "run", "--config", str(till.config), "--ready-file", str(self.ready_file)]
        jail = ["unshare", "-Urm", sys.executable, str(JAIL), str(till.state_dir), str(self.out), str(free_kib)]
        with self.log.open("ab") as log:
            self.process: subprocess.Popen[bytes] = subprocess.Popen(
                [*jail, *agent], cwd=till.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )

    def order(self, word: str) -> None:
        """`fill` or `free`, and wait until that is done."""
        self.tell(word)
        stream = self.process.stdout
        assert stream is not None
        assert stream.readline() == b"done\n"

    def end(self) -> None:
        """The pipe too."""
        super().end()
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextlib.contextmanager
def failing(pid: int, inject: str, trace: Path) -> Iterator[None]:
    """Within the context these calls of a running process fail: `inject` in strace's words."""
    calls = inject.split(":", 1)[0]
    command = ["strace", "-f", "-qq", "-y", "-o", str(trace), "-e", f"trace={calls},close", "-e", f"inject={inject}"]
    tracer = subprocess.Popen([*command, "-p", str(pid)], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: _is_traced(pid), "strace to hold the process")
        yield
    finally:
        tracer.terminate()
        tracer.wait(20)


def _is_traced(pid: int) -> bool:
    """Every thread has a tracer."""
    found = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    return bool(found) and all("TracerPid:\t0\n" not in text for text in found)


def settle() -> None:
    """Room for the log is made in the first pause, a quarter of a second after the start."""
    time.sleep(0.6)
