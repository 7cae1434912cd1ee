"""A receipt printer that is not there: obeys ESC/POS, answers status requests, keeps every slip as text and picture.

It reads at once and prints when it can, as real ones do: status requests are answered while paper is out, and a slip
that came then is printed when paper is back, even if its sender has long gone.
"""

import asyncio
import enum
from collections import deque
from pathlib import Path
from typing import Literal

from till_drivers.exceptions import SimulatorError
from till_drivers.simulators.escpos_elements import (
    CutPaper,
    Element,
    Feed,
    ProofRequest,
    Raster,
    RealTimeRequest,
    Unknown,
)
from till_drivers.simulators.escpos_interpreter import Interpreter
from till_drivers.simulators.paper import Paper, Slip
from till_drivers.simulators.printer_links import Link, PtyLink, listen_tcp

SLOW_LINE_SECONDS = 0.05
"""Time for a line of a slow printer: a slip of 30 lines takes 1.5 s."""
LATE_SECONDS = 3.0
"""How long a late printer keeps a slip before it begins."""
PENDING_LIMIT = 20_000
"""Elements that wait to be printed; past that the printer stops reading, as one with a full buffer."""
KEPT_SLIPS = 100
"""Slips that stay in memory for `render` and for tests."""
REQUEST_BYTES = 3
"""Of a status request."""
BATCH = 200
"""Elements printed before others may run."""

Png = Literal["all", "last", "none"]


class Behaviour(enum.StrEnum):
    """How the printer is just now."""

    NORMAL = "normal"
    SLOW = "slow"
    SILENT = "silent"
    """Prints, but answers nothing."""
    DEAF = "deaf"
    """Takes connections and reads nothing."""
    NEAR_END = "near-end"
    PAPER_OUT = "paper-out"
    COVER_OPEN = "cover-open"
    DIES = "dies"
    """Loses its power after so many bytes; comes back when told to be normal."""
    LATE = "late"
    """Begins to print some seconds after the bytes came."""


_STANDING = (Behaviour.PAPER_OUT, Behaviour.COVER_OPEN)


class _RealTimeScanner:
    """Finds `DLE EOT n` in raw bytes, even within a picture's: printers look for them before they read commands."""

    def __init__(self) -> None:
        self._tail = b""

    def find(self, data: bytes) -> list[int]:
        """The n of each request that is complete with `data`."""
        both = self._tail + data
        numbers: list[int] = []
        at = both.find(b"\x10\x04")
        while at >= 0 and at + 2 < len(both):
            numbers.append(both[at + 2])
            at = both.find(b"\x10\x04", at + REQUEST_BYTES)
        self._tail = both[at:] if at >= 0 else both[-1:] if both[-1:] == b"\x10" else b""
        return numbers


