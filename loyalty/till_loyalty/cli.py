"""`tillside programme`: check and explain programme documents."""

from pathlib import Path

import click

from till_loyalty.exceptions import ProgrammeError
from till_loyalty.programme import Programme

_document = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def programme() -> None:
    """Check and explain programme documents (TOML or JSON)."""


@programme.command()
@click.argument("files", metavar="FILE...", type=_document, nargs=-1, required=True)
def check(files: tuple[Path, ...]) -> None:
    """Tell every fault of each FILE with its place; exit status 1 if there is one."""
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
            code = digest(programme_json(document))
            click.echo(f"{path}: good: {document.id} version {document.version}, digest {code}")
    if faulty:
        click.echo(f"{faulty} of {len(files)} not usable", err=True)
        raise SystemExit(1)


@programme.command()
@click.argument("file", metavar="FILE", type=_document)
def explain(file: Path) -> None:
    """Say in plain words what FILE gives and takes."""
    from till_loyalty.explain import explain_programme

    try:
        document = _read(file)
    except ProgrammeError as error:
        for problem in error.problems:
            click.echo(f"{file}: {problem}", err=True)
        raise SystemExit(1) from None
    for line in explain_programme(document):
        click.echo(line)


def _read(path: Path) -> Programme:
    from till_loyalty.programme_document import parse_programme

    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ProgrammeError((f"document: expected a readable file: {error.strerror}",)) from None
    return parse_programme(raw, suffix=path.suffix or ".toml")
