"""A simulated scanner as a process of its own: codes from standard input, requests from its control port."""

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any

from till_drivers.exceptions import SimulatorError
from till_drivers.simulators.running import Ending
from till_drivers.simulators.scanner import ScannerSimulator
from till_drivers.simulators.scanner_control import Request, ScannerControl

STANDARD_INPUT = 0
READ_BYTES = 4_096


async def run_scanner(
    simulator: ScannerSimulator,
    *,
    control: int | None,
    ready: Callable[[dict[str, Any]], None],
    refused: Callable[[str], None],
    exit_after: float | None = None,
) -> None:
    """Plug it in and serve until a termination signal, Ctrl-C, for `exit_after` seconds, or to the end of the input.

    With a control port the end of the input is not the end: in a pipeline's background there is none. `refused` is
    told of typed lines that could not be done. Raises SimulatorError when the port can't appear, OSError.
    """
    ending = Ending(exit_after)
    ending.listen()
    desk = ScannerControl(simulator)
    port = simulator.plug()
    server = None
    typing: asyncio.Task[None] | None = None
    try:
        facts: dict[str, Any] = {"link": str(simulator.link), "port": port, "pid": os.getpid()}
        if control is not None:
            server = await desk.serve(control)
            facts["control_port"] = server.sockets[0].getsockname()[1]
        ready(facts)
        typing = asyncio.create_task(_type(desk, refused, ending.set if control is None else None))
        await ending.wait()
    finally:
        if server is not None:
            server.close()
        if typing is not None:
            typing.cancel()
            await asyncio.gather(typing, return_exceptions=True)
        simulator.unplug()


async def _type(desk: ScannerControl, refused: Callable[[str], None], at_end: Callable[[], None] | None) -> None:
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def told(line: str | None) -> None:
        loop.call_soon_threadsafe(lines.put_nowait, line)

    # A thread of its own: an input that is a file can't be waited for by the loop. By `os.read`, since a buffered one
    # holds a lock that the interpreter wants at its end.
    threading.Thread(target=_read, args=(told,), daemon=True).start()
    while (line := await lines.get()) is not None:
        try:
            if (request := typed(line)) is not None:
                await desk.obey(request)
        except (SimulatorError, ValueError) as error:
            refused(str(error))
    if at_end is not None:
        at_end()


def _read(told: Callable[[str | None], None]) -> None:
    rest = b""
    try:
        while data := os.read(STANDARD_INPUT, READ_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                told(line.rstrip(b"\r").decode(errors="replace"))
        if rest:
            told(rest.decode(errors="replace"))
        told(None)
    except (OSError, RuntimeError):  # no input, or the loop has ended meanwhile
        return


def typed(line: str) -> Request | None:
    """The request that a typed line stands for; None for an empty one. Raises SimulatorError, ValueError."""
    word, _, rest = line.partition(" ")
    match word:
        case "":
            return None
        case "!plug" | "!unplug":
            return Request(do=word[1:])
        case "!raw":
            return Request(do="raw", hex=rest)
        case "!gs1":
            return Request(do="gs1", code=rest, aim="d2")
        case "!noise":
            return Request(do="noise", bytes=int(rest))
        case "!pieces":
            count, _, code = rest.partition(" ")
            return Request(do="scan", code=code, pieces=int(count))
        case "!aim":
            aim, _, code = rest.partition(" ")
            return Request(do="scan", code=code, aim=aim)
        case _ if word.startswith("!"):
            raise SimulatorError(f"expected !plug, !unplug, !raw, !gs1, !noise, !pieces or !aim, not {word}")
        case _:
            return Request(do="scan", code=line)