class PrinterSimulator:
    """`out`: folder for `slip-000001.txt` and `.png`, numbered on from what is there; None: memory only.

    Implements `till_drivers.simulators.printer_links.Head`. Every method belongs to the loop's thread.
    """

    def __init__(
        self,
        *,
        out: Path | None = None,
        png: Png = "last",
        width_dots: int = 576,
        columns: int = 48,
    ) -> None:
        self._out = out
        self._png = png
        self._first_number = 1
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            numbers = [int(file.stem[5:]) for file in out.glob("slip-*.txt") if file.stem[5:].isdigit()]
            self._first_number = max(numbers, default=0) + 1
        self._interpreter = Interpreter()
        self._real_time = _RealTimeScanner()
        self._paper = Paper(
            width_dots=width_dots, columns=columns, done=self._slip_done, first_number=self._first_number
        )
        self.behaviour = Behaviour.NORMAL
        self.slips: deque[Slip] = deque(maxlen=KEPT_SLIPS)
        self.slip_count = 0
        self.received_bytes = 0
        """Without status requests."""
        self.unknown_commands = 0
        self._dies_after = 0
        self._pending: deque[tuple[float, Link, Element]] = deque()
        self._links: set[Link] = set()
        self._server: asyncio.Server | None = None
        self._address: tuple[str, int] | None = None
        self._pty: PtyLink | None = None
        self._pty_link: Path | None = None
        self._has_pty = False
        self._wake = asyncio.Event()
        self._printing: asyncio.Task[None] | None = None
        self._last_drawn = 0

    async def start_tcp(self, port: int = 0, host: str = "127.0.0.1") -> int:
        """Listen; returns the port, which stays the same when the printer dies and comes back."""
        self._server = await listen_tcp(self, host, port)
        address: tuple[str, int] = self._server.sockets[0].getsockname()[:2]
        self._address = address
        self._begin()
        return address[1]

    async def start_pty(self, link: Path | None = None) -> str:
        """Open a pseudo-terminal; returns its path. `link` is a name that leads to it, also after a replug."""
        self._has_pty, self._pty_link = True, link
        self._pty = PtyLink(self, link)
        self._begin()
        return self._pty.path

    async def stop(self) -> None:
        """Hang up, put what is half printed and the last picture into the folder."""
        if self._printing is not None:
            self._printing.cancel()
            await asyncio.gather(self._printing, return_exceptions=True)
            self._printing = None
        await self._power_off()
        if self._png == "last" and self._out is not None and self.slips:
            self.render()

    async def behave(self, behaviour: str, *, dies_after: int = 0) -> None:
        """Be so from now on. `dies_after`: bytes that a dying printer still takes. Raises SimulatorError."""
        try:
            self.behaviour = Behaviour(behaviour)
        except ValueError as exc:
            known = ", ".join(Behaviour)
            raise SimulatorError(f"expected one of {known}, not {behaviour!r}") from exc
        self._dies_after = dies_after
        if self.behaviour is not Behaviour.DIES:
            await self._power_on()
        self._mind_reading()
        self._wake.set()

    def render(self, number: int | None = None) -> Path:
        """Draw a kept slip, the last one by default, into the folder. Raises SimulatorError when there is none."""
        from till_drivers.simulators.picture import slip_png

        slip = next((kept for kept in reversed(self.slips) if number in (None, kept.number)), None)
        if slip is None or self._out is None:
            raise SimulatorError(f"expected a kept slip and an output folder, not slip {number}")
        path = self._out / f"slip-{slip.number:06d}.png"
        path.write_bytes(slip_png(slip))
        return path

    # Called by links.
    def joined(self, link: Link) -> None:
        self._links.add(link)
        self._mind_reading()

    def left(self, link: Link) -> None:
        self._links.discard(link)

    def received(self, link: Link, data: bytes) -> None:
        if self.behaviour is Behaviour.DIES:
            self._take(link, data[: self._dies_after])
            self._dies_after -= len(data)
            if self._dies_after <= 0:
                self._die()
            return
        self._take(link, data)

    def _take(self, link: Link, data: bytes) -> None:
        for number in self._real_time.find(data):
            self.received_bytes -= REQUEST_BYTES
            self._dies_after += REQUEST_BYTES
            self._answer(link, _real_time_answer(number, self.behaviour))
        self.received_bytes += len(data)
        now = asyncio.get_running_loop().time()
        due = now + LATE_SECONDS if self.behaviour is Behaviour.LATE else now
        for element in self._interpreter.feed(data):
            if not isinstance(element, RealTimeRequest):
                self._pending.append((due, link, element))
        self._mind_reading()
        self._wake.set()

    def _begin(self) -> None:
        if self._printing is None:
            self._printing = asyncio.ensure_future(self._print())
            self._printing.add_done_callback(_tell_failure)

    async def _print(self) -> None:
        """The print head."""
        printed = 0
        while True:
            if not self._pending or self.behaviour in _STANDING:
                self._wake.clear()
                await self._wake.wait()
                continue
            due, link, element = self._pending[0]
            wait = due - asyncio.get_running_loop().time()
            if wait > 0:
                self._wake.clear()
                await _wait_for(self._wake, wait)
                continue
            self._pending.popleft()
            self._print_one(link, element)
            self._mind_reading()
            printed += 1
            if self.behaviour is Behaviour.SLOW and isinstance(element, Feed | Raster | CutPaper):
                await asyncio.sleep(SLOW_LINE_SECONDS)
            elif printed % BATCH == 0:
                await asyncio.sleep(0)

    def _print_one(self, link: Link, element: Element) -> None:
        if isinstance(element, Unknown):
            self.unknown_commands += 1
        elif isinstance(element, ProofRequest):
            is_near_end = self.behaviour is Behaviour.NEAR_END
            self._answer(link, bytes((0x03 if is_near_end and element.number in (1, 49) else 0x00,)))
        else:
            self._paper.put(element)

    def _answer(self, link: Link, data: bytes) -> None:
        if self.behaviour not in (Behaviour.SILENT, Behaviour.DEAF) and link in self._links:
            link.send(data)

    def _slip_done(self, slip: Slip) -> None:
        self.slips.append(slip)
        self.slip_count += 1
        if self._out is None:
            return
        (self._out / f"slip-{slip.number:06d}.txt").write_text(slip.text(), encoding="utf-8")
        if self._png == "all":
            self.render(slip.number)

    def _mind_reading(self) -> None:
        hears = self.behaviour is not Behaviour.DEAF and len(self._pending) < PENDING_LIMIT
        for link in self._links:
            link.listen(hears=hears)

    def _die(self) -> None:
        """No power: connections break, what is not on paper yet is lost, nobody answers."""
        for link in list(self._links):
            link.cut()
        self._pty = None
        if self._server is not None:
            self._server.close()
            self._server = None
        self._run_dry()
        self._paper.tear()
        self._pending.clear()
        self._interpreter = Interpreter()
        self._real_time = _RealTimeScanner()

    def _run_dry(self) -> None:
        """Put on paper what the head had reached: everything that came, since it prints as fast as it reads."""
        if self.behaviour not in _STANDING:
            for _, _, element in self._pending:
                if not isinstance(element, ProofRequest | Unknown):
                    self._paper.put(element)

    async def _power_on(self) -> None:
        if self._address is not None and self._server is None:
            self._server = await listen_tcp(self, *self._address)
        if self._has_pty and self._pty is None:
            self._pty = PtyLink(self, self._pty_link)

    async def _power_off(self) -> None:
        for link in list(self._links):
            link.cut()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
        self._pty = None
        self._paper.tear()


def _real_time_answer(number: int, behaviour: Behaviour) -> bytes:
    """`DLE EOT number`: bits 1 and 4 are always set, 0 and 7 never."""
    stands = behaviour in _STANDING
    bits = {
        1: 0x08 if stands else 0,
        2: {Behaviour.COVER_OPEN: 0x04, Behaviour.PAPER_OUT: 0x20}.get(behaviour, 0),
        4: {Behaviour.PAPER_OUT: 0x6C, Behaviour.NEAR_END: 0x0C}.get(behaviour, 0),
    }
    return bytes((0x12 | bits.get(number, 0),)) if 1 <= number <= 4 else b""


def _tell_failure(printing: "asyncio.Task[None]") -> None:
    """A print head that stops must not do so in silence: the folder is gone, the disk is full."""
    if not printing.cancelled() and (error := printing.exception()) is not None:
        printing.get_loop().call_exception_handler(
            {"message": "the simulated printer stopped", "exception": error, "task": printing}
        )


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
