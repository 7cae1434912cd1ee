"""`tillside sync`: how the exchange with the cloud stands, and to start one."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from till_agent.cli.options import config_option, echo_json, json_option

if TYPE_CHECKING:
    from till_agent.cli.files import JournalView


@click.group(help="Show or start the exchange with the cloud.")
def sync() -> None:
    """Nothing of its own to do."""


@sync.command(short_help="Show how the exchange with the cloud stands.")
@config_option
@json_option
def status(config: Path, as_json: bool) -> None:
    """Show how the exchange with the cloud stands; of an agent that is down, what its journal says."""
    from till_agent.cli.asking import ask_or_fail, ask_or_read
    from till_config import load

    state_dir = Path(load(config).agent.state_dir)
    found = ask_or_read(state_dir, "/v1/sync", _from_journal)
    if as_json:
        echo_json(found)
        return
    if "online" in found and not found["online"] and not found["last_seq"]:
        # Without its journal an agent knows of no operation, which is not the same as none.
        for problem in ask_or_fail(state_dir, "GET", "/v1/status")["problems"]:
            if problem["code"] == "journal_unavailable":
                raise click.ClickException(problem["text"])
    show(found)


@sync.command(short_help="Exchange with the cloud now.")
@config_option
@json_option
def now(config: Path, as_json: bool) -> None:
    """Push and pull now, whatever wait is under way. Ends with status 1 when the cloud could not be reached."""
    from till_agent.cli.asking import ask_or_fail
    from till_config import load

    found = ask_or_fail(Path(load(config).agent.state_dir), "POST", "/v1/sync")
    echo_json(found) if as_json else show(found)
    if not found["online"] or found["last_error"]:
        raise SystemExit(1)


def _from_journal(view: "JournalView") -> dict[str, object]:
    newest = view.epochs[-1]
    return {"waiting": view.waiting, "acked_seq": newest.acked_seq, "last_seq": newest.last_seq}


def show(found: dict[str, object]) -> None:
    """On the terminal; of an agent that is down only what its journal says."""
    from till_agent.cli.words import age

    click.echo(f"waiting for the cloud  {found['waiting']} ops")
    click.echo(f"acknowledged           {found['acked_seq']} of {found['last_seq']}")
    if "online" not in found:
        return
    # A cloud that refuses this till is no cut line: whoever reads it need not look for a cable.
    line = f"halted ({found['halted']})" if found.get("halted") else "up" if found["online"] else "down"
    click.echo(f"line                   {line}")
    if found["oldest_waiting_ms"]:
        click.echo(f"oldest waiting op      {age(found['oldest_waiting_ms'])}")
    click.echo(f"last push              {_since_start(found['last_push_ms'])}")
    click.echo(f"last pull              {_since_start(found['last_pull_ms'])}")
    click.echo(f"sent, sent again       {found['pushed']}, {found['resent']}")
    click.echo(f"adjusted, rejected     {found['adjusted']}, {found['rejected']}")
    if found["loading"]:
        fetched, of = int(str(found["fetched_bytes"])), int(str(found["snapshot_bytes"]))
        how = f"{fetched * 100 // of} % of a snapshot of {of // 1_000_000} MB" if of else "members come by pages"
        click.echo(f"first load             {how}; {found['members']} members so far")
    if found["divergences"]:
        click.echo(f"mended stretches       {found['divergences']}")
    if found["last_error"]:
        click.echo(f"last error             {found['last_error']}")
        click.echo(f"next attempt           in {int(str(found.get('retry_in_ms', 0))) // 1_000} s")


def _since_start(wall_ms: object) -> str:
    """When it was; the agent knows of none before its own start."""
    from till_agent.cli.words import moment

    return moment(wall_ms) if wall_ms else "not since the agent's start"
