"""`tillside agent`: run it, enrol it, describe its bridge."""

from pathlib import Path

import click

from till_agent.cli.options import config_option


@click.group(help="Run the agent of a till, enrol it, and describe its bridge.")
def agent() -> None:
    """Nothing of its own to do."""


@agent.command(short_help="Run the agent until it is told to stop.")
@config_option
@click.option(
    "--ready-file",
    type=click.Path(path_type=Path),
    help='Written when the bridge listens: {"port": ..., "pid": ...}; removed at the end.',
)
@click.option(
    "--log-file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="TILLSIDE_LOG_FILE",
    help="Log into this file and four before it, 5 MB each. Default: to standard error.",
)
def run(config: Path, ready_file: Path | None, log_file: Path | None) -> None:
    """Run the agent until SIGTERM or Ctrl-C. Logs are one JSON object a line.

    Exit status 70: it ended itself, because it could not sell any more; start it again.
    """
    import asyncio
    import logging

    from till_agent import logs
    from till_agent.bridge.exceptions import AgentStartError
    from till_agent.reloading.starting import settings_at_start
    from till_agent.root import run_agent

    # Before anything is known of settings: what is wrong with them is a line of the log too.
    logs.set_up("info", file=log_file)
    start = settings_at_start(config)
    logging.getLogger().setLevel(start.settings.agent.log_level.upper())
    try:
        asyncio.run(run_agent(start.settings, ready_file=ready_file, start=start))
    except AgentStartError as error:
        raise click.ClickException(str(error)) from error


@agent.command(short_help="Make this machine a till, by a one-time code.")
@config_option
@click.option("--code", help="The code that the cloud gave for this till.")
@click.option(
    "--code-file", type=click.Path(path_type=Path), help="File with the code, so that no process list shows it."
)
@click.option(
    "--again", is_flag=True, help="Replace the identity that this machine has; the same till keeps its journal."
)
def enrol(config: Path, code: str | None, code_file: Path | None, again: bool) -> None:
    """Trade a one-time code for this till's identity. An agent that is running and waits for it goes on by itself."""
    from till_agent.cli.enrolling import EnrolError, enrol_till
    from till_config import load

    if (code is None) == (code_file is None):
        raise click.UsageError("expected one of --code and --code-file")
    if code_file is not None:
        try:
            code = code_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise click.ClickException(f"expected a readable code file at {code_file}: {error}") from error
    try:
        identity = enrol_till(load(config), (code or "").strip(), again=again)
    except EnrolError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"This machine is till {identity.till} of store {identity.store} ({identity.store_name}).")


@agent.command("reload", short_help="Have the running agent take in its configuration.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def reload_settings(config: Path, as_json: bool) -> None:
    """Have the running agent take in the configuration file as it is now, while it sells; `tillside config apply`.

    What can count at once does, all of it or, when something is wrong, none; what needs a restart is named.
    """
    import msgspec

    from till_agent.cli.asking import ask_or_fail
    from till_config import load

    settings = load(config)
    told = ask_or_fail(Path(settings.agent.state_dir), "POST", "/v1/admin/reload")
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
        return
    click.echo(f"Taken in: {', '.join(told['applied']) or 'nothing had changed that counts at once'}.")
    if told["restart_needed"]:
        click.echo(f"Restart the agent for: {', '.join(told['restart_needed'])}.")


@agent.command(short_help="Print the OpenAPI description of the bridge.")
def openapi() -> None:
    """Print the OpenAPI description of the bridge, as the agent serves it."""
    from importlib.metadata import version

    from till_agent.bridge.openapi import encode

    click.echo(encode(version("tillside")).decode(), nl=False)


@agent.command(short_help="Print where a client's token is kept, or change it.")
@config_option
@click.argument("client")
@click.option("--rotate", is_flag=True, help="Make a new token; the present one goes on for --overlap.")
@click.option(
    "--overlap", default="24h", show_default=True, help="How long it goes on: 90m, 24h, 7d, or 0 for no time."
)
@click.option("--revoke", is_flag=True, help="End at once every token before the present one.")
def token(config: Path, client: str, rotate: bool, overlap: str, revoke: bool) -> None:
    """Print the path of the token of CLIENT (`pos`, `admin`); never the token itself.

    With --rotate a running agent takes the new token at once, and the one before it until the overlap ends, so that the
    program can be given the new one without a gap. Both count over restarts. --revoke ends those before it; together
    with --rotate, also the present one: for a token that somebody has read.
    """
    from till_agent.bridge.exceptions import TokenChangeUntoldError, TokenError
    from till_agent.bridge.tokens import token_path
    from till_config import load

    settings = load(config)
    known = [each.name for each in settings.bridge.clients]
    if client not in known:
        raise click.ClickException(f"expected one of bridge.clients ({', '.join(known)}), not {client!r}")
    state_dir = Path(settings.agent.state_dir)
    try:
        path = token_path(state_dir, client)
        if rotate or revoke:
            from till_agent.cli.tokens import change, duration_ms

            said = change(
                state_dir,
                client,
                new=rotate,
                end_earlier=revoke,
                overlap_ms=0 if revoke else duration_ms(overlap),
            )
            click.echo(said, err=True)
    except (TokenError, TokenChangeUntoldError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(str(path))
    if not path.exists():
        click.echo("The agent makes it at its next start.", err=True)
