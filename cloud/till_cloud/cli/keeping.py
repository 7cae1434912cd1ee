"""`tillside cloud privacy window` and `privacy retention`: whom tills hold, and how long people are kept at all."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from till_cloud.cli.common import database_option, echo_json, echo_table, json_option, now_ms, reading, writing
from till_cloud.cli.erasing import leave_nothing, privacy, say_log

if TYPE_CHECKING:
    from till_cloud.retention import Retained

__all__ = ["privacy", "retention", "window"]

IDS_SHOWN = 20
TILLS_SHOWN = 8
"""On the terminal; `--json` prints them all."""

_FORMER = {
    "auto": "one that has not for 14 days is refused (auto)",
    "open": "none is refused (open)",
    "closed": "each is refused (closed)",
}


@privacy.command("window")
@database_option
@click.option("--store", default="", help="For this store's tills; without it, for the chain's.")
@click.option("--days", type=int, help="Tills hold who was seen in their store in so many days (7 to 3650).")
@click.option("--whole-base", is_flag=True, help="Tills hold every member of the chain.")
@click.option("--default", "unset", is_flag=True, help="Do as the chain does; the chain: 90 days.")
@click.option(
    "--former",
    type=click.Choice(["auto", "open", "closed"]),
    help="Tills that ask for the whole base, as those of former releases do: auto refuses one that has kept to its "
    "store's members for 14 days, open none, closed all.",
)
@json_option
def window(
    db: Path, store: str, days: int | None, former: str | None, *, whole_base: bool, unset: bool, as_json: bool
) -> None:
    """Choose whom tills hold, or show it. A stolen till has the people whom it holds.

    Seen is who buys, returns, registers or gets a card at a till of the store, and whom a till asked the cloud for.
    With a line every member is served anywhere; without one, a member whom the till does not hold earns and can't
    spend.
    """
    from till_cloud import former as former_tills
    from till_cloud import windows
    from till_cloud.store import meta, tills
    from till_cloud.store import windows as rows

    if (days is not None) + whole_base + unset > 1:
        raise click.UsageError("expected one of --days, --whole-base and --default")
    if days is not None or whole_base or unset:
        wanted = None if unset else rows.WHOLE_BASE if whole_base else days
        with writing(db) as writer:
            writer.call(lambda connection: windows.choose(connection, store, wanted, now_ms()))
    if former is not None:
        with writing(db) as writer:
            writer.call(lambda connection: former_tills.choose(connection, former))
    with reading(db) as connection:
        everywhere = rows.count(connection, rows.EVERYWHERE)
        kept = meta.told(connection, rows.JUDGED) == "on"
        shown = [
            (row.store, rows.days_of(connection, row.store), rows.count(connection, row.store))
            for row in tills.all_stores(connection)
            if store in ("", row.store)
        ]
        chain_days = rows.days_of(connection, rows.EVERYWHERE)
        everywhere_days = rows.days_everywhere(connection)
        mode, whole = former_tills.mode(connection), former_tills.whole_base_tills(connection)
    if as_json:
        listed = [{"store": name, "days": number, "members": count} for name, number, count in shown]
        told = {"chain_days": chain_days, "in_force": kept, "everywhere": everywhere, "stores": listed}
        echo_json({**told, "former": mode, "whole_base_tills": whole})
        return
    if not kept:
        click.echo("Tills hold the whole base for now: most of it was imported for no store, or not looked at yet.")
    click.echo(f"{everywhere} members count for every store, until their import is {everywhere_days or 'any'} days old")
    click.echo(
        f"{len(whole)} tills ask for the whole base: {', '.join(whole[:TILLS_SHOWN]) or 'none'}; {_FORMER[mode]}"
    )
    echo_table(("store", "days", "members"), [(name, str(number or "all"), count) for name, number, count in shown])


@privacy.command("retention")
@database_option
@click.option("--months", type=int, help="Months without any activity; without it, as was set.")
@click.option("--set", "remember", is_flag=True, help="Remember --months as the chain's (0: none).")
@click.option("--erase", is_flag=True, help="Erase them. Without it they are only listed.")
@click.option("--yes", is_flag=True, help="Without asking.")
@json_option
def retention(db: Path, months: int | None, *, remember: bool, erase: bool, yes: bool, as_json: bool) -> None:
    """List members without any activity for so many months (6 to 240), by ids that name nobody; or erase them.

    Each is erased as by `cloud member erase`, in a step of its own with a note of why. Stopped half-way, it goes on
    where it was when it is run again. Points that are left can't be spent any more.
    """
    from till_cloud import retention as rules
    from till_cloud.exceptions import AdminError

    if remember:
        if months is None:
            raise click.UsageError("expected --months with --set")
        with writing(db) as writer:
            writer.call(lambda connection: rules.set_months(connection, months))
        if not months:
            click.echo("nobody goes for their age", err=True)
            return
    with reading(db) as connection:
        wanted = rules.months_of(connection) if months is None else months
        if not wanted:
            raise AdminError("expected --months, or months that were set: `cloud privacy retention --months 36 --set`")
        rules.expect_months(wanted)
        day = rules.day_before(now_ms(), wanted)
        found = rules.Retained(months=wanted, before=day.isoformat(), members=list(rules.idle(connection, day)))
    clean = True
    if erase and found.members:
        if not yes:
            click.confirm(f"Erase {len(found.members)} members for good?", abort=True, err=True)
        try:
            _erase(db, found)
        finally:
            _, clean = leave_nothing(db)
    _tell(found, as_json=as_json, erased=erase)
    say_log(clean=clean)


def _erase(db: Path, found: "Retained") -> None:
    import datetime as dt
    from functools import partial

    from till_cloud import retention as rules

    day = dt.date.fromisoformat(found.before)
    with writing(db) as writer, _progress(len(found.members)) as steps:
        for first in range(0, len(found.members), rules.CHUNK_MEMBERS):
            chunk = found.members[first : first + rules.CHUNK_MEMBERS]
            with reading(db) as connection:
                ops = rules.operations_of(connection, chunk)
            for member_id in chunk:
                erase = partial(rules.erase_idle, member_id=member_id, ops=ops[member_id], day=day)
                if writer.call(partial(erase, months=found.months, now_ms=now_ms())):
                    found.erased += 1
                else:
                    found.skipped.append(member_id)
                next(steps, None)


@contextlib.contextmanager
def _progress(count: int) -> Iterator[Iterator[int]]:
    """A bar on a terminal, nothing elsewhere."""
    import sys

    with click.progressbar(range(count), label="Erasing", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        yield iter(bar)


def _tell(found: "Retained", *, as_json: bool, erased: bool) -> None:
    if as_json:
        echo_json(found)
        return
    click.echo(f"{len(found.members)} members without any activity in {found.months} months, since {found.before}")
    for member_id in found.members[:IDS_SHOWN]:
        click.echo(f"  {member_id}")
    if len(found.members) > IDS_SHOWN:
        click.echo(f"  ... and {len(found.members) - IDS_SHOWN} more; --json prints them all")
    if erased:
        click.echo(f"erased: {found.erased}; left alone, for something happened meanwhile: {len(found.skipped)}")
    elif found.members:
        click.echo("nothing was erased: --erase does it")
