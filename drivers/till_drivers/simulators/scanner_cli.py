"""`tillside simulate scanner`, and the commands that steer one while it runs."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from till_drivers.simulators.steering import steer


@click.command()
@click.option("--link", type=click.Path(path_type=Path), required=True, help="Where the scanner's port appears.")
@click.option("--suffix", default="\\r", show_default=True, help="What ends a code.")
@click.option("--prefix", default="", help="What comes before a code.")
@click.option(
    "--control",
    type=click.IntRange(0, 65_535),
    default=None,
    help="Port for requests while it runs; 0 takes a free one. It does not end with its input then.",
)
@click.option(
    "--ready-file",
    type=click.Path(path_type=Path),
    help='Gets {"link": ..., "port": ..., "pid": ...}, with --control also "control_port".',
)
@click.option("--exit-after", type=click.FloatRange(min=0), metavar="SECONDS", help="End then, whatever happens.")
def scanner(
    link: Path, suffix: str, prefix: str, control: int | None, ready_file: Path | None, exit_after: float | None
) -> None:
    """Simulate a serial scanner on a pseudo-terminal; scan what is typed.

    Lines that begin with `!` are commands: !unplug, !plug, !raw HEX (those bytes as they are), !gs1 (01)...(21)...,
    !aim E0 CODE, !pieces 3 CODE, !noise 20. Ends with the input, on Ctrl-C or a termination signal. `tillside simulate
    scan`, `plug` and `unplug` steer one that was given --control.
    """
    import asyncio

    from till_drivers.exceptions import SimulatorError

    if sys.platform == "win32":
        raise click.UsageError("pseudo-terminals exist on Linux and macOS only")
    from till_drivers.simulators.running import write_ready
    from till_drivers.simulators.scanner import ScannerSimulator
    from till_drivers.simulators.scanner_run import run_scanner

    def ready(facts: dict[str, Any]) -> None:
        if ready_file is None:
            click.echo(json.dumps(facts))
        else:
            write_ready(ready_file, facts)

    simulator = ScannerSimulator(link, prefix=_bytes(prefix), suffix=_bytes(suffix))
    work = run_scanner(
        simulator,
        control=control,
        ready=ready,
        refused=lambda error: click.echo(f"not done: {error}", err=True),
        exit_after=exit_after,
    )
    try:
        asyncio.run(work)
    except (SimulatorError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _port(command: Callable[..., None]) -> Callable[..., None]:
    return click.argument("port", metavar="CONTROL_PORT", type=click.IntRange(1, 65_535))(command)


@click.command()
@_port
@click.argument("code")
@click.option("--aim", default="", metavar="E0", help="Symbology identifier to put before it, without the bracket.")
@click.option("--gs1", is_flag=True, help="CODE is (01)...(21)...; sent without brackets, with GS where it belongs.")
@click.option("--raw", is_flag=True, help="CODE is hexadecimal bytes, sent as they are.")
@click.option("--pieces", type=click.IntRange(1), default=1, help="Send it in so many pieces.")
@click.option("--pause-ms", type=click.IntRange(0), default=10, show_default=True, help="Between two pieces.")
@click.option("--unplug-after", type=click.IntRange(0), metavar="BYTES", help="Pull the scanner out in mid-code.")
def scan(
    port: int, code: str, aim: str, gs1: bool, raw: bool, pieces: int, pause_ms: int, unplug_after: int | None
) -> None:
    """Hold CODE under the simulated scanner with that control port."""
    if raw:
        answer = steer(port, "scanner", "raw", hex=code)
    else:
        fields: dict[str, object] = {"code": code, "aim": aim, "pieces": pieces, "pause_ms": pause_ms}
        if unplug_after is not None:
            fields["unplug_after"] = unplug_after
        answer = steer(port, "scanner", "gs1" if gs1 else "scan", **fields)
    click.echo(_said(answer))


@click.command()
@_port
def plug(port: int) -> None:
    """Plug the simulated scanner with that control port in again; its port gets another name."""
    click.echo(_said(steer(port, "scanner", "plug")))


@click.command()
@_port
def unplug(port: int) -> None:
    """Pull the simulated scanner with that control port out."""
    click.echo(_said(steer(port, "scanner", "unplug")))


def _said(answer: dict[str, Any]) -> str:
    place = f"plugged in as {answer['port']}" if answer["plugged"] else "unplugged"
    return f"{place}, {answer['scans']} codes sent"


def _bytes(text: str) -> bytes:
    return text.encode().decode("unicode_escape").encode("latin-1")
