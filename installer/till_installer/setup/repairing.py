"""Finds what is not as it was installed, and mends it: files of the versions, rights, links, units.

A damaged file of a version is put back from the bundle that is kept with it, whose signature is checked first; the
agent goes on meanwhile. A version of which not even the list of its files is left is made anew, with the agent at rest.
"""

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from till_agent.audit_trail import note
from till_installer.bundle.manifest import verify
from till_installer.layout import SERVICE, Layout
from till_installer.services.choosing import agent_command
from till_installer.services.ports import ServiceManager, masked
from till_installer.services.systemd import unmasking
from till_installer.setup import bootstrap, system
from till_installer.setup.exceptions import PreconditionError, SetupError
from till_installer.setup.files import agent_owner, set_rights
from till_installer.setup.installing import is_installed, known_keys, must_be_able
from till_installer.upgrade.pointers import named, point
from till_installer.upgrade.record import Records

MASKED = "unit_masked"
"""The operator's own will: said, and not mended."""
MENDING = ".mending"
"""Beside the versions: where a damaged one is made anew, to take files from."""


class Fault(Struct, frozen=True, kw_only=True):
    """One thing that is not as it was installed. `code` is stable; `fixed`: by this run."""

    code: str
    found: str
    fixed: bool = False


def look(layout: Layout, manager: ServiceManager | None) -> list[Fault]:
    """All that is wrong now; nothing is changed."""
    return [*_of_versions(layout), *_of_pointers(layout), *_of_rights(layout), *_of_system(layout, manager)]


def repair(
    layout: Layout,
    manager: ServiceManager | None,
    bundle: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Fault]:
    """Mend what `look` finds; gives it with what could be. `bundle`: a verified one, where the kept one is damaged.

    BusyError while a change of version is under way: it rests the agent, and knows why.
    """
    must_be_able(layout)
    if not is_installed(layout):
        raise PreconditionError(
            f"expected an installation in {layout.programs}, and there is none; use the bundle's `install`",
            code="not_installed",
        )
    with Records(layout).alone():
        return _repair(layout, manager, bundle, say)


def _repair(
    layout: Layout, manager: ServiceManager | None, bundle: Path | None, say: Callable[[str], None]
) -> list[Fault]:
    faults = look(layout, manager)
    if bundle is not None:
        _make_anew(layout, bundle, manager, say)
    for version in _versions(layout):
        _mend_version(layout, version, manager, say)
    if not named(layout.current) and (whole := _newest_whole(layout)):
        point(layout.current, whole)
    system.put_files(layout)
    system.make_user(layout)
    system.make_folders(layout)
    if layout.config.is_file():
        owner = agent_owner(layout.root)
        set_rights(layout.config, 0o640, type(owner)(-1, owner.gid))
    if manager is not None:
        manager.install(agent_command(layout), config=layout.config)
        if f"{SERVICE}.service" not in masked(manager):
            manager.start()
    left = {(each.code, each.found) for each in look(layout, manager)}
    after = [Fault(code=each.code, found=each.found, fixed=(each.code, each.found) not in left) for each in faults]
    if mended := sorted({each.code for each in after if each.fixed}):
        note(layout.state_dir, "repaired", version=named(layout.current), mended=" ".join(mended))
    return after


def _versions(layout: Layout) -> list[str]:
    """Those that a pointer names: what is left of others is no fault."""
    return list(dict.fromkeys(each for each in (named(layout.current), named(layout.previous)) if each))


def _of_versions(layout: Layout) -> Iterator[Fault]:
    for version in _versions(layout):
        folder = layout.version_dir(version)
        complete = bootstrap.read_complete(folder)
        if complete is None:
            yield Fault(code="version_incomplete", found=f"version {version} is not there as a whole")
            continue
        if trouble := python_trouble(folder, complete):
            yield Fault(code="version_python", found=f"versions/{version} {trouble}")
        for path, what in _differences(folder, complete["files"]).items():
            yield Fault(code="version_altered", found=f"versions/{version}/{path} {what}")
        for path in _open_files(folder):
            yield Fault(code="version_rights", found=f"versions/{version}/{path} can be written by others than root")


def python_trouble(folder: Path, complete: dict[str, Any]) -> str:
    """What became of the Python that a version was made with; "" while it is there."""
    if os.name == "nt":  # a version brings its own there
        return ""
    there = bootstrap.python_of(folder)
    if there == complete["python"]:
        return ""
    now = f"is Python {there} now" if there else "is gone"
    return f"was made with Python {complete['python']} of this machine, and that {now}"


def _differences(folder: Path, wanted: dict[str, str]) -> dict[str, str]:
    there = bootstrap.list_files(folder)
    found = dict.fromkeys(wanted.keys() - there.keys(), "is missing")
    found |= dict.fromkeys(there.keys() - wanted.keys(), "was not installed")
    found |= {path: "was changed" for path in wanted.keys() & there.keys() if there[path] != wanted[path]}
    return dict(sorted(found.items()))


