"""`tillside cloud snapshot`: files from which new tills make their caches."""

from pathlib import Path

import click

from till_cloud.cli.common import database_option, echo_json, echo_table, json_option, now_ms, reading, time_text, told


@click.group()
def snapshot() -> None:
    """Make snapshots, and list them. `cloud run` makes them by itself where there are 5,000 members or more."""


NICENESS = 10
"""Of a maker that gives way to everything else."""


@snapshot.command("make")
@database_option
@click.option("--store", default="", help="Of the members whom this store's tills hold; without it, of all.")
@click.option("--low-priority", is_flag=True, help="Give way to other processes; `cloud run` makes them so.")
def snapshot_make(db: Path, store: str, *, low_priority: bool) -> None:
    """Make a snapshot of members as they are now. Tills without a cache take it from then on."""
    import os

    from till_cloud.cli.common import writing
    from till_cloud.exceptions import AdminError
    from till_cloud.snapshots import make
    from till_cloud.store import snapshots, tills

    if low_priority and hasattr(os, "nice"):
        os.nice(NICENESS)
    with reading(db) as connection, told():
        if store and tills.store(connection, store) is None:
            raise AdminError(f"expected a store that was added, not {store!r}: `cloud store list` names them")
        row = make(db, wall_ms=now_ms, scope=store)
    with writing(db) as writer:
        writer.call(lambda connection: snapshots.add(connection, row))
    click.echo(f"{row.snapshot}: {row.members} members, {row.bytes} bytes")


@snapshot.command("list")
@database_option
@json_option
def snapshot_list(db: Path, *, as_json: bool) -> None:
    """List the snapshots that are kept, newest first."""
    from till_cloud.store import snapshots

    with reading(db) as connection:
        found = snapshots.newest_first(connection)
    if as_json:
        echo_json(found)
        return
    rows: list[tuple[object, ...]] = [
        (row.snapshot, row.members, row.bytes, row.position, time_text(row.made_at_ms)) for row in found
    ]
    echo_table(("snapshot", "members", "bytes", "position", "made (UTC)"), rows)
