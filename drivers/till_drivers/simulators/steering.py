"""Steering a simulated device from the shell: what becomes of a request that fails, as a line and an exit status."""

import sys
from typing import Any

import click

LATE_STATUS = 3
"""Exit status when what was waited for did not come in time; 1 is a request that was refused, 2 a wrong option."""


def steer(port: int, device: str, do: str, **fields: object) -> dict[str, Any]:
    """The answer of the simulated `device` with that control port. ClickException, or exit with LATE_STATUS."""
    import msgspec

    from till_drivers.exceptions import SimulatorError, SimulatorLate
    from till_drivers.simulators.printer_control import control_printer
    from till_drivers.simulators.scanner_control import control_scanner

    ask = control_printer if device == "printer" else control_scanner
    try:
        return ask(port, do, **fields)
    except SimulatorLate as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(LATE_STATUS)
    except SimulatorError as error:
        raise click.ClickException(str(error)) from error
    except (OSError, msgspec.DecodeError) as error:
        raise click.ClickException(
            f"expected a simulated {device}'s control port, not {port}: {error}; the {device} says its own at its start"
        ) from error
