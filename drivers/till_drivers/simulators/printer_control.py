"""What a simulated printer can be told while it runs (`till_drivers.simulators.control` says how).

    {"do": "behave", "as": "paper-out"}            {"do": "behave", "as": "paper-out", "lines": 5}
    {"do": "behave", "as": "slow+near-end"}        {"do": "behave", "as": "dies", "after": 300}
    {"do": "status"}                               {"do": "reset"}
    {"do": "slips"}                                {"do": "slip", "slip": 12}       (without slip: the last)
    {"do": "render", "slip": 12}                   {"do": "wait", "slips": 3, "timeout_ms": 5000}
    {"do": "wait", "text": "N17", "since": 2, "timeout_ms": 5000}

All answers have `behaviour`, `slips`, `received_bytes`, `unknown_commands`; `slips` also `list`, `slip` and `wait` also
`slip`, `render` also `path`.
"""

import asyncio
from typing import Any

import msgspec

from till_drivers.exceptions import SimulatorError, SimulatorLate
from till_drivers.simulators.control import WAIT_LIMIT_SECONDS, Answer, ask, serve_lines
from till_drivers.simulators.escpos_elements import Bars, Qr
from till_drivers.simulators.paper import Slip, barcode_text
from till_drivers.simulators.printer import PrinterSimulator

WAIT_MS = 10_000
"""For how long a slip is waited for, unless told otherwise."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One line from a client."""

    do: str
    as_: str = msgspec.field(default="normal", name="as")
    after: int = 0
    lines: int | None = None
    slip: int | None = None
    slips: int = 0
    text: str = ""
    since: int = 0
    timeout_ms: int = WAIT_MS


async def serve_control(simulator: PrinterSimulator, port: int = 0) -> asyncio.Server:
    """Take requests on 127.0.0.1; port 0 takes a free one."""

    async def obey(line: bytes) -> Answer:
        extra = await _obey(simulator, msgspec.json.decode(line, type=Request))
        return {
            "behaviour": simulator.behaviour,
            "slips": simulator.slip_count,
            "received_bytes": simulator.received_bytes,
            "unknown_commands": simulator.unknown_commands,
            **extra,
        }

    return await serve_lines(obey, port)


async def _obey(simulator: PrinterSimulator, request: Request) -> Answer:
    match request.do:
        case "behave":
            await simulator.behave(request.as_, dies_after=request.after, after_lines=request.lines)
        case "status":
            pass
        case "reset":
            await simulator.reset()
        case "slips":
            return {"list": [_summary(slip) for slip in simulator.slips]}
        case "slip":
            return {"slip": _whole(simulator.kept(request.slip))}
        case "render":
            return {"path": str(simulator.render(request.slip))}
        case "wait":
            return {"slip": _whole(await _awaited(simulator, request))}
        case other:
            raise SimulatorError(f"expected do: behave, status, reset, slips, slip, render or wait, not {other!r}")
    return {}


async def _awaited(simulator: PrinterSimulator, request: Request) -> Slip:
    if not request.text and request.slips < 1:
        raise SimulatorError("expected slips or text to wait for, not neither")
    seconds = request.timeout_ms / 1000
    if not 0 <= seconds <= WAIT_LIMIT_SECONDS:
        raise SimulatorError(f"expected timeout_ms up to {WAIT_LIMIT_SECONDS * 1000:.0f}, not {request.timeout_ms}")
    slip = await simulator.wait(slips=request.slips, text=request.text, since=request.since, seconds=seconds)
    if slip is None:
        wanted = f"a slip with {request.text!r}" if request.text else f"{request.slips} slips"
        raise SimulatorLate(
            f"expected {wanted} within {request.timeout_ms} ms, not {simulator.slip_count} slips in all;"
            f" the printer is {simulator.behaviour}"
        )
    return slip


def _summary(slip: Slip) -> Answer:
    lines = slip.text().splitlines()
    first = next((line.strip() for line in lines if line.strip()), "")
    return {"number": slip.number, "lines": len(lines), "torn": slip.torn, "first": first}


def _whole(slip: Slip) -> Answer:
    codes = [
        {"kind": "qr", "data": mark.data.decode("utf-8", "replace")}
        if isinstance(mark, Qr)
        else {"kind": "barcode", "data": barcode_text(mark)}
        for mark in slip.marks
        if isinstance(mark, Qr | Bars)
    ]
    return {"number": slip.number, "torn": slip.torn, "text": slip.text(), "codes": codes}


def control_printer(port: int, do: str, **fields: object) -> dict[str, Any]:
    """Send one request and return the answer, as `control.ask`; waiting requests are waited for."""
    timeout_ms = fields.get("timeout_ms", WAIT_MS)
    patience_seconds = timeout_ms / 1000 if do == "wait" and isinstance(timeout_ms, int) else 0
    return ask(port, do, patience_seconds=patience_seconds, **fields)
