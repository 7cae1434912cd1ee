"""`tillside programme`: check, explain, try and compare programme documents."""

import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from till_loyalty.exceptions import ProgrammeError, ReceiptError
from till_loyalty.programme import Programme

if TYPE_CHECKING:
    from collections.abc import Callable

    from till_loyalty.simulation import Past

LINES_A_STEP = 500
"""Receipts between two looks at the progress bar: a fraction of a second, and drawing costs nothing."""
_document = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def programme() -> None:
    """Check and explain programme documents (TOML or JSON)."""


@programme.command()
@click.argument("files", metavar="FILE...", type=_document, nargs=-1, required=True)
@click.option("--strict", is_flag=True, help="Take a doubt for a fault.")
def check(files: tuple[Path, ...], *, strict: bool) -> None:
    """Tell every fault and doubt of each FILE with its place; exit status 1 if there is a fault."""
    from till_loyalty.doubts import doubts
    from till_loyalty.programme_document import digest, programme_json

    faulty = 0
    for path in files:
        try:
            document = _read(path)
        except ProgrammeError as error:
            faulty += 1
            for problem in error.problems:
                click.echo(f"{path}: {problem}", err=True)
        else:
            found = doubts(document, date.today())  # noqa: DTZ011 - the day of the one who writes it
            for doubt in found:
                click.echo(f"{path}: doubt: {doubt}", err=True)
            if strict and found:
                faulty += 1
                continue
            code = digest(programme_json(document))
            click.echo(f"{path}: good: {document.id} version {document.version}, digest {code}")
    if faulty:
        click.echo(f"{faulty} of {len(files)} not usable", err=True)
        raise SystemExit(1)


@programme.command()
@click.argument("file", metavar="FILE", type=_document)
@click.option("--language", type=click.Choice(("ru", "kk", "ky", "uk", "en")), default="en", show_default=True)
@click.option("--receipt", metavar="RECEIPT", type=_document, help="Explain what FILE gives this receipt (JSON).")
def explain(file: Path, language: str, receipt: Path | None) -> None:
    """Say in plain words what FILE gives and takes, or how it comes to what it gives RECEIPT."""
    from till_loyalty.explain import explain_programme

    document = _good(file)
    if receipt is None:
        lines = explain_programme(document, language)
    else:
        from till_loyalty.explain_receipt import explain_receipt

        try:
            lines = explain_receipt(document, receipt.read_bytes(), language)
        except ReceiptError as error:
            click.echo(f"{receipt}: {error}", err=True)
            raise SystemExit(1) from None
    for line in lines:
        click.echo(line)


@programme.command()
@click.argument("file", metavar="FILE", type=_document)
@click.argument("receipts", metavar="RECEIPTS", type=_document)
def simulate(file: Path, receipts: Path) -> None:
    """What FILE would have given and cost on RECEIPTS (JSON lines: receipt, member, clock, place, codes).

    Receipts of the same member.id are sold to one member: balance, limits, tier and coupons are carried on from one to
    the next. Sums are minor units, by rule too.
    """
    from till_loyalty.simulation import Run, figures

    run = Run(_good(file))
    _feed(receipts, run.programme.id, lambda _, past: run.sell(past))
    for name, figure in figures(run).items():
        click.echo(f"{name}: {figure}")


@programme.command()
@click.argument("old", metavar="OLD", type=_document)
@click.argument("new", metavar="NEW", type=_document)
@click.argument("receipts", metavar="RECEIPTS", type=_document)
def diff(old: Path, new: Path, receipts: Path) -> None:
    """What changes between OLD and NEW on the same RECEIPTS: each figure, and the ten receipts that change most."""
    from till_loyalty.simulation import Comparison

    comparison = Comparison(_good(old), _good(new))
    _feed(receipts, comparison.after.programme.id, comparison.sell)
    differences = list(comparison.differences())
    for name, one, other in differences:
        click.echo(f"{name}: {one} -> {other} ({other - one:+d})")
    if not differences:
        click.echo("no figure changes")
    if comparison.changed:
        click.echo(f"receipts that change: {comparison.changed}, most of all:")
        for changed in comparison.most():
            click.echo(f"  {changed.words()}")


def _feed(receipts: Path, label: str, sell: "Callable[[int, Past], object]") -> None:
    """Sell every receipt of a file, with a progress bar on a terminal; a bad one ends it with exit status 1."""
    from till_loyalty.simulation import read_past

    size = receipts.stat().st_size
    hidden = not sys.stderr.isatty()
    with (
        receipts.open("rb") as source,
        click.progressbar(length=size, label=label, file=sys.stderr, hidden=hidden) as bar,
    ):
        read = 0
        try:
            for number, line in enumerate(source, 1):
                read += len(line)
                if line.strip():
                    sell(number, read_past(line, number))
                if number % LINES_A_STEP == 0:
                    bar.update(read)
                    read = 0
            bar.update(read)
        except ReceiptError as error:
            click.echo(f"{receipts}: {error}", err=True)
            raise SystemExit(1) from None


def _good(file: Path) -> Programme:
    """The programme of a file, or its faults and exit status 1."""
    try:
        return _read(file)
    except ProgrammeError as error:
        for problem in error.problems:
            click.echo(f"{file}: {problem}", err=True)
        raise SystemExit(1) from None


def _read(path: Path) -> Programme:
    from till_loyalty.programme_document import parse_programme

    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ProgrammeError((f"document: expected a readable file: {error.strerror}",)) from None
    return parse_programme(raw, suffix=path.suffix or ".toml")
