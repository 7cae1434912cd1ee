"""A copy of one of our packages with a line of it broken on purpose, and tests that must fail over it."""

import importlib.util
import shutil
from pathlib import Path

from kit.forks import Forks, Ran

Mutant = tuple[str, str, str, str, str]
"""What is broken, in which module, which text, by which, and the tests that notice (with spaces between)."""


def notice(forks: Forks, folder: Path, package: str, mutant: Mutant) -> None:
    """AssertionError unless the mutant's tests fail over a copy of the package, in `folder`, that has the mistake."""
    _, module, whole, broken, tests = mutant
    path = _copy(folder, package) / module
    text = path.read_text(encoding="utf-8")
    assert text.count(whole) == 1, f"expected the mutant's place once in {module}, not {text.count(whole)} times"
    path.write_text(text.replace(whole, broken), encoding="utf-8")
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        compiled.unlink()
    done = _run(forks, folder, tests)
    assert done.status == 1, f"nobody noticed: {done.status}: {done.out[-2000:]}"
    assert " failed" in done.out


def pass_unbroken(forks: Forks, folder: Path, package: str, mutants: list[Mutant]) -> None:
    """AssertionError unless the tests of all mutants pass over a copy as it is: not the copying is what they notice."""
    _copy(folder, package)
    done = _run(forks, folder, " ".join(sorted({mutant[4] for mutant in mutants})))
    assert done.status == 0, done.out[-3000:]


def _run(forks: Forks, folder: Path, tests: str) -> Ran:
    """The named tests with `folder` first on the path, so that the copy of the package in it is the one tested."""
    return forks.pytest(
        folder, "-x", "-q", "-p", "no:cacheprovider", "-p", "pytest_timeout", "--timeout", "30", *tests.split()
    )


def _copy(folder: Path, package: str) -> Path:
    """With what is compiled already, which holds for a copy as long: it has the dates of the whole."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    copy = folder / package
    shutil.copytree(Path(spec.origin).parent, copy)
    return copy
