"""`tillside config`: check, show and explain a till's configuration."""

from pathlib import Path

import click

from till_config.exceptions import ConfigError
from till_config.loading import load, read, settings_of
from till_config.settings import Settings

_FILE = click.Path(path_type=Path)


@click.group(help="Check, show and explain a till's configuration.")
def config() -> None:
    """Nothing of its own to do."""


@config.command(short_help="Check a file and list every problem in it.")
@click.argument("file", type=_FILE)
@click.pass_context
def check(ctx: click.Context, file: Path) -> None:
    """Check FILE and list every problem in it, one a line: place, key, what was expected.

    Ends with status 1 when there is a problem.
    """
    try:
        load(file)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(str(problem))
        count = len(error.problems)
        click.echo(f"{count} problem{'' if count == 1 else 's'}; the file is not used.", err=True)
        ctx.exit(1)
    click.echo("OK")


@config.command(short_help="Print the settings in force with FILE.")
@click.argument("file", type=_FILE)
def show(file: Path) -> None:
    """Print all settings as they are in force with FILE, defaults included, as TOML. Secrets are masked."""
    from till_config.rendering import to_toml

    click.echo(to_toml(load(file)), nl=False)


@config.command(short_help="Say what KEY means and where its value comes from.")
@click.argument("key")
@click.option("--config", "file", type=_FILE, help="The till's configuration; without it, defaults are explained.")
def explain(key: str, file: Path | None) -> None:
    """Say what KEY (`bridge.port`, `scanners[0].port`) is set to, where that comes from, and what it means."""
    from till_config import explaining

    source = read(file) if file is not None else None
    settings = settings_of(source) if source is not None else Settings()
    try:
        explanations = explaining.explain(key, settings, source)
    except explaining.UnknownKeyError as error:
        raise click.ClickException(str(error)) from error
    for number, one in enumerate(explanations):
        if number:
            click.echo()
        click.echo(f"{one.key} = {one.value}" if one.value else one.key)
        click.echo(f"  from:     {one.origin}")
        click.echo(f"  default:  {one.default or 'none, it must be given'}")
        click.echo(f"  expected: {one.expected}")
        click.echo(f"  meaning:  {one.description}")


@config.command(short_help="Print every key with its default and meaning.")
def defaults() -> None:
    """Print a commented configuration with every key and its default, to start a till's own file from."""
    from till_config.reference import DEFAULTS_FILE

    click.echo(DEFAULTS_FILE.read_text("utf-8"), nl=False)


@config.command(hidden=True)
@click.argument("root", type=click.Path(path_type=Path, exists=True, file_okay=False))
def reference(root: Path) -> None:
    """Write the packaged defaults and the reference page into the source tree at ROOT, from the settings structs."""
    from till_config.reference import write

    for file in write(root):
        click.echo(str(file))
