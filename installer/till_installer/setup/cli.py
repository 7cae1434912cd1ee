"""`tillside setup`: install, look at, mend and remove Tillside on this machine."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from till_agent.cli.options import echo_json, json_option
from till_installer.bundle.cli import fail
from till_installer.exceptions import InstallerError

if TYPE_CHECKING:
    from till_installer.layout import Layout
    from till_installer.services.ports import ServiceManager

file_type = click.Path(path_type=Path)
root_option = click.option(
    "--root",
    type=file_type,
    help="Another root than this machine's, for trials: what is installed there runs there alone.",
)
service_option = click.option("--no-service", is_flag=True, help="Leave the running of the agent to somebody else.")


@click.group(help="Install, look at, mend and remove Tillside on this machine.")
def setup() -> None:
    """Whatever umask a hardened root has: the agent's user may read the programs, and browsers their policies."""
    os.umask(0o022)


@setup.command(short_help="Install from a bundle; run again it changes nothing.")
@click.option("--bundle", type=file_type, help="Folder or archive; else the one that this version came from.")
@click.option("--config", type=file_type, help="The till's settings; else those that are there.")
@click.option("--enroll-file", type=file_type, help="File with the one-time code of this till.")
@click.option("--release-key", "keys", multiple=True, help="Public key that bundles must be signed by, or its file.")
@click.option(
    "--update-root", type=file_type, help="The chain's root of updates, as `tillside update repo root` wrote it."
)
@click.option("--pos-origin", "origins", multiple=True, help="Page that may call the bridge: https://pos.example.")
@click.option("--frontol", type=file_type, help="Folder from which Frontol's administrator loads the scenario.")
@click.option("--silent", is_flag=True, help="Say nothing unless it fails.")
@root_option
@service_option
@click.option("--remove-if-refused", is_flag=True, hidden=True)
@json_option
def install(
    bundle: Path | None,
    config: Path | None,
    enroll_file: Path | None,
    keys: tuple[str, ...],
    update_root: Path | None,
    origins: tuple[str, ...],
    frontol: Path | None,
    silent: bool,
    root: Path | None,
    no_service: bool,
    remove_if_refused: bool,
    as_json: bool,
) -> None:
    """Put a version and all that belongs to it in place, enrol the till, and start the agent.

    Exit status 0: done; 1: could not be done; 3: the bundle is refused; 5: installed, but not enrolled yet.
    """
    import msgspec

    from till_installer.bundle.archive import opened
    from till_installer.bundle.exceptions import EXIT_REFUSED
    from till_installer.setup.exceptions import EXIT_NOT_ENROLLED
    from till_installer.setup.installing import Installing, Wishes

    layout, manager = _here(root, no_service=no_service)
    source = bundle or _own_bundle(layout)
    try:
        with opened(source) as folder:
            wishes = Wishes(
                bundle=folder,
                config=config,
                enroll_file=enroll_file,
                release_keys=keys,
                update_root=update_root,
                pos_origins=origins,
                frontol=frontol,
            )
            done = Installing(layout, manager, _say(silent=silent or as_json)).install(wishes)
    except InstallerError as error:
        if remove_if_refused and error.exit_code == EXIT_REFUSED:
            _remove_refused(layout, source)
        fail(error, as_json=as_json)
    if as_json:
        echo_json({"ok": True, **msgspec.to_builtins(done)})
    elif not silent:
        _show(done.version, done.changed, done.enrolled.till, done.service)
    for line in () if as_json else (*done.remarks, done.enrolled.detail):
        if line and not (silent and not done.enrolled.was_tried):
            click.echo(line, err=True)
    if done.enrolled.was_tried and not done.enrolled.till:
        raise SystemExit(EXIT_NOT_ENROLLED)


@setup.command(short_help="Remove Tillside; its data stays unless --purge.")
@click.option("--purge", is_flag=True, help="Remove settings, journal and logs too.")
@click.option("--carry-queue-to", "carry", type=file_type, help="First copy the data to a folder here.")
@click.option("--discard-queue", "discard", type=int, help="Lose this many operations that wait for the cloud.")
@root_option
@service_option
@json_option
def uninstall(
    purge: bool, carry: Path | None, discard: int | None, root: Path | None, no_service: bool, as_json: bool
) -> None:
    """Stop the agent and remove programs, service and names of devices. Settings and data stay for the next install.

    --purge refuses (exit status 4) while operations wait that the cloud does not have.
    """
    import msgspec

    from till_installer.setup.installing import is_installed
    from till_installer.setup.removing import uninstall as take_off

    layout, manager = _here(root, no_service=no_service)
    was_there = is_installed(layout)
    try:
        done = take_off(layout, manager, purge=purge, carry_to=carry, discard=discard, say=_say(silent=as_json))
    except InstallerError as error:
        fail(error, as_json=as_json)
    if as_json:
        echo_json({"ok": True, **msgspec.to_builtins(done)})
        return
    if done.carried_to:
        click.echo(f"{done.waiting} operations wait; a copy with all data is in {done.carried_to}.")
        click.echo(f"queue hash {done.queue_hash}: the same in the copy")
    said = "Tillside is removed" if was_there else f"Nothing was installed in {layout.programs}"
    click.echo(f"{said}; its data is still in {layout.state_dir}." if layout.state_dir.is_dir() else f"{said}.")


