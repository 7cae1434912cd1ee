"""A simulated printer as a process of its own."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from till_drivers.simulators.printer import PrinterSimulator
from till_drivers.simulators.printer_control import serve_control
from till_drivers.simulators.running import Ending, write_ready


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where the simulator can be reached; the form of the ready file."""

    pid: int
    host: str
    port: int | None
    pty: str | None
    control_port: int
    out: str | None

    def write(self, path: Path) -> None:
        """Into the ready file."""
        write_ready(path, self)

    def line(self) -> str:
        """For people."""
        places = [f"tcp {self.host}:{self.port}" if self.port else "", f"pty {self.pty}" if self.pty else ""]
        return f"printer on {' and '.join(filter(None, places))}, control on port {self.control_port}"


async def run_printer(
    simulator: PrinterSimulator,
    *,
    tcp: int | None,
    pty: Path | None,
    control: int,
    out: Path | None,
    ready: Callable[[Addresses], None],
    exit_after: float | None = None,
) -> None:
    """Serve until a termination signal, Ctrl-C or for `exit_after` seconds; `ready` is told the addresses."""
    ending = Ending(exit_after)
    ending.listen()
    port = await simulator.start_tcp(tcp) if tcp is not None else None
    try:
        path = await simulator.start_pty(pty) if pty is not None else None
        server = await serve_control(simulator, control)
        try:
            ready(
                Addresses(
                    pid=os.getpid(),
                    host="127.0.0.1",
                    port=port,
                    pty=str(pty) if path is not None else None,
                    control_port=server.sockets[0].getsockname()[1],
                    out=str(out) if out is not None else None,
                )
            )
            await ending.wait()
        finally:
            server.close()
    finally:
        await simulator.stop()
