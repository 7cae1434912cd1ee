"""What the commands of updates share."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from till_agent.cli.options import echo_json
from till_installer.exceptions import InstallerError

if TYPE_CHECKING:
    from till_installer.layout import Layout
    from till_installer.update.fetching import Fetcher, Progress
    from till_installer.update.running import Apply

F = TypeVar("F", bound=Callable[..., object])

UPDATES_URL = "/v1/updates"
TELL_EVERY_S = 5.0


def root_option(function: F) -> F:
    """`--root FOLDER`: an installation that is not below /."""
    option = click.option(
        "--root", type=click.Path(path_type=Path), help="Folder that all paths are below. Default: /."
    )
    return option(function)


def layout_of(root: Path | None) -> "Layout":
    """Of this system, below `root`."""
    from till_installer.layout import this_layout

    return this_layout(root)


@contextlib.contextmanager
def failing(*, as_json: bool = False) -> Iterator[None]:
    """A refusal as one line with its code (JSON for programs), and its own exit status."""
    try:
        yield
    except InstallerError as error:
        if as_json:
            echo_json({"ok": False, "code": error.code, "detail": str(error)})
        else:
            click.echo(f"Error: {error.code}: {error}", err=True)
        raise SystemExit(error.exit_code) from error


def cloud_fetcher(layout: "Layout") -> "Fetcher":
    """From the cloud that the till's settings name. UpdateError when they name none, or none that may be asked."""
    from till_config import load
    from till_config.exceptions import ConfigError
    from till_installer.update.exceptions import InsecureError, UpdateError
    from till_installer.update.fetching import HttpFetcher

    try:
        url = load(layout.config).cloud.url
    except ConfigError as exc:
        raise UpdateError(f"expected settings that can be read in {layout.config}: {exc}", code="config") from exc
    if not url:
        raise InsecureError(f"expected `cloud.url` in {layout.config}; a till without a line updates from a stick")
    return HttpFetcher(url.rstrip("/") + UPDATES_URL)


def progress() -> "Progress":
    """Tells on standard error how much is here, every few seconds."""
    told = time.monotonic()

    def tell(here: int, of: int) -> None:
        nonlocal told
        if time.monotonic() - told >= TELL_EVERY_S or here == of:
            told = time.monotonic()
            click.echo(f"{here / 1_000_000:.1f} of {of / 1_000_000:.1f} MB", err=True)

    return tell


def upgrader(layout: "Layout", *, again: bool = False, while_wanted: bool = False) -> "Apply":
    """Puts a bundle in place by `tillside upgrade`: staged, rehearsed, switched, watched.

    `while_wanted`: not any more when the wave is halted before the switch; a till may wait for hours until then.
    """
    from till_installer.bundle.archive import opened
    from till_installer.bundle.fitting import must_fit
    from till_installer.bundle.manifest import read_manifest
    from till_installer.services.choosing import manager_of
    from till_installer.update.running import is_wanted, read_wanted
    from till_installer.upgrade.breaking import unbroken
    from till_installer.upgrade.engine import Upgrader
    from till_installer.upgrade.means import Means
    from till_installer.upgrade.receipts import Waiting
    from till_sync.heartbeat import UpdateState

    def apply(archive: Path) -> UpdateState:
        # The targets role has signed the whole archive; the release key inside it is for installing by hand.
        with opened(archive, layout.updates_dir) as folder:
            manifest = read_manifest(folder)
            must_fit(manifest)
            waiting = Waiting()
            if while_wanted:
                waiting = Waiting(wanted=lambda: is_wanted(read_wanted(layout), manifest.version))
            means = Means(waiting=waiting, say=lambda text: click.echo(text, err=True))
            upgrader = Upgrader(layout, manager_of(layout), means)
            return unbroken(upgrader, lambda: upgrader.apply(folder, manifest, again=again))

    return apply
