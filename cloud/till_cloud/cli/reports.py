"""`tillside cloud report`: suppliers' bills, and what each rule gave."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from till_cloud.cli.common import database_option, echo_json, echo_table, json_option, reading

if TYPE_CHECKING:
    from datetime import date

    from msgspec import Struct

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group()
def report() -> None:
    """Sums over a span of business days."""


def _days(command: Command) -> Command:
    """`--from DATE` and `--to DATE`, both days included."""
    for name, text in (("to", "Last day, YYYY-MM-DD, included."), ("from", "First day, YYYY-MM-DD.")):
        command = click.option(f"--{name}", f"{name}_date", metavar="DATE", required=True, help=text)(command)
    return command


@report.command("suppliers")
@database_option
@_days
@json_option
def suppliers(db: Path, from_date: str, to_date: str, *, as_json: bool) -> None:
    """What suppliers owe: points and discounts that they pay for, less what came back; money in minor units."""
    from till_cloud import reports

    first, last = _span(from_date, to_date)
    with reading(db) as connection:
        rows = reports.suppliers(connection, first, last)
    head = ("supplier", "rule", "points", "value", "share", "share value", "discounts", "share", "to pay")
    _tell(head, rows, as_json=as_json)


@report.command("programme")
@database_option
@_days
@json_option
def programme(db: Path, from_date: str, to_date: str, *, as_json: bool) -> None:
    """What each rule gave in sales that were not voided, returns not taken off, and what events gave."""
    from till_cloud import reports

    first, last = _span(from_date, to_date)
    with reading(db) as connection:
        rows = reports.given(connection, first, last)
    _tell(("kind", "rule", "times", "points", "discounts"), rows, as_json=as_json)


def _tell(head: tuple[str, ...], rows: "Sequence[Struct]", *, as_json: bool) -> None:
    """Rows whose fields are the columns, in order."""
    if as_json:
        echo_json(rows)
        return
    echo_table(head, [tuple(getattr(row, name) for name in row.__struct_fields__) for row in rows])


def _span(first: str, last: str) -> "tuple[date, date]":
    import datetime as dt

    try:
        span = dt.date.fromisoformat(first), dt.date.fromisoformat(last)
    except ValueError:
        raise click.ClickException(f"expected dates such as 2026-12-31, not {first!r} and {last!r}") from None
    if span[0] > span[1]:
        raise click.ClickException(f"expected --from before --to, not {first} after {last}")
    return span
