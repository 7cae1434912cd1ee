"""`tillside cloud programme`: upload and list versions."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from till_cloud.cli.common import database_option, echo_json, echo_table, json_option, now_ms, reading, writing

if TYPE_CHECKING:
    from till_loyalty.programme import Programme


@click.group()
def programme() -> None:
    """Programme versions that tills sell by."""


@programme.command("upload")
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@database_option
@click.option("--staged", is_flag=True, help="Add it only: `cloud wave start programme VERSION` brings it to tills.")
def upload(file: Path, db: Path, *, staged: bool) -> None:
    """Check FILE (TOML or JSON), add it and make it the version to sell by, at all tills at once.

    Its version must be higher than every earlier one. With --staged no till sells by it until a wave brings it.
    """
    from till_cloud.registry import upload as add

    parsed = _checked(file)
    with writing(db) as writer:
        row = writer.call(lambda connection: add(connection, parsed, now_ms(), staged=staged))
    if staged:
        click.echo(f"{row.programme_id} version {row.version} is staged; digest {row.digest}")
        return
    click.echo(f"{row.programme_id} version {row.version} is the one to sell by; digest {row.digest}")


@programme.command("check")
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    """Tell every fault of FILE as `upload` would, its slip templates tried out, and add nothing."""
    parsed = _checked(file)
    click.echo(f"{file}: good: {parsed.id} version {parsed.version}")


def _checked(file: Path) -> "Programme":
    """The programme of a file, its slips tried out; its faults and exit status 1 when it is not usable."""
    from till_drivers.slips.checking import programme_slip_problems
    from till_loyalty.exceptions import ProgrammeError
    from till_loyalty.programme_document import parse_programme

    try:
        parsed = parse_programme(file.read_bytes(), suffix=file.suffix.lower())
        problems = programme_slip_problems(parsed)
        if not problems:
            return parsed
    except ProgrammeError as error:
        problems = error.problems
    for problem in problems:
        click.echo(f"{file}: {problem}", err=True)
    raise SystemExit(1)


@programme.command("list")
@database_option
@json_option
def list_versions(db: Path, *, as_json: bool) -> None:
    """Every version, and which one is active."""
    from till_cloud.store import programmes

    with reading(db) as connection:
        rows = programmes.all_versions(connection)
    if as_json:
        names = ("programme_id", "version", "active", "digest")
        echo_json([{name: getattr(row, name) for name in names} for row in rows])
        return
    echo_table(
        ("programme", "version", "active", "digest"),
        [(row.programme_id, row.version, "yes" if row.active else "", row.digest) for row in rows],
    )


@programme.command("budget")
@database_option
@json_option
def budget(db: Path, *, as_json: bool) -> None:
    """Each budget of the active programme: all of it, what tills were granted, and what they used, in minor units."""
    from till_cloud import budgets
    from till_cloud.exceptions import AdminError
    from till_cloud.registry import Registry

    with reading(db) as connection:
        active = Registry().active(connection)
        if active is None:
            raise AdminError("expected a programme: `cloud programme upload`")
        views = budgets.view(connection, active.programme)
    if as_json:
        echo_json(views)
        return
    rows: list[tuple[object, ...]] = []
    for view in views:
        rows.append((view.rule, "all tills", view.total, view.granted, view.used))
        rows += [(view.rule, share.till, "", share.granted, share.used) for share in view.shares]
    echo_table(("rule", "till", "budget", "granted", "used"), rows)
