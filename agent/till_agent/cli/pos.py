"""`tillside pos`: cash software in small, to ring up receipts against a running agent."""

from pathlib import Path

import click

from till_agent.cli.options import config_option


@click.command(short_help="Ring up receipts against the running agent, as cash software does.")
@config_option
@click.option("--client", default="pos", show_default=True, help="The client of bridge.clients whose token is used.")
def pos(config: Path, client: str) -> None:
    """Ring up receipts against the running agent, as cash software does."""
    from till_agent.bridge.exceptions import AgentUnreachableError
    from till_agent.bridge.tokens import read_token
    from till_agent.cli.asking import running_port
    from till_config import load

    state_dir = Path(load(config).agent.state_dir)
    try:
        port = running_port(state_dir)
    except AgentUnreachableError as exc:
        raise click.ClickException(str(exc)) from exc
    if read_token(state_dir, client) is None:
        raise click.ClickException(f"no token of the client {client!r} in {state_dir}: is it in bridge.clients?")
    click.echo(f"the agent answers on port {port}")
