"""`tillside simulate`: devices that are not there, for demos, tests and training.

Each simulator's own module is imported when it is called.
"""

import importlib
import sys
from pathlib import Path
from typing import get_args

import click

_LAZY = {
    **{name: f"till_drivers.simulators.printer_cli:{name}" for name in ("behave", "reset", "slip", "slips")},
    **{name: f"till_drivers.simulators.scanner_cli:{name}" for name in ("plug", "scan", "scanner", "unplug")},
}


class _LazyGroup(click.Group):
    """Finds commands of other modules by name; one that is not installed is left out of the list."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_LAZY})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = _LAZY.get(cmd_name)
        if target is None:
            return super().get_command(ctx, cmd_name)
        module, _, name = target.partition(":")
        try:
            command = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as exc:
            if exc.name != module:
                raise
            return None
        return command if isinstance(command, click.Command) else None


@click.group(cls=_LazyGroup)
def simulate() -> None:
    """Run a simulated scanner or printer."""


@simulate.command()
@click.option("--tcp", type=click.IntRange(0, 65_535), default=None, help="Listen on 127.0.0.1; 0 takes a free port.")
@click.option("--pty", type=click.Path(path_type=Path), default=None, help="Open a pseudo-terminal under this name.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=None, help="Folder for the slips.")
@click.option("--png", type=click.Choice(["all", "last", "none"]), default="last", help="Which slips to draw.")
@click.option("--behaviour", default="normal", show_default=True, help="How the printer is at first; see behave.")
@click.option("--dies-after", type=click.IntRange(0), default=0, metavar="BYTES", help="With --behaviour dies.")
@click.option("--width-dots", type=int, default=576, show_default=True)
@click.option("--columns", type=int, default=48, show_default=True)
@click.option(
    "--control", type=click.IntRange(0, 65_535), default=0, help="Port for requests while it runs; 0 takes a free one."
)
@click.option("--ready-file", type=click.Path(dir_okay=False, path_type=Path), help="Write the addresses here as JSON.")
@click.option("--exit-after", type=click.FloatRange(min=0), metavar="SECONDS", help="End then, whatever happens.")
def printer(
    tcp: int | None,
    pty: Path | None,
    out: Path | None,
    png: str,
    behaviour: str,
    dies_after: int,
    width_dots: int,
    columns: int,
    control: int,
    ready_file: Path | None,
    exit_after: float | None,
) -> None:
    """A receipt printer that obeys ESC/POS. Ends on Ctrl-C or a termination signal.

    `tillside simulate behave`, `slips`, `slip` and `reset` steer it while it runs. Programs send JSON lines to the
    control port: {"do": "behave", "as": "paper-out"}, {"do": "wait", "slips": 1}.
    """
    import asyncio

    from till_drivers.exceptions import SimulatorError
    from till_drivers.simulators.printer import PrinterSimulator
    from till_drivers.simulators.printer_manner import Manner
    from till_drivers.simulators.printer_run import Addresses, run_printer
    from till_drivers.simulators.slip_tray import Png

    if tcp is None and pty is None:
        raise click.UsageError("expected --tcp PORT, --pty NAME or both")
    if pty is not None and sys.platform == "win32":
        raise click.UsageError("--pty: pseudo-terminals exist on Linux only; use --tcp")
    try:
        Manner.of(behaviour)
    except SimulatorError as error:
        raise click.UsageError(f"--behaviour: {error}") from error
    choices: dict[str, Png] = {name: name for name in get_args(Png)}

    def ready(addresses: Addresses) -> None:
        if ready_file is not None:
            addresses.write(ready_file)
        click.echo(addresses.line())

    async def run() -> None:
        simulator = PrinterSimulator(out=out, png=choices[png], width_dots=width_dots, columns=columns)
        await simulator.behave(behaviour, dies_after=dies_after)
        await run_printer(simulator, tcp=tcp, pty=pty, control=control, out=out, ready=ready, exit_after=exit_after)
        click.echo(f"{simulator.slip_count} slips")

    asyncio.run(run())
