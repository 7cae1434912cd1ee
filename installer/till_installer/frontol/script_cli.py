"""`tillside frontol script`: put the scenario into a till's Frontol, and see whether it can work."""

from pathlib import Path
from typing import Any

import click

from till_agent.cli.options import config_option, echo_json, json_option

into_option = click.option(
    "--into",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder from which Frontol's administrator loads it.",
)


@click.group(help="Put the scenario script into place, show it, and check it.")
def script() -> None:
    """Nothing of its own to do."""


@script.command(short_help="Write the scenario into a folder, with port and token filled in.")
@into_option
@config_option
@click.option("--client", default="pos", show_default=True, help="Client of `bridge.clients` whose token it gets.")
@click.option("--without-init", is_flag=True, help="Leave its init() out: your own scenario calls tillsideInit().")
@json_option
def install(folder: Path, config: Path, client: str, without_init: bool, as_json: bool) -> None:
    """Write tillside.js into a folder, with the agent's port and a client's token in its settings.

    Settings of one that is there already stay as they are. A file that is not Tillside's, or was changed below its
    settings, is kept beside it under another name. Run it again after a token was changed or Tillside upgraded, and
    load the file into Frontol again.
    """
    import msgspec

    from till_installer.frontol.exceptions import ScriptError
    from till_installer.frontol.script_file import install as put

    values = script_values(config, client)
    try:
        done = put(folder, values, init=not without_init)
    except ScriptError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        echo_json({**msgspec.to_builtins(done), "port": values["port"], "client": client})
        return
    click.echo(f"{done.path}: {done.state}, for the agent at 127.0.0.1:{values['port']} as {client}.")
    if done.kept:
        click.echo(f"Kept from the one before: {', '.join(done.kept)}.")
    if done.dropped:
        click.echo(f"No settings of this version, left out: {', '.join(done.dropped)}.", err=True)
    if done.backup:
        click.echo(f"What was there before is kept as {done.backup}.", err=True)
    if done.state != "unchanged":
        click.echo("Load it into Frontol: docs/how-to/connect-frontol-script.md.")


@script.command(short_help="Show what is installed, or the scenario itself.")
@click.option(
    "--into",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of an installed scenario: its settings, without the token.",
)
@click.option("--template", is_flag=True, help="The functions to paste into the receipt's template.")
@json_option
def show(folder: Path | None, template: bool, as_json: bool) -> None:
    """Show the settings of an installed scenario, the functions for a receipt's template, or the whole scenario."""
    from till_installer.frontol.exceptions import ScriptError
    from till_installer.frontol.script_file import NAME, look, packaged, template_part
    from till_installer.frontol.settings_block import read_settings

    if template and folder is not None:
        raise click.UsageError("expected one of --into and --template")
    if folder is None:
        click.echo(template_part() if template else packaged(), nl=False)
        return
    missing = f"expected Tillside's scenario at {folder / NAME}; put it there with `tillside frontol script install`"
    try:
        there = look(folder / NAME)
        values = read_settings(there.text) if there is not None and there.state != "foreign" else None
    except ScriptError as error:
        raise click.ClickException(str(error)) from error
    if there is None or values is None:
        raise click.ClickException(missing)
    values["token"] = "(set)" if values.get("token") else ""
    if as_json:
        echo_json({"path": str(folder / NAME), "state": there.state, "settings": values})
        return
    click.echo(f"{folder / NAME}: {there.state}")
    _table(values)


@script.command(short_help="Check an installed scenario, the agent and the token.")
@into_option
@json_option
def check(folder: Path, as_json: bool) -> None:
    """Check the scenario in a folder: its code, its settings, whether the agent answers and knows its token.

    Each fault comes with what to do about it; exit status 1 if there is one.
    """
    import msgspec

    from till_installer.frontol.checking import check_script
    from till_installer.frontol.exceptions import ScriptError

    try:
        checks = check_script(folder)
    except ScriptError as error:
        raise click.ClickException(str(error)) from error
    good = all(each.good for each in checks)
    if as_json:
        echo_json({"good": good, "checks": msgspec.to_builtins(checks)})
    for each in () if as_json else checks:
        click.echo(f"{each.name}: {'' if each.good else 'FAULT: '}{each.found}", err=not each.good)
        if each.fix:
            click.echo(f"  {each.fix}", err=True)
    if not good:
        raise SystemExit(1)


def script_values(config: Path, client: str) -> dict[str, Any]:
    """Port and token of the till; one line and status 1 when there is none."""
    from till_agent.bridge.exceptions import AgentUnreachableError, TokenError
    from till_agent.bridge.tokens import read_token
    from till_agent.cli.asking import running_port
    from till_config import load

    settings = load(config)
    named = {each.name: each for each in settings.bridge.clients}
    if client not in named:
        raise click.ClickException(f"expected one of bridge.clients ({', '.join(named)}), not {client!r}")
    if "sale" not in named[client].scopes:
        raise click.ClickException(f"expected a client with the scope `sale`, and {client!r} has it not")
    state_dir = Path(settings.agent.state_dir)
    try:
        token = read_token(state_dir, client)
        port = settings.bridge.port or running_port(state_dir)
    except (TokenError, AgentUnreachableError) as error:
        raise click.ClickException(str(error)) from error
    if token is None:
        raise click.ClickException(f"there is no token of {client!r} in {state_dir} yet: start the agent once")
    return {"port": port, "token": token}


def _table(values: dict[str, Any]) -> None:
    import json

    width = max(len(name) for name in values)
    for name, value in values.items():
        click.echo(f"  {name.ljust(width)}  {json.dumps(value)}")
