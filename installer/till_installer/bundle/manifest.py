"""What a bundle holds, as `bundle.json` says it, and whether what lies there is what was signed.

    bundle.json       Manifest: version, system, and SHA-256 and size of each other file
    bundle.json.sig   128 hex digits: Ed25519 of the bytes of bundle.json by the release key
    install           starts install.py with the newest Python of this machine that fits
    install.py        makes the version's folder, then hands over to `tillside setup` in it
    requirements.txt  each package with its hash
    wheels/           the packages themselves, ours among them

Codes of refusals: `bundle_format`, `bundle_unsigned`, `bundle_foreign_key`, `bundle_altered`, `bundle_missing`,
`bundle_extra`, `bundle_link`, `bundle_path`, `bundle_too_large`, `bundle_platform`, `bundle_python`, `bundle_libc`.
"""

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from till_installer.bundle.exceptions import AlteredError, BundleError, ForeignKeyError, UnsafeError, UnsignedError
from till_sync import keys as ed25519

FORMAT = 1
MANIFEST_FILE = "bundle.json"
SIGNATURE_FILE = "bundle.json.sig"
WHEELS = "wheels"
REQUIREMENTS = "requirements.txt"

MANIFEST_LIMIT_BYTES = 1_048_576
"""60 files take 9 kB."""
FILES_LIMIT = 2_000
TOTAL_LIMIT_BYTES = 1_073_741_824
"""With cameras and four Pythons a bundle has some 500 MB."""
CHUNK_BYTES = 1_048_576

_AGAIN = "copy the bundle again from where it was published"

Version = Annotated[str, Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9}){1,3}([a-z0-9.+]{0,40})\Z", max_length=64)]
"""As PEP 440 writes it; it is also the name of a folder."""


class BundleFile(Struct, frozen=True, kw_only=True):
    """One file: path below the bundle with `/`, SHA-256 as hex, size in bytes."""

    path: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+!-]*(/[A-Za-z0-9_][A-Za-z0-9_.+!-]*)*\Z", max_length=200)
    ]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Meta(ge=0, le=TOTAL_LIMIT_BYTES)]


class Schemas(Struct, frozen=True, kw_only=True):
    """Newest schema of each file that this version reads and writes. It reads all older ones and takes them along."""

    journal: int
    cache: int


class Manifest(Struct, frozen=True, kw_only=True):
    """`bundle.json`."""

    format: Literal[1]
    version: Version
    platform: Literal["linux", "windows"]
    machine: Annotated[str, Meta(max_length=32)]
    """As `platform.machine()` has it on Linux: x86_64, aarch64."""
    pythons: Annotated[tuple[Annotated[str, Meta(pattern=r"^3\.[0-9]{1,2}$")], ...], Meta(min_length=1)]
    """Versions of CPython that it holds all packages for: ("3.11", "3.12")."""
    libc: Annotated[str, Meta(pattern=r"^(2\.[0-9]{1,3})?$")] = ""
    """Oldest glibc that all packages run with."""
    extras: tuple[str, ...] = ()
    """Optional parts that are in it: camera, hid, usb."""
    schemas: Schemas
    made_s: int
    """When: seconds since 1970, of the commit that it was made from."""
    files: Annotated[tuple[BundleFile, ...], Meta(min_length=1, max_length=FILES_LIMIT)]

    @property
    def total_bytes(self) -> int:
        """Of all files."""
        return sum(each.size for each in self.files)


def encode_manifest(manifest: Manifest) -> bytes:
    """The same bytes for the same manifest."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode_manifest(data: bytes) -> Manifest:
    """BundleError when it is none, or of a later format."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, msgspec.ValidationError) as exc:
        raise BundleError(f"expected {MANIFEST_FILE} of format {FORMAT}, not one with {exc}; {_AGAIN}") from exc
    if len({each.path for each in manifest.files}) != len(manifest.files):
        raise BundleError(f"expected each file once in {MANIFEST_FILE}; {_AGAIN}")
    if manifest.total_bytes > TOTAL_LIMIT_BYTES:
        raise UnsafeError(f"expected at most {TOTAL_LIMIT_BYTES} bytes, not {manifest.total_bytes}; {_AGAIN}",
                          code="bundle_too_large")  # fmt: skip
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Of a bundle's folder; nothing is checked but its form. BundleError."""
    return decode_manifest(_small(folder / MANIFEST_FILE, MANIFEST_LIMIT_BYTES))


