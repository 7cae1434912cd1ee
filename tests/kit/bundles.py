"""Small bundles that install in a second: of the real form, with a wheel that leads to this very environment.

What is in a real bundle is fetched and installed by the tests marked soak.
"""

import base64
import hashlib
import io
import platform
import sys
import zipfile
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

import pip

from till_installer.bundle.building import starter
from till_installer.bundle.manifest import (
    MANIFEST_FILE,
    SIGNATURE_FILE,
    BundleFile,
    Manifest,
    Schemas,
    digest,
    encode_manifest,
    sign_manifest,
)
from till_installer.setup import bootstrap
from till_sync.keys import new_key, public_of

KEY = new_key()
PUBLIC = public_of(KEY)
THIS_PYTHON = f"3.{sys.version_info.minor}"
MADE_S = 1_790_000_000


def small_bundle(folder: Path, version: str = "0.1.0", *, text: str = "", key: str = KEY) -> Path:
    """A signed bundle in `folder`; `text` makes its wheel another."""
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    (wheels / f"pip-{pip.__version__}-py3-none-any.whl").write_bytes(_pip_wheel())
    own = _own_wheel(wheels, version, text)
    (folder / "requirements.txt").write_text(f"tillside=={version} --hash=sha256:{digest(own)}\n")
    (folder / "install.py").write_bytes(Path(bootstrap.__file__).read_bytes())
    (folder / "install").write_text(starter((THIS_PYTHON,)))
    (folder / "install").chmod(0o755)
    sign(folder, version, key)
    return folder


def install_quickly(folder: Path, kept: Path) -> None:
    """In place of `bootstrap._install_packages`, without pip: unpacks our wheel. One test installs with pip."""
    (wheel,) = (kept / "wheels").glob("tillside-*.whl")
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(folder / f"lib/python{THIS_PYTHON}/site-packages")
    command = folder / "bin/tillside"
    command.write_text(f"#!{folder}/bin/python\nfrom till_installer.start import main\nmain()\n")
    command.chmod(0o755)


def tree(folder: Path) -> dict[str, object]:
    """Contents, rights and dates of all below it: what must be equal when nothing was changed."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        body = str(path.readlink()) if path.is_symlink() else digest(path) if path.is_file() else ""
        found[path.relative_to(folder).as_posix()] = (body, about.st_mode, about.st_mtime_ns, about.st_uid)
    return found


def sign(folder: Path, version: str = "0.1.0", key: str = KEY, **more: object) -> Manifest:
    """Write down what is in the folder, and sign it; `more` goes into the manifest."""
    values = {"pythons": (THIS_PYTHON,), "machine": platform.machine(), "platform": "linux", **more}
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("bundle.json"))
    manifest = Manifest(
        format=1,
        version=version,
        schemas=Schemas(journal=1, cache=3),
        made_s=MADE_S,
        files=tuple(
            BundleFile(path=path.relative_to(folder).as_posix(), sha256=digest(path), size=path.stat().st_size)
            for path in paths
        ),
        **values,  # type: ignore[arg-type]  # as the caller has it
    )
    data = encode_manifest(manifest)
    (folder / MANIFEST_FILE).write_bytes(data)
    (folder / SIGNATURE_FILE).write_text(sign_manifest(data, key))
    return manifest


def _own_wheel(wheels: Path, version: str, text: str) -> Path:
    """One file of Python's that adds the path of this process, so that a version runs the tree that is tested."""
    info = f"tillside-{version}.dist-info"
    files = {
        "tillside_tree.pth": "\n".join(each for each in sys.path if each and Path(each).is_dir()) + "\n",
        "tillside_note.py": f"TEXT = {text!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tillside\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": distribution("tillside").read_text("entry_points.txt") or "",
    }
    record = "".join(f"{name},sha256={_b64(body)},{len(body.encode())}\n" for name, body in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    path = wheels / f"tillside-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, body in files.items():
            wheel.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), body)
    return path


@cache
def _pip_wheel() -> bytes:
    """pip as it is installed here, as the wheel that it came from: it is run out of it, never installed."""
    folder = Path(pip.__file__).parent
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as wheel:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                wheel.write(path, path.relative_to(folder.parent).as_posix())
    return into.getvalue()


def _b64(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