@setup.command(short_help="Say what is installed and whether it is as it was installed.")
@root_option
@service_option
@json_option
def status(root: Path | None, no_service: bool, as_json: bool) -> None:
    """Exit status 0 when all is well, 1 when something is not as it was installed."""
    import msgspec

    from till_installer.setup.looking import standing
    from till_installer.setup.repairing import MASKED

    layout, manager = _here(root, no_service=no_service)
    try:
        found = standing(layout, manager)
    except InstallerError as error:
        fail(error, as_json=as_json)
    if as_json:
        echo_json({"good": found.good, **msgspec.to_builtins(found)})
    elif not found.installed:
        click.echo(f"Nothing is installed in {layout.programs}.")
    else:
        others = ", ".join(each for each in found.versions if each != found.version) or "none"
        click.echo(f"version   {found.version} (before: {found.previous or 'none'}; also there: {others})")
        click.echo(f"service   {found.service}, started again {found.restarts} times")
        click.echo(f"till      {found.till or 'not enrolled'}")
        click.echo(
            f"disk      {found.program_bytes / 1_000_000:.0f} MB of programs, {found.free_bytes // 1_000_000} MB free"
        )
        if found.config_problems:
            click.echo(
                f"settings  {found.config_problems} problems: `tillside config check {layout.config}` names them"
            )
        for fault in found.faults:
            click.echo(f"FAULT     {fault.code}: {fault.found}")
        if any(fault.code != MASKED for fault in found.faults):
            click.echo("`tillside setup repair` mends that.")
        elif not found.faults:
            click.echo("Everything is as it was installed.")
    if not found.good:
        raise SystemExit(1)


@setup.command(short_help="Mend what is not as it was installed.")
@click.option("--bundle", type=file_type, help="The bundle of the version, where the one on this till is damaged too.")
@root_option
@service_option
@json_option
def repair(bundle: Path | None, root: Path | None, no_service: bool, as_json: bool) -> None:
    """Put back files, rights, links and units; data is never touched. Exit status 1 if something was not mended."""
    import contextlib

    import msgspec

    from till_installer.bundle.archive import opened
    from till_installer.setup.repairing import repair as mend

    layout, manager = _here(root, no_service=no_service)
    try:
        with opened(bundle) if bundle is not None else contextlib.nullcontext() as folder:
            faults = mend(layout, manager, folder, _say(silent=as_json))
    except InstallerError as error:
        fail(error, as_json=as_json)
    if as_json:
        echo_json({"ok": all(each.fixed for each in faults), "faults": msgspec.to_builtins(faults)})
    else:
        for each in faults:
            click.echo(f"{'mended' if each.fixed else 'FAULT '} {each.code}: {each.found}")
        click.echo("Nothing was wrong." if not faults else f"{sum(each.fixed for each in faults)} mended.")
    if not all(each.fixed for each in faults):
        raise SystemExit(1)


@setup.command("check-bundle", hidden=True)
@click.argument("bundle", type=file_type)
@root_option
def check_bundle(bundle: Path, root: Path | None) -> None:
    """Whether this till takes a bundle: asked by a bundle's `install` before anything of the bundle is run."""
    from till_installer.bundle.manifest import verify
    from till_installer.setup.installing import known_keys

    layout, _ = _here(root, no_service=True)
    try:
        verify(bundle, known_keys(layout))
    except InstallerError as error:
        fail(error)


@setup.command("system-files", hidden=True)
@root_option
def system_files(root: Path | None) -> None:
    """What this version puts into the system around its folders: asked by the upgrader of another version."""
    import msgspec

    from till_installer.upgrade.system_files import of_this_version

    layout, _ = _here(root, no_service=True)
    echo_json(msgspec.to_builtins(of_this_version(layout)))


def _here(root: Path | None, *, no_service: bool) -> "tuple[Layout, ServiceManager | None]":
    """A service of another root's installation is nobody's here: that is for the machine which starts from it."""
    from till_installer.layout import this_layout
    from till_installer.services.choosing import manager_of

    layout = this_layout(root.absolute() if root is not None else None)
    return layout, None if no_service or root is not None else manager_of(layout)


def _own_bundle(layout: "Layout") -> Path:
    """The one that the running version was made from."""
    import sys

    from till_installer.setup.bootstrap import KEPT_BUNDLE

    own = Path(sys.prefix) / KEPT_BUNDLE
    if not own.is_dir():
        raise click.UsageError(f"expected --bundle: this program was not installed from one ({layout.programs})")
    return own


def _remove_refused(layout: "Layout", bundle: Path) -> None:
    """A version that was made from a bundle which is refused then; never one that a pointer names."""
    from till_installer.bundle.manifest import read_manifest
    from till_installer.setup.files import remove
    from till_installer.upgrade.pointers import named

    version = read_manifest(bundle).version
    if version not in (named(layout.current), named(layout.previous)):
        remove(layout.version_dir(version))


def _show(version: str, changed: tuple[str, ...], till: str, service: str) -> None:
    click.echo(f"Tillside {version} is installed." if changed else f"Tillside {version} was installed: nothing to do.")
    for each in changed:
        click.echo(f"  {each}")
    click.echo(f"till {till or 'not enrolled'}, run by {service if service != 'none' else 'nobody yet'}")


def _say(*, silent: bool) -> Callable[[str], None]:
    return (lambda _: None) if silent else (lambda text: click.echo(f"{text} ...", err=True))
