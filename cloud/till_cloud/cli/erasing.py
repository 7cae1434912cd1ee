"""`tillside cloud member erase|export`, and `tillside cloud privacy`."""

from pathlib import Path

import click

from till_cloud.cli.common import database_option, echo_json, json_option, now_ms, reading, told, writing


@click.command()
@click.argument("reference", metavar="MEMBER")
@click.option("--yes", is_flag=True, help="Without asking.")
@database_option
@json_option
def erase(reference: str, db: Path, *, yes: bool, as_json: bool) -> None:
    """Erase who MEMBER (member id or tag) is: name, birth date, numbers, segments, codes, PIN.

    Points and receipts stay in the ledger under an id that names nobody; a card shown again finds nobody. Tills drop
    the member with their next pull. It can't be undone, and backups made before still have it all: see
    docs/how-to/erase-a-member.md. Points that are left can't be spent any more.
    """
    from till_cloud import erasing, showing

    with reading(db) as connection:
        member_id = showing.member(connection, reference=reference).member_id
        ops = erasing.operations_of(connection, member_id)
    if not yes:
        click.confirm(f"Erase {member_id} for good?", abort=True, err=True)
    with writing(db) as writer:
        done = writer.call(lambda connection: erasing.erase(connection, member_id, ops, now_ms()))
    removed, clean = leave_nothing(db)
    if as_json:
        echo_json({"erased": done, "log_emptied": clean, "snapshots_removed": removed})
        return
    click.echo(f"{done.member_id}: {done.identifiers} numbers and {done.operations} operations name nobody now")
    say_log(clean=clean)


def leave_nothing(db: Path) -> tuple[int, bool]:
    """Remove what else has erased members: snapshots (how many), and former pages of the file (whether all of them)."""
    from till_cloud import erasing, snapshots
    from till_cloud.store import snapshots as snapshot_rows

    with writing(db) as writer:
        made = writer.call(snapshot_rows.newest_first)
        for row in made:
            writer.call(lambda connection, name=row.snapshot: snapshot_rows.remove(connection, name))  # type: ignore[misc]  # mypy infers no lambda with a default
    for row in made:
        (snapshots.folder_of(db) / row.snapshot).unlink(missing_ok=True)
    with told():
        return len(made), erasing.scrub(db)


def say_log(*, clean: bool) -> None:
    """A word where former pages are still in the log."""
    if not clean:
        click.echo("The running cloud reads its log: `tillside cloud privacy scrub` when it is quiet.", err=True)


@click.command()
@click.argument("reference", metavar="MEMBER")
@database_option
def export(reference: str, db: Path) -> None:
    """Print everything that the chain holds of MEMBER (member id or tag), as JSON: for the member themselves."""
    from till_cloud import erasing, showing

    with reading(db) as connection:
        echo_json(erasing.export(connection, showing.member(connection, reference=reference).member_id))


@click.group()
def privacy() -> None:
    """Whom tills hold, how long people are kept, keys that they are sealed to, what deleted rows leave in the file."""


@privacy.command("new-key")
@database_option
def new_key(db: Path) -> None:
    """Begin a new key that tills seal people to, if the former one may be known to others.

    Former keys stay, to open what tills sealed to them; tills hear of the new one within ten minutes, or when the line
    comes back.
    """
    from till_cloud.sealing import rotate

    with writing(db) as writer:
        count = writer.call(rotate)
    click.echo(f"keys that open what tills seal: {count}")


@privacy.command("scrub")
@database_option
def scrub(db: Path) -> None:
    """Overwrite what deleted rows left in the database's file and log; `member erase` does so too.

    Exit status 1: a running cloud still reads the log; try again when it is quiet, or stop it for a moment.
    """
    from till_cloud import erasing

    with told():
        clean = erasing.scrub(db)
    click.echo("nothing of what was deleted is left" if clean else "the running cloud still reads its log")
    if not clean:
        raise SystemExit(1)
