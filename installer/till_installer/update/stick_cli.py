"""`tillside update stick`: updates for a store without a line."""

from pathlib import Path

import click

from till_agent.cli.options import json_option
from till_installer.update.common import failing, layout_of, progress, root_option, upgrader
from till_installer.update.repo_cli import folder_option, passphrase_of


@click.group()
def stick() -> None:
    """Carry updates to a store without a line, on a USB stick."""


@stick.command("make")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@folder_option
@click.option("--version", "versions", multiple=True, help="A version to carry; may be repeated. Default: the newest.")
@click.option(
    "--days", type=click.IntRange(0, 90), default=0, help="Sign it to be good for so long; takes --online as well."
)
@click.option("--online", type=click.Path(path_type=Path), help="File of the online key.")
def make(folder: Path, repo: Path, versions: tuple[str, ...], days: int, online: Path | None) -> None:
    """Copy the repository's metadata and bundles to DIR, and say until when tills take them from there."""
    from till_installer.update.keys import read_signer
    from till_installer.update.repository import Repository
    from till_installer.update.stick import make as fill

    with failing():
        signer = None if online is None else read_signer(online, passphrase_of(online))
        releases, good_until = fill(Repository(repo), folder, versions=versions, days=days, online=signer)
    for each in releases:
        click.echo(f"{each.target}: {each.length / 1_000_000:.1f} MB")
    click.echo(f"good until {good_until}: use it before, and with the till's clock right")


@stick.command("apply")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@root_option
@json_option
@click.option("--version", default="", help="The version to take. Default: the newest on the stick.")
@click.option("--again", is_flag=True, help="Also a version that this till has tried and taken back.")
def apply(folder: Path, root: Path | None, version: str, *, as_json: bool, again: bool) -> None:
    """Check the updates in DIR as if the cloud had sent them, and put the newest in place. On the till, as root."""
    from till_installer.update.client import UpdateClient, alone
    from till_installer.update.exceptions import UnknownReleaseError
    from till_installer.update.fetching import FolderFetcher
    from till_installer.update.running import Ran, Runner
    from till_installer.update.stick import found_on
    from till_installer.update.till_cli import tell
    from till_installer.update.versions import order_of, this_platform, variant_of
    from till_installer.upgrade.pointers import named

    layout, source = layout_of(root), found_on(folder)
    with failing(as_json=as_json):
        running = named(layout.current)
        if not version:
            with alone(layout):
                published = UpdateClient(layout, FolderFetcher(source)).published()
            newest = published.newest_for(*this_platform(), variant_of(running))
            if newest is None:
                raise UnknownReleaseError("expected a version for this machine, and none is on the stick")
            version = newest.version
        if order_of(version) == order_of(running):
            done = Ran(outcome="nothing")
        else:
            runner = Runner(
                layout=layout,
                fetcher=lambda: FolderFetcher(source),
                apply=upgrader(layout, again=again),
                progress=None if as_json else progress(),
            )
            done = runner.take(version, again=again)
    tell(done, as_json=as_json)
