"""`tillside cloud ops` and `cloud member adjust`: what was rejected, and putting it right."""

from pathlib import Path

import click

from till_cloud.cli.common import (
    database_option,
    echo_json,
    echo_table,
    json_option,
    now_ms,
    reading,
    time_text,
    told,
    writing,
)

SHOWN = 200

by_option = click.option("--by", default="", metavar="NAME", help="Who does it. Left out: the system's user.")

DO = {
    "poison": "our own code broke over it: report it with its place, correct the points by `cloud member adjust`",
    "parked": "it never came whole: `tillside queue show` at its till has it; correct by `cloud member adjust`",
}
"""What to do, by code; everything else is in docs/reference/cloud.md, "Verdicts"."""


@click.group()
def ops() -> None:
    """Operations of tills that were rejected, and any single one."""


@ops.command("rejected")
@database_option
@json_option
@click.option("--till", "till_id", default="", metavar="ID", help="Of one till only.")
@click.option("--all", "everything", is_flag=True, help="Also those that are marked as put right.")
@click.option("--limit", type=click.IntRange(1), default=SHOWN, show_default=True, help="Newest so many.")
def rejected(db: Path, till_id: str, limit: int, *, as_json: bool, everything: bool) -> None:
    """Rejected operations that nobody has marked as put right, newest first.

    Nothing of them is in the ledger and no verdict ever changes. What should have counted is put right by
    `cloud member adjust MEMBER POINTS --why TEXT --about OPERATION`, which marks it too.
    """
    from till_cloud.store import poison

    with reading(db) as connection:
        rows = poison.rejected(connection, till=till_id, everything=everything, limit=limit)
    if as_json:
        echo_json(rows)
        return
    echo_table(
        ("received (UTC)", "operation", "kind", "uid", "code", "put right", "detail"),
        [
            (time_text(row.received_at_ms), row.op, row.kind, row.uid, row.code, row.resolved_by or "no", row.detail)
            for row in rows
        ],
    )
    for code in sorted({row.code for row in rows if not row.resolved_at_ms} & set(DO)):
        click.echo(f"{code}: {DO[code]}")


@ops.command("show")
@click.argument("operation", metavar="TILL:EPOCH:SEQ")
@database_option
def show(operation: str, db: Path) -> None:
    """One operation as it came, with its verdict, as JSON."""
    import msgspec

    from till_cloud.adjusting import parse_op
    from till_cloud.exceptions import AdminError
    from till_cloud.store import poison

    with reading(db) as connection, told():
        found = poison.one(connection, parse_op(operation))
        if found is None:
            raise AdminError(f"expected an operation that has come to this cloud, not {operation[:80]}")
    row, status, body = found
    try:
        msgspec.json.decode(body)
        shown: object = msgspec.Raw(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        shown = {"not_json": body.hex()}
    echo_json({"status": status, **msgspec.to_builtins(row), "body": shown})


@ops.command("resolve")
@click.argument("operation", metavar="TILL:EPOCH:SEQ")
@database_option
@by_option
@click.option("--note", default="", metavar="TEXT", help="What was done about it.")
def resolve(operation: str, db: Path, by: str, note: str) -> None:
    """Mark a rejected operation as put right, or as rightly rejected. Its verdict stays."""
    from till_cloud.adjusting import resolve as mark

    who = by or _user()
    with writing(db) as writer:
        marked = writer.call(lambda connection: mark(connection, operation, by=who, note=note, now_ms=now_ms()))
    click.echo(f"{operation} {'is' if marked else 'was already'} marked as put right")


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("reference", metavar="MEMBER")
@click.argument("points", type=int)
@database_option
@json_option
@click.option("--why", required=True, metavar="TEXT", help="Kept with the correction for ever.")
@by_option
@click.option("--about", default="", metavar="TILL:EPOCH:SEQ", help="The operation that this makes good.")
@click.option("--into-debt", is_flag=True, help="Take more points than are there: the member owes the rest.")
@click.option("--again", is_flag=True, help="Once more for the same operation.")
def adjust(
    reference: str,
    points: int,
    db: Path,
    why: str,
    by: str,
    about: str,
    *,
    as_json: bool,
    into_debt: bool,
    again: bool,
) -> None:
    """Give MEMBER (member id or tag) POINTS, in whole minor units, or take them: -500.

    It is a movement of its own in the ledger, of kind `adjust`. Points given live as the programme says; points held
    for a receipt under way are never taken.
    """
    from till_cloud.adjusting import adjust as correct

    who = by or _user()
    with writing(db) as writer:
        done = writer.call(
            lambda connection: correct(
                connection,
                reference,
                points,
                why=why,
                by=who,
                now_ms=now_ms(),
                about=about,
                into_debt=into_debt,
                again=again,
            )
        )
    echo_json(done) if as_json else click.echo(f"{done.member_id}: {done.points:+} points, balance {done.balance}")


@click.command()
@click.argument("reference", metavar="MEMBER")
@database_option
@json_option
@click.option("--limit", type=click.IntRange(1), default=SHOWN, show_default=True, help="Newest so many.")
def adjustments(reference: str, db: Path, limit: int, *, as_json: bool) -> None:
    """Corrections of MEMBER's points by hand: who, when, why."""
    from till_cloud.adjusting import adjustments as corrections

    with reading(db) as connection:
        rows = corrections(connection, reference, limit)
    if as_json:
        echo_json(rows)
        return
    echo_table(
        ("time (UTC)", "points", "by", "about", "why"),
        [(time_text(row.at_ms), row.points, row.made_by, row.about, row.why) for row in rows],
    )


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user without a name, on some systems without the module for it
        raise click.UsageError("expected --by NAME: the system's user has no name") from None
