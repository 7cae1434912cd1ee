"""A version's folder beside the one that runs: made from a bundle without a network, whole or not there."""

import errno
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from till_installer.bundle.manifest import MANIFEST_FILE, Manifest, Schemas
from till_installer.layout import Layout
from till_installer.setup.bootstrap import COMPLETE_FILE, KEPT_BUNDLE, make_version, read_complete
from till_installer.setup.bootstrap import RefusedError as NotMadeError
from till_installer.upgrade.exceptions import RefusedError, UpgradeError
from till_installer.upgrade.files import remove_tree
from till_installer.upgrade.pointers import named, upgrader
from till_sync.files import replace_file, sync_folder

KEPT_VERSIONS = 3
ASK_TIMEOUT_S = 60.0
GROWTH = 4
"""A version with the bundle it is kept with takes 3.2 times the bundle's size."""

Install = Callable[[Path, Path], Path]
"""(bundle's folder, folder of all versions) -> the version's folder, whole. OSError, UpgradeError."""

_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT))
_READS = (
    "import json;"
    "from till_agent.journal.migrations import STEPS;"
    "from till_agent.cache.schema import VERSION;"
    "print(json.dumps({'journal': len(STEPS), 'cache': VERSION}))"
)


def stage(layout: Layout, bundle: Path, manifest: Manifest, install: Install) -> Path:
    """The folder of the bundle's version, ready to run. One that is there and whole is kept as it is.

    RefusedError: `disk_full` or `staging_failed`; what was begun is gone then.
    """
    folder = layout.version_dir(manifest.version)
    if is_whole(folder):
        return folder
    try:
        install(bundle, layout.versions)
        sync_folder(layout.versions)
    except (OSError, UpgradeError) as exc:
        remove_version(folder)
        if _is_full(exc):
            raise RefusedError(
                f"the disk is full; {manifest.version} was not staged: make room", code="disk_full"
            ) from exc
        raise RefusedError(f"{manifest.version} can't be staged: {exc}", code="staging_failed") from exc
    return folder


def install_bundle(bundle: Path, versions: Path) -> Path:
    """As the bundle's own `install` does it: a virtual environment, each package by its hash, no network."""
    try:
        return make_version(bundle, versions)
    except NotMadeError as exc:
        if isinstance(exc.__cause__, OSError) and exc.__cause__.errno in _NO_ROOM:
            raise exc.__cause__ from exc
        raise UpgradeError(str(exc), code=exc.code) from exc


def is_whole(folder: Path) -> bool:
    """Whether a version was made to the end."""
    return read_complete(folder) is not None


def drop_incomplete(layout: Layout, version: str) -> None:
    """Remove what a staging of that version has left that was cut off. Others may be made by somebody else just now."""
    folder = layout.version_dir(version)
    if version not in _pointed(layout) and not is_whole(folder):
        remove_tree(folder)


def remove_version(folder: Path) -> None:
    """First out of use, so that what is half removed is never taken for a version."""
    (folder / COMPLETE_FILE).unlink(missing_ok=True)
    remove_tree(folder)


def prune(layout: Layout) -> list[str]:
    """Remove versions beyond the newest three; never one that a pointer names. Gives what was removed."""
    pointed = _pointed(layout)
    folders = sorted(layout.versions.iterdir(), key=lambda each: each.stat().st_mtime_ns, reverse=True)
    kept = len([each for each in folders if each.name in pointed])
    removed: list[str] = []
    for folder in folders:
        if folder.name in pointed:
            continue
        if kept < KEPT_VERSIONS:
            kept += 1
            continue
        remove_version(folder)
        removed.append(folder.name)
    return removed


def schemas_of(layout: Layout, version: str) -> Schemas:
    """What a version in its folder reads and writes; one without a manifest is asked itself. UpgradeError."""
    folder = layout.version_dir(version)
    for manifest in (folder / KEPT_BUNDLE / MANIFEST_FILE, folder / MANIFEST_FILE):
        try:
            return msgspec.json.decode(manifest.read_bytes(), type=_HasSchemas).schemas
        except (OSError, msgspec.DecodeError):
            continue
    try:
        done = subprocess.run(  # noqa: S603 - a version of ours
            [str(layout.python(folder)), "-P", "-c", _READS],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=ASK_TIMEOUT_S,
        )
        return msgspec.convert(json.loads(done.stdout), Schemas)
    except (OSError, subprocess.SubprocessError, ValueError) as exc:
        raise UpgradeError(f"version {version} doesn't say which files it reads: {exc}", code="schemas") from exc


class _HasSchemas(Struct, frozen=True):
    schemas: Schemas


def make_ballast(path: Path, size: int) -> None:
    """Keep room on the disk that a way back can have when a new version has filled all the rest. OSError."""
    if not path.exists():
        replace_file(path, os.urandom(size))


def _pointed(layout: Layout) -> set[str]:
    return {named(pointer) for pointer in (layout.current, layout.previous, upgrader(layout))}


def _is_full(exc: BaseException | None) -> bool:
    return isinstance(exc, OSError) and exc.errno in _NO_ROOM
