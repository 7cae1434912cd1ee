"""`tillside config`: check, show and explain a till's configuration."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from till_config.exceptions import ConfigError, PolicyError
from till_config.installed import CONFIG_VARIABLE, FINDING_HELP, config_if_any, found_config
from till_config.layers import Layers, PolicyText, kept_policy, layered, load, settings_with
from till_config.loading import read, settings_of
from till_config.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])

_FILE = click.Path(path_type=Path)


@click.group(help="Check, show and explain a till's configuration.")
def config() -> None:
    """Nothing of its own to do."""


_POLICY_HELP = "A policy (TOML) to lay over it; without it, the one that the till's folder keeps, if there is one."


def _policy_option(help_text: str = _POLICY_HELP) -> Callable[[Command], Command]:
    return click.option("--policy", "policy_file", type=_FILE, metavar="FILE", help=help_text)


@config.command(short_help="Check a file and list every problem in it.")
@click.argument("file", type=_FILE)
@_policy_option("Also check that this policy (TOML) fits FILE.")
@click.pass_context
def check(ctx: click.Context, file: Path, policy_file: Path | None) -> None:
    """Check FILE and list every problem in it, one a line: place, key, what was expected.

    Ends with status 1 when there is a problem.
    """
    try:
        load(file, _policy_of(policy_file))
    except ConfigError as error:
        for problem in error.problems:
            click.echo(str(problem))
        count = len(error.problems)
        what = "the policy" if isinstance(error, PolicyError) else "the file"
        click.echo(f"{count} problem{'' if count == 1 else 's'}; {what} is not used.", err=True)
        ctx.exit(1)
    click.echo("OK")


@config.command(short_help="Print the settings in force with FILE.")
@click.argument("file", type=_FILE)
@_policy_option()
def show(file: Path, policy_file: Path | None) -> None:
    """Print all settings as they are in force with FILE, policy and defaults included, as TOML. Secrets are masked."""
    from till_config.rendering import to_toml

    settings, _ = _in_force(file, policy_file)
    click.echo(to_toml(settings), nl=False)


@config.command(short_help="Say what KEY means and where its value comes from.")
@click.argument("key")
@click.option(
    "--config",
    "file",
    type=_FILE,
    envvar=CONFIG_VARIABLE,
    show_envvar=True,
    callback=config_if_any,
    help="The till's configuration; without it, the installed one's, and where there is none the defaults.",
)
@_policy_option()
def explain(key: str, file: Path | None, policy_file: Path | None) -> None:
    """Say what KEY (`bridge.port`, `scanners[0].port`) is set to, where that comes from, and what it means.

    The chain's policy is stronger than the till's file, and that is stronger than the defaults.
    """
    from till_config import explaining

    settings, source = _in_force(file, policy_file)
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


@config.command(short_help="Check a file, and have the running agent take it in.")
@click.option(
    "--config",
    "file",
    type=_FILE,
    envvar=CONFIG_VARIABLE,
    show_envvar=True,
    callback=found_config,
    help=FINDING_HELP,
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def apply(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Check the file, and have the running agent take it in while it sells.

    Everything that can count at once does, or, when something is wrong, nothing; what needs a restart is named. The
    same is done by SIGHUP where there are signals. Ends with status 1 when nothing was taken in.
    """
    load(file)
    root = ctx.find_root().command
    agent = root.get_command(ctx, "agent") if isinstance(root, click.Group) else None
    reload_settings = agent.get_command(ctx, "reload") if isinstance(agent, click.Group) else None
    if reload_settings is None:
        raise click.ClickException("expected the commands of the agent; install Tillside again")
    ctx.invoke(reload_settings, config=file, as_json=as_json)


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


def _policy_of(file: Path | None) -> PolicyText | None:
    return None if file is None else PolicyText(0, read(file).text, name=str(file))


def _in_force(file: Path | None, policy_file: Path | None) -> tuple[Settings, Layers]:
    """What a till with that file works by. ConfigError."""
    local = read(file) if file is not None else None
    own = settings_of(local) if local is not None else Settings()
    policy = _policy_of(policy_file)
    if policy is None and local is not None:
        try:
            policy = kept_policy(own.agent.state_dir)
        except ConfigError as error:
            click.echo(f"Without the chain's policy: {error}", err=True)
    layers = layered(local, policy)
    return settings_with(layers), layers