def sign_manifest(data: bytes, private_key: str) -> str:
    """What `bundle.json.sig` holds for these bytes of `bundle.json`; ValueError when it is no key."""
    return ed25519.sign(private_key, data).hex() + "\n"


def verify(folder: Path, keys: Iterable[str]) -> Manifest:
    """The manifest of a bundle's folder that one of these keys (hex) signed and that holds just what it says.

    BundleError with the first thing that is wrong. That it fits this machine is asked by `fitting.must_fit`.
    """
    trusted = tuple(keys)
    if not trusted:
        raise UnsignedError("expected a release key to check the bundle by; give --release-key", code="bundle_no_key")
    _no_link(folder, folder)
    data = _small(folder / MANIFEST_FILE, MANIFEST_LIMIT_BYTES)
    if not (folder / SIGNATURE_FILE).exists():
        raise UnsignedError(f"expected {SIGNATURE_FILE} beside {MANIFEST_FILE}: nobody signed this bundle; {_AGAIN}")
    _check_signature(data, _small(folder / SIGNATURE_FILE, 1_000), trusted)
    manifest = decode_manifest(data)
    _check_tree(folder, manifest)
    for each in manifest.files:
        _check_file(folder / each.path, each)
    return manifest


def _check_signature(data: bytes, text: bytes, trusted: tuple[str, ...]) -> None:
    try:
        signature = bytes.fromhex(text.decode("ascii").strip())
    except ValueError as exc:
        raise UnsignedError(f"expected 128 hex digits in {SIGNATURE_FILE}; {_AGAIN}") from exc
    if not any(ed25519.verify(key, data, signature) for key in trusted):
        short = ", ".join(key[:16] for key in trusted)
        raise ForeignKeyError(f"expected a signature by a key of this till ({short}...), and {MANIFEST_FILE} has none: "
                              f"it is another chain's, or was altered; {_AGAIN}")  # fmt: skip


def _check_tree(folder: Path, manifest: Manifest) -> None:
    """No link, nothing missing, nothing that was not signed."""
    wanted = {each.path for each in manifest.files} | {MANIFEST_FILE, SIGNATURE_FILE}
    found: set[str] = set()
    for where, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(where, name)
            _no_link(path, folder)
            if name in files:
                found.add(path.relative_to(folder).as_posix())
    if missing := sorted(wanted - found):
        raise AlteredError(f"expected {missing[0]} in the bundle ({len(missing)} missing); {_AGAIN}",
                           code="bundle_missing")  # fmt: skip
    if extra := sorted(found - wanted):
        raise AlteredError(f"expected nothing that was not signed, and there is {extra[0]!r}; {_AGAIN}",
                           code="bundle_extra")  # fmt: skip


def _no_link(path: Path, folder: Path) -> None:
    mode = path.lstat().st_mode if path.exists() or path.is_symlink() else None
    if mode is None:
        raise BundleError(f"expected a bundle at {path}", code="bundle_missing")
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        name = path.name if path == folder else path.relative_to(folder).as_posix()
        raise UnsafeError(f"expected plain files and folders, and {name!r} is a link or a device; {_AGAIN}",
                          code="bundle_link")  # fmt: skip


def _check_file(path: Path, wanted: BundleFile) -> None:
    size = path.stat().st_size
    if size != wanted.size or digest(path) != wanted.sha256:
        raise AlteredError(f"expected {wanted.path} as it was signed ({wanted.size} bytes); {_AGAIN}")


def digest(path: Path) -> str:
    """SHA-256 of a file, hex."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            total.update(chunk)
    return total.hexdigest()


def _small(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as exc:
        raise BundleError(
            f"expected {path.name} in the bundle: {exc.strerror}; {_AGAIN}", code="bundle_missing"
        ) from exc
    if len(data) > limit:
        raise UnsafeError(f"expected at most {limit} bytes in {path.name}; {_AGAIN}", code="bundle_too_large")
    return data
