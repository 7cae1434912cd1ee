"""Builds the set-up for Windows on Linux: a version's whole folder, and NSIS to pack it into one program."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import msgspec
from msgspec import Struct

from till_installer.bundle.building import _WHEEL as WHEEL_NAME
from till_installer.bundle.building import locked
from till_installer.bundle.exceptions import BuildError
from till_installer.bundle.manifest import (
    MANIFEST_FILE,
    BundleFile,
    Manifest,
    Schemas,
    digest,
    encode_manifest,
)
from till_installer.setup.bootstrap import COMPLETE_FILE, KEPT_BUNDLE, list_files
from till_installer.windows.inputs import CPYTHON, NSSM, PYTHON, fetch, unpack_python

PLATFORM = "win_amd64"
MARKERS = {
    "implementation_name": "cpython",
    "implementation_version": "3.11.9",
    "os_name": "nt",
    "platform_machine": "AMD64",
    "platform_python_implementation": "CPython",
    "platform_release": "10",
    "platform_system": "Windows",
    "platform_version": "10.0",
    "python_full_version": "3.11.9",
    "python_version": PYTHON,
    "sys_platform": "win32",
    "extra": "",
}
"""What a lock's conditions are held against: pip takes those of the system that it runs on."""
SITE = "Lib/site-packages"
PTH = "python311.zip\n.\nLib\\site-packages\nimport site\n"
"""Where this Python looks for modules: nowhere but here, whatever the machine's variables and registry say."""
LEFT_OUT = (
    "pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence.pth", "bin", "tests", "docs",
    "fontpkg_ibm_plex_mono/tests",
)  # fmt: skip
"""For people who build packages, and tests of others that came along by mistake."""
LEFT_OUT_INFO = ("pip-*.dist-info", "setuptools-*.dist-info")
TOOLS = "tools"
UNPACK_TIMEOUT_S = 600
"""Most of it is fetching 20 MB."""
MAKENSIS_TIMEOUT_S = 900
"""Packing 60 MB well takes a minute on one core."""


class Wanted(Struct, frozen=True, kw_only=True):
    """What is to be built. `made_s`: the time that all files get. `python`, `nssm`: fetched unless they are given."""

    wheel: Path
    lock: Path
    into: Path
    extras: tuple[str, ...] = ()
    suffix: str = ""
    made_s: int = 1_577_836_800
    makensis: str = "makensis"
    python: Path | None = None
    nssm: Path | None = None


def build(wanted: Wanted, say: Callable[[str], None]) -> Path:
    """The set-up, in `into`, with a file of its SHA-256 beside it. BuildError."""
    named = WHEEL_NAME.match(wanted.wheel.name)
    if named is None or named["name"] != "tillside" or not wanted.wheel.is_file():
        raise BuildError(f"expected our wheel, not {wanted.wheel}; make it with `make wheel`")
    version = named["version"] + wanted.suffix
    with tempfile.TemporaryDirectory(prefix="tillside-windows-") as scratch:
        folder = Path(scratch) / "version"
        lay_out(wanted, version, folder, Path(scratch), say)
        say("packing")
        wanted.into.mkdir(parents=True, exist_ok=True)
        setup = wanted.into / f"TillsideSetup-{version}.exe"
        _pack(wanted, version, folder, setup, Path(scratch))
    line = f"{digest(setup)}  {setup.name}\n"
    setup.with_name(f"{setup.name}.sha256").write_text(line, encoding="ascii", newline="\n")
    return setup


def lay_out(wanted: Wanted, version: str, folder: Path, scratch: Path, say: Callable[[str], None]) -> None:
    """A version's folder as it will lie on the till. BuildError."""
    say(f"fetching CPython {PYTHON} and NSSM")
    names = unpack_python(wanted.python or fetch(CPYTHON, scratch / "python"), folder)
    (folder / "python311._pth").write_text(PTH, encoding="ascii", newline="\r\n")
    (folder / TOOLS).mkdir()
    shutil.copy(wanted.nssm or fetch(NSSM, scratch / "nssm"), folder / TOOLS / "nssm.exe")
    data = resources.files("till_installer.windows")
    (folder / TOOLS / "start.py").write_text((data / "start.py").read_text("utf-8"), encoding="utf-8", newline="\n")
    say("fetching packages for Windows")
    _install_packages(wanted, folder / SITE, scratch)
    manifest = Manifest(
        format=1,
        version=version,
        platform="windows",
        machine="x86_64",
        pythons=(PYTHON,),
        extras=wanted.extras,
        schemas=_schemas(),
        made_s=wanted.made_s,
        files=tuple(_files(folder, (*names, f"{TOOLS}/nssm.exe", f"{TOOLS}/start.py"))),
    )
    (folder / KEPT_BUNDLE).mkdir()
    (folder / KEPT_BUNDLE / MANIFEST_FILE).write_bytes(encode_manifest(manifest))
    complete = {
        "bundle": digest(folder / KEPT_BUNDLE / MANIFEST_FILE),
        "python": PYTHON,
        "files": dict(sorted(list_files(folder).items())),
    }
    (folder / COMPLETE_FILE).write_bytes(msgspec.json.encode(complete))
    for where, _, files in os.walk(folder):
        for name in files:
            os.utime(Path(where, name), (wanted.made_s, wanted.made_s))


