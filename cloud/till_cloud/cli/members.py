"""`tillside cloud member` and `ledger`."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from till_cloud.cli import corrections, erasing, people
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

if TYPE_CHECKING:
    from till_cloud.csv_members import Fault

FAULTS_SHOWN = 20
"""Faults told on the terminal; `--errors` takes them all."""


@click.group()
def member() -> None:
    """Members and their identifiers."""


for _command in (
    corrections.adjust,
    corrections.adjustments,
    erasing.erase,
    erasing.export,
    people.confirm,
    people.coupon,
    people.pin,
    people.segment,
    people.tier,
):
    member.add_command(_command)


@member.command("import")
@click.argument("file", metavar="FILE.csv", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@database_option
@click.option("--errors", type=click.Path(dir_okay=False, path_type=Path), help="CSV of every bad line.")
@click.option("--all-or-nothing", is_flag=True, help="Leave out a whole block of 5,000 lines if one of them is bad.")
@click.option("--store", default="", help="Where they shop: only this store's tills hold them from the start.")
def import_members(file: Path, db: Path, errors: Path | None, store: str, *, all_or_nothing: bool) -> None:
    """Add and update members from a CSV file.

    Columns, in any order: member_id, name, phone, card, tier, language, status, balance (opening points, whole minor
    units), birth_date and member_since (2026-01-31), sex (female, male), segments and coupons (names between |),
    referrer (member id or referral code), referral_code (made where there is none), purchases (how many they made
    before) and last_purchase (2026-01-31). Each line needs a member_id, a phone or a card. Good lines are taken, bad
    ones told, and then the exit status is 1. The same file may be imported again: opening points are given once.

    New members count as seen today, in every store or in the one named: tills hold who was seen in their store lately
    (`cloud privacy window`).
    """
    from till_cloud.centre import new_member_id
    from till_cloud.csv_members import LineReader, rows
    from till_cloud.exceptions import AdminError
    from till_cloud.importing import Importer
    from till_cloud.jobs.windows import judge
    from till_cloud.registry import Registry
    from till_cloud.store import meta, tills

    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(writing(db))
        active = writer.call(Registry().active)
        if store and writer.call(lambda connection: tills.store(connection, store)) is None:
            raise AdminError(f"expected a store that was added, not {store!r}: `cloud store list` names them")
        if active is None:
            raise AdminError("expected a programme, for its rules of cards, phones and tiers: `cloud programme upload`")
        report = stack.enter_context(_fault_report(errors))
        lines = stack.enter_context(_counted_lines(file))
        importer = Importer(
            LineReader(active.programme, writer.call(meta.identifier_key)),
            transact=writer.call,
            wall_ms=now_ms,
            new_id=new_member_id,
            report=report,
            whole_blocks=all_or_nothing,
            store=store,
        )
        unreadable = None
        try:
            importer.take(rows(lines))
        except AdminError as error:
            unreadable = error
        writer.call(judge)
    done = importer.done
    if done.lines or unreadable is None:
        # Also where the file could not be read to its end: what stood before that is in the database.
        click.echo(
            f"{done.lines} lines: {done.added} members added, {done.updated} updated, {done.unchanged} unchanged, "
            f"{done.refused} lines not taken"
        )
    if unreadable is not None:
        with told():
            raise unreadable
    if done.refused:
        raise SystemExit(1)


@contextlib.contextmanager
def _fault_report(errors: Path | None) -> "Iterator[Callable[[Fault], None]]":
    """Faults to the terminal, the first of them, and all to a CSV file."""
    import csv

    shown = 0
    with contextlib.ExitStack() as stack:
        writer = None
        if errors is not None:
            writer = csv.writer(stack.enter_context(errors.open("w", encoding="utf-8", newline="")))
            writer.writerow(("line", "column", "expected"))

        def report(fault: "Fault") -> None:
            nonlocal shown
            shown += 1
            if writer is not None:
                writer.writerow((fault.line, fault.column, fault.message))
            if shown <= FAULTS_SHOWN:
                place = f"line {fault.line}" + (f", column {fault.column}" if fault.column else "")
                click.echo(f"{place}: {fault.message}", err=True)

        yield report
    if shown > FAULTS_SHOWN:
        click.echo(
            f"... and {shown - FAULTS_SHOWN} more" + ("" if errors else "; --errors FILE takes them all"), err=True
        )


@contextlib.contextmanager
def _counted_lines(file: Path) -> Iterator[Iterator[str]]:
    """The file's lines, with a bar of how much was read when there is a terminal to draw it on."""
    import sys

    from till_cloud.exceptions import AdminError

    with file.open("rb") as raw, contextlib.ExitStack() as stack:
        advance: Callable[[int], object] = len_of_nothing
        if sys.stderr.isatty():
            advance = stack.enter_context(_bar(file.stat().st_size))

        def lines() -> Iterator[str]:
            for number, line in enumerate(raw, 1):
                advance(len(line))
                try:
                    yield line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    found = line[error.start]
                    raise AdminError(
                        f"line {number}: expected UTF-8, not the byte {found:#04x}: convert it, then import it again"
                    ) from None

        yield lines()


