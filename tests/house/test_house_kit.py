"""What the tests themselves are made of holds: they leave nothing behind, and what was left is found."""

import asyncio
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from kit.loops import run
from kit.processes import marked
from kit.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
IN_A_SHELL = """
import sys
from pathlib import Path
sys.path.insert(0, "tests")
from house.shell import Shell
with Shell(Path(sys.argv[1]), {}) as shell:
    shell.run("while :; do sleep 0.1; done & touch begun")
    shell.run("until test -e never; do sleep 0.1; done")
"""
IN_A_PART = """
import sys
from pathlib import Path
sys.path.insert(0, "tests")
from kit.processes import Part
folder = Path(sys.argv[1])
Part("listener", "simulate", "printer", "--tcp", "0", folder=folder).facts()
(folder / "begun").touch()
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32" or shutil.which("bash") is None, reason="asks /proc, and plays pages")
@pytest.mark.parametrize("code", [IN_A_SHELL, IN_A_PART], ids=["a page's shell", "a process"])
def test_what_a_test_has_started_ends_with_a_test_that_is_killed(tmp_path: Path, code: str) -> None:
    """At once: no loop of a page and no agent lives on, to be met by the next run."""
    mark = f"TILLSIDE_MARK={uuid.uuid4().hex}"
    words = ["env", mark, sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE) as test:
        try:
            wait_for((tmp_path / "begun").exists, "the test to have begun")
            assert len(marked(mark)) > 1
        finally:
            test.kill()
    wait_for(lambda: not marked(mark), "all to be gone")


def test_a_task_that_a_test_leaves_behind_fails_it() -> None:
    """It would go on in the next one, or be dropped without a word."""

    async def leaves() -> "asyncio.Task[None]":
        return asyncio.create_task(asyncio.sleep(60))

    with pytest.raises(AssertionError, match="left running"):
        run(leaves())
