"""`tillside frontol load`: the file by which Frontol takes in clients and cards."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from till_agent.cli.options import config_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from till_agent.frontol_files.client_table import Known
    from till_agent.frontol_files.loading import Client

PAUSE_S = 1.0
"""When the agent says that this is too fast."""


@click.group(help="Write the file by which Frontol takes in clients and cards.")
def load() -> None:
    """Nothing of its own to do."""


@load.command(short_help="Write a load file from the chain's table of clients.")
@config_option
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--encoding", default="utf-8-sig", show_default=True, help="Of the table.")
@click.option("--card-type-name", default="", help="Make the type of the cards in Frontol too, by this name.")
@click.option("--dry-run", is_flag=True, help="Show the file instead of writing it.")
def write(config: Path, table: Path, encoding: str, card_type_name: str, dry_run: bool) -> None:
    """Write a load file from TABLE, the chain's CSV of clients, with the balances that this till knows.

    Columns: code, and of name, group, card, card_code, phone, email, state (active, blocked, removed) what there is.
    Balances come from the running agent, and only where frontol.load.counter_type names a counter. Nothing is written
    while Frontol still has a load file to take in.
    """
    from till_agent.frontol_files.client_table import clients_with_balances
    from till_agent.frontol_files.exceptions import FrontolFileError
    from till_agent.frontol_files.loading import Layout, encoded, load_text, write_load
    from till_agent.frontol_files.store import STORE_FILE, Store
    from till_config import load as load_settings

    settings = load_settings(config)
    wanted = settings.frontol.load
    if not wanted.path and not dry_run:
        raise click.ClickException("expected frontol.load.path in the configuration: where Frontol looks for the file")
    state_dir = Path(settings.agent.state_dir)
    layout = Layout(card_type=wanted.card_type, counter_type=wanted.counter_type, card_type_name=card_type_name)
    try:
        asker = _asker(state_dir) if wanted.counter_type else None
        clients, unknown = clients_with_balances(table, encoding, asker)
        text = load_text(clients, layout)
        if dry_run:
            click.echo(text.replace("\r\n", "\n"), nl=False)
            return
        store = Store(state_dir / STORE_FILE)
        try:
            flag = Path(wanted.flag) if wanted.flag else None
            whole = write_load(store, Path(wanted.path), flag, encoded(text), time.time_ns() // 1_000_000)
        finally:
            store.close()
    except (FrontolFileError, OSError, LookupError) as exc:
        raise click.ClickException(str(exc)) from exc
    if not whole:
        click.echo("An earlier load file was still without its flag file, which is there now. Run this again once")
        click.echo("Frontol has taken it in.")
        return
    click.echo(f"Wrote {len(clients)} clients to {wanted.path}.")
    if unknown:
        click.echo(f"This till does not know {unknown} of them: their counters stay as they are in Frontol.")


@load.command(short_help="Say whether Frontol has taken the last load file in.")
@config_option
def status(config: Path) -> None:
    """Say whether Frontol has taken the last load file in."""
    from till_agent.frontol_files.exceptions import FrontolFileError
    from till_agent.frontol_files.loading import is_pending
    from till_config import load as load_settings

    wanted = load_settings(config).frontol.load
    if not wanted.path:
        click.echo("frontol.load.path is not set: no load file is written.")
        return
    try:
        why = is_pending(Path(wanted.path), Path(wanted.flag) if wanted.flag else None)
    except FrontolFileError as exc:
        raise click.ClickException(str(exc)) from exc
    click.echo(f"{why}." if why else "Frontol has no load file to take in.")


def _asker(state_dir: Path) -> "Callable[[Client], Known | None]":
    """Asks the running agent about members; one line and status 1 when none runs."""
    from till_agent.bridge.exceptions import AgentRefusedError, AgentUnreachableError
    from till_agent.cli.asking import ask, ask_or_fail
    from till_agent.frontol_files.client_table import Known

    facts = ask_or_fail(state_dir, "GET", "/v1/page")
    digits = facts["points_exponent"]

    def member(client: "Client") -> "Known | None":
        who = {"card": client.card} if client.card else {"phone": client.phone}
        while True:
            try:
                found = ask(state_dir, "POST", "/v1/identify", who)
            except AgentRefusedError as exc:
                if "(429)" in str(exc):
                    time.sleep(PAUSE_S)
                    continue
                return None
            except AgentUnreachableError as exc:
                raise click.ClickException(str(exc)) from exc
            if not found["known"]:
                return None
            return Known(balance=_decimal(found["balance_points"], digits), blocked=found["status"] == "blocked")

    return member


def _decimal(points: int, digits: int) -> str:
    """Minor points as Frontol writes a counter's value."""
    if not digits:
        return str(points)
    whole, fraction = divmod(abs(points), 10**digits)
    return f"{'-' if points < 0 else ''}{whole}.{fraction:0{digits}d}"
