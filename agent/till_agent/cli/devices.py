"""`tillside devices`: what is plugged in, and what to write into the configuration for it."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from till_agent.cli.options import CONFIG_VARIABLE, echo_json, json_option

if TYPE_CHECKING:
    from till_drivers.transports import SerialPort


@click.command(help="List scanners and printers that are plugged in.")
@click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path),
    envvar=CONFIG_VARIABLE,
    show_envvar=True,
    help="The till's configuration: its devices are listed with their state too.",
)
@json_option
def devices(config: Path | None, as_json: bool) -> None:
    """List serial ports with the section to write for each, and how configured devices are."""
    from till_drivers.transports import list_serial_ports

    ports = list_serial_ports()
    states = _states(config) if config is not None else None
    if as_json:
        import msgspec

        listed = [msgspec.to_builtins(port) | {"config": snippet(port)} for port in ports]
        echo_json({"ports": listed, "devices": states})
        return
    for state in states or ():
        click.echo(f"{state['role']} {state['device']}: {state['state']}  {state['detail']}".rstrip())
    if not ports:
        click.echo("No serial port is plugged in. A printer on the network needs [[printers]] with driver and host.")
    for port in ports:
        about = f" ({port.description})" if port.description.isprintable() and port.description else ""
        click.echo(f"\n{port.device}{about}")
        click.echo(snippet(port))


def snippet(port: "SerialPort") -> str:
    """The section that makes `port` a scanner, with what finds it again under another name."""
    name = re.sub(r"[^a-z0-9]+", "-", Path(port.device).name.lower()).strip("-") or "scanner"
    if port.vid is not None and port.pid is not None:
        found_by = f'match = "{port.match.removeprefix("usb:")}"'
    else:
        found_by = f'port = "{_toml(port.by_id or port.device)}"'
    hint = "" if sys.platform == "win32" or port.vid is not None else "  # not a USB device: this name is all there is"
    return f'  [[scanners]]\n  name = "{name[:32]}"\n  driver = "serial"\n  {found_by}{hint}'


def _toml(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _states(config: Path) -> list[dict[str, Any]]:
    from till_agent.bridge.exceptions import AgentRefusedError, AgentUnreachableError
    from till_agent.cli.asking import ask
    from till_config import load

    try:
        found = ask(Path(load(config).agent.state_dir), "GET", "/v1/status")
    except (AgentUnreachableError, AgentRefusedError) as error:
        click.echo(f"{error}; states of configured devices are not known.", err=True)
        return []
    states: list[dict[str, Any]] = found["devices"]
    return states
