"""Fills a virtual environment from a lock file. The Makefile and .ci/run call it; it needs Python 3.11, nothing else.

    python requirements/install.py .venv                              # for development: dev.lock, this tree editable
    python requirements/install.py .venv-wheel --wheel dist/x.whl     # the same, but the wheel instead of this tree
    python requirements/install.py .venv-till --wheel dist/x.whl --lock requirements/till.lock

What is there already is left alone: a stamp in the environment holds a digest of all that went into it. Two calls at
once wait for each other. Packages come from wherever this machine's pip is told to look, and only by the lock's hashes.
"""

import argparse
import contextlib
import ctypes.util
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
STAMP = ".tillside-stamp"
MINIMUM = (3, 11)
STATUS_INTERRUPTED = 130
"""What shells give to a command that ended by Ctrl-C."""


def main() -> int:
    """Install, or see that it was done; gives the exit status."""
    parser = argparse.ArgumentParser(description="Fill a virtual environment from a lock file.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--wheel", type=Path, help="install this wheel; without it, this tree is installed editable")
    parser.add_argument("--lock", type=Path, default=HERE / "dev.lock")
    options = parser.parse_args()
    if sys.version_info < MINIMUM:
        return fail("Tillside needs Python 3.11 or later: make PYTHON=/path/to/python3.11")
    folder = options.folder.absolute()
    with one_at_a_time():
        try:
            fill(folder, options.lock, options.wheel)
        except subprocess.CalledProcessError as error:
            return fail(f"could not fill {folder.name}; what went wrong is said above (status {error.returncode})")
        except KeyboardInterrupt:
            say("Stopped.")
            return STATUS_INTERRUPTED
    return 0


def fill(folder: Path, lock: Path, wheel: Path | None) -> None:
    """Make `folder` hold what the lock and the wheel (or this tree) say."""
    stamp = folder / STAMP
    base = f"{folder} {sys.version}\n"
    wanted = base + digest(lock, HERE / "bootstrap.lock", wheel or ROOT / "pyproject.toml") + "\n"
    found = stamp.read_text("utf-8") if stamp.exists() else ""
    if found == wanted:
        return
    say(f"Installing what Tillside needs into {folder.name} ...")
    # An environment can't be moved, nor outlive its Python.
    if not works(folder) or (found and not found.startswith(base)):
        shutil.rmtree(folder, ignore_errors=True)
        create(folder)
    stamp.unlink(missing_ok=True)
    python = str(python_of(folder))
    if not succeeds([python, "-m", "pip", "--version"]):
        run([python, "-m", "ensurepip"])
    install_locked(python, lock)
    own = ["--force-reinstall", str(wheel)] if wheel else ["--no-build-isolation", "--editable", str(ROOT)]
    run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", *own])
    if not wheel and ctypes.util.find_library("zbar") is None:
        say("libzbar is not on this machine: only cameras would use it, and they do without.")
    stamp.write_text(wanted, "utf-8")


def create(folder: Path) -> None:
    """A new environment; says what is missing where this Python can't make one."""
    try:
        venv.create(folder, with_pip=True)
    except (subprocess.CalledProcessError, ImportError, OSError) as error:
        say("This Python can't make virtual environments; on Debian, install its venv package (python3-venv).")
        status = error.returncode if isinstance(error, subprocess.CalledProcessError) else 1
        raise subprocess.CalledProcessError(status, "venv") from error


def install_locked(python: str, lock: Path) -> None:
    """Exactly what the lock names, by uv, which is six times faster; by pip where uv finds no way."""
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    # Run by an environment that this program has filled, it uses that one's uv.
    has_uv = (Path(sys.prefix) / STAMP).exists() and importlib.util.find_spec("uv") is not None
    if not has_uv:
        run([*pip, "-r", str(HERE / "bootstrap.lock")])
    runs_uv = sys.executable if has_uv else python
    sync = [runs_uv, "-m", "uv", "pip", "sync", "--quiet", "--python", python, "--require-hashes", str(lock)]
    if not succeeds(sync, env=uv_environment(python), quiet=False):
        say("uv could not; trying pip, which takes longer ...")
        run([*pip, "-r", str(lock)])


def uv_environment(python: str) -> dict[str, str]:
    """uv doesn't read pip's settings: where they name another index, it is told so."""
    environment = dict(os.environ)
    if not any(name in environment for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE")):
        asked = subprocess.run(
            [python, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False
        )
        index = environment.get("PIP_INDEX_URL") or asked.stdout.strip()
        if index:
            environment["UV_DEFAULT_INDEX"] = index
    return environment


def python_of(folder: Path) -> Path:
    """The environment's interpreter."""
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def works(folder: Path) -> bool:
    """Whether there is an environment whose Python still starts."""
    return python_of(folder).exists() and succeeds([str(python_of(folder)), "-c", ""])


def digest(*files: Path) -> str:
    """One digest of the contents of all `files`."""
    total = hashlib.sha256()
    for file in files:
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two makes at once must not fill the same environment; the lock is on this folder and leaves nothing behind."""
    if os.name == "nt":
        yield
        return
    import fcntl

    descriptor = os.open(HERE, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def run(command: list[str]) -> None:
    """Run a command; raises CalledProcessError when it fails."""
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def succeeds(command: list[str], *, env: dict[str, str] | None = None, quiet: bool = True) -> bool:
    """Whether a command ends with 0."""
    sink = subprocess.DEVNULL if quiet else None
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=env)
    return done.returncode == 0


def say(text: str) -> None:
    """One line for whoever waits."""
    sys.stderr.write(text + "\n")


def fail(text: str) -> int:
    """One line, and the status of a failure."""
    say(text)
    return 1


if __name__ == "__main__":
    sys.exit(main())
