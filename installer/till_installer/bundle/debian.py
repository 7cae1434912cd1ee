"""A Debian package around a bundle: the same bytes, and scripts that call the bundle's `install`. Written by nfpm."""

import os
import shutil
import subprocess
import tempfile
import time
from importlib import resources
from pathlib import Path

from till_installer.bundle.archive import opened
from till_installer.bundle.exceptions import BuildError
from till_installer.bundle.keys import public_keys
from till_installer.bundle.manifest import Manifest, verify

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
SCRIPTS = ("postinst", "prerm", "postrm")
PACK_TIMEOUT_S = 600


def make_package(archive: Path, keys: tuple[str, ...], into: Path, nfpm: str) -> Path:
    """The package of a bundle that one of these public keys signed; tills take bundles by them. BundleError."""
    with opened(archive) as folder, tempfile.TemporaryDirectory(prefix="tillside-deb-") as scratch:
        manifest = verify(folder, public_keys(keys))
        work = Path(scratch)
        data = resources.files("till_installer") / "data/deb"
        for name in SCRIPTS:
            (work / name).write_text((data / name).read_text(encoding="utf-8"), encoding="utf-8")
            (work / name).chmod(0o755)
        (work / "release.pub").write_text("".join(f"{key}\n" for key in public_keys(keys)), encoding="ascii")
        shutil.copytree(folder, work / "bundle")
        _settle(work, manifest.made_s)
        settings = work / "nfpm.json"
        settings.write_text(_filled(data.joinpath("nfpm.json").read_text(encoding="utf-8"), manifest, work))
        into.mkdir(parents=True, exist_ok=True)
        package = into / f"tillside_{manifest.version}_{_architecture(manifest)}.deb"
        _pack(nfpm, settings, package, manifest.made_s)
    return package


def _settle(work: Path, made_s: int) -> None:
    """Rights and dates as the bundle has them, not as this machine writes files."""
    for path in (work / "bundle").rglob("*"):
        path.chmod(0o755 if path.is_dir() or path.name == "install" else 0o644)
    for path in work.rglob("*"):
        os.utime(path, (made_s, made_s))


def _filled(text: str, manifest: Manifest, work: Path) -> str:
    for mark, value in (
        ("ARCH", _architecture(manifest)),
        ("VERSION", manifest.version),
        ("MTIME", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(manifest.made_s))),
        ("DEPENDS", f"python3 (>= {manifest.pythons[0]})"),
        ("BUNDLE", work / "bundle"),
        ("RELEASE_KEY", work / "release.pub"),
        ("SCRIPTS", work),
    ):
        text = text.replace(f"@{mark}@", str(value))
    return text


def _architecture(manifest: Manifest) -> str:
    return ARCHITECTURES.get(manifest.machine, manifest.machine)


def _pack(nfpm: str, settings: Path, package: Path, made_s: int) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - nfpm with words of our own
            [nfpm, "package", "--config", str(settings), "--packager", "deb", "--target", str(package)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PACK_TIMEOUT_S,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(made_s)},
        )
    except FileNotFoundError as exc:
        raise BuildError(f"expected the program nfpm at {nfpm}; `make bundles` installs it", code="no_nfpm") from exc
    if done.returncode:
        raise BuildError(f"nfpm could not make the package: {(done.stderr or done.stdout).strip()}")
