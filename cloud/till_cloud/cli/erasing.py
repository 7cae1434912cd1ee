"""`tillside cloud member erase|export`, and `tillside cloud privacy`."""

from pathlib import Path

import click

from till_cloud.cli.common import database_option, echo_json, json_option, now_ms, reading, told, writing
from till_cloud.phone_costs import COSTS, USUAL_COST


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
    """Whom tills hold, how long people are kept, keys, slow tags of phones, what deleted rows leave in the file."""


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
    click.echo("Backups made before lack the new one: keep `tillside cloud privacy keys FILE` beside them.", err=True)


@privacy.command("keys")
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@database_option
def keys(file: Path, db: Path) -> None:
    """Write the keys that open what tills have sealed into FILE, to be kept beside the backups, under lock.

    A backup opens only what was sealed to the keys that there were when it was made. Who has FILE and a till's disk
    reads who registered there.
    """
    from till_cloud.sealing import write_file

    try:
        with told(), reading(db) as connection:
            count = write_file(connection, file)
    except OSError as exc:
        raise click.ClickException(f"expected to write {file}: {exc.strerror}") from exc
    click.echo(f"{file}: {count} keys" if count > 1 else f"{file}: 1 key")


@privacy.command("add-keys")
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@database_option
def add_keys(file: Path, db: Path) -> None:
    """Take the keys of FILE, as `cloud privacy keys` wrote it, into a restored database that is older than some.

    Do so before the restored cloud is started: a registration that it can't open loses the name.
    """
    from till_cloud.sealing import add, read_file

    try:
        with told():
            found = read_file(file)
    except OSError as exc:
        raise click.ClickException(f"expected to read {file}: {exc.strerror}") from exc
    with writing(db) as writer:
        count = writer.call(lambda connection: add(connection, found))
    click.echo("no key was missing" if not count else f"keys that came: {count}")


@privacy.command("slow-phones")
@click.option(
    "--begin",
    is_flag=True,
    help="Have them made from now on, by the running cloud. It can't be taken back: upgrade all tills before.",
)
@click.option(
    "--cost",
    type=click.Choice([str(cost) for cost in COSTS]),
    default=str(USUAL_COST),
    show_default=True,
    help="With --begin: scrypt's N. Half of it halves the time of a look-up, and that of who tries phones.",
)
@database_option
@json_option
def slow_phones(db: Path, cost: str, *, begin: bool, as_json: bool) -> None:
    """Tell how far the slow tags of phones are, or have them made for a chain that was begun without.

    `cloud init` begins a new chain with them. A stolen till's tags of phones can be tried out in minutes; the slow ones
    in years. See docs/explanation/privacy.md. A million members take the running cloud thirty hours, at half of one
    core; tills hear of each as of any change. A till of a release before them finds members by card, and no longer by
    phone: its sales to phones still count.
    """
    from till_cloud.jobs.slow_phones import progress
    from till_cloud.store import slow_tags

    if begin:
        with writing(db) as writer:
            had = writer.call(slow_tags.phone_tags).cost
            if had not in (0, int(cost)):
                raise click.ClickException(f"expected --cost {had}, which the chain has and keeps")
            writer.call(lambda connection: slow_tags.begin(connection, int(cost)))
    with reading(db) as connection:
        found = progress(connection)
    if as_json:
        echo_json(found)
    elif not found.cost:
        click.echo(f"no slow tags; {found.waiting} phones by fast ones")
    else:
        only = "; tills record slow tags only" if found.only else ""
        click.echo(f"phones by slow tags: {found.slow}, still by fast ones: {found.waiting}{only}")


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