def _open_files(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if not path.is_symlink() and path.lstat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            yield path.relative_to(folder).as_posix()


def _of_pointers(layout: Layout) -> Iterator[Fault]:
    version = named(layout.current)
    if not version or not layout.version_dir(version).is_dir():
        yield Fault(code="no_current", found=f"{layout.current} names no version that is there")
    if (before := named(layout.previous)) and not layout.version_dir(before).is_dir():
        yield Fault(code="no_previous", found=f"{layout.previous} names version {before}, which is not there")


def _of_rights(layout: Layout) -> Iterator[Fault]:
    owner = agent_owner(layout.root)
    for path, mode, whose in (
        (layout.state_dir, 0o700, owner.uid),
        (layout.log_dir, 0o750, owner.uid),
        (layout.updates_dir, 0o700, -1),
        (layout.config, 0o640, -1),
    ):
        try:
            found = path.stat()
        except OSError:
            yield Fault(code="place_missing", found=f"{path} is missing")
            continue
        if stat.S_IMODE(found.st_mode) != mode:
            yield Fault(
                code="place_rights", found=f"{path} has rights {stat.S_IMODE(found.st_mode):04o}, not {mode:04o}"
            )
        if whose not in (-1, found.st_uid):
            yield Fault(code="place_owner", found=f"{path} is not the user tillside's")


def _of_system(layout: Layout, manager: ServiceManager | None) -> Iterator[Fault]:
    for target in system.are_files_ours(layout):
        yield Fault(code="system_file", found=f"/{target} is missing or changed")
    if manager is None:
        return
    status = manager.status()
    if status.state == "absent":
        yield Fault(code="service_absent", found="the service is not installed")
    elif status.state not in ("running", "starting"):
        yield Fault(code="service_down", found=f"the service is {status.state} {status.detail}".rstrip())
    for name in masked(manager):
        yield Fault(code=MASKED, found=f"{name} is masked, and stays so; {unmasking((name,))}")
    is_as_installed = getattr(manager, "is_as_installed", None)
    if is_as_installed is None or status.state == "absent":
        return
    if not is_as_installed(agent_command(layout), config=layout.config):
        yield Fault(code="service_altered", found="a unit of the service is not as it was installed")


def _mend_version(layout: Layout, version: str, manager: ServiceManager | None, say: Callable[[str], None]) -> None:
    folder = layout.version_dir(version)
    complete = bootstrap.read_complete(folder)
    if complete is None or python_trouble(folder, complete):
        kept = folder / bootstrap.KEPT_BUNDLE
        try:
            bootstrap.check_machine(bootstrap.read_bundle(kept)[0])
        except bootstrap.RefusedError as exc:
            # What is there may still serve with a Python that somebody installs.
            say(f"version {version} is not made anew: {exc}")
            return
        _make_anew(layout, kept, manager, say)
        return
    wrong = _differences(folder, complete["files"])
    for path in _open_files(folder):
        (folder / path).chmod((folder / path).stat().st_mode & ~0o022)
    for path in [path for path, what in wrong.items() if what == "was not installed"]:
        (folder / path).unlink()
        del wrong[path]
    if not wrong:
        return
    say(f"making version {version} beside itself, to take {len(wrong)} files from")
    _must_be_signed(layout, folder / bootstrap.KEPT_BUNDLE)
    scratch = layout.versions / MENDING
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        made = bootstrap.make_version(folder / bootstrap.KEPT_BUNDLE, scratch)
        for path in wrong:
            _take(made, folder, path, complete["files"][path])
    except bootstrap.RefusedError as exc:
        raise SetupError(str(exc), code=exc.code) from exc
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _take(made: Path, folder: Path, path: str, wanted: str) -> None:
    """One file as it was. Those that hold the place of their version hold the real one again."""
    source, target = made / path, folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.mended")
    draft.unlink(missing_ok=True)
    if source.is_symlink():
        draft.symlink_to(source.readlink())
        draft.replace(target)
        return
    data = source.read_bytes()
    if path.startswith("bin/") or path == "pyvenv.cfg":
        data = data.replace(str(made).encode(), str(folder).encode())
    draft.write_bytes(data)
    draft.chmod(stat.S_IMODE(source.stat().st_mode))
    if bootstrap.hash_file(draft) != wanted:
        draft.unlink()
        message = f"expected {path} of the kept bundle to be as it was installed; run `tillside setup repair --bundle`"
        raise SetupError(f"{message} with that version's bundle", code="not_mended")
    draft.replace(target)


def _make_anew(layout: Layout, bundle: Path, manager: ServiceManager | None, say: Callable[[str], None]) -> None:
    """The whole folder of a version. The agent rests meanwhile if it is the one that runs."""
    manifest = _must_be_signed(layout, bundle)
    folder = layout.version_dir(manifest)
    runs = manager is not None and named(layout.current) == manifest and manager.status().state == "running"
    if runs and manager is not None:
        say("stopping the agent")
        manager.stop()
    try:
        (folder / bootstrap.COMPLETE_FILE).unlink(missing_ok=True)
        bootstrap.make_version(bundle, layout.versions, say=say)
    except bootstrap.RefusedError as exc:
        raise SetupError(str(exc), code=exc.code) from exc
    finally:
        if runs and manager is not None:
            manager.start()


def _must_be_signed(layout: Layout, bundle: Path) -> str:
    return verify(bundle, known_keys(layout)).version


def _newest_whole(layout: Layout) -> str:
    whole = [each for each in layout.versions.glob("[0-9]*") if bootstrap.read_complete(each) is not None]
    return max(whole, key=lambda each: each.stat().st_mtime_ns).name if whole else ""
