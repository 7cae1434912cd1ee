"""Makes the folder of a version from a bundle. In a bundle this very file is `install.py`.

It needs Python 3.11 or later with venv, and nothing else: no network, no compiler, no pip, no ensurepip. What it makes
is a virtual environment at its final place, in which everything else is done: `tillside setup install`.

A folder without `complete.json` is one whose making was interrupted; it is made anew. Nothing here touches the version
that runs.

Exit statuses: 0 done; 1 could not be done; 2 wrong words; 3 the bundle is refused.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any, NoReturn

COMPLETE_FILE = "complete.json"
"""Last to be written into a version's folder: digest of the bundle, and of each file."""
KEPT_BUNDLE = "bundle"
"""In a version's folder: the bundle itself, from which `repair` mends."""
SPACE_FACTOR = 4
"""Bundle, its kept copy, and what is unpacked and compiled take 3.2 times its size; measured, and some air."""
START_TIMEOUT_S = 60
PIP_TIMEOUT_S = 900
"""A till with a slow disk takes a minute."""
LEFT_OUT = ("pip", "setuptools")
"""Named by dependencies for commands of theirs that no till has; they would double the folder's files."""


class RefusedError(Exception):
    """Raised when a version can't be made; `code` is stable, the message says what to do."""

    def __init__(self, code: str, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def read_bundle(folder: Path) -> tuple[dict[str, Any], str]:
    """`bundle.json`, and its digest. RefusedError."""
    try:
        data = (folder / "bundle.json").read_bytes()
        bundle: dict[str, Any] = json.loads(data)
        is_known = bundle["format"] == 1
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise RefusedError("bundle_format", f"expected a bundle in {folder}: {exc}; copy it again", 3) from exc
    if not is_known:
        raise RefusedError("bundle_format", f"expected a bundle of format 1, not {bundle['format']!r}", 3)
    return bundle, hashlib.sha256(data).hexdigest()


def check_files(folder: Path, bundle: dict[str, Any]) -> None:
    """Each file as `bundle.json` has it. Whose bundle it is, is checked by who knows the keys. RefusedError."""
    for each in bundle["files"]:
        path = folder / each["path"]
        if path.is_symlink() or not path.is_file():
            raise RefusedError("bundle_missing", f"expected {each['path']} in the bundle; copy it again", 3)
        if hash_file(path) != each["sha256"]:
            raise RefusedError("bundle_altered", f"expected {each['path']} as it was signed; copy the bundle again", 3)


def check_machine(bundle: dict[str, Any]) -> None:
    """RefusedError when this machine or this Python is not one that the bundle is for."""
    if bundle["platform"] != "linux" or platform.system() != "Linux" or platform.machine() != bundle["machine"]:
        here = f"{platform.system().lower()} {platform.machine()}"
        message = f"expected {bundle['platform']} {bundle['machine']}, not {here}: take the bundle for this machine"
        raise RefusedError("bundle_platform", message, 3)
    name, version = platform.libc_ver()
    if bundle.get("libc") and (name != "glibc" or _numbers(version) < _numbers(bundle["libc"])):
        message = (
            f"expected glibc {bundle['libc']} or later, not {name or 'another library'} {version}: upgrade the system"
        )
        raise RefusedError("bundle_libc", message, 3)
    if this_python() not in bundle["pythons"]:
        known = ", ".join(bundle["pythons"])
        message = f"expected one of Python {known}, not {this_python()}: install one (apt-get install python3)"
        raise RefusedError("bundle_python", message, 3)


def this_python() -> str:
    """3.11 and so on."""
    return sysconfig.get_python_version()


def is_complete(folder: Path, bundle_digest: str) -> bool:
    """Whether the folder is that bundle's version, made to the end, by a Python that still starts it."""
    complete = read_complete(folder)
    return complete is not None and complete["bundle"] == bundle_digest and complete["python"] == python_of(folder)


def python_of(folder: Path) -> str:
    """3.11 and so on: of the Python that a version's folder leads to now; "" when there is none, or none that starts.

    The distribution may take the one away that a version was made with, or put another in its place.
    """
    words = ["-I", "-S", "-c", "import sys; print('{}.{}'.format(*sys.version_info))"]
    try:
        done = subprocess.run(  # noqa: S603 - the interpreter of a version of ours
            [str(folder / "bin/python"), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=START_TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def read_complete(folder: Path) -> dict[str, Any] | None:
    """`complete.json` of a version's folder; None for one that was not made to the end."""
    try:
        value: dict[str, Any] = json.loads((folder / COMPLETE_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return value if {"bundle", "python", "files"} <= value.keys() else None


def make_version(bundle_folder: Path, versions: Path, in_use: frozenset[str] = frozenset(), say: Any = None) -> Path:
    """The folder of the bundle's version, made now unless it is there. RefusedError.

    `in_use`: names of versions that run or are kept to go back to, whose folder is not made anew unless its Python has
    gone: then its own bundle makes it, also where that lies in the folder itself.
    """
    bundle, bundle_digest = read_bundle(bundle_folder)
    folder = versions / str(bundle["version"])
    if is_complete(folder, bundle_digest):
        return folder
    complete = read_complete(folder)
    if complete is not None and (complete["bundle"] != bundle_digest or complete["python"] == python_of(folder)):
        if folder.name in in_use:
            message = f"version {folder.name} is installed with other contents; "
            message += f"run `tillside setup repair --bundle {bundle_folder}`"
            raise RefusedError("version_differs", message)
        if folder.resolve() in bundle_folder.resolve().parents:
            raise RefusedError("version_damaged", f"expected {folder} to be whole; run `tillside setup repair`")
    check_machine(bundle)
    check_files(bundle_folder, bundle)
    _check_space(versions, bundle)
    tell = say or (lambda _: None)
    try:
        _make(folder, bundle_folder, bundle, bundle_digest, tell)
    except OSError as exc:
        message = (
            f"expected to write {exc.filename or folder}: {exc.strerror}; make room or run as root, then run this again"
        )
        raise RefusedError("not_written", message) from exc
    return folder


def _make(folder: Path, bundle_folder: Path, bundle: dict[str, Any], bundle_digest: str, tell: Any) -> None:
    import venv

    kept = folder / KEPT_BUNDLE
    is_own = bundle_folder.resolve() == kept.resolve()
    _clear(folder, with_bundle=not is_own)
    folder.mkdir(parents=True, exist_ok=True)
    tell(f"making {folder}")
    venv.EnvBuilder(symlinks=True, with_pip=False).create(folder)
    for name in () if is_own else ("bundle.json", "bundle.json.sig", *(each["path"] for each in bundle["files"])):
        if (bundle_folder / name).exists():
            (kept / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(bundle_folder / name, kept / name)
    tell("unpacking packages")
    _install_packages(folder, kept)
    _open_to_all(folder)
    tell("writing down what is there")
    complete = {"bundle": bundle_digest, "python": this_python(), "files": list_files(folder)}
    os.sync()
    draft = folder / f".{COMPLETE_FILE}"
    with draft.open("w", encoding="utf-8") as file:
        json.dump(complete, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / COMPLETE_FILE)


def _clear(folder: Path, *, with_bundle: bool) -> None:
    """Out of use first. The bundle that it is to be made from stays: a run that is cut off can be done again."""
    (folder / COMPLETE_FILE).unlink(missing_ok=True)
    if with_bundle:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink() and path.name != KEPT_BUNDLE:
            shutil.rmtree(path)
        elif path.name != KEPT_BUNDLE:
            path.unlink()


def _install_packages(folder: Path, kept: Path) -> None:
    """By the bundle's own pip, which is run out of its wheel and not installed."""
    wheels = kept / "wheels"
    (pip,) = wheels.glob("pip-*.whl")
    wanted = folder / "requirements.txt"
    lines = (kept / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted.write_text(
        "".join(f"{line}\n" for line in lines if line.partition("==")[0] not in LEFT_OUT), encoding="utf-8"
    )
    words = ["install", "--isolated", "--no-index", "--no-deps", "--require-hashes", "--no-cache-dir", "--no-input"]
    words += ["--disable-pip-version-check", "--no-warn-script-location", "--root-user-action=ignore", "--quiet"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    environment["PIP_CONFIG_FILE"] = os.devnull
    done = subprocess.run(  # noqa: S603 - the interpreter that was just made, with words of our own
        [str(folder / "bin/python"), "-P", str(pip / "pip"), *words, "--find-links", str(wheels), "-r", str(wanted)],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PIP_TIMEOUT_S,
    )
    wanted.unlink()
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RefusedError("packages", f"the packages could not be unpacked: {last}; see that the disk is not full")


def _open_to_all(folder: Path) -> None:
    """Whatever umask the installer had, the agent's user may read the programs, and only root writes them."""
    for where, folders, files in os.walk(folder):
        for name in folders:
            path = Path(where, name)
            if not path.is_symlink():
                path.chmod(0o755)
        for name in files:
            path = Path(where, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    folder.chmod(0o755)


def list_files(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a version (`-> target` of a link), without what Python compiles and the kept bundle."""
    found: dict[str, str] = {}
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__" and Path(where, name) != folder / KEPT_BUNDLE]
        for name in sorted((*files, *(name for name in folders if Path(where, name).is_symlink()))):
            path = Path(where, name)
            # What pip notes of a package holds the place of its commands, and nobody runs it.
            if (path.parent == folder and name.endswith(COMPLETE_FILE)) or name == "RECORD":
                continue
            key = path.relative_to(folder).as_posix()
            found[key] = f"-> {path.readlink()}" if path.is_symlink() else hash_file(path)
    return found


def hash_file(path: Path) -> str:
    """SHA-256, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_space(versions: Path, bundle: dict[str, Any]) -> None:
    there = versions
    while not there.exists():
        there = there.parent
    needed = SPACE_FACTOR * sum(each["size"] for each in bundle["files"])
    free = shutil.disk_usage(there).free
    if free < needed:
        message = f"expected {needed // 1_000_000} MB free at {there}, not {free // 1_000_000} MB: make room"
        raise RefusedError("no_space", message)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def main() -> int:
    """`install [WORDS]`: make the version, then `tillside setup install` with the same words."""
    bundle_folder = Path(__file__).resolve().parent
    words = sys.argv[1:]
    os.umask(0o022)  # a hardened root's own umask would keep the agent's user from the programs
    try:
        root = _root_of(words)
        programs = root / "opt/tillside"
        _must_be_root(root)
        bundle, bundle_digest = read_bundle(bundle_folder)
        _ask_the_installed(programs, bundle_folder, words)
        in_use = frozenset(
            link.readlink().name for name in ("current", "previous") if (link := programs / name).is_symlink()
        )
        silent = {"--silent", "--json", "--help"} & set(words)
        say = (lambda _: None) if silent else (lambda text: sys.stderr.write(f"{text} ...\n"))
        folder = programs / "versions" / str(bundle["version"])
        is_new = not is_complete(folder, bundle_digest)
        make_version(bundle_folder, programs / "versions", in_use, say)
    except RefusedError as error:
        _complain(error, words)
        return error.status
    except KeyboardInterrupt:
        sys.stderr.write("Stopped; run it again to go on.\n")
        return 130
    told = ["--bundle", str(folder / KEPT_BUNDLE), *(["--remove-if-refused"] if is_new else []), *words]
    command = [str(folder / "bin/python"), "-P", "-m", "till_installer", "setup", "install", *told]
    sys.stderr.flush()
    return _become(command)


def _become(command: list[str]) -> NoReturn:
    os.execv(command[0], command)  # noqa: S606 - no shell is meant


def _root_of(words: list[str]) -> Path:
    for index, word in enumerate(words):
        if word == "--root" and index + 1 < len(words):
            return Path(words[index + 1]).absolute()
        if word.startswith("--root="):
            return Path(word.partition("=")[2]).absolute()
    return Path("/")


def _must_be_root(root: Path) -> None:
    if root == Path("/") and os.geteuid() != 0:
        raise RefusedError("not_root", "expected to be run as root: put `sudo` before it")


def _ask_the_installed(programs: Path, bundle_folder: Path, words: list[str]) -> None:
    """A till that has Tillside lets it check the bundle, before anything of the bundle's packages is run."""
    command = programs / "current/bin/python"
    if not command.exists():
        return
    root = ["--root", str(_root_of(words))] if _root_of(words) != Path("/") else []
    done = subprocess.run(  # noqa: S603 - the version that runs
        [str(command), "-P", "-m", "till_installer", "setup", "check-bundle", str(bundle_folder), *root],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PIP_TIMEOUT_S,
    )
    if done.returncode == 3:
        code, _, message = done.stderr.strip().removeprefix("Error: ").partition(": ")
        raise RefusedError(code, message, 3)


def _complain(error: RefusedError, words: list[str]) -> None:
    if "--json" in words:
        sys.stdout.write(json.dumps({"ok": False, "code": error.code, "detail": str(error)}) + "\n")
    else:
        sys.stderr.write(f"Error: {error.code}: {error}\n")


if __name__ == "__main__":
    sys.exit(main())
