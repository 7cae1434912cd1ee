"""`tillside upgrade`: put a verified bundle in place, go back, say how it stands, finish what was cut off."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

from till_agent.cli.options import echo_json, json_option

if TYPE_CHECKING:
    from till_installer.exceptions import InstallerError
    from till_installer.layout import Layout
    from till_installer.upgrade.engine import Upgrader
    from till_sync.heartbeat import UpdateState

T = TypeVar("T")
EXIT_STATUSES = (
    "Exit status: 0 done, or nothing to do; 1 not possible (not root, no installation); 2 wrong words; 3 refused, and "
    "the version that ran runs; 4 taken back; 5 another upgrade is under way."
)
root_option = click.option(
    "--root", type=click.Path(path_type=Path), help="Another root folder than this system's: for trials."
)


@click.group(help="Change the version of a till, and go back.")
def upgrade() -> None:
    """Whatever umask a hardened root has: the agent's user may read the programs, and browsers their policies."""
    os.umask(0o022)


@upgrade.command(short_help="Put a bundle's version in place of the one that runs.", epilog=EXIT_STATUSES)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--release-key", "keys", multiple=True, help="Public key of releases, or a file; else the installed one.")
@click.option("--again", is_flag=True, help="Also a version that was taken back here before.")
@click.option("--one-way", is_flag=True, help="Also one whose journal the version that runs could not read.")
@click.option("--between", help="Hours of the store's day in which it may be switched: 02:00-05:00.")
@root_option
@json_option
def apply(
    bundle: Path,
    keys: tuple[str, ...],
    again: bool,
    one_way: bool,
    between: str | None,
    root: Path | None,
    as_json: bool,
) -> None:
    """Check, stage, rehearse, wait for a quiet moment, switch and watch; taken back when it is not proven in time.

    BUNDLE is an archive or a folder.
    """
    from till_installer.bundle.archive import opened
    from till_installer.bundle.fitting import must_fit
    from till_installer.bundle.keys import public_keys
    from till_installer.bundle.manifest import verify
    from till_installer.upgrade.breaking import unbroken
    from till_installer.upgrade.service import installed_keys

    def run(layout: "Layout") -> "UpdateState":
        with opened(bundle) as folder:
            manifest = verify(folder, public_keys(keys) if keys else installed_keys(layout))
            must_fit(manifest)
            upgrader = _upgrader(layout, between, silent=as_json)
            return unbroken(upgrader, lambda: upgrader.apply(folder, manifest, again=again, one_way=one_way))

    _tell(_carried_out(run, root, as_json=as_json), as_json=as_json)


@upgrade.command(short_help="Go back to the version before.", epilog=EXIT_STATUSES)
@click.option("--between", help="Hours of the store's day in which it may be switched: 02:00-05:00.")
@root_option
@json_option
def rollback(between: str | None, root: Path | None, as_json: bool) -> None:
    """Switch to the version before, with the journal as it is: what was sold since stays. It is watched too."""
    from till_installer.upgrade.breaking import unbroken

    def run(layout: "Layout") -> "UpdateState":
        upgrader = _upgrader(layout, between, silent=as_json)
        return unbroken(upgrader, upgrader.roll_back)

    _tell(_carried_out(run, root, as_json=as_json), as_json=as_json)


@upgrade.command(short_help="Say which versions are there, and how the last change went.")
@root_option
@json_option
def status(root: Path | None, as_json: bool) -> None:
    """Versions, what is under way, what was told last, and what was taken back."""
    from till_installer.upgrade.telling import standing, standing_text

    found = _carried_out(standing, root, as_json=as_json)
    if as_json:
        echo_json(found)
    else:
        click.echo(standing_text(found))


@upgrade.command(short_help="Finish or undo a change that was cut off.", epilog=EXIT_STATUSES)
@root_option
@json_option
def watch(root: Path | None, as_json: bool) -> None:
    """What a power cut or a kill broke off is finished, or undone; nothing to do otherwise. Run at each start."""

    def run(layout: "Layout") -> "UpdateState | None":
        return _upgrader(layout, None, silent=as_json).finish()

    state = _carried_out(run, root, as_json=as_json)
    if state is not None:
        _tell(state, as_json=as_json)
    elif as_json:
        echo_json({"stage": "none"})
    else:
        click.echo("Nothing was cut off.")


# The name that units of the service manager call it by.
upgrade.add_command(click.Command("finish", callback=watch.callback, params=watch.params, hidden=True))


def _upgrader(layout: "Layout", between: str | None, *, silent: bool) -> "Upgrader":
    from till_installer.upgrade.engine import Upgrader
    from till_installer.upgrade.means import Means
    from till_installer.upgrade.receipts import Waiting, parse_window
    from till_installer.upgrade.service import service_of

    waiting = Waiting(window=parse_window(between) if between else None)
    say = (lambda _: None) if silent else (lambda text: click.echo(f"{text} ...", err=True))
    return Upgrader(layout, service_of(layout), Means(waiting=waiting, say=say))


def _carried_out(run: "Callable[[Layout], T]", root: Path | None, *, as_json: bool) -> T:
    from till_installer.exceptions import InstallerError
    from till_installer.layout import this_layout

    try:
        return run(this_layout(root))
    except InstallerError as error:
        _fail(error, as_json=as_json)
    except PermissionError as error:
        raise click.ClickException(f"expected to write {error.filename}: {error.strerror}; run this as root") from error


def _fail(error: "InstallerError", *, as_json: bool) -> NoReturn:
    if as_json:
        echo_json({"ok": False, "code": error.code, "detail": str(error)})
    else:
        click.echo(f"Error: {error.code}: {error}", err=True)
    raise click.exceptions.Exit(error.exit_code)


def _tell(state: "UpdateState", *, as_json: bool) -> None:
    from till_installer.upgrade.exceptions import EXIT_REFUSED, EXIT_ROLLED_BACK
    from till_installer.upgrade.telling import state_text

    if as_json:
        echo_json(state)
    else:
        click.echo(state_text(state))
    if state.stage == "refused":
        raise click.exceptions.Exit(EXIT_REFUSED)
    if state.stage == "rolled_back" and state.code != "by_hand":
        raise click.exceptions.Exit(EXIT_ROLLED_BACK)
