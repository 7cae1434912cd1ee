"""The repository as the house tests read it: its files as text, its Python files as syntax trees."""

import ast
import gc
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("agent", "loyalty", "drivers", "sync", "cloud", "config", "installer")
PACKAGES = tuple(f"till_{folder}" for folder in FOLDERS)


RULED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Raise, ast.Assert, ast.Call, ast.Import, ast.ImportFrom)
"""What rules for every module look for."""


class Module(NamedTuple):
    """One Python file. `path` is relative to the root and written with `/`; `nodes` are those of the tree in RULED."""

    path: str
    text: str
    tree: ast.Module
    nodes: tuple[ast.AST, ...]

    @property
    def is_ours(self) -> bool:
        """Whether it belongs to a package that is shipped, not to tests, benchmarks or tools."""
        return self.path.startswith(tuple(f"{folder}/" for folder in FOLDERS))


@cache
def files() -> tuple[str, ...]:
    """Every file that is or will be in the repository: git's list, else all but what is hidden or made."""
    try:
        listed = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            capture_output=True,
            check=True,
        )
        names = listed.stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        names = list(_walk(ROOT))
    return tuple(sorted(name for name in names if name and (ROOT / name).is_file()))


def _walk(folder: Path) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.name.startswith(".") or entry.name in {"build", "dist", "__pycache__"}:
            continue
        if entry.is_dir():
            yield from _walk(entry)
        else:
            yield entry.relative_to(ROOT).as_posix()


@cache
def texts() -> dict[str, str]:
    """Every file that is text, by its path. Lock files are left out: they are made, and long."""
    found: dict[str, str] = {}
    for name in files():
        if not name.endswith(".lock"):
            try:
                found[name] = (ROOT / name).read_text("utf-8")
            except UnicodeDecodeError:
                continue
    return found


@cache
def modules() -> tuple[Module, ...]:
    """Every Python file."""
    gc.disable()  # millions of nodes, and none of them is garbage
    try:
        return tuple(_module(name, text) for name, text in texts().items() if name.endswith(".py"))
    finally:
        gc.enable()
        gc.freeze()


def _module(name: str, text: str) -> Module:
    tree = ast.parse(text, name)
    return Module(name, text, tree, tuple(node for node in ast.walk(tree) if isinstance(node, RULED)))


def ours() -> tuple[Module, ...]:
    """Every Python file that is shipped."""
    return tuple(module for module in modules() if module.is_ours)


def report(findings: list[str]) -> None:
    """Fail with the list of findings, one a line, when there is any."""
    assert not findings, "\n" + "\n".join(findings)
