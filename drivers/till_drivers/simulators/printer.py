"""A receipt printer that is not there: obeys ESC/POS, answers status requests, keeps every slip as text and picture.

It reads at once and prints when it can, as real ones do: status requests are answered while paper is out, and a slip
that came then is printed when paper is back, even if its sender has long gone.
"""

import asyncio
from collections import deque
from pathlib import Path

from till_drivers.exceptions import SimulatorError
from till_drivers.simulators.escpos_elements import (
    AutomaticStatusRequest,
    CutPaper,
    Element,
    Feed,
    IdRequest,
    ProofRequest,
    Raster,
    RealTimeRequest,
    Unknown,
)
from till_drivers.simulators.escpos_interpreter import Interpreter
from till_drivers.simulators.paper import Paper, Slip
from till_drivers.simulators.printer_links import Link, PtyLink, listen_tcp
from till_drivers.simulators.printer_manner import Behaviour, Manner, RealTimeScanner, identity, told
from till_drivers.simulators.slip_tray import Png, SlipTray

SLOW_LINE_SECONDS = 0.05
"""Time for a line of a slow printer: a slip of 30 lines takes 1.5 s."""
LATE_SECONDS = 3.0
"""How long a late printer keeps a slip before it begins."""
PENDING_LIMIT = 20_000
"""Elements that wait to be printed; past that the printer stops reading, as one with a full buffer."""
BATCH = 200
"""Elements printed before others may run."""
_ENQUIRE = 5
_RECOVER, _RECOVER_EMPTY = 1, 2
"""Of `DLE ENQ n`: go on with what waits, or forget it."""


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
        slow_line_seconds: float = SLOW_LINE_SECONDS,
        late_seconds: float = LATE_SECONDS,
    ) -> None:
        self._tray = SlipTray(out, png)
        self._slow_line_seconds = slow_line_seconds
        self._late_seconds = late_seconds
        self._interpreter = Interpreter()
        self._real_time = RealTimeScanner()
        self._paper = Paper(
            width_dots=width_dots, columns=columns, done=self._tray.put, first_number=self._tray.first_number
        )
        self._manner = Manner()
        self._later = Manner()
        self.received_bytes = 0
        """Without status requests."""
        self.unknown_commands = 0
        self._dies_after = 0
        self._lines_left: int | None = None
        self._pending: deque[tuple[float, Link, Element]] = deque()
        self._links: dict[Link, int] = {}
        """Who is there, with the items of `GS a` that each asked to be told of."""
        self._server: asyncio.Server | None = None
        self._address: tuple[str, int] | None = None
        self._pty: PtyLink | None = None
        self._pty_link: Path | None = None
        self._has_pty = False
        self._wake = asyncio.Event()
        self._printing: asyncio.Task[None] | None = None

    @property
    def behaviour(self) -> str:
        """How the printer is, by name."""
        return self._manner.name

    @property
    def slips(self) -> deque[Slip]:
        """The newest slips, oldest first."""
        return self._tray.slips

    @property
    def slip_count(self) -> int:
        """Slips that have come out, forgotten ones included."""
        return self._tray.count

    @property
    def is_blank(self) -> bool:
        """Whether nothing has been printed since the last cut, and nothing waits to be."""
        return self._paper.is_blank and not self._pending

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
        self._tray.close()

    async def behave(self, behaviour: str, *, dies_after: int = 0, after_lines: int | None = None) -> None:
        """Be so from now on: a name, or several with `+` between. Raises SimulatorError.

        `dies_after`: bytes that a dying printer still takes. `after_lines`: lines after which it is so, until when it
        stays as it is: paper that runs out within a slip.
        """
        manner = Manner.of(behaviour)
        if after_lines is not None:
            if not manner.stands:
                raise SimulatorError(f"expected a count of lines with what stops a printer, not with {behaviour!r}")
            self._lines_left, self._later = max(0, after_lines), manner
            return
        self._lines_left = None
        self._dies_after = dies_after
        self._become(manner)
        if not manner.is_reachable:
            self._hang_up()
        elif Behaviour.DIES not in manner:
            await self._power_on()
        self._mind_reading()

    async def reset(self) -> None:
        """Normal again, nothing waits, nothing half printed, no slip in memory; files and numbers stay."""
        await self.behave("normal")
        self._pending.clear()
        self._interpreter, self._real_time = Interpreter(), RealTimeScanner()
        self._paper.tear()
        self.slips.clear()
        self._mind_reading()

    async def wait(self, *, slips: int = 0, text: str = "", since: int = 0, seconds: float) -> Slip | None:
        """See `SlipTray.wait`."""
        return await self._tray.wait(count=slips, text=text, since=since, seconds=seconds)

    def kept(self, number: int | None = None) -> Slip:
        """A slip in memory, the last by default. Raises SimulatorError when there is none."""
        return self._tray.kept(number)

    def render(self, number: int | None = None) -> Path:
        """Draw a kept slip, the last one by default, into the folder. Raises SimulatorError when there is none."""
        return self._tray.render(number)

    # Called by links.
    def joined(self, link: Link) -> None:
        self._links[link] = 0
        self._mind_reading()

    def left(self, link: Link) -> None:
        self._links.pop(link, None)

    def received(self, link: Link, data: bytes) -> None:
        if Behaviour.DIES in self._manner:
            self._take(link, data[: self._dies_after])
            self._dies_after -= len(data)
            if self._dies_after <= 0:
                self._die()
            return
        self._take(link, data)

    def _take(self, link: Link, data: bytes) -> None:
        for kind, number in self._real_time.find(data):
            self.received_bytes -= RealTimeScanner.REQUEST_BYTES
            self._dies_after += RealTimeScanner.REQUEST_BYTES
            if kind == _ENQUIRE:
                self._recover(number)
            else:
                self._answer(link, self._manner.real_time(number))
        self.received_bytes += len(data)
        now = asyncio.get_running_loop().time()
        due = now + self._late_seconds if Behaviour.LATE in self._manner else now
        for element in self._interpreter.feed(data):
            if not isinstance(element, RealTimeRequest):
                self._pending.append((due, link, element))
        self._mind_reading()
        self._wake.set()

    def _recover(self, number: int) -> None:
        if number in (_RECOVER, _RECOVER_EMPTY) and Behaviour.CUTTER_ERROR in self._manner:
            if number == _RECOVER_EMPTY:
                self._pending.clear()
                self._interpreter = Interpreter()
                self._paper.tear()
            self._become(self._manner.recovered())

    def _become(self, manner: Manner) -> None:
        before, self._manner = self._manner.automatic(), manner
        now = manner.automatic()
        for link, items in self._links.items():
            if told(items, before, now):
                self._answer(link, now)
        self._wake.set()

    def _begin(self) -> None:
        if self._printing is None:
            self._printing = asyncio.ensure_future(self._print())
            self._printing.add_done_callback(_tell_failure)

    async def _print(self) -> None:
        """The print head."""
        printed = 0
        while True:
            if not self._pending or self._manner.stands:
                self._wake.clear()
                await self._wake.wait()
                continue
            due, link, element = self._pending[0]
            wait = due - asyncio.get_running_loop().time()
            if wait > 0:
                self._wake.clear()
                await _wait_for(self._wake, wait)
                continue
            if self._is_stopped_by(element):
                continue
            self._pending.popleft()
            self._print_one(link, element)
            self._mind_reading()
            printed += 1
            if Behaviour.SLOW in self._manner and isinstance(element, Feed | Raster | CutPaper):
                await asyncio.sleep(self._slow_line_seconds)
            elif printed % BATCH == 0:
                await asyncio.sleep(0)

    def _is_stopped_by(self, element: Element) -> bool:
        """Whether the head comes to a halt before this one: the paper is at its end, or the knife jams."""
        if self._lines_left is not None and isinstance(element, Feed | Raster):
            if self._lines_left == 0:
                self._lines_left = None
                self._become(self._later)
                return True
            self._lines_left -= 1
        if Behaviour.JAMS in self._manner and isinstance(element, CutPaper):
            self._become(self._manner.with_stuck_knife())
            return True
        return False

    def _print_one(self, link: Link, element: Element) -> None:
        match element:
            case Unknown():
                self.unknown_commands += 1
            case ProofRequest():
                self._answer(link, self._manner.proof(element.number))
            case IdRequest():
                self._answer(link, identity(element.number))
            case AutomaticStatusRequest():
                if link in self._links:
                    self._links[link] = element.items
                    if element.items:
                        self._answer(link, self._manner.automatic())
            case _:
                self._paper.put(element)

    def _answer(self, link: Link, data: bytes) -> None:
        if data and not self._manner.is_mute and link in self._links:
            link.send(data)

    def _mind_reading(self) -> None:
        hears = Behaviour.DEAF not in self._manner and len(self._pending) < PENDING_LIMIT
        for link in self._links:
            link.listen(hears=hears)

    def _die(self) -> None:
        """No power: connections break, what is not on paper yet is lost, nobody answers."""
        self._hang_up()
        self._run_dry()
        self._paper.tear()
        self._pending.clear()
        self._interpreter = Interpreter()
        self._real_time = RealTimeScanner()

    def _hang_up(self) -> None:
        for link in list(self._links):
            link.cut()
        self._pty = None
        if self._server is not None:
            self._server.close()
            self._server = None

    def _run_dry(self) -> None:
        """Put on paper what the head had reached: everything that came, since it prints as fast as it reads.

        A late printer had not begun with what is not due yet.
        """
        now = asyncio.get_running_loop().time()
        if not self._manner.stands:
            for due, _, element in self._pending:
                if due <= now and not isinstance(element, ProofRequest | Unknown):
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
