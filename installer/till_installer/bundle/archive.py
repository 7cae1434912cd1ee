"""A bundle as one file: written the same each time, and unpacked with nothing outside its folder, no link, no flood."""

import contextlib
import gzip
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from till_installer.bundle.exceptions import BundleError, UnsafeError
from till_installer.bundle.manifest import (
    CHUNK_BYTES,
    FILES_LIMIT,
    MANIFEST_FILE,
    SIGNATURE_FILE,
    TOTAL_LIMIT_BYTES,
    Manifest,
    decode_manifest,
)

EXECUTABLE = ("install",)
_AGAIN = "copy the bundle again from where it was published"
_COMPRESSION = 0
"""Wheels are compressed; stored as they are, the bytes don't depend on the machine's zlib."""


def archive_name(manifest: Manifest) -> str:
    """Of the folder in the archive, and with .tar.gz of the archive itself."""
    return f"tillside-{manifest.version}-{manifest.platform}-{manifest.machine}"


def pack(folder: Path, archive: Path) -> None:
    """Write a bundle's folder as .tar.gz; the same bytes for the same files. BundleError, OSError."""
    manifest = decode_manifest((folder / MANIFEST_FILE).read_bytes())
    top = archive_name(manifest)
    signature = (SIGNATURE_FILE,) if (folder / SIGNATURE_FILE).exists() else ()
    draft = archive.with_name(f".{archive.name}")
    # gzip would write the present time and the name of the file into its header; neither is of the contents.
    with (
        draft.open("wb") as file,
        gzip.GzipFile("", "wb", _COMPRESSION, file, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in (MANIFEST_FILE, *signature, *sorted(each.path for each in manifest.files)):
            path = folder / name
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size = path.stat().st_size
            entry.mode = 0o755 if name in EXECUTABLE else 0o644
            entry.mtime = manifest.made_s
            with path.open("rb") as source:
                tar.addfile(entry, source)
    draft.replace(archive)


@contextlib.contextmanager
def opened(bundle: Path, scratch: Path | None = None) -> Iterator[Path]:
    """The folder of a bundle for as long as the context lasts: itself, or what an archive holds. BundleError."""
    if bundle.is_dir() and not bundle.is_symlink():
        yield bundle
        return
    with tempfile.TemporaryDirectory(prefix="tillside-bundle-", dir=scratch) as where:
        yield unpack(bundle, Path(where))


def unpack(archive: Path, into: Path) -> Path:
    """Write an archive's files below `into`; gives its folder. Nothing is checked but that it is safe to unpack.

    BundleError; what was written until then stays, for whoever gave the folder to remove.
    """
    total = 0
    tops: set[str] = set()
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for count, entry in enumerate(tar, start=1):
                if count > FILES_LIMIT:
                    raise UnsafeError(f"expected at most {FILES_LIMIT} files; {_AGAIN}", code="bundle_too_large")
                parts = _safe_parts(entry)
                tops.add(parts[0])
                total += entry.size
                if total > TOTAL_LIMIT_BYTES:
                    raise UnsafeError(f"expected at most {TOTAL_LIMIT_BYTES} bytes; {_AGAIN}", code="bundle_too_large")
                if entry.isreg():
                    _write(tar, entry, into.joinpath(*parts))
    except (tarfile.TarError, zlib.error, EOFError) as exc:
        raise BundleError(f"expected a whole .tar.gz at {archive} ({exc}); {_AGAIN}") from exc
    except OSError as exc:
        why = exc.strerror or exc
        raise BundleError(
            f"expected to unpack {archive}: {why}; copy it again, and make room", code="bundle_unread"
        ) from exc
    if len(tops) != 1:
        raise BundleError(f"expected one folder in {archive.name}, not {len(tops)}; {_AGAIN}")
    return into / tops.pop()


def _safe_parts(entry: tarfile.TarInfo) -> tuple[str, ...]:
    if not (entry.isreg() or entry.isdir()):
        raise UnsafeError(f"expected plain files, and {entry.name!r} is none; {_AGAIN}", code="bundle_link")
    path = PurePosixPath(entry.name)
    is_climbing = path.is_absolute() or ".." in path.parts or "\\" in entry.name or not path.parts
    if is_climbing or not entry.name.isprintable() or (entry.isreg() and len(path.parts) < 2):
        raise UnsafeError(f"expected paths below one folder, not {entry.name!r}; {_AGAIN}", code="bundle_path")
    return path.parts


def _write(tar: tarfile.TarFile, entry: tarfile.TarInfo, path: Path) -> None:
    """A new file: one that is there twice, or through a link, is refused by the system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(entry)
    if source is None:
        raise BundleError(f"expected contents of {entry.name}; {_AGAIN}")
    mode = 0o755 if path.name in EXECUTABLE else 0o644
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    except FileExistsError as exc:
        raise UnsafeError(f"expected {entry.name} once; {_AGAIN}", code="bundle_path") from exc
    with source, open(handle, "wb") as file:  # noqa: PTH123 - of a handle
        while chunk := source.read(CHUNK_BYTES):
            file.write(chunk)
