"""What has to hold before anything is changed."""

import os
from collections.abc import Callable
from pathlib import Path

from till_agent.core import JOURNAL_FILE
from till_installer.bundle.manifest import Manifest
from till_installer.layout import SERVICE, Layout
from till_installer.services.ports import ServiceManager, masked
from till_installer.services.systemd import unmasking
from till_installer.upgrade import probe, staging
from till_installer.upgrade.exceptions import RefusedError
from till_installer.upgrade.files import need_room
from till_installer.upgrade.pointers import named
from till_installer.upgrade.queue import UnreadableError, schema_of
from till_installer.upgrade.record import Records

NO_NEWS = frozenset(("same_version", "rolled_back_before"))
"""Refusals that the cloud knows the reason of: what was told last stays."""


def must_fit(layout: Layout, records: Records, manifest: Manifest, *, again: bool, one_way: bool) -> None:
    """RefusedError unless this version may take the place of the one that runs."""
    running = named(layout.current)
    if not running or not layout.version_dir(running).is_dir():
        raise RefusedError(
            f"expected an installation in {layout.programs}; use the bundle's `install`", code="not_installed"
        )
    if manifest.version == running:
        raise RefusedError(f"{running} runs already", code="same_version")
    why = records.refused().get(manifest.version)
    if why is not None and not again:
        raise RefusedError(
            f"{manifest.version} was taken back here ({why}); use `tillside upgrade apply --again` when its cause "
            "is mended",
            code="rolled_back_before",
        )
    old = staging.schemas_of(layout, running)
    if manifest.schemas.journal < old.journal:
        raise RefusedError(
            f"expected a version that reads a journal of schema {old.journal}, not of {manifest.schemas.journal} at "
            "most; `tillside upgrade rollback` goes back to the version before",
            code="journal_unreadable",
        )
    if manifest.schemas.journal > old.journal and not one_way:
        raise RefusedError(
            f"{manifest.version} writes a journal (schema {manifest.schemas.journal}) that {running} can't read: what "
            "is sold on it could not be taken back along; use `tillside upgrade apply --one-way` for a till that is to "
            "stay with it",
            code="no_way_back",
        )
    if manifest.schemas.cache != old.cache and not again and _is_cut_off(layout.state_dir):
        raise RefusedError(
            f"{manifest.version} begins with an empty cache, and without a line nobody would be known here; wait for "
            "the line, or use `tillside upgrade apply --again`",
            code="cache_would_empty",
        )


def must_start(manager: ServiceManager) -> None:
    """RefusedError where the operator has shut the agent off: no version of it could be proven."""
    unit = f"{SERVICE}.service"
    if unit in masked(manager):
        raise RefusedError(f"expected {unit} not to be masked: {unmasking((unit,))}", code="service_masked")


def must_go_back(layout: Layout, records: Records, version: str) -> None:
    """RefusedError unless the version before is there and reads what this till has."""
    running = named(layout.current)
    if not running:
        raise RefusedError(
            f"expected an installation in {layout.programs}; use the bundle's `install`", code="not_installed"
        )
    if not version:
        raise RefusedError(
            f"{running} is the first version here, and there is none to go back to; `tillside upgrade apply BUNDLE` "
            "puts another one in its place",
            code="no_previous",
        )
    if not staging.is_whole(layout.version_dir(version)):
        raise RefusedError(
            f"expected version {version} in {layout.version_dir(version)}, and it is not there as a whole; `tillside "
            "setup repair` mends it",
            code="no_previous",
        )
    why = records.refused().get(version)
    if why is not None:
        raise RefusedError(
            f"{version} was taken back here before ({why}); apply a bundle with --again", code="rolled_back_before"
        )
    journal = layout.state_dir / JOURNAL_FILE
    if not journal.exists():
        return
    reads = staging.schemas_of(layout, version).journal
    writes = staging.schemas_of(layout, named(layout.current)).journal
    if reads < writes and _schema_there(layout, journal) > reads:
        raise RefusedError(
            f"{version} can't read this till's journal: what was sold since would be lost to it", code="no_way_back"
        )


def must_have_room(layout: Layout, programs_bytes: int, state_bytes: int, free: Callable[[Path], int]) -> None:
    """RefusedError `disk_full` unless there is room for a version and for copies of the till's files."""
    need_room(layout.state_dir, state_bytes, free)
    both = _device(layout.programs) == _device(layout.state_dir)
    need_room(layout.programs, programs_bytes + (state_bytes if both else 0), free)


def _device(path: Path) -> int:
    while not path.exists():
        path = path.parent
    return os.stat(path).st_dev  # noqa: PTH116 - by a name of its own in messages of errors


def _is_cut_off(state_dir: Path) -> bool:
    """The agent says that it has no line; one that says nothing may have one."""
    sync = probe.status_of(state_dir).get("sync")
    return isinstance(sync, dict) and bool(sync.get("enrolled")) and not sync.get("online")


def _schema_there(layout: Layout, journal: Path) -> int:
    """Of the journal as it is now, in a copy: an agent has it open."""
    from till_installer.upgrade.files import copy_live, remove_tree

    folder = layout.updates_dir / "look"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        copy_live(journal, folder / journal.name)
        return schema_of(folder / journal.name)
    except UnreadableError as exc:
        raise RefusedError(f"{exc}; see `tillside doctor`", code="journal_unreadable") from exc
    finally:
        remove_tree(folder)
