"""The shell script by which a bundle begins: which Python of the machine it takes, and what it says of none."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from kit.bundles import THIS_PYTHON
from till_installer.bundle.building import starter

SYSTEM = Path(f"/usr/bin/python{THIS_PYTHON}")
pytestmark = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0 or not SYSTEM.is_file(),
    reason="only root has a Python that others have not",
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """One whose `install.py` only says by which Python it is run."""
    (tmp_path / "install.py").write_text("import sys\nprint(sys.executable)\n")
    script = tmp_path / "install"
    script.write_text(starter((THIS_PYTHON,)))
    script.chmod(0o755)
    return script


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A folder of root's alone with a Python in it, as pyenv has it below /root."""
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    shutil.copy(SYSTEM, folder)
    return folder


def run(bundle: Path, path: object, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": f"{path}:/usr/bin:/bin"}
    return subprocess.run([str(bundle), *words], capture_output=True, text=True, check=False, env=environment)


def test_a_python_that_only_root_may_run_is_passed_over(bundle: Path, private: Path) -> None:
    """The agent's user has to run it: the first one on root's PATH would install a till that never starts."""
    chosen = Path(run(bundle, private).stdout.strip())
    assert chosen.resolve() == SYSTEM.resolve()
    assert private not in chosen.parents


def test_below_another_root_it_is_taken(bundle: Path, private: Path, tmp_path: Path) -> None:
    """Nobody runs it there yet, and who makes the image knows whose it is."""
    chosen = run(bundle, private, "--root", str(tmp_path / "root")).stdout.strip()
    assert chosen == str(private / SYSTEM.name)


def test_where_there_is_no_other_it_says_so(bundle: Path, private: Path) -> None:
    """With its code and what to do."""
    tools = private.with_name("tools")
    tools.mkdir()
    for name in ("dirname", "id"):
        (tools / name).symlink_to(shutil.which(name) or name)
    bundle.write_text(bundle.read_text().replace("/usr/bin/%s", "/nowhere/%s"))
    environment = {"PATH": str(tools), "TILLSIDE_PYTHON": str(private / SYSTEM.name)}
    done = subprocess.run([str(bundle)], capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert "python_private: expected a Python that every user may run" in done.stderr
