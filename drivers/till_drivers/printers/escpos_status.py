"""What a printer says of itself: ESC/POS status requests and answers. Bytes in, events out; no port, no clock.

An answer is one byte without a name: which request it answers is known by its fixed bits and by the order of asking.
Real-time requests (`DLE EOT n`) are answered at once, even when the printer is busy or out of paper. `GS r 1` stands in
the line behind everything sent before, so its answer proves that all of that was printed.
"""

import enum

from msgspec import Struct

_FLOW_CONTROL = frozenset({0x11, 0x13})
"""XON and XOFF, which a printer sends whenever it likes, in the middle of an automatic status too."""
AUTOMATIC_BYTES = 4
OWED_LIMIT = 64
"""Unanswered `GS r` requests that are remembered; a printer that owes more has lost them."""


class Request(enum.Enum):
    """A request, its value being the bytes that ask."""

    PRINTER = b"\x10\x04\x01"
    OFFLINE_CAUSE = b"\x10\x04\x02"
    ERROR_CAUSE = b"\x10\x04\x03"
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


class ErrorCause(Struct, frozen=True):
    """Answer to ERROR_CAUSE."""

    recoverable: bool = False
    """A person can clear it: open and close the cover."""
    cutter: bool = False
    unrecoverable: bool = False
    """Only switching it off and on helps, if anything does."""
    passing: bool = False
    """Goes by itself: the print head is too hot, say."""


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
    error: ErrorCause = ErrorCause()


class Unexpected(Struct, frozen=True):
    """A byte that answers nothing we asked."""

    byte: int


Event = PrinterStatus | OfflineCause | ErrorCause | PaperStatus | Proof | AutomaticStatus | Unexpected


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

    @property
    def awaited(self) -> int:
        """Real-time requests asked and neither answered nor forgotten."""
        return len(self._asked)

    def ask(self, request: Request) -> bytes:
        """Note that `request` is being asked; returns the bytes to send."""
        if request is Request.PROOF:
            self._owed = min(self._owed + 1, OWED_LIMIT)
        else:
            self._asked.append(request)
        return request.value

    @property
    def is_mid_block(self) -> bool:
        """Whether an automatic status has begun and not ended."""
        return bool(self._automatic)

    def receive(self, data: bytes) -> list[Event]:
        """Events in the order of the bytes; an automatic status cut in two is waited for.

        Whatever stands within an automatic status proves nothing, even if that breaks off: its bytes look like proofs.
        """
        events: list[Event] = []
        for byte in data:
            if not self._automatic or byte in _FLOW_CONTROL or (_is_real_time(byte) and self._asked):
                events += self._single(byte)
            elif byte & 0x90 == 0:
                self._automatic.append(byte)
                if len(self._automatic) == AUTOMATIC_BYTES:
                    events.append(_automatic(bytes(self._automatic)))
                    self._automatic.clear()
            else:  # not one of its later bytes: it was noise, or the rest of it was lost
                events += [Unexpected(each) for each in self._automatic]
                self._automatic.clear()
                events += self._single(byte)
        return events

    def forget(self) -> None:
        """Real-time requests that had no answer in time are no longer waited for; owed proofs still are."""
        self._asked.clear()

    def drop_block(self) -> None:
        """The rest of an automatic status did not come: it was noise."""
        self._automatic.clear()

    def forgive(self) -> None:
        """The printer will not give the proofs it owes: it was switched off, or never gives any."""
        self._owed = 0

    def _single(self, byte: int) -> list[Event]:
        if _is_real_time(byte):
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


def _is_real_time(byte: int) -> bool:
    """By its fixed bits: an answer to `DLE EOT`."""
    return byte & 0x93 == 0x12


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
        case Request.ERROR_CAUSE:
            return _error_cause(byte)
        case _:
            return PaperStatus(near_end=bool(byte & 0x0C), end=bool(byte & 0x60))


def _error_cause(byte: int) -> ErrorCause:
    return ErrorCause(
        recoverable=bool(byte & 0x04),
        cutter=bool(byte & 0x08),
        unrecoverable=bool(byte & 0x20),
        passing=bool(byte & 0x40),
    )


def _automatic(block: bytes) -> AutomaticStatus:
    return AutomaticStatus(
        cover_open=bool(block[0] & 0x20),
        offline=bool(block[0] & 0x08),
        near_end=bool(block[2] & 0x03),
        end=bool(block[2] & 0x0C),
        error=_error_cause(block[1]),
    )