def _files(folder: Path, names: tuple[str, ...]) -> list[BundleFile]:
    """Of CPython and tools; those of the packages are in `complete.json`, each with its digest."""
    return [
        BundleFile(path=name, sha256=digest(folder / name), size=(folder / name).stat().st_size)
        for name in sorted(names)
    ]


def _schemas() -> Schemas:
    from till_agent.cache import schema as cache_schema
    from till_agent.journal import migrations

    return Schemas(journal=len(migrations.STEPS), cache=cache_schema.VERSION)


def _install_packages(wanted: Wanted, site: Path, scratch: Path) -> None:
    """By pip, from wherever it is set up to look, each package by its hash; nothing is built from source."""
    listed = scratch / "packages.txt"
    listed.write_text("".join(for_windows(wanted.lock)), encoding="utf-8")
    common = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--no-compile"]
    common += ["--disable-pip-version-check", "--no-warn-script-location", "--root-user-action", "ignore"]
    common += ["--implementation", "cp", "--python-version", PYTHON, "--platform", PLATFORM, "--target", str(site)]
    for words in (["--require-hashes", "--requirement", str(listed)], ["--no-index", str(wanted.wheel)]):
        done = subprocess.run(  # noqa: S603 - our own interpreter's pip, with words of our own
            [*common, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=UNPACK_TIMEOUT_S,
        )
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip said nothing"]
            raise BuildError(f"expected every package of {wanted.lock.name} as a wheel for Windows: {said[-1]}")
    _leave_out(site)


def for_windows(lock: Path) -> Iterator[str]:
    """A line for each package of a lock whose condition holds on Windows, with its hashes. BuildError."""
    try:
        from packaging.markers import Marker  # comes with what builds our wheel; no till has it
    except ImportError as exc:
        raise BuildError("expected the package `packaging`; `make install` brings it") from exc
    for name, version, marker, hashes in locked(lock):
        if not marker or Marker(marker).evaluate(dict(MARKERS)):
            yield f"{name}=={version} {' '.join(f'--hash=sha256:{each}' for each in sorted(hashes))}\n"


def _leave_out(site: Path) -> None:
    for name in LEFT_OUT:
        path = site / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for pattern in LEFT_OUT_INFO:
        for path in site.glob(pattern):
            shutil.rmtree(path)
    # Where the wheel lay on the machine that built it, and what only an installer needs: neither is the till's.
    for name in ("direct_url.json", "RECORD", "REQUESTED", "INSTALLER"):
        for path in site.glob(f"*.dist-info/{name}"):
            path.unlink()


def _pack(wanted: Wanted, version: str, folder: Path, setup: Path, scratch: Path) -> None:
    """By NSIS. It writes one of the files' times nowhere but into the program, so equal folders give equal bytes."""
    script = scratch / "setup.nsi"
    source = resources.files("till_installer.windows") / "data/setup.nsi"
    # NSIS takes a script for UTF-8 by this mark.
    script.write_text(source.read_text(encoding="utf-8"), encoding="utf-8-sig", newline="\n")
    complete = msgspec.json.decode((folder / COMPLETE_FILE).read_bytes(), type=dict[str, object])
    draft = setup.with_name(f".{setup.name}")
    numbers = [*re.findall(r"\d+", version)[:4], "0", "0", "0", "0"][:4]
    size = sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
    defines = {
        "VERSION": version,
        "FILE_VERSION": ".".join(numbers),
        "SOURCE": str(folder),
        # makensis works where its script lies.
        "OUTPUT": str(draft.absolute()),
        "DIGEST": str(complete["bundle"])[:16] + digest(folder / COMPLETE_FILE)[:16],
        "SIZE_KB": str(size // 1000),
    }
    try:
        done = subprocess.run(  # noqa: S603 - makensis with words of our own
            [wanted.makensis, "-V2", "-WX", *(f"-D{name}={value}" for name, value in defines.items()), str(script)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=MAKENSIS_TIMEOUT_S,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(wanted.made_s)},
        )
    except FileNotFoundError as exc:
        raise BuildError(f"expected NSIS ({wanted.makensis}); `apt-get install nsis` brings it") from exc
    if done.returncode:
        draft.unlink(missing_ok=True)
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()] or ["it said nothing"]
        raise BuildError(f"makensis failed: {' '.join(said[-3:])}")
    draft.replace(setup)
