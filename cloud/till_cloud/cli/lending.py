"""`tillside cloud grant` and `tillside cloud voucher`: points that tills may take without asking."""

import sqlite3
import threading
import time
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
    from till_cloud.store.grants import Unheard

ROWS_SHOWN = 1_000
"""Grants or vouchers that one list shows."""

DAY_MS = 86_400_000
STALE_MOST_DAYS = 3_650
"""Of tills that nobody heard of in ten years there is nothing more to say."""

CALL_IN_S = 10
"""Tills look for changes every two seconds, and give back with their next push."""
CALL_IN_LOOK_S = 0.5


@click.group()
def grant() -> None:
    """Members' points lent to tills, for spending without a line to the cloud."""


@grant.command("list")
@click.option("--till", default="", help="Only of this till.")
@click.option("--member", default="", metavar="MEMBER", help="Only of this member (member id or tag).")
@click.option(
    "--stale", type=click.IntRange(1, STALE_MOST_DAYS), metavar="DAYS", help="Only tills not heard of for so long."
)
@json_option
@database_option
def grant_list(till: str, member: str, stale: int | None, db: Path, *, as_json: bool) -> None:
    """List what is lent, and what every till was lent in all.

    With --stale one line for each till that has points and was not heard of for DAYS, and what to do about it.
    """
    from till_cloud.showing import member as find
    from till_cloud.store import grants

    with reading(db) as connection:
        member_id = find(connection, reference=member).member_id if member else ""
        if stale is not None:
            before_ms = now_ms() - stale * DAY_MS
            _show_silent(
                grants.unheard(connection, before_ms, holder=till, member_id=member_id, limit=ROWS_SHOWN),
                as_json=as_json,
            )
            return
        rows = grants.open_rows(connection, holder=till, member_id=member_id, limit=ROWS_SHOWN)
    if as_json:
        echo_json(rows)
        return
    head = ("till", "member", "epoch", "points", "recalled", "granted", "used", "released", "written off")
    echo_table(
        head,
        [
            (row.holder, row.member_id, row.epoch, row.points, row.recall, row.granted, row.used, row.released,
             row.written_off)
            for row in rows
        ],
    )  # fmt: skip


def _show_silent(rows: list["Unheard"], *, as_json: bool) -> None:
    if as_json:
        echo_json(rows)
        return
    echo_table(
        ("till", "last heard of (UTC)", "members", "points"),
        [(row.till, time_text(row.seen_at_ms), row.members, row.points) for row in rows],
    )
    if rows:
        click.echo(_ABOUT_SILENT, err=True)


_ABOUT_SILENT = """
These points can be spent at those tills alone until they come back, and no time ends that: a till without a line may
be selling by them now. For each till, find out what became of it:
- it stands in its shop and sells: mend its line. It gives back by itself what others ask for.
- it is in a cupboard, or being repaired: let it send what it has before its disk is wiped (`tillside sync now` there).
- it is broken, stolen or sold: `tillside cloud grant revoke --till TILL --removed` gives the points back to their
  members. Sales that it made and never sent are lost; those that come all the same move no points."""


@grant.command("revoke")
@click.option("--till", required=True, help="The till that will not give them back.")
@click.option("--member", default="", metavar="MEMBER", help="Only this member's (member id or tag).")
@click.option("--removed", is_flag=True, help="The till is gone for good.")
@database_option
def grant_revoke(till: str, member: str, db: Path, *, removed: bool) -> None:
    """Give lent points back to their members without the till: it is broken, stolen, or will never be heard of.

    What it has spent of them and not told yet is lost, at most as much as is written off; a sale of it that comes
    later all the same is recorded with no points moved. The till is lent nothing until it asks for changes again.
    """
    from till_cloud.granting import revoke
    from till_cloud.showing import member as find

    with writing(db) as writer:

        def run(connection: sqlite3.Connection) -> tuple[int, int]:
            member_id = find(connection, reference=member).member_id if member else ""
            return revoke(connection, till, member_id, "till_removed" if removed else "hand", now_ms())

        members, points = writer.call(run)
    click.echo(f"{till}: {points} (smallest parts of a point) of {members} members written off")


@click.group()
def voucher() -> None:
    """Points of a member put aside for one till, as a text or a QR code that the member shows there."""


@voucher.command("issue")
@click.argument("reference", metavar="MEMBER")
@click.option("--till", required=True, help="The till that takes it.")
@click.option("--points", type=int, required=True, help="In smallest parts of a point.")
@click.option("--days", type=int, default=30, show_default=True, help="How long the till takes it.")
@database_option
def voucher_issue(reference: str, till: str, points: int, days: int, db: Path) -> None:
    """Put points of MEMBER (member id or tag) aside for a till, and print the text that it takes them by.

    Any program that makes QR codes can turn the text into one. An unused voucher's points are the member's again some
    time after it ended, as soon as its till has sent all it had. Points that lie at tills are called in; tills with a
    line give them back within seconds.
    """
    from till_cloud.vouchers import call_in, issue

    with writing(db) as writer:
        end = time.monotonic() + CALL_IN_S
        while writer.call(lambda connection: call_in(connection, reference, points, now_ms=now_ms())):
            if time.monotonic() > end:
                click.echo("Some of the points lie at tills that did not give them back; try again later.", err=True)
                break
            threading.Event().wait(CALL_IN_LOOK_S)
        row, text = writer.call(
            lambda connection: issue(connection, reference, till=till, points=points, days=days, now_ms=now_ms())
        )
    click.echo(f"{row.voucher}: {row.points} of {row.member_id} at {row.holder} until {time_text(row.expires_at_ms)}")
    click.echo(text)


@voucher.command("list")
@json_option
@database_option
def voucher_list(db: Path, *, as_json: bool) -> None:
    """List the newest vouchers."""
    from till_cloud.store import vouchers

    with reading(db) as connection:
        rows = vouchers.newest(connection, ROWS_SHOWN)
    if as_json:
        echo_json(rows)
        return
    echo_table(
        ("voucher", "member", "till", "points", "state", "until", "resolved by"),
        [
            (row.voucher, row.member_id, row.holder, row.points, row.state, time_text(row.expires_at_ms),
             row.resolved_by)
            for row in rows
        ],
    )  # fmt: skip
