"""What a simulated scanner can be told while it runs (`till_drivers.simulators.control` says how).

    {"do": "scan", "code": "2900000000018"}        {"do": "scan", "code": "...", "aim": "E0"}
    {"do": "scan", "code": "...", "pieces": 3, "pause_ms": 20}
    {"do": "scan", "code": "...", "unplug_after": 7}
    {"do": "gs1", "code": "(01)04600000000015(10)A1(21)77", "aim": "d2"}
    {"do": "raw", "hex": "0232390d"}               {"do": "noise", "bytes": 64, "seed": 1}
    {"do": "plug"}                                 {"do": "unplug"}                 {"do": "status"}

All answers have `plugged`, `link`, `port`, `scans`, `sent_bytes` and `unread_bytes`: what no driver has taken yet.
"""

import asyncio

import msgspec

from till_drivers.exceptions import SimulatorError
from till_drivers.simulators.control import Answer, ask, serve_lines
from till_drivers.simulators.scanner import ScannerSimulator, element_string, in_pieces, noise

PAUSE_MS = 10
"""Between two pieces of a code, unless told otherwise: enough for a read of its own."""
NOISE_LIMIT = 4_096
"""Bytes of noise in one request: what a terminal takes at once."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One line from a client."""

    do: str
    code: str = ""
    aim: str = ""
    hex: str = ""
    bytes: int = 64
    seed: int = 0
    pieces: int = 1
    pause_ms: int = PAUSE_MS
    unplug_after: int | None = None


class ScannerControl:
    """Does requests one after another, so that two clients' codes never mix on the line."""

    def __init__(self, simulator: ScannerSimulator) -> None:
        self._simulator = simulator
        self._turn = asyncio.Lock()

    async def serve(self, port: int = 0) -> asyncio.Server:
        """Take requests on 127.0.0.1; port 0 takes a free one."""
        return await serve_lines(lambda line: self.obey(msgspec.json.decode(line, type=Request)), port)

    async def obey(self, request: Request) -> Answer:
        """Do it. Raises SimulatorError."""
        async with self._turn:
            await self._do(request)
        scanner = self._simulator
        return {
            "plugged": scanner.is_plugged,
            "link": str(scanner.link),
            "port": scanner.port,
            "scans": scanner.scans,
            "sent_bytes": scanner.sent_bytes,
            "unread_bytes": scanner.unread_bytes,
        }

    async def _do(self, request: Request) -> None:
        match request.do:
            case "scan" | "gs1":
                await self._scan(request)
            case "raw":
                self._simulator.send(bytes.fromhex(request.hex))
            case "noise":
                if not 0 < request.bytes <= NOISE_LIMIT:
                    raise SimulatorError(f"expected 1 to {NOISE_LIMIT} bytes of noise, not {request.bytes}")
                self._simulator.send(noise(request.bytes, request.seed))
            case "plug":
                self._simulator.plug()
            case "unplug":
                self._simulator.unplug()
            case "status":
                pass
            case other:
                raise SimulatorError(f"expected do: scan, gs1, raw, noise, plug, unplug or status, not {other!r}")

    async def _scan(self, request: Request) -> None:
        if not request.code:
            raise SimulatorError("expected a code to scan, not ''")
        code = element_string(request.code) if request.do == "gs1" else request.code
        data = self._simulator.bytes_of(code, aim=request.aim)
        whole = request.unplug_after is None
        for number, piece in enumerate(in_pieces(data[: request.unplug_after], request.pieces)):
            if number:
                await asyncio.sleep(request.pause_ms / 1000)
            self._simulator.send(piece)
        if whole:
            self._simulator.scans += 1
        else:
            await asyncio.sleep(request.pause_ms / 1000)
            self._simulator.unplug()


def control_scanner(port: int, do: str, **fields: object) -> Answer:
    """Send one request and return the answer, as `control.ask`; what takes time, such as slow typing, is waited for."""
    pieces, pause_ms = fields.get("pieces", 1), fields.get("pause_ms", PAUSE_MS)
    seconds = pieces * pause_ms / 1000 if isinstance(pieces, int) and isinstance(pause_ms, int) else 0
    return ask(port, do, patience_seconds=seconds, **fields)
