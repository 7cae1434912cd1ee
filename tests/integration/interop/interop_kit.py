"""Programs of others that speak or read ESC/POS, put under build/ at their first use. Where they can't be had: skip."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
BUILD = Path(__file__).resolve().parents[3] / "build" / "interop"
RECEIPTIO = "receiptio@2.1.2"
EMUPOS = "emupos==0.4.0"
INSTALL_TIMEOUT_S = 100
READ_TIMEOUT_S = 60
TYPE_ALIAS = re.compile(r"^type (\w+) = ", re.MULTILINE)
"""`type Name = ...` of Python 3.12; before it, a plain assignment says the same."""


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
    """Other workers of this run wait until the first has installed it."""
    if sys.platform == "win32":
        pytest.skip("other people's programs are tried on Linux only")
    import fcntl

    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(name: str, words: list[str], *, cwd: Path) -> None:
    try:
        done = subprocess.run(words, cwd=cwd, capture_output=True, timeout=INSTALL_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as exc:
        pytest.skip(f"{name} can't be had here: {exc}")
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        pytest.skip(f"{name} can't be had here: {said[-1][:200]}")


def receiptio() -> Path:
    """The `node_modules` with receiptio, a printing client of the makers of ReceiptLine."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("receiptio can't be had here: expected node and npm on the path")
    home = BUILD / "receiptio"
    with _alone("receiptio"):
        if not (home / "installed").exists():
            home.mkdir(exist_ok=True)
            (home / "package.json").write_text('{"private": true}\n', encoding="utf-8")
            plain = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"]
            _install("receiptio", ["npm", "install", *plain, RECEIPTIO], cwd=home)
            (home / "installed").touch()
    return home / "node_modules"


def emupos() -> Path:
    """The folder with emupos, a simulator of shop devices. It asks for Python 3.13; its printer needs 3.12 or, once its
    `type` statements are plain assignments, less. Its daemon and its settings are not used.
    """
    home = BUILD / "emupos"
    with _alone("emupos"):
        if not (home / "installed").exists():
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            where = ["--no-deps", "--ignore-requires-python", "--upgrade", "--target", str(home)]
            _install("emupos", [*pip, *where, EMUPOS], cwd=BUILD)
            for source in (home / "emupos").rglob("*.py"):
                source.write_text(TYPE_ALIAS.sub(r"\1 = ", source.read_text(encoding="utf-8")), encoding="utf-8")
            (home / "installed").touch()
    return home


def read_by_emupos(slips: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What emupos makes of each `{"data": hex, "width_dots": int}`: `text`, `png` (hex), `unknown` commands."""
    done = subprocess.run(
        [sys.executable, str(HERE / "read_by_emupos.py")],
        input=json.dumps(slips),
        capture_output=True,
        text=True,
        timeout=READ_TIMEOUT_S,
        check=False,
        env=os.environ | {"PYTHONPATH": str(emupos())},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
