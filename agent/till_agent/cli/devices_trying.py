"""`tillside devices test`: a real scan, a real slip. Ends with 0: works, 1: does not, 3: nobody can tell."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from till_agent.cli.options import config_option, echo_json, json_option

if TYPE_CHECKING:
    from till_agent.cli.devices_outcome import PrintTried, ScanTried
    from till_config.settings import PrinterSettings, ScannerSettings, Settings

D = TypeVar("D", "ScannerSettings", "PrinterSettings")

DEFAULT_WAIT_S = 30.0
WAIT_RANGE_S = click.FloatRange(0.5, 600)
LANGUAGES = ("ru", "kk", "ky", "uk", "en")


@click.group(short_help="Try a scanner or a printer.")
def test() -> None:
    """Try a scanner or a printer of the configuration, with the agent running or stopped.

    Ends with status 0 when the device works, 1 when it does not, 3 when nobody can tell.
    """


@test.command(short_help="Wait for a scan and show what was read.")
@click.argument("name", required=False)
@config_option
@click.option(
    "--wait", type=WAIT_RANGE_S, default=DEFAULT_WAIT_S, show_default=True, help="Seconds to wait for a scan."
)
@click.option("--show", is_flag=True, help="Show the whole text; without it, all but goods are shown in part.")
@json_option
@click.pass_context
def scanner(ctx: click.Context, name: str | None, config: Path, wait: float, show: bool, as_json: bool) -> None:
    """Wait for a scan of the scanner NAME (the first one, without a name) and show what was read.

    A bank card is refused: its number is shown nowhere.
    """
    from till_agent.cli.devices_outcome import scan_lines
    from till_agent.cli.devices_scanner import try_scanner

    settings = _load(config)
    chosen = _chosen("scanner", settings.scanners, name, config)
    tell = _teller(as_json=as_json)
    tried: ScanTried = asyncio.run(try_scanner(settings, chosen, wait_s=wait, show=show, tell=tell))
    if as_json:
        echo_json(tried)
    else:
        for line in scan_lines(tried):
            click.echo(line)
    ctx.exit(tried.status)


@test.command(short_help="Print a test slip and say what became of it.")
@click.argument("name", required=False)
@config_option
@click.option(
    "--wait", type=WAIT_RANGE_S, default=DEFAULT_WAIT_S, show_default=True, help="Seconds to wait, each time."
)
@click.option("--language", type=click.Choice(LANGUAGES), help="Language of the slip; the till's own without it.")
@click.option(
    "--camera",
    help="Read the slip's QR code back by this camera: a name in the configuration, or what `port` would be.",
)
@click.option("--no-camera", is_flag=True, help="Don't read it back, though the configuration has a camera.")
@json_option
@click.pass_context
def printer(
    ctx: click.Context,
    name: str | None,
    config: Path,
    wait: float,
    language: str | None,
    camera: str | None,
    no_camera: bool,
    as_json: bool,
) -> None:
    """Print a test slip on the printer NAME (that of slips, without a name) and say what became of it.

    With a camera, its QR code is read back from the paper.
    """
    from till_agent.cli.devices_outcome import print_lines
    from till_agent.cli.devices_printer import try_printer

    if camera is not None and no_camera:
        raise click.UsageError("expected one of --camera and --no-camera, not both")
    settings = _load(config)
    chosen = _chosen("printer", settings.printers, name or settings.slips.printer or None, config)
    eye = None if no_camera else _camera(settings, camera)
    tell = _teller(as_json=as_json)
    tried: PrintTried = asyncio.run(
        try_printer(settings, chosen, language=language or settings.agent.language, wait_s=wait, camera=eye, tell=tell)
    )
    if as_json:
        echo_json(tried)
    else:
        for line in print_lines(tried):
            click.echo(line)
    ctx.exit(tried.status)


def _load(config: Path) -> "Settings":
    from till_config import load

    return load(config)


def _chosen(role: str, devices: tuple[D, ...], name: str | None, config: Path) -> D:
    if not devices:
        raise click.UsageError(f"{config} names no {role}; `tillside devices` shows the section to write for one")
    if name is None:
        return devices[0]
    for device in devices:
        if device.name == name:
            return device
    known = ", ".join(each.name for each in devices)
    raise click.UsageError(f"expected the name of a {role} in {config} ({known}), not {name!r}")


def _camera(settings: "Settings", wanted: str | None) -> "ScannerSettings | None":
    """The camera that was named, or the first of the configuration; None without any."""
    from till_config.settings import ScannerSettings

    cameras = [each for each in settings.scanners if each.driver == "camera"]
    if wanted is None:
        return cameras[0] if cameras else None
    for each in cameras:
        if wanted in (each.name, each.port):
            return each
    place = wanted if "://" in wanted or wanted.isdecimal() else str(Path(wanted).absolute())
    return ScannerSettings(name="camera", driver="camera", port=place)


def _teller(*, as_json: bool) -> "Teller":
    def tell(line: str) -> None:
        click.echo(line, err=as_json)

    return tell


if TYPE_CHECKING:
    from till_agent.cli.devices_outcome import Teller
