"""`tillside pos`: cash software in small, to ring up receipts against a running agent."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from till_agent.cli.options import config_option, json_option

if TYPE_CHECKING:
    from till_agent.api import Language
    from till_agent.cli.pos_session import Session
    from till_agent.client import Till

PATIENCE_MS = 1_500
"""A cashier does not wait longer for an agent that is away: the receipt goes on without it."""


@click.command(short_help="Ring up receipts against the running agent, as cash software does.")
@config_option
@click.option("--client", default="pos", show_default=True, help="The client of bridge.clients whose token is used.")
@click.option(
    "--script",
    type=click.File(encoding="utf-8"),
    help="Read commands from a file (`-`: standard input) and stop at the first that can't be done.",
)
@click.option("--keep-going", is_flag=True, help="With a script: go on after what can't be done.")
@json_option
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write each exchange with the agent here, a JSON document a line; what names a person is masked.",
)
@click.option(
    "--keep",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep sales that no agent has answered in this file, for the next run. It holds the numbers that were keyed.",
)
@click.option(
    "--language",
    type=click.Choice(["ru", "kk", "ky", "uk", "en"]),
    help="Of what the agent tells the cashier; the till's own when left out.",
)
def pos(
    config: Path,
    client: str,
    script: TextIO | None,
    keep_going: bool,
    as_json: bool,
    record: Path | None,
    keep: Path | None,
    language: "Language | None",
) -> None:
    """Ring up receipts against the running agent, as cash software does: `help` lists what can be typed.

    A receipt is lines, a member, codes, points and money, then `close`. Where the agent is away, receipts go on
    without it, and are sent under the same uids when it is back. Without a terminal, commands are read from standard
    input. Ends with 1 when a command of a script can't be done, with 3 when sales were left that no agent has answered.
    """
    from till_agent.cli.pos_running import interactive, scripted

    till = _till(config, client, record)
    try:
        session = _session(till, keep, language, as_json=as_json)
        stdin = script or (None if sys.stdin.isatty() else sys.stdin)
        status = interactive(session) if stdin is None else scripted(session, stdin, keep_going=keep_going)
    finally:
        till.close()
    raise SystemExit(status)


def _till(config: Path, client: str, record: Path | None) -> "Till":
    from till_agent.cli.pos_record import Recording
    from till_agent.client import Till
    from till_config import load

    settings = load(config)
    names = [each.name for each in settings.bridge.clients]
    if client not in names:
        raise click.ClickException(f"expected a client of bridge.clients ({', '.join(names)}), not {client!r}")
    try:
        transport = Recording(record) if record is not None else None
    except OSError as exc:
        raise click.ClickException(f"{record} can't be written: {exc.strerror}") from exc
    state_dir = Path(settings.agent.state_dir)
    return Till.from_state_dir(state_dir, client, patience_ms=PATIENCE_MS, transport=transport)


def _session(till: "Till", keep: Path | None, language: "Language | None", *, as_json: bool) -> "Session":
    import msgspec

    from till_agent.cli.pos_parsing import Units
    from till_agent.cli.pos_screen import Screen
    from till_agent.cli.pos_session import Session
    from till_agent.cli.pos_unsent import Unsent
    from till_agent.client import ClientError

    try:
        unsent = Unsent(keep)
    except (OSError, msgspec.DecodeError) as exc:
        raise click.ClickException(f"{keep} can't be read as what an earlier run kept: {exc}") from exc
    session = Session(till, Screen(Units(), as_json=as_json), unsent, language=language)
    try:
        session.look_around()
    except ClientError as exc:
        click.echo(f"{exc}; receipts go on without it.", err=True)
    return session
