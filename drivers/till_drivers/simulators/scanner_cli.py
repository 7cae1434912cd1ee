"""`tillside simulate scanner`: codes come in on standard input, a line each, and go out as scans.

Lines that begin with `!` are commands: `!unplug`, `!plug`, `!raw HEX` (those bytes, as they are).
"""

import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from till_drivers.simulators.scanner import ScannerSimulator


@click.command()
@click.option("--link", type=click.Path(path_type=Path), required=True, help="Where the scanner's port appears.")
@click.option("--suffix", default="\\r", show_default=True, help="What ends a code.")
@click.option("--prefix", default="", help="What comes before a code.")
@click.option("--ready-file", type=click.Path(path_type=Path), help='Gets {"link": ..., "port": ..., "pid": ...}.')
def scanner(link: Path, suffix: str, prefix: str, ready_file: Path | None) -> None:
    """Simulate a serial scanner on a pseudo-terminal; scan what is typed.

    Lines that begin with `!` are commands: !unplug, !plug, and !raw HEX, which sends those bytes as they are. Ends with
    the input, on Ctrl-C or a termination signal.
    """
    from till_drivers.exceptions import SimulatorError

    if sys.platform == "win32":
        raise click.UsageError("pseudo-terminals exist on Linux and macOS only")
    from till_drivers.simulators.scanner import ScannerSimulator

    simulator = ScannerSimulator(link, prefix=_bytes(prefix), suffix=_bytes(suffix))

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    try:
        port = simulator.plug()
    except SimulatorError as error:
        raise click.ClickException(str(error)) from error
    try:
        facts = json.dumps({"link": str(link), "port": port, "pid": os.getpid()})
        if ready_file is None:
            click.echo(facts)
        else:
            ready_file.write_text(facts, encoding="utf-8")
        for line in sys.stdin:
            try:
                _obey(simulator, line.rstrip("\r\n"))
            except (SimulatorError, ValueError) as error:
                click.echo(f"not done: {error}", err=True)
    except KeyboardInterrupt:
        # Told to end: the same as the end of the input.
        pass
    finally:
        simulator.unplug()


def _obey(simulator: "ScannerSimulator", line: str) -> None:
    if line == "!unplug":
        simulator.unplug()
    elif line == "!plug":
        simulator.plug()
    elif line.startswith("!raw "):
        simulator.send(bytes.fromhex(line[5:]))
    elif line:
        simulator.scan(line)


def _bytes(text: str) -> bytes:
    return text.encode().decode("unicode_escape").encode("latin-1")
