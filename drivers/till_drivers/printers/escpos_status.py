"""What a printer says of itself: ESC/POS status requests and answers. Bytes in, events out; no port, no clock.

An answer is one byte without a name: which request it answers is known by its fixed bits and by the order of asking.
Real-time requests (`DLE EOT n`) are answered at once, even when the printer is busy or out of paper. `GS r 1` stands in
the line behind everything sent before, so its answer proves that all of that was printed.
"""

import enum

from msgspec import Struct

OWED_LIMIT = 64
"""Unanswered `GS r` requests that are remembered; a printer that owes more has lost them."""


class Request(enum.Enum):
    """A request, its value being the bytes that ask."""

    PRINTER = b"\x10\x04\x01"
    OFFLINE_CAUSE = b"\x10\x04\x02"
    PAPER = b"\x10\x04\x04"
    PROOF = b"\x1dr\x01"


PREFLIGHT = (Request.PRINTER, Request.OFFLINE_CAUSE, Request.PAPER)
"""Asked before each job, one after another: together asked, a printer that leaves one out could not be understood."""


class PrinterStatus(Struct, frozen=True):
    """Answer to PRINTER."""

    offline: bool


class OfflineCause(Struct, frozen=True):
    """Answer to OFFLINE_CAUSE."""

    cover_open: bool
    feeding: bool
    paper_stop: bool
    error: bool


class PaperStatus(Struct, frozen=True):
    """Answer to PAPER."""

    near_end: bool
    end: bool


class Proof(Struct, frozen=True):
    """Answer to PROOF: everything sent before it has been printed, unless `end`."""

    near_end: bool
    end: bool


class AutomaticStatus(Struct, frozen=True):
    """Four bytes that a printer sends unasked where another program has switched that on."""

    cover_open: bool
    offline: bool
    near_end: bool
    end: bool


class Unexpected(Struct, frozen=True):
    """A byte that answers nothing we asked."""

    byte: int


Event = PrinterStatus | OfflineCause | PaperStatus | Proof | AutomaticStatus | Unexpected


class StatusProtocol:
    """Matches answers to requests on one connection."""

    def __init__(self) -> None:
        self._asked: list[Request] = []
        self._owed = 0
        self._automatic = bytearray()

    @property
    def owed(self) -> int:
        """Proofs asked for and not yet given, from all jobs on this connection."""
        return self._owed

    def ask(self, request: Request) -> bytes:
        """Note that `request` is being asked; returns the bytes to send."""
        if request is Request.PROOF:
            self._owed = min(self._owed + 1, OWED_LIMIT)
        else:
            self._asked.append(request)
        return request.value

    def receive(self, data: bytes) -> list[Event]:
        """Events in the order of the bytes; an automatic status cut in two is waited for."""
        events: list[Event] = []
        for byte in data:
            if self._automatic:
                self._automatic.append(byte)
                if byte & 0x90:  # not one of its later bytes after all
                    events += self._break_automatic()
                elif len(self._automatic) == 4:
                    events.append(_automatic(bytes(self._automatic)))
                    self._automatic.clear()
                continue
            events += self._single(byte)
        return events

    def forget(self) -> None:
        """Real-time requests that had no answer in time are no longer waited for; owed proofs still are."""
        self._asked.clear()
        self._automatic.clear()

    def forgive(self) -> None:
        """The printer will not give the proofs it owes: it was switched off, or never gives any."""
        self._owed = 0

    def _single(self, byte: int) -> list[Event]:
        if byte & 0x93 == 0x12:
            if not self._asked:
                return [Unexpected(byte)]
            return [_real_time(self._asked.pop(0), byte)]
        if byte & 0x93 == 0x10:
            self._automatic.append(byte)
            return []
        if byte & 0x90 == 0 and self._owed:
            self._owed -= 1
            return [Proof(near_end=bool(byte & 0x03), end=bool(byte & 0x0C))]
        return [Unexpected(byte)]

    def _break_automatic(self) -> list[Event]:
        """A block turned out not to be one: its first byte is noise, the rest is read again."""
        first, *rest = self._automatic
        self._automatic.clear()
        events: list[Event] = [Unexpected(first)]
        for byte in rest:
            events += self.receive(bytes((byte,)))
        return events


def _real_time(request: Request, byte: int) -> Event:
    match request:
        case Request.PRINTER:
            return PrinterStatus(offline=bool(byte & 0x08))
        case Request.OFFLINE_CAUSE:
            return OfflineCause(
                cover_open=bool(byte & 0x04),
                feeding=bool(byte & 0x08),
                paper_stop=bool(byte & 0x20),
                error=bool(byte & 0x40),
            )
        case _:
            return PaperStatus(near_end=bool(byte & 0x0C), end=bool(byte & 0x60))


def _automatic(block: bytes) -> AutomaticStatus:
    return AutomaticStatus(
        cover_open=bool(block[0] & 0x20),
        offline=bool(block[0] & 0x08),
        near_end=bool(block[2] & 0x03),
        end=bool(block[2] & 0x0C),
    )
