"""Builds a bundle: our wheel, and the wheels of a lock file for each Python, from where pip is set up to look."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

from msgspec import Struct

from till_installer.bundle.archive import archive_name, pack
from till_installer.bundle.exceptions import BuildError
from till_installer.bundle.manifest import (
    MANIFEST_FILE,
    REQUIREMENTS,
    SIGNATURE_FILE,
    WHEELS,
    BundleFile,
    Manifest,
    Schemas,
    digest,
    encode_manifest,
    sign_manifest,
)

PYTHONS = ("3.11", "3.12", "3.13")
"""Of Debian 12, Ubuntu 24.04 and Debian 13."""
OLDEST_LIBC = (2, 28)
"""Of Debian 10 and RHEL 8. Wheels for a later one are not taken."""
OLD_PLATFORMS = ("manylinux2014", "manylinux2010", "manylinux1")
OLD_NAMES = {"manylinux1": 5, "manylinux2010": 12, "manylinux2014": 17}
DOWNLOAD_TIMEOUT_S = 600
_LOCKED = re.compile(r"^(?P<name>[a-z0-9._-]+)==(?P<version>[^ ;]+)(?: ; (?P<marker>[^\\]+?))? \\$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_WHEEL = re.compile(r"^(?P<name>[^-]+)-(?P<version>[^-]+)(-\d[^-]*)?-[^-]+-[^-]+-(?P<platforms>[^-]+)\.whl$")


class Wanted(Struct, frozen=True, kw_only=True):
    """What is to be built. `made_s`: the time that all files get; `private_key` "" leaves the bundle unsigned."""

    wheel: Path
    lock: Path
    into: Path
    pythons: tuple[str, ...] = PYTHONS
    machine: str = "x86_64"
    extras: tuple[str, ...] = ()
    suffix: str = ""
    """Told apart from the bundle without extras by this: `+camera`."""
    made_s: int = 1_577_836_800
    private_key: str = ""


def build(wanted: Wanted, say: Callable[[str], None]) -> Path:
    """The archive, in `into`. BuildError."""
    named = _WHEEL.match(wanted.wheel.name)
    if named is None or named["name"] != "tillside" or not wanted.wheel.is_file():
        raise BuildError(f"expected our wheel, not {wanted.wheel}; make it with `make wheel`")
    with tempfile.TemporaryDirectory(prefix="tillside-build-") as scratch:
        folder = Path(scratch) / "bundle"
        wheels = folder / WHEELS
        wheels.mkdir(parents=True)
        for python in wanted.pythons:
            say(f"fetching packages for Python {python}")
            _download(wanted, python, wheels)
        shutil.copy(wanted.wheel, wheels)
        _write(folder / REQUIREMENTS, "".join(_requirements(wanted.lock, wheels, wanted.wheel)))
        _write(folder / "install", starter(wanted.pythons))
        installer = resources.files("till_installer.setup") / "bootstrap.py"
        _write(folder / "install.py", installer.read_text(encoding="utf-8"))
        manifest = _manifest(wanted, named["version"], folder)
        data = encode_manifest(manifest)
        (folder / MANIFEST_FILE).write_bytes(data)
        if wanted.private_key:
            _write(folder / SIGNATURE_FILE, sign_manifest(data, wanted.private_key))
        say("packing")
        wanted.into.mkdir(parents=True, exist_ok=True)
        archive = wanted.into / f"{archive_name(manifest)}.tar.gz"
        pack(folder, archive)
    return archive


def _download(wanted: Wanted, python: str, wheels: Path) -> None:
    """By pip, which checks each hash; nothing is built from source, for a till has no compiler and we trust none."""
    platforms = [f"manylinux_2_{minor}_{wanted.machine}" for minor in range(OLDEST_LIBC[1], 4, -1)]
    platforms += [f"{name}_{wanted.machine}" for name in OLD_PLATFORMS]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--require-hashes", "--disable-pip-version-check", "--implementation", "cp", "--python-version", python]
    command += [word for platform in platforms for word in ("--platform", platform)]
    command += ["--requirement", str(wanted.lock), "--dest", str(wheels)]
    done = subprocess.run(  # noqa: S603 - our own interpreter's pip, with words of our own
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=DOWNLOAD_TIMEOUT_S
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip said nothing"]
        raise BuildError(f"expected every package of {wanted.lock.name} as a wheel for Python {python}: {said[-1]}")


def _requirements(lock: Path, wheels: Path, own: Path) -> Iterator[str]:
    """A line for each package of the lock that is there, with the hashes of the wheels that are there; ours last."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in wheels.glob("*.whl"):
        named = _WHEEL.match(path.name)
        if named is None:
            raise BuildError(f"expected a wheel, not {path.name}")
        found.setdefault((_normal(named["name"]), named["version"]), []).append(digest(path))
    for name, version, marker, hashes in locked(lock):
        there = sorted(found.pop((_normal(name), version), []))
        if not set(there) <= hashes:
            raise BuildError(f"expected {name} {version} with a hash of {lock.name}")
        if there:
            words = " ".join(f"--hash=sha256:{each}" for each in there)
            yield f"{name}=={version}{f' ; {marker}' if marker else ''} {words}\n"
    ((name, version), there), *more = found.items()
    if more or name != "tillside":
        raise BuildError(f"expected only wheels of {lock.name}, not {name} {version}")
    yield f"tillside=={version} --hash=sha256:{digest(own)}\n"


def locked(lock: Path) -> Iterator[tuple[str, str, str, set[str]]]:
    """Name, version, marker and hashes of each package of a lock file."""
    blocks = re.split(r"\n(?=[a-z0-9])", lock.read_text(encoding="utf-8"))
    for block in blocks:
        if match := _LOCKED.match(block.partition("\n")[0]):
            yield match["name"], match["version"], match["marker"] or "", set(_HASH.findall(block))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def starter(pythons: tuple[str, ...]) -> str:
    """The bundle's `install`: a shell script that looks for one of these versions of Python."""
    text = (resources.files("till_installer") / "data/install.sh").read_text(encoding="utf-8")
    return text.replace("@PYTHONS@", " ".join(f"python{each}" for each in reversed(pythons)))


def _manifest(wanted: Wanted, version: str, folder: Path) -> Manifest:
    from till_agent.cache import schema as cache_schema
    from till_agent.journal import migrations

    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = (
        BundleFile(path=path.relative_to(folder).as_posix(), sha256=digest(path), size=path.stat().st_size)
        for path in paths
    )
    return Manifest(
        format=1,
        version=version + wanted.suffix,
        platform="linux",
        machine=wanted.machine,
        pythons=wanted.pythons,
        libc=_libc(paths),
        extras=wanted.extras,
        schemas=Schemas(journal=len(migrations.STEPS), cache=cache_schema.VERSION),
        made_s=wanted.made_s,
        files=tuple(files),
    )


def _libc(paths: list[Path]) -> str:
    """The oldest glibc that all wheels run with: the highest of each one's lowest."""
    needed = 0
    for path in paths:
        named = _WHEEL.match(path.name)
        minors = [_minor(tag) for tag in named["platforms"].split(".")] if named else [0]
        needed = max(needed, min(minors))
    return f"2.{needed}" if needed else ""


def _minor(tag: str) -> int:
    match = re.match(r"manylinux_2_(\d+)_", tag)
    return int(match[1]) if match else OLD_NAMES.get(tag.partition("_")[0], 0)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
    os.chmod(path, 0o755 if path.name == "install" else 0o644)  # noqa: PTH101 - as the archive has it
