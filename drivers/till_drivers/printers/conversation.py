"""Asking a printer over a transport, with a time for each question."""

from collections.abc import Callable

from msgspec import Struct

from till_drivers.ports import Clock, Transport
from till_drivers.printers.escpos_status import (
    PREFLIGHT,
    AutomaticStatus,
    ErrorCause,
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
BLOCK_MS = 50
"""The rest of an automatic status comes within this, even at 2400 baud; later than that it was noise."""
FIRST_PATIENCE_MS = 10_000
"""So long a printer that has not proved anything in this run may still be busy with what an earlier run sent it."""
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
        self._is_in_step = False
        """Whether no answer to an earlier job's question can be under way: that job may be another run's."""
        self._first_fence_ms: int | None = None

    async def report(self) -> Report:
        """Ask everything of PREFLIGHT. Raises TransportLost or TransportStalled."""
        await self._clear()
        answers: list[Event] = []
        for request in PREFLIGHT:
            got = await self._ask(request)
            if not got and request is PREFLIGHT[0]:
                return Report(silent=True)
            answers += got
        if _is_unexplained(answers):
            answers += await self._ask(Request.ERROR_CAUSE)
        return Report(silent=False, fault=_fault(answers), near_end=_near_end(answers))

    @property
    def needs_settling(self) -> bool:
        """Whether `settle` has anything to ask."""
        return not self._is_in_step or bool(self._protocol.owed)

    async def settle(self, *, is_patient: bool) -> bool:
        """Make sure that no answer to an earlier job can be taken for the next one's; False: it still works at that.

        A printer that has never proved anything is waited for, if `is_patient`, for FIRST_PATIENCE_MS; after that jobs
        may go, though nothing that it says proves them. Raises TransportLost or TransportStalled.
        """
        if not self.needs_settling:
            return True
        await self._send(Request.PROOF)
        # Who is silent anyway is not waited for longer.
        if await self._answers_and_is_quiet(ANSWER_TIMEOUT_MS if is_patient else QUIET_MS):
            self._protocol.forgive()
            self._is_in_step = True
            return True
        self._is_in_step = False
        if self.has_proved or not is_patient:
            return not self.has_proved
        now = self._clock.mono_ms()
        if self._first_fence_ms is None:
            self._first_fence_ms = now
        return now - self._first_fence_ms >= FIRST_PATIENCE_MS

    async def _answers_and_is_quiet(self, patience_ms: int) -> bool:
        """Whether a proof comes within `patience_ms`, and no other behind it: this one was the last under way."""
        answered = False
        until = self._clock.mono_ms() + patience_ms
        for _ in range(LEFTOVER_READS):
            left = until - self._clock.mono_ms()
            if left <= 0 or not (data := await self._transport.read(READ_BYTES, left)):
                return answered
            if any(isinstance(event, Proof) for event in self._receive(data)):
                answered = True
                # While proofs are owed, what came may be an older question's, and this one's answer is yet to come.
                until = self._clock.mono_ms() + (ANSWER_TIMEOUT_MS if self._protocol.owed else QUIET_MS)
        return False

    async def proof(self, until_ms: int, on_fault: Callable[[str], None]) -> Proof | None:
        """Ask for the proof that all sent bytes were printed and wait for it until `until_ms` of the clock.

        Meanwhile the printer is asked what keeps it, and `on_fault` is told. Raises TransportLost or TransportStalled.
        """
        await self._send(Request.PROOF)
        keeps: list[Event] = []
        while (left := until_ms - self._clock.mono_ms()) > 0:
            data = await self._transport.read(READ_BYTES, min(left, POLL_MS))
            for event in self._receive(data):
                if isinstance(event, Proof) and not self._protocol.owed:
                    return event if self._is_in_step else None
                keeps.append(event)
                if isinstance(event, OfflineCause) and _is_unexplained([event]):
                    await self._send(Request.ERROR_CAUSE)
            if not data or not self._protocol.awaited:
                if fault := _fault(keeps):
                    on_fault(fault)
                keeps.clear()
            if not data:
                self._protocol.forget()
                await self._send(Request.OFFLINE_CAUSE)
        return None

    async def _ask(self, request: Request) -> list[Event]:
        await self._send(request)
        until = self._clock.mono_ms() + ANSWER_TIMEOUT_MS
        answers: list[Event] = []
        while self._protocol.awaited and (left := until - self._clock.mono_ms()) > 0:
            data = await self._transport.read(READ_BYTES, left)
            if not data:
                break
            # What the printer tells unasked is no answer, and the answer is still to come.
            answers += [event for event in self._receive(data) if not isinstance(event, Unexpected | Proof)]
        self._protocol.forget()
        return answers

    async def _clear(self) -> None:
        """Take in what came since the last question, so that it is not taken for an answer to the next."""
        for _ in range(LEFTOVER_READS):
            data = await self._transport.read(READ_BYTES, BLOCK_MS if self._protocol.is_mid_block else 1)
            if not data:
                break
            self._receive(data)
        self._protocol.forget()
        self._protocol.drop_block()

    async def _send(self, request: Request) -> None:
        await self._transport.write(self._protocol.ask(request), ANSWER_TIMEOUT_MS)

    def _receive(self, data: bytes) -> list[Event]:
        events = self._protocol.receive(data)
        self.unexpected_bytes += sum(isinstance(event, Unexpected) for event in events)
        self.has_proved = self.has_proved or any(isinstance(event, Proof) for event in events)
        return events


COVER_OPEN = "cover open"
PAPER_OUT = "paper out"
CUTTER = "cutter jammed"
BROKEN = "error that only switching off and on can clear"
STUCK = "error that opening and closing the cover can clear"
TOO_HOT = "error that passes by itself: too hot?"
ERROR = "error"
OFFLINE = "offline"
FAULTS = (COVER_OPEN, PAPER_OUT, CUTTER, BROKEN, STUCK, TOO_HOT, ERROR, OFFLINE)
"""What keeps a printer from printing, the most telling first."""


def _fault(answers: list[Event]) -> str:
    """What keeps the printer from printing: one of FAULTS, or ""."""
    found: set[str] = set()
    for answer in answers:
        match answer:
            case PrinterStatus():
                said = {OFFLINE: answer.offline}
            case OfflineCause():
                said = {COVER_OPEN: answer.cover_open, PAPER_OUT: answer.paper_stop, ERROR: answer.error}
            case ErrorCause():
                said = _error_words(answer)
            case PaperStatus():
                said = {PAPER_OUT: answer.end}
            case AutomaticStatus():
                said = {COVER_OPEN: answer.cover_open, PAPER_OUT: answer.end, OFFLINE: answer.offline}
                said |= _error_words(answer.error)
            case _:
                said = {}
        found |= {name for name, is_so in said.items() if is_so}
    return next((name for name in FAULTS if name in found), "")


def _error_words(cause: ErrorCause) -> dict[str, bool]:
    return {CUTTER: cause.cutter, BROKEN: cause.unrecoverable, STUCK: cause.recoverable, TOO_HOT: cause.passing}


def _is_unexplained(answers: list[Event]) -> bool:
    """Whether the printer should be asked what its error is: it has one, or is offline without saying why."""
    return _fault(answers) in (ERROR, OFFLINE)


def _near_end(answers: list[Event]) -> bool:
    return any(isinstance(answer, PaperStatus | AutomaticStatus) and answer.near_end for answer in answers)