def len_of_nothing(size: int) -> None:
    """Stands for a progress bar where nobody looks."""
    del size


@contextlib.contextmanager
def _bar(total: int) -> Iterator[Callable[[int], object]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("Importing"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("import", total=total)
        yield lambda size: progress.advance(task, size)


@member.command("show")
@click.argument("reference", required=False)
@database_option
@json_option
@click.option("--card", help="Card number, as scanned or keyed.")
@click.option("--phone", help="Phone number.")
def show(reference: str | None, db: Path, card: str | None, phone: str | None, *, as_json: bool) -> None:
    """One member: by REFERENCE (member id or tag), card or phone."""
    from till_cloud import showing

    if sum(value is not None for value in (reference, card, phone)) != 1:
        raise click.UsageError("expected one of REFERENCE, --card and --phone")
    with reading(db) as connection:
        view = showing.member(connection, reference=reference, card=card, phone=phone)
    if as_json:
        echo_json(view)
        return
    for name in view.__struct_fields__:
        value = getattr(view, name)
        if name == "lots":
            continue
        shown = ", ".join(value) if isinstance(value, tuple) else value
        click.echo(f"{name.replace('_', ' '):18} {shown}")
    if view.lots:
        click.echo()
        fields = ("lot", "issued", "left", "used", "expired", "reversed")
        rows: list[tuple[object, ...]] = [
            (
                *(getattr(lot, name) for name in fields),
                "now" if lot.active_at_ms is None else time_text(lot.active_at_ms),
                time_text(lot.expires_at_ms or 0),
            )
            for lot in view.lots
        ]
        echo_table((*fields, "active (UTC)", "ends (UTC)"), rows)


@member.command("merge")
@click.argument("old")
@click.argument("into")
@database_option
def merge(old: str, into: str, db: Path) -> None:
    """Make member OLD one person with member INTO (ids): points, facts and numbers go over, and OLD is removed.

    It can't be undone. Refused while OLD has points held for a receipt under way. `cloud flags` names the members that
    a till saw together (merge_needed, card_taken).
    """
    import sqlite3

    from till_cloud.ledger.book import Book
    from till_cloud.merging import merge_by_hand
    from till_cloud.registry import Registry

    def work(connection: sqlite3.Connection) -> None:
        book = Book(connection, now_ms())
        merge_by_hand(book, Registry(), old, into)
        book.flush()

    with writing(db) as writer:
        writer.call(work)
    click.echo(f"{old} is {into} now; `tillside cloud member show {into}` shows them together")


@click.group()
def ledger() -> None:
    """The ledger of record."""


@ledger.command("show")
@click.argument("reference")
@database_option
@json_option
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True, help="Newest so many movements.")
def ledger_show(reference: str, db: Path, *, as_json: bool, limit: int) -> None:
    """Every movement of a member's points (REFERENCE: member id or tag), oldest first."""
    from till_cloud import showing

    with reading(db) as connection:
        view = showing.member(connection, reference=reference)
        rows = showing.movements(connection, view.member_id, limit)
    if as_json:
        echo_json(rows)
        return
    fields = ("earned", "redeemed", "given_back", "reversed", "expired", "balance", "debt")
    echo_table(
        ("time (UTC)", "what", "uid", "operation", *(name.replace("_", " ") for name in fields)),
        [(time_text(row.at_ms), row.kind, row.uid, row.op, *(getattr(row, name) for name in fields)) for row in rows],
    )
