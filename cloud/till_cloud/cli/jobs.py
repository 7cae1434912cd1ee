"""`tillside cloud jobs`: what the cloud does by itself as time goes by, done now."""

from pathlib import Path

import click

from till_cloud.cli.common import database_option, echo_json, echo_table, json_option, now_ms, writing


@click.group()
def jobs() -> None:
    """Expiry, activation, birthdays, tier periods: done every minute by `cloud run`."""


@jobs.command("run")
@database_option
@json_option
@click.option(
    "--to",
    "to_date",
    metavar="DATE",
    default="",
    help="Do all that is due by the end of this day (YYYY-MM-DD). A day to come is for rehearsals on a copy, and needs "
    "--yes.",
)
@click.option("--yes", is_flag=True, help="Do what a day to come will bring: points that expire by then stay so.")
def jobs_run(db: Path, to_date: str, *, yes: bool, as_json: bool) -> None:
    """Do what is due by now, and tell what was done."""
    import datetime as dt

    from till_cloud.jobs import run_jobs
    from till_cloud.registry import Registry
    from till_cloud.store.jobs import chain_day, end_of_day_ms

    day = None
    if to_date:
        try:
            day = dt.date.fromisoformat(to_date)
        except ValueError:
            raise click.ClickException(f"expected a date such as 2026-12-31, not {to_date!r}") from None
    with writing(db) as writer:
        if day is not None and not yes and day > writer.call(lambda connection: chain_day(connection, now_ms()))[0]:
            raise click.ClickException(
                f"expected --yes, for {day} is to come: points that expire by then would be gone for good. "
                "Rehearse on a copy of the database"
            )
        to_ms = None if day is None else writer.call(lambda connection: end_of_day_ms(connection, day))
        done = run_jobs(writer.call, registry=Registry(), wall_ms=now_ms, to_ms=to_ms)
    if as_json:
        echo_json(done)
        return
    rows: list[tuple[object, ...]] = [(name.replace("_", " "), getattr(done, name)) for name in done.__struct_fields__]
    echo_table(("done", "count"), rows)
