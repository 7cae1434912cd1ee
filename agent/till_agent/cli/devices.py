"""`tillside devices`: what is plugged in, what to write into the configuration for it, and tests of what is written."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from till_agent.cli.devices_trying import test
from till_agent.cli.options import echo_json, json_option
from till_agent.cli.words import moment, table
from till_config.installed import CONFIG_VARIABLE, FINDING_HELP, config_if_any

if TYPE_CHECKING:
    from till_agent.cli.devices_listing import Configured, Listed
    from till_config.settings import Settings
    from till_drivers.discovery import Fit, SourceFault

ADDRESS_LIMIT = 8
"""Addresses to ask in one call: to look at a printer, not to look for one."""
ESCPOS_PORT = 9_100
_WHAT = {
    "serial": "serial port",
    "keyboard": "keyboard",
    "hid": "HID-POS scanner",
    "camera": "camera",
    "usb": "USB printer",
    "file": "printer",
    "queue": "print queue",
    "network": "network printer",
}


class Address(click.ParamType[tuple[str, int]]):
    """`HOST` or `HOST:PORT`."""

    name = "HOST[:PORT]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Host and port; a usage error for what is neither."""
        host, colon, port = str(value).rpartition(":")
        if not colon or (str(value).count(":") > 1 and not host.endswith("]")):
            host, port = str(value), str(ESCPOS_PORT)
        host = host.removeprefix("[").removesuffix("]")
        if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
            self.fail(f"expected a host like `192.0.2.10` or `printer:9100`, not {value!r}", param, ctx)
        return host, int(port)


@click.group(invoke_without_command=True, short_help="List scanners and printers that are plugged in, and test them.")
@click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path),
    envvar=CONFIG_VARIABLE,
    show_envvar=True,
    callback=config_if_any,
    help=FINDING_HELP,
)
@click.option(
    "--ask",
    "ask",
    type=Address(),
    multiple=True,
    help="Ask the printer at this address how it is; may be given several times.",
)
@json_option
@click.pass_context
def devices(ctx: click.Context, config: Path | None, ask: tuple[tuple[str, int], ...], as_json: bool) -> None:
    """List scanners, printers, ports and cameras that are plugged in, with the section to write for each.

    Where there is a till's configuration also how each device in it is, and what to do about one that does not work.
    """
    if ctx.invoked_subcommand is not None:
        return
    if len(ask) > ADDRESS_LIMIT:
        raise click.UsageError(f"expected at most {ADDRESS_LIMIT} addresses to ask, not {len(ask)}")
    from till_agent.cli.devices_listing import addresses_of, configured, listed
    from till_config import load
    from till_drivers.discovery import discover

    settings: Settings | None = load(config) if config is not None else None
    states = _states(settings) if settings is not None else {}
    found = discover(addresses=[*ask, *addresses_of(settings, states)])
    rows = configured(settings, states, found) if settings is not None else []
    things = listed(settings, found.found)
    if as_json:
        echo_json(_for_programs(rows, things, found.faults) | ({} if settings is not None else {"devices": None}))
        return
    if settings is not None:
        _show_configured(rows)
    _show_found(things)
    for fault in found.faults:
        click.echo(f"{fault.source}: could not be looked at: {fault.message}", err=True)


def _show_configured(rows: "list[Configured]") -> None:
    if not rows:
        click.echo("The configuration names no scanner and no printer.\n")
        return
    heading = ("", "name", "driver", "found by", "state", "since", "")
    cells = [
        (
            row.role,
            row.device,
            row.driver,
            row.where,
            row.state,
            moment(row.since_ms) if row.since_ms else "",
            row.detail,
        )
        for row in rows
    ]
    table([heading, *cells])
    for row in rows:
        if row.fix:
            click.echo(f"  {row.device}: {row.fix}")
    click.echo()


def _show_found(things: "list[Listed]") -> None:
    if not things:
        click.echo("Nothing is plugged in that could be a scanner or a printer.")
        click.echo("A printer on the network is not looked for: `tillside devices --ask ADDRESS` asks it.")
        return
    rows = [_row(each) for each in things]
    table([("place", "what", "usb id", "use"), *rows])
    for each in things:
        found = each.found
        if found.trouble and not each.configured:
            trouble = found.trouble.removeprefix(f"{found.place}: ")
            click.echo(f"  {found.place}: {trouble}" + (f"; {found.fix}" if found.fix else ""))
    for each in things:
        for number, (fit, text) in enumerate(each.sections):
            click.echo(f"\n# {each.found.place}{_condition(fit, is_other=number > 0)}")
            click.echo(text)


def _row(each: "Listed") -> tuple[str, ...]:
    found = each.found
    use = f"configured as {', '.join(each.configured)}" if each.configured else ""
    drivers = " or ".join(dict.fromkeys(f"{fit.role} ({fit.driver})" for fit in found.fits))
    what = found.name or (_WHAT[found.kind] if found.is_present else "nothing answers")
    return found.by_id or found.place, what, found.match, use or (drivers if found.is_present else "") or "-"


def _condition(fit: "Fit", *, is_other: bool) -> str:
    if not fit.sure:
        return f", if it is a {fit.role}"
    return f", or else by the driver `{fit.driver}`" if is_other else f", a {fit.role}"


def _for_programs(
    rows: "list[Configured]", things: "list[Listed]", faults: "tuple[SourceFault, ...]"
) -> dict[str, Any]:
    import msgspec

    found = []
    for each in things:
        fits = [
            {"role": fit.role, "driver": fit.driver, "keys": fit.keys, "sure": fit.sure, "section": text}
            for fit, text in each.sections
        ]
        thing = msgspec.to_builtins(each.found) | {
            "match": each.found.match,
            "configured": each.configured,
            "fits": fits,
        }
        found.append(thing)
    return {"devices": msgspec.to_builtins(rows), "found": found, "faults": msgspec.to_builtins(faults)}


def _states(settings: "Settings") -> dict[tuple[str, str], Any]:
    from till_agent.bridge.exceptions import AgentRefusedError, AgentUnreachableError
    from till_agent.cli.asking import ask

    try:
        told = ask(Path(settings.agent.state_dir), "GET", "/v1/status")
    except (AgentUnreachableError, AgentRefusedError) as error:
        click.echo(f"{error}; what configured devices are like is seen from outside.", err=True)
        return {}
    return {(each["role"], each["device"]): each for each in told["devices"]}


devices.add_command(test)
