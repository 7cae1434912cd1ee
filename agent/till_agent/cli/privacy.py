"""`tillside privacy`: what this till holds of people, and for how long."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from till_agent.cli.options import config_option, echo_json, json_option

if TYPE_CHECKING:
    from till_agent.journal import Place


@click.group(help="See what this till holds of people, and let go of what is old.")
def privacy() -> None:
    """Nothing of its own to do."""


@privacy.command("show")
@config_option
@json_option
def show(config: Path, *, as_json: bool) -> None:
    """Show what the till's files hold of people: kinds, counts and ages, nothing personal.

    Beside a running agent, which keeps its journal to itself, a copy of that is counted.
    """
    import time

    import msgspec

    from till_agent.cli.words import age, table
    from till_agent.holdings import holdings
    from till_config import load

    found, unread = holdings(Path(load(config).agent.state_dir))
    if as_json:
        echo_json({"holdings": msgspec.to_builtins(found), "unread": unread})
        return
    now_ms = time.time_ns() // 1_000_000
    rows = [("FILE", "WHAT", "COUNT", "OLDEST", "HOW")]
    for each in found:
        oldest = age(max(0, now_ms - each.oldest_wall_ms)) if each.oldest_wall_ms else "-"
        rows.append((each.file, each.what, str(each.count), oldest, each.note))
    table(rows)
    for text in unread:
        click.echo(f"not read: {text}", err=True)


@privacy.command("prune")
@config_option
@click.option("--days", type=click.IntRange(30), help="Keep what is younger; by itself `agent.keep_days`.")
@json_option
def prune(config: Path, days: int | None, *, as_json: bool) -> None:
    """Let go of journal rows that are older, that the cloud has, and that nobody needs here any more.

    The agent does so by itself once a day, by `agent.keep_days`. To do it now, stop it first: its journal is in use
    while it runs (exit status 1). What waits, what was refused, and the newest 2,000 rows stay. Goods of older sales
    are brought back as those of other tills are: with a line to the cloud.
    """
    import asyncio

    from till_agent.audit_trail import note
    from till_agent.bridge.exceptions import AgentStartError, AlreadyRunningError
    from till_agent.exceptions import AgentError
    from till_agent.instance import StateDir
    from till_config import load
    from till_sync.exceptions import IdentityError

    settings = load(config)
    state_dir = Path(settings.agent.state_dir)
    try:
        with StateDir(state_dir):
            days = days or settings.agent.keep_days
            rows = asyncio.run(_prune(_place(state_dir), days))
            if rows:
                note(state_dir, "retention_applied", rows=rows, days=days)
    except AlreadyRunningError as exc:
        raise click.ClickException("an agent is running: it lets go of old rows by itself; stop it first") from exc
    except (AgentError, AgentStartError, IdentityError, OSError) as exc:
        raise click.ClickException(str(exc)) from exc
    if as_json:
        echo_json({"rows": rows, "days": days})
        return
    click.echo("1 row went" if rows == 1 else f"{rows} rows went")


async def _prune(place: "Place", days: int) -> int:
    from till_agent.balances import OwnEffects
    from till_agent.journal import DiskJournal

    journal = DiskJournal(place, OwnEffects())
    await journal.start(place.included())
    try:
        return await journal.prune(days)
    finally:
        await journal.stop()


def _place(state_dir: Path) -> "Place":
    from till_agent.core import CACHE_FILE, JOURNAL_FILE
    from till_agent.holdings import cached_floor
    from till_agent.identity_file import keep_epoch
    from till_agent.journal import EpochKeeper, Place
    from till_sync.clock import SystemClock
    from till_sync.identity import IDENTITY_FILE, load_identity

    path = state_dir / IDENTITY_FILE
    identity = load_identity(path)
    floor = cached_floor(state_dir / CACHE_FILE)
    return Place(
        path=state_dir / JOURNAL_FILE,
        till=identity.till,
        keeper=EpochKeeper(identity.last_epoch, lambda epoch: keep_epoch(path, epoch)),
        clock=SystemClock(),
        included=lambda: floor,
    )
