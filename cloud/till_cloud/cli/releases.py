"""`tillside cloud wave` and `cloud queue`: bring a new version to some tills first; take queues that were carried."""

from collections.abc import Callable
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
    import sqlite3

    from till_cloud.store.waves import Kind, WaveRow

KINDS = ("code", "programme", "templates", "config")
"""Slip templates are part of the programme's document, so that a wave of one is a wave of the other."""

kind_argument = click.argument("kind", type=click.Choice(KINDS))


_BY_NAME: "dict[str, Kind]" = {"code": "code", "programme": "programme", "templates": "programme", "config": "config"}


def _kind(text: str) -> "Kind":
    return _BY_NAME[text]


def _sizes(_context: click.Context, _option: click.Parameter, text: str) -> tuple[int, ...]:
    found: list[int] = []
    for word in text.split(","):
        name = word.strip()
        if name != "all" and not (name.isascii() and name.isdigit() and 1 <= int(name) <= 1_000_000):
            raise click.BadParameter(f"expected numbers of tills and `all`, such as 30,200,all, not {name!r}")
        found.append(0 if name == "all" else int(name))
    return tuple(found)


@click.group()
def wave() -> None:
    """Bring a new version to some tills first, then to more, then to all.

    KIND is code (programs), programme, templates (slip templates: they are in the programme) or config (policy). A wave
    halts by itself when two tills fail with the new version, and when more have trouble since they took it.
    """


@wave.command("start")
@kind_argument
@click.argument("version")
@database_option
@click.option("--sizes", default="30,200,all", show_default=True, callback=_sizes, help="Tills in all, step by step.")
@click.option("--stores", default="", help="Stores whose tills come first, with commas between.")
@click.option(
    "--soak-hours", type=click.FloatRange(0, 24 * 30), default=24.0, show_default=True, help="Least time of a step."
)
@click.option(
    "--spread-minutes",
    type=click.FloatRange(0, 24 * 60),
    default=30.0,
    show_default=True,
    help="Within which the tills of a step begin their downloads.",
)
@click.option(
    "--halt-after",
    type=click.IntRange(1, 10_000),
    default=2,
    show_default=True,
    help="Tills that fail with it until the wave halts.",
)
def wave_start(
    kind: str,
    version: str,
    db: Path,
    sizes: tuple[int, ...],
    stores: str,
    soak_hours: float,
    spread_minutes: float,
    halt_after: int,
) -> None:
    """Begin to bring VERSION to tills, and open the first step.

    A programme is added before by `cloud programme upload --staged`, programs by `tillside update repo publish`.
    """
    from till_cloud.waves import StartOrder, start

    order = StartOrder(
        kind=_kind(kind),
        version=version,
        sizes=sizes,
        stores=tuple(name.strip() for name in stores.split(",") if name.strip()),
        soak_ms=round(soak_hours * 3_600_000),
        spread_ms=round(spread_minutes * 60_000),
        halt_after=halt_after,
    )
    _move(db, lambda connection: start(connection, order, now_ms()))


@wave.command("next")
@kind_argument
@database_option
@click.option("--now", "at_once", is_flag=True, help="Also before the soak time is over.")
def wave_next(kind: str, db: Path, *, at_once: bool) -> None:
    """Open the next step; after the last, end the wave: its version is then every till's."""
    from till_cloud.waves import advance

    _move(db, lambda connection: advance(connection, _kind(kind), now_ms(), without_soak=at_once))


@wave.command("halt")
@kind_argument
@database_option
@click.option("--reason", default="by hand", help="Shown by `status`.")
def wave_halt(kind: str, db: Path, reason: str) -> None:
    """Stop a wave: no till begins any more; programme, templates and config go back to the former version at once.

    Programs that a till has taken stay: it went back by itself if it did not like them.
    """
    from till_cloud.waves import halt

    _move(db, lambda connection: halt(connection, _kind(kind), reason[:200], now_ms()))


@wave.command("resume")
@kind_argument
@database_option
def wave_resume(kind: str, db: Path) -> None:
    """Go on with a halted wave, at the same step; failures up to now count no more."""
    from till_cloud.waves import resume

    _move(db, lambda connection: resume(connection, _kind(kind), now_ms()))


@wave.command("withdraw")
@kind_argument
@database_option
def wave_withdraw(kind: str, db: Path) -> None:
    """Give a wave up, so that another can begin."""
    from till_cloud.waves import withdraw

    _move(db, lambda connection: withdraw(connection, _kind(kind), now_ms()))


@wave.command("status")
@click.argument("kind", type=click.Choice(KINDS), required=False)
@database_option
@json_option
@click.option("--tills", "with_tills", is_flag=True, help="Each till of the waves under way.")
def wave_status(kind: str | None, db: Path, *, as_json: bool, with_tills: bool) -> None:
    """How far waves have come, and why one was halted; exit status 2 while one is halted."""
    from till_cloud.store import waves as rows
    from till_cloud.waves.showing import view

    with reading(db) as connection:
        found = [row for row in rows.all_waves(connection) if kind is None or row.kind == _kind(kind)]
        views = [view(connection, row, now_ms(), with_tills=with_tills) for row in found]
    if as_json:
        echo_json(views)
    else:
        for each in views:
            _show(each.wave)
            rows_of = [(one.step, one.tills, one.taken, one.failed, one.waiting) for one in each.steps]
            echo_table(("step", "tills", "have it", "failed", "to come"), list(rows_of))
            if each.failures:
                click.echo("failed: " + ", ".join(f"{code} {count}" for code, count in each.failures.items()))
            if each.raised:
                click.echo("trouble since: " + ", ".join(f"{code} {count}" for code, count in each.raised.items()))
            for one in each.tills:
                click.echo(f"  {one.till}: step {one.step}, {one.outcome or 'to come'} {one.code}".rstrip())
        if not views:
            click.echo("No wave was begun.")
    if any(each.wave.state == "halted" for each in views):
        raise SystemExit(2)


@click.group()
def queue() -> None:
    """Queues of tills that have no line."""


@queue.command("take")
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--former-key", is_flag=True, help="Of a machine that was replaced, whose key nobody else had.")
@database_option
@json_option
def queue_take(file: Path, db: Path, *, former_key: bool, as_json: bool) -> None:
    """Apply the operations that `tillside queue carry-out` wrote at a till. Taken twice, they still count once."""
    from till_cloud.carried import describe, take

    with writing(db) as writer:
        taken = take(writer, file, now_ms(), former_key=former_key)
    echo_json(taken) if as_json else click.echo(describe(taken))


def _move(db: Path, work: "Callable[[sqlite3.Connection], WaveRow]") -> None:
    with writing(db) as writer:
        _show(writer.call(work))


def _show(row: "WaveRow") -> None:
    size = row.sizes[row.step - 1]
    reach = "all tills" if size == 0 else f"{size} tills"
    name = f"{row.name} {row.version}" if row.name else row.version
    words = f"Wave {row.wave}, {row.kind} {name}: {row.state}"
    if row.state in ("running", "halted"):
        words += f" at step {row.step} of {len(row.sizes)} ({reach}), since {time_text(row.step_at_ms)}"
    click.echo(words + (f"; {row.reason}" if row.reason else ""))
