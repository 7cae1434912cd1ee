"""`tillside slip`: how slips look, and whether a template works."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from till_drivers.slips.samples import SITUATIONS

if TYPE_CHECKING:
    from till_drivers.blocks import Block
    from till_drivers.slips.template import SlipTemplate
    from till_loyalty.programme import Programme

LANGUAGES = ("ru", "kk", "ky", "uk", "en")
KINDS = ("sale", "return", "void", "quote", "copy")
PAPERS = {58: 32, 80: 48}
"""Letters on a line, by the width of the paper in millimetres."""
NARROWEST, WIDEST = 16, 80

_document = click.Path(exists=True, dir_okay=False, path_type=Path)


class Width(click.ParamType):  # type: ignore[type-arg, unused-ignore]  # generic in newer click only
    """58 or 80 mm of paper, or letters on a line; converts to letters."""

    name = "58|80|COLUMNS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Letters on a line."""
        number = int(value) if str(value).isdigit() else 0
        if number not in PAPERS and not NARROWEST <= number <= WIDEST:
            self.fail(
                f"expected 58 or 80 (mm), or {NARROWEST} to {WIDEST} letters on a line, not {value!r}", param, ctx
            )
        return PAPERS.get(number, number)


@click.group(help="Preview slips, and check their templates.")
def slip() -> None:
    """Nothing of its own to do."""


@slip.command(short_help="Show a sample slip as text or picture.")
@click.option("--lang", type=click.Choice(LANGUAGES), default="ru", show_default=True, help="Language of the slip.")
@click.option("--kind", type=click.Choice(KINDS), default="sale", show_default=True, help="What the slip is of.")
@click.option(
    "--sample",
    type=click.Choice(SITUATIONS),
    default="usual",
    show_default=True,
    help="Situation that the slip tells of.",
)
@click.option("--width", type=Width(), default="80", show_default=True, help="Paper in mm, or letters on a line.")
@click.option(
    "--columns", type=click.IntRange(NARROWEST, WIDEST), default=None, help="Letters on a line, instead of --width."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "png", "escpos", "frontol", "blocks")),
    default="text",
    show_default=True,
    help="Text, a picture, the printer's bytes, Frontol's blocks or our own.",
)
@click.option("--png", type=click.Path(path_type=Path), help="Write a picture to this file, as a printer would print.")
@click.option("--template", type=_document, help="Template to use instead of the packaged one.")
@click.option("--programme", type=_document, help="Programme (TOML or JSON) whose templates and names are used.")
def preview(
    lang: str,
    kind: str,
    sample: str,
    width: int,
    columns: int | None,
    form: str,
    png: Path | None,
    template: Path | None,
    programme: Path | None,
) -> None:
    """Show a sample slip in a language, at a width, from a template."""
    from till_drivers.exceptions import DriverError

    letters = columns or width
    rules = _programme(programme) if programme is not None else None
    try:
        data = _made(_sample_blocks(lang, kind, sample, template, rules), "png" if png else form, letters)
    except DriverError as error:
        raise click.ClickException(str(error)) from error
    if png is not None:
        try:
            png.write_bytes(data)
        except OSError as error:
            raise click.ClickException(f"expected to write {png}: {error.strerror}") from error
        click.echo(str(png))
        return
    if form in ("png", "escpos") and sys.stdout.isatty():
        raise click.ClickException(f"expected a file or another program to take {form}, not a terminal: `> FILE`")
    click.echo(data, nl=False)


@slip.command()
@click.argument("templates", metavar="TEMPLATE...", type=_document, nargs=-1, required=True)
@click.option("--programme", type=_document, help="Programme (TOML or JSON) whose names of points are used.")
def check(templates: tuple[Path, ...], programme: Path | None) -> None:
    """Try each TEMPLATE on every kind of slip, language and situation; exit status 1 if one does not work."""
    from till_drivers.exceptions import SlipTemplateError
    from till_drivers.slips.checking import template_problems
    from till_drivers.slips.template import load_template

    rules = _programme(programme) if programme is not None else None
    faulty = 0
    for path in templates:
        problems: tuple[str, ...]
        try:
            loaded = load_template(str(path))
            problems = template_problems(loaded, programme=rules, printed=True) if loaded is not None else ()
        except SlipTemplateError as error:
            problems = (str(error),)
        for problem in problems:
            click.echo(problem, err=True)
        faulty += bool(problems)
        if not problems:
            click.echo(f"{path}: good")
    if faulty:
        click.echo(f"{faulty} of {len(templates)} not usable", err=True)
        raise SystemExit(1)


def _sample_blocks(
    language: str, kind: str, sample: str, path: Path | None, programme: "Programme | None"
) -> "list[Block]":
    from msgspec.structs import replace

    from till_drivers.slips.samples import sample_facts
    from till_drivers.slips.words import SlipWords

    words = SlipWords(language, programme)
    facts = sample_facts("sale" if kind == "copy" else kind, words, sample)
    if kind == "copy":
        facts = replace(facts, copy=True)
    return _template(facts.kind, language, path, programme).blocks(facts, words)


def _template(kind: str, language: str, path: Path | None, programme: "Programme | None") -> "SlipTemplate":
    """The file, else the programme's for that kind and language, else the packaged one: as a till chooses. Here one
    that fails is not replaced."""
    from till_drivers.slips.checking import programme_template
    from till_drivers.slips.template import default_template, load_template
    from till_loyalty.slips import fitting

    loaded = load_template(str(path)) if path is not None else None
    if loaded is not None:
        return loaded
    index = fitting(programme.slips, kind, language) if programme is not None else -1
    return programme_template(programme, index) if programme is not None and index >= 0 else default_template()


def _made(blocks: "list[Block]", form: str, columns: int) -> bytes:
    import msgspec

    if form == "text":
        from till_agent.slips.preview import preview_text

        return preview_text(blocks, columns).encode()
    if form in ("frontol", "blocks"):
        from till_drivers.slips.frontol import to_frontol

        data = to_frontol(blocks) if form == "frontol" else blocks
        return msgspec.json.format(msgspec.json.encode(data), indent=2) + b"\n"
    from till_drivers.preview import to_png
    from till_drivers.printers.profile import PROFILE_58MM, PROFILE_80MM
    from till_drivers.printers.render import render

    profile = PROFILE_80MM if columns > PROFILE_58MM.columns else PROFILE_58MM
    return to_png(blocks, profile) if form == "png" else render(blocks, profile)


def _programme(path: Path) -> "Programme":
    from till_loyalty.exceptions import ProgrammeError
    from till_loyalty.programme_document import parse_programme

    try:
        return parse_programme(path.read_bytes(), suffix=path.suffix or ".toml")
    except ProgrammeError as error:
        raise click.ClickException("\n".join(f"{path}: {problem}" for problem in error.problems)) from error
