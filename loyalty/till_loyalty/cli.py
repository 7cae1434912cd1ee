"""`tillside programme`: check, explain, try and compare programme documents."""

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from till_loyalty.exceptions import ProgrammeError, ReceiptError
from till_loyalty.programme import Programme

if TYPE_CHECKING:
    from till_loyalty.simulation import Totals

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
    """What FILE would have given and cost on RECEIPTS (JSON lines: receipt, member, clock, place, codes)."""
    from till_loyalty.simulation import figures

    for name, figure in figures(_simulated(file, receipts)).items():
        click.echo(f"{name}: {figure}")


@programme.command()
@click.argument("old", metavar="OLD", type=_document)
@click.argument("new", metavar="NEW", type=_document)
@click.argument("receipts", metavar="RECEIPTS", type=_document)
def diff(old: Path, new: Path, receipts: Path) -> None:
    """What changes between OLD and NEW on the same RECEIPTS."""
    from till_loyalty.simulation import figures

    before, after = figures(_simulated(old, receipts)), figures(_simulated(new, receipts))
    names = [*before, *[name for name in after if name not in before]]
    changed = [name for name in names if before.get(name, 0) != after.get(name, 0)]
    for name in changed:
        one, other = before.get(name, 0), after.get(name, 0)
        click.echo(f"{name}: {one} -> {other} ({other - one:+d})")
    if not changed:
        click.echo("no figure changes")


def _simulated(file: Path, receipts: Path) -> "Totals":
    """Totals over the file of receipts, with a progress bar on a terminal."""
    from till_loyalty.simulation import Past, Totals, read_past, simulate

    document = _good(file)
    totals = Totals()
    size = receipts.stat().st_size
    with receipts.open("rb") as source, click.progressbar(length=size, label=document.id, file=sys.stderr) as bar:

        def sales() -> Iterator[Past]:
            for number, line in enumerate(source, 1):
                bar.update(len(line))
                if line.strip():
                    yield read_past(line, number)

        try:
            for _ in simulate(document, sales(), totals):
                pass
        except ReceiptError as error:
            click.echo(f"{receipts}: {error}", err=True)
            raise SystemExit(1) from None
    return totals


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
