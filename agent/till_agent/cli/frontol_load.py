"""`tillside frontol load`: the file by which Frontol takes in clients and cards."""

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from till_agent.cli.options import config_option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from till_agent.frontol_files.client_table import Known
    from till_agent.frontol_files.loading import Client

PATIENCE_MS = 60_000
"""The agent says when this is too fast, and when to come again."""


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
    from till_agent.client import ClientError
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
        with _asking(state_dir, bool(wanted.counter_type)) as asker:
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
    except (FrontolFileError, ClientError, OSError, LookupError) as exc:
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


@contextlib.contextmanager
def _asking(state_dir: Path, wanted: bool) -> "Iterator[Callable[[Client], Known | None] | None]":
    """Asks the running agent about members, as fast as it lets us; None where no balance is wanted."""
    if not wanted:
        yield None
        return
    from till_agent.api import Identify
    from till_agent.cli.words import points
    from till_agent.client import ConflictError, InvalidError, NotFoundError, Till
    from till_agent.frontol_files.client_table import Known

    with Till.from_state_dir(state_dir, client="admin", patience_ms=PATIENCE_MS) as till:
        digits = till.page().points_exponent

        def member(client: "Client") -> "Known | None":
            who = Identify(card=client.card) if client.card else Identify(phone=client.phone)
            try:
                found = till.identify(who, alone="true")
            except (ConflictError, InvalidError, NotFoundError):
                return None  # no number of the chain's, or one that could be two members'
            if not found.known:
                return None
            return Known(balance=points(found.balance_points, digits), blocked=found.status == "blocked")

        yield member
