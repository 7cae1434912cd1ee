"""Steering a simulated printer while it runs: one JSON object a line over a loopback port, one answer a line.

    {"do": "behave", "as": "paper-out"}            {"do": "behave", "as": "dies", "after": 300}
    {"do": "status"}                               {"do": "render", "slip": 12}     (without slip: the last)

Answers: `{"ok": true, "behaviour": ..., "slips": ..., "received_bytes": ..., "unknown_commands": ...}`, for `render`
also `path`; or `{"ok": false, "error": "..."}`.
"""

import asyncio
import socket
from typing import Any

import msgspec

from till_drivers.exceptions import SimulatorError
from till_drivers.simulators.printer import PrinterSimulator

LINE_LIMIT = 4_096
"""Bytes of one request; none of ours has a hundred."""
CLIENT_TIMEOUT_SECONDS = 10.0
"""A picture takes a tenth of a second; a simulator that takes longer is gone."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One line from a client."""

    do: str
    as_: str = msgspec.field(default="normal", name="as")
    after: int = 0
    slip: int | None = None


async def serve_control(simulator: PrinterSimulator, port: int = 0) -> asyncio.Server:
    """Take requests on 127.0.0.1; port 0 takes a free one."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(msgspec.json.encode(await _obey(simulator, line)) + b"\n")
                await writer.drain()
        except (OSError, ValueError):  # ValueError: a line over the limit
            pass
        finally:
            writer.close()

    return await asyncio.start_server(talk, "127.0.0.1", port, limit=LINE_LIMIT)


async def _obey(simulator: PrinterSimulator, line: bytes) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    try:
        request = msgspec.json.decode(line, type=Request)
        match request.do:
            case "behave":
                await simulator.behave(request.as_, dies_after=request.after)
            case "render":
                extra["path"] = str(simulator.render(request.slip))
            case "status":
                pass
            case other:
                return {"ok": False, "error": f"expected do: behave, render or status, not {other!r}"}
    except (SimulatorError, msgspec.DecodeError, OSError) as exc:
        return {"ok": False, "error": str(exc)}
    return {
        "ok": True,
        "behaviour": simulator.behaviour.value,
        "slips": simulator.slip_count,
        "received_bytes": simulator.received_bytes,
        "unknown_commands": simulator.unknown_commands,
        **extra,
    }


def control_printer(port: int, do: str, **fields: str | int) -> dict[str, Any]:
    """Send one request and return the answer; for demos, tests and shells. Raises SimulatorError when it is refused."""
    with socket.create_connection(("127.0.0.1", port), timeout=CLIENT_TIMEOUT_SECONDS) as connection:
        connection.sendall(msgspec.json.encode({"do": do, **fields}) + b"\n")
        with connection.makefile("rb") as answers:
            answer: dict[str, Any] = msgspec.json.decode(answers.readline(LINE_LIMIT))
    if not answer.get("ok"):
        raise SimulatorError(str(answer.get("error", "no answer")))
    return answer
