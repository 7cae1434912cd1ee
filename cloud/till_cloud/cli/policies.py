"""`tillside cloud policy`: settings that the chain decides for its tills."""

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
    from till_cloud.store.policies import Scope

VERSIONS_SHOWN = 200


@click.group()
def policy() -> None:
    """Settings that the chain decides: they win over a till's own file.

    A policy is a TOML text of the keys of a till's configuration. That of a till wins over its store's, and that over
    the chain's, key by key. Tills take it within five minutes, without a restart where that can be.
    """


def _scope(store: str, till: str) -> "tuple[Scope, str]":
    if store and till:
        raise click.UsageError("expected one of --store and --till, or neither for the whole chain")
    return ("till", till) if till else ("store", store) if store else ("chain", "")


_store_option = click.option("--store", default="", help="The policy of this store.")
_till_option = click.option("--till", default="", help="The policy of this till.")


@policy.command("put")
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@database_option
@_store_option
@_till_option
@click.option("--staged", is_flag=True, help="Add it only: `cloud wave start config VERSION` brings it to tills.")
def put(file: Path, db: Path, store: str, till: str, *, staged: bool) -> None:
    """Check FILE and make it the policy of the chain, of a store or of a till; prints its version.

    It replaces the one of the same scope as a whole. Every problem is listed with its place, and then nothing changes.
    """
    from till_cloud import policies
    from till_config.exceptions import ConfigError
    from till_config.loading import read

    scope, name = _scope(store, till)
    try:
        text = read(file).text
        with writing(db) as writer:
            row = writer.call(
                lambda connection: policies.put(
                    connection, scope, name, text, file=str(file), staged=staged, now_ms=now_ms()
                )
            )
    except ConfigError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        raise SystemExit(1) from error
    told = "is staged" if staged else "is on its way to the tills"
    click.echo(f"Policy {row.version} of {policies.described(scope, name)} {told}.")


@policy.command("remove")
@database_option
@_store_option
@_till_option
def remove(db: Path, store: str, till: str) -> None:
    """Take the policy of a scope away: its keys are decided by weaker scopes and the till's own file again."""
    from till_cloud import policies

    scope, name = _scope(store, till)
    with writing(db) as writer:
        row = writer.call(lambda connection: policies.remove(connection, scope, name, now_ms=now_ms()))
    click.echo(f"Policy {row.version}: {policies.described(scope, name)} has none any more.")


@policy.command("show")
@database_option
@_store_option
@_till_option
@click.option("--version", type=click.IntRange(1), help="This version, whatever it is of.")
def show(db: Path, store: str, till: str, version: int | None) -> None:
    """Print a policy as TOML: of the chain, of a store, by its version; with --till what that till gets, merged."""
    from till_cloud import policies
    from till_cloud.exceptions import AdminError
    from till_cloud.store import policies as rows
    from till_cloud.store import tills

    scope, name = _scope(store, till)
    with reading(db) as connection:
        if version is not None:
            row = rows.find(connection, version)
        elif scope == "till":
            policies.expect_scope(connection, scope, name)
            place = tills.till(connection, name)
            number, parts = policies.parts_for(connection, place, now_ms()) if place is not None else (0, [])
            click.echo(policies.merged(parts, number, name), nl=False)
            return
        else:
            policies.expect_scope(connection, scope, name)
            row = rows.newest(connection, scope, name)
        if row is None or row.removed:
            raise AdminError("expected a policy, and there is none: `cloud policy list` names what there is")
        click.echo(row.text, nl=not row.text.endswith("\n"))


@policy.command("list")
@database_option
@json_option
def list_policies(db: Path, *, as_json: bool) -> None:
    """Every version of every policy, the newest first, and which of them count."""
    from till_cloud.store import policies as rows

    with reading(db) as connection:
        found = rows.listed(connection, VERSIONS_SHOWN)
        counts = {
            row.version: (now := rows.newest(connection, row.scope, row.name)) is not None
            and now.version == row.version
            for row in found
        }
    if as_json:
        names = ("version", "scope", "name", "removed", "staged", "at_ms")
        echo_json([{name: getattr(row, name) for name in names} | {"counts": counts[row.version]} for row in found])
        return
    states = [
        "removed" if row.removed else "counts" if counts[row.version] else "staged" if row.staged else "former"
        for row in found
    ]
    echo_table(
        ("version", "of", "state", "made (UTC)"),
        [
            (row.version, f"{row.scope} {row.name}".strip(), state, time_text(row.at_ms))
            for row, state in zip(found, states, strict=True)
        ],
    )
