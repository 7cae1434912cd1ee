"""A copy of one of our packages with a line of it broken on purpose, and tests that must fail over it."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
Mutant = tuple[str, str, str, str, str]
"""What is broken, in which module, which text, by which, and the tests that notice (with spaces between)."""


def notice(folder: Path, package: str, mutant: Mutant) -> None:
    """AssertionError unless the mutant's tests fail over a copy of the package, in `folder`, that has the mistake."""
    _, module, whole, broken, tests = mutant
    path = _copy(folder, package) / module
    text = path.read_text(encoding="utf-8")
    assert text.count(whole) == 1, f"expected the mutant's place once in {module}, not {text.count(whole)} times"
    path.write_text(text.replace(whole, broken), encoding="utf-8")
    done = _run(folder, tests)
    assert done.returncode == 1, f"nobody noticed: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    assert " failed" in done.stdout


def pass_unbroken(folder: Path, package: str, mutants: list[Mutant]) -> None:
    """AssertionError unless the tests of all mutants pass over a copy as it is: not the copying is what they notice."""
    _copy(folder, package)
    done = _run(folder, " ".join(sorted({mutant[4] for mutant in mutants})))
    assert done.returncode == 0, done.stdout[-3000:]


def _run(folder: Path, tests: str) -> subprocess.CompletedProcess[str]:
    """The named tests with `folder` first on the path, so that the copy of the package in it is the one tested."""
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "pytest_timeout", "--timeout", "30"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests.split()],
        cwd=ROOT,
        # Only the plugin that the settings name: the others take longer to load than the tests to run.
        env={**os.environ, "PYTHONPATH": str(folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def _copy(folder: Path, package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    copy = folder / package
    shutil.copytree(Path(spec.origin).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy
