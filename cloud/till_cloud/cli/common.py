"""What the cloud's commands share: the database option, opening it to read or to change, errors as one line."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from till_cloud.store.writer import Writer

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])

TABLE_CELL_LIMIT = 70
"""Characters of a cell: a digest takes 64."""


def database_option(command: Command) -> Command:
    """`--db FILE`, or the environment's TILLSIDE_CLOUD_DB."""
    return click.option(
        "--db",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="TILLSIDE_CLOUD_DB",
        required=True,
        callback=_named,
        help="The cloud's database.",
    )(command)


def _named(_ctx: click.Context, _option: click.Parameter, given: Path) -> Path:
    """A shell's variable that is not set makes an empty word, which would be the folder that one is in."""
    if not given.name:
        raise click.BadParameter("expected the name of a file, not an empty one")
    return given


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Tell errors that people can do something about in one line, with exit status 1."""
    from till_cloud.exceptions import CloudError
    from till_cloud.store.connection import is_damage

    try:
        yield
    except CloudError as error:
        raise click.ClickException(str(error)) from error
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        raise click.ClickException(
            f"the database is damaged ({error}): put a backup back, see docs/how-to/run-the-cloud.md#back-up"
        ) from error


@contextlib.contextmanager
def writing(path: Path, *, create: bool = False) -> Iterator["Writer"]:
    """The database open for changes, its schema brought up to date. The running cloud goes on meanwhile.

    `create`: it may be new, and to found it is left to the caller.
    """
    from till_cloud.founding import keep
    from till_cloud.store.writer import Writer

    with told():
        if not create:
            _expect_file(path)
        writer = Writer(path)
        try:
            if not create:
                writer.call(keep)
            yield writer
        finally:
            writer.close()


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The database in one read transaction."""
    from till_cloud.store.connection import check_format, open_reader

    with told():
        _expect_file(path)
        with contextlib.closing(open_reader(path)) as connection:
            check_format(connection, path)
            connection.execute("BEGIN")
            yield connection


def now_ms() -> int:
    """The cloud's time, for rows that a command makes."""
    from till_sync.clock import SystemClock

    return SystemClock().wall_ms()


def echo_json(value: Any) -> None:
    """Structs, lists and dicts as indented JSON."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def echo_table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    """Columns as wide as their longest cell; numbers to the right."""
    cells = [tuple(_shown(cell) for cell in row) for row in rows]
    widths = [max(len(row[index]) for row in (head, *cells)) for index in range(len(head))]
    numeric = [all(isinstance(row[index], int) for row in rows) and bool(rows) for index in range(len(head))]
    for line in (head, *cells):
        padded = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ]
        click.echo("  ".join(padded).rstrip())


def _shown(cell: object) -> str:
    """Of bounded length, and nothing in it that a terminal obeys: a till says what its version and problems are."""
    text = str(cell)[:TABLE_CELL_LIMIT]
    return text if text.isprintable() else "".join(each if each.isprintable() else "\ufffd" for each in text)


def time_text(at_ms: int) -> str:
    """UTC to the second; "never" for 0."""
    import datetime as dt

    if not at_ms:
        return "never"
    moment = dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _expect_file(path: Path) -> None:
    from till_cloud.exceptions import StoreUnavailableError

    if not path.exists():
        raise StoreUnavailableError(
            f"expected a database at {path}, but nothing is there: `tillside cloud init` makes it"
        )
