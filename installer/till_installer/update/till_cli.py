"""`tillside update check|fetch|run|status|trust`: on the till, as root."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from till_agent.cli.options import echo_json, json_option
from till_installer.update.common import cloud_fetcher, failing, layout_of, progress, root_option, upgrader

if TYPE_CHECKING:
    from till_installer.update.running import Ran

EXIT_ROLLED_BACK = 4
"""As of `tillside upgrade`."""


@click.command(short_help="Say which version the chain has published for this machine.")
@root_option
@json_option
def check(root: Path | None, *, as_json: bool) -> None:
    """Ask the cloud, check every signature, and take nothing. Exit status 0 also when there is nothing newer."""
    from till_installer.update.client import UpdateClient, alone
    from till_installer.update.versions import order_of, this_platform, variant_of
    from till_installer.upgrade.pointers import named

    layout = layout_of(root)
    with failing(as_json=as_json), alone(layout):
        published = UpdateClient(layout, cloud_fetcher(layout)).published()
    running = named(layout.current)
    newest = published.newest_for(*this_platform(), variant_of(running))
    is_newer = newest is not None and order_of(newest.version) > order_of(running)
    if as_json:
        echo_json({"ok": True, "running": running, "newest": newest, "newer": is_newer})
        return
    click.echo(f"running: {running or 'nothing'}")
    click.echo("published for this machine: " + ("nothing" if newest is None else newest.version))


@click.command(short_help="Fetch a version and check it, without putting it in place.")
@click.argument("version", required=False)
@root_option
@json_option
def fetch(version: str | None, root: Path | None, *, as_json: bool) -> None:
    """Fetch VERSION, or the newest, and print where it lies. What came before the line broke is not fetched again."""
    from till_installer.update.client import UpdateClient, alone
    from till_installer.update.exceptions import UnknownReleaseError
    from till_installer.update.versions import this_platform, variant_of
    from till_installer.upgrade.pointers import named

    layout = layout_of(root)
    with failing(as_json=as_json), alone(layout):
        client = UpdateClient(layout, cloud_fetcher(layout))
        running = named(layout.current)
        if version is None:
            newest = client.published().newest_for(*this_platform(), variant_of(running))
            if newest is None:
                raise UnknownReleaseError("expected a version for this machine, and none was published")
            version = newest.version
        release = client.choose(version, running)
        path = client.fetch(release, None if as_json else progress())
    if as_json:
        echo_json({"ok": True, "version": release.version, "bundle": str(path)})
    else:
        click.echo(f"{path}: version {release.version}, as the chain signed it")


@click.command(short_help="Do what the cloud wants: fetch, check, and put in place.")
@root_option
@json_option
@click.option("--again", is_flag=True, help="Also a version that this till has tried and taken back.")
@click.option("--now", "at_once", is_flag=True, help="Not at this till's own moment within the wave, but at once.")
def run(root: Path | None, *, as_json: bool, again: bool, at_once: bool) -> None:
    """What the timer starts: does what can be done now, and ends. The till sells meanwhile.

    Exit status 0: nothing to do, or done; 4: put in place, and taken back; each refusal has its own.
    """
    from till_installer.update.running import Runner

    layout = layout_of(root)
    with failing(as_json=as_json):
        runner = Runner(
            layout=layout,
            fetcher=lambda: cloud_fetcher(layout),
            apply=upgrader(layout, again=again, while_wanted=True),
            progress=None if as_json else progress(),
        )
        done = runner.run(again=again, at_once=at_once)
    tell(done, as_json=as_json)


def tell(done: "Ran", *, as_json: bool) -> None:
    """What a run did; exit status 4 when the version was taken back."""
    import datetime as dt

    if as_json:
        echo_json(done)
    elif done.outcome == "nothing":
        click.echo("Nothing is to be done: what is wanted runs.")
    elif done.outcome == "later":
        moment = dt.datetime.fromtimestamp(done.at_ms / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        click.echo(f"{done.release} is wanted; this till's turn is at {moment}.")
    elif done.state is not None:
        state = done.state
        click.echo(f"{done.release}: {state.stage} {state.code}".rstrip())
        equal = "equal" if state.queue_hash_equal else "NOT equal"
        click.echo(f"{state.queued_before} queued before, {state.queued_after} after, hash {equal}.")
    if done.state is not None and done.state.stage == "rolled_back":
        raise SystemExit(EXIT_ROLLED_BACK)


@click.command(short_help="Say what is wanted, what was done last, and how long the metadata is good.")
@root_option
@json_option
def status(root: Path | None, *, as_json: bool) -> None:
    """From this till's own files; asks nobody."""
    from till_installer.update.running import read_wanted
    from till_installer.update.seen import seen_of
    from till_installer.upgrade.pointers import named
    from till_installer.upgrade.record import Records

    layout = layout_of(root)
    with failing(as_json=as_json):
        wanted, state, seen = read_wanted(layout), Records(layout).state(), seen_of(layout)
    if as_json:
        echo_json({"running": named(layout.current), "wanted": wanted, "last": state, "metadata": seen})
        return
    click.echo(f"running: {named(layout.current) or 'nothing'}")
    click.echo(f"wanted: {wanted.release or 'what runs'}{', halted' if wanted.paused else ''}")
    click.echo(f"last: {state.stage} {state.to_version} {state.code} {state.detail}".rstrip())
    for each in seen:
        click.echo(f"{each.role} {each.version}: good until {each.expires}{', which is over' if each.over else ''}")
    if not seen:
        click.echo("no root: `tillside update trust FILE` puts the chain's there")


@click.command(short_help="Put the chain's root metadata on this till.")
@click.argument("file", type=click.Path(path_type=Path))
@root_option
@click.option("--replace", is_flag=True, help="Trust this one instead of another that is there.")
def trust(file: Path, root: Path | None, *, replace: bool) -> None:
    """FILE is what `tillside update repo root` wrote. All updates of this till are checked from it on."""
    from till_installer.update.client import install_root

    with failing():
        done = install_root(layout_of(root), file, replace=replace)
    click.echo("this till trusts it" if done == "put" else "this till trusts it already")
