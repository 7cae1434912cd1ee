"""`tillside cloud tills`: all tills at a glance, by what they say of themselves."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from till_cloud.cli.common import (
    database_option,
    echo_json,
    echo_table,
    json_option,
    now_ms,
    reading,
    time_text,
    writing,
)

if TYPE_CHECKING:
    from till_cloud.overview import TillState

ATTENTION = 3
"""Exit status when some till wants looking at, so that a script may ask."""


@click.command(short_help="Show how every till is, by its heartbeat.")
@database_option
@json_option
@click.option("--problems", "only_problems", is_flag=True, help="Only tills that somebody should look at.")
@click.option("--settle", metavar="TILL", help="Somebody has looked at this till's journal: take its findings off.")
def tills(db: Path, *, as_json: bool, only_problems: bool, settle: str | None) -> None:
    """Show every till: its state, when it was heard of last, its version, what waits, and what is wrong.

    The gravest state counts: quarantined, found (its journal is not what it was), silent (no heartbeat for 15
    minutes), not_ready (takes no sales), problems, never (it has told nothing yet), ok.

    Exit status 3 with --problems when there are any.
    """
    if settle is not None:
        _settle(db, settle)
        return
    from till_cloud.overview import overview

    with reading(db) as connection:
        rows = overview(connection, now_ms())
    total = len(rows)
    if only_problems:
        rows = [row for row in rows if row.state not in ("ok", "never")]
    if as_json:
        echo_json(rows)
    else:
        echo_table(
            ("till", "store", "state", "last seen (UTC)", "version", "waiting", "what"),
            [
                (row.till, row.store, row.state, time_text(row.seen_at_ms), row.version, row.waiting, _what(row))
                for row in rows
            ],
        )
        well = sum(1 for row in rows if row.state == "ok")
        click.echo(f"{len(rows)} of {total} tills" if only_problems else f"{total} tills, {well} without any problem")
    if only_problems and rows:
        raise SystemExit(ATTENTION)


def _what(row: "TillState") -> str:
    update = f"update {row.update_stage}" if row.update_stage not in ("none", "done") else ""
    return ", ".join(
        [each for each in (row.quarantined, *row.findings, *row.problems, *row.devices_down, update) if each]
    )


def _settle(db: Path, till_id: str) -> None:
    from till_cloud.store import heartbeats

    with writing(db) as writer:
        settled = writer.call(lambda connection: heartbeats.settle(connection, till_id, now_ms()))
    click.echo(f"Till {till_id}: {settled} findings settled" if settled else f"Till {till_id} has no findings")
