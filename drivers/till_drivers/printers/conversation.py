"""Asking a printer over a transport, with a time for each question."""

from collections.abc import Callable

from msgspec import Struct

from till_drivers.ports import Clock, Transport
from till_drivers.printers.escpos_status import (
    PREFLIGHT,
    AutomaticStatus,
    Event,
    OfflineCause,
    PaperStatus,
    PrinterStatus,
    Proof,
    Request,
    StatusProtocol,
    Unexpected,
)

ANSWER_TIMEOUT_MS = 500
"""A real-time request is answered in some milliseconds, over 9600 baud and a slow network adapter in some tens."""
QUIET_MS = 300
"""After an answer to the last request, silence this long means that nothing older is on its way."""
POLL_MS = 1_000
"""How often a printer that prints is asked whether something is wrong."""
READ_BYTES = 256
LEFTOVER_READS = 16
"""Reads to clear what came unasked; a device that talks on past 4 KB is not a printer."""


class Report(Struct, frozen=True, kw_only=True):
    """A printer's answers before a job. Silent: it said nothing at all. `fault`: what keeps it from printing, or ""."""

    silent: bool
    fault: str = ""
    near_end: bool = False


class Conversation:
    """Questions and answers on one transport, which is opened and closed by others."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self._protocol = StatusProtocol()
        self.unexpected_bytes = 0
        """Bytes from the printer that answered nothing, since the start."""
        self.has_proved = False
        """Whether this printer has ever answered `GS r 1` in this run."""

    async def report(self) -> Report:
        """Ask everything of PREFLIGHT. Raises TransportLost or TransportStalled."""
        await self._clear()
        answers: list[Event] = []
        for request in PREFLIGHT:
            got = await self._ask(request)
            if not got and request is PREFLIGHT[0]:
                return Report(silent=True)
            answers += got
        return Report(silent=False, fault=_fault(answers), near_end=_near_end(answers))

    async def settle(self) -> bool:
        """Make sure that no answer to an earlier job can be taken for the next one's; False: it still works at that.

        Raises TransportLost or TransportStalled.
        """
        if not self._protocol.owed:
            return True
        await self._send(Request.PROOF)
        answered = False
        while self._protocol.owed and (data := await self._transport.read(READ_BYTES, QUIET_MS)):
            answered = any(isinstance(event, Proof) for event in self._receive(data)) or answered
        if answered or not self.has_proved:
            self._protocol.forgive()
            return True
        return False

    async def proof(self, until_ms: int, on_fault: Callable[[str], None]) -> Proof | None:
        """Ask for the proof that all sent bytes were printed and wait for it until `until_ms` of the clock.

        Meanwhile the printer is asked what keeps it, and `on_fault` is told. Raises TransportLost or TransportStalled.
        """
        await self._send(Request.PROOF)
        while (left := until_ms - self._clock.mono_ms()) > 0:
            data = await self._transport.read(READ_BYTES, min(left, POLL_MS))
            if not data:
                self._protocol.forget()
                await self._send(Request.OFFLINE_CAUSE)
                continue
            for event in self._receive(data):
                if isinstance(event, Proof) and not self._protocol.owed:
                    return event
                if isinstance(event, OfflineCause) and (fault := _fault([event])):
                    on_fault(fault)
        return None

    async def _ask(self, request: Request) -> list[Event]:
        await self._send(request)
        until = self._clock.mono_ms() + ANSWER_TIMEOUT_MS
        while (left := until - self._clock.mono_ms()) > 0:
            data = await self._transport.read(READ_BYTES, left)
            if not data:
                break
            events = self._receive(data)
            if any(not isinstance(event, Unexpected | Proof) for event in events):
                return events
        self._protocol.forget()
        return []

    async def _clear(self) -> None:
        """Take in what came since the last question, so that it is not taken for an answer to the next."""
        for _ in range(LEFTOVER_READS):
            data = await self._transport.read(READ_BYTES, 1)
            if not data:
                break
            self._receive(data)
        self._protocol.forget()

    async def _send(self, request: Request) -> None:
        await self._transport.write(self._protocol.ask(request), ANSWER_TIMEOUT_MS)

    def _receive(self, data: bytes) -> list[Event]:
        events = self._protocol.receive(data)
        self.unexpected_bytes += sum(isinstance(event, Unexpected) for event in events)
        self.has_proved = self.has_proved or any(isinstance(event, Proof) for event in events)
        return events


def _fault(answers: list[Event]) -> str:
    """What keeps the printer from printing, the most telling first; ""."""
    found: dict[str, bool] = {"cover open": False, "paper out": False, "error": False, "offline": False}
    for answer in answers:
        match answer:
            case PrinterStatus():
                found["offline"] |= answer.offline
            case OfflineCause():
                found["cover open"] |= answer.cover_open
                found["paper out"] |= answer.paper_stop
                found["error"] |= answer.error
            case PaperStatus():
                found["paper out"] |= answer.end
            case AutomaticStatus():
                found["cover open"] |= answer.cover_open
                found["paper out"] |= answer.end
                found["offline"] |= answer.offline
            case _:
                pass
    return next((name for name, is_so in found.items() if is_so), "")


def _near_end(answers: list[Event]) -> bool:
    return any(isinstance(answer, PaperStatus | AutomaticStatus) and answer.near_end for answer in answers)
