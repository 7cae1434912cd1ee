"""A raw queue of the Windows spooler: the logic, over an interface that `winspool` implements with the system's own.

What the spooler takes is in its queue, not on paper: the best outcome is ACCEPTED.
"""

import contextlib
from collections.abc import Callable
from typing import Protocol

from till_drivers.exceptions import TransportAbsent, TransportError, TransportLost, TransportRefused, TransportStalled
from till_drivers.transports.device_thread import DeviceThread

CHUNK_BYTES = 32_768
"""Bytes of one WritePrinter; the spooler copies them to its file."""
CALL_GRACE_MS = 500
"""How much longer than asked a call may take in the spooler before its thread is given up."""
TITLE = "Tillside"
"""Name of each document: the queue's list is open to many, so it names neither member nor sale."""

TROUBLES = (
    (0x00400000, "cover open"),
    (0x00000010, "paper out"),
    (0x00000008, "paper jammed"),
    (0x00000001, "the queue is stopped: resume it"),
    (0x00000080, "offline"),
    (0x00001000, "not available"),
    (0x00100000, "wants a person"),
    (0x00000004, "the queue is being deleted"),
    (0x00000002, "error"),
)
"""Bits of PRINTER_INFO_6 (winspool.h) with which a slip would wait nobody knows how long, the most telling first."""

ERROR_ACCESS_DENIED = 5
ERROR_INVALID_PRINTER_NAME = 1801
RPC_S_SERVER_UNAVAILABLE = 1722


class Winspool(Protocol):
    """What is used of winspool.drv. Each raises OSError with the system's own number as `winerror`. All block."""

    def open(self, queue: str) -> int:
        """Handle of a queue."""
        ...

    def status(self, handle: int) -> int:
        """Bits of PRINTER_INFO_6."""
        ...

    def start(self, handle: int, title: str) -> None:
        """Begin a raw document."""
        ...

    def write(self, handle: int, data: bytes) -> int:
        """Bytes taken."""
        ...

    def end(self, handle: int) -> None:
        """The document is whole: print it."""
        ...

    def abort(self, handle: int) -> None:
        """Throw away what of the document has not been printed."""
        ...

    def close(self, handle: int) -> None: ...


class WindowsQueueTransport:
    """The queue of that name. `api` gives the system's functions, at the first opening."""

    is_one_way = True

    def __init__(self, queue: str, *, api: Callable[[], Winspool]) -> None:
        self.queue = queue
        self._make_api = api
        self._api: Winspool | None = None
        self._handle: int | None = None
        self._thread = DeviceThread(f"queue-{queue}")

    async def open(self, timeout_ms: int) -> None:
        """Find the queue and ask how it is. TransportAbsent: not there; TransportRefused: a slip would only wait."""
        await self.close(0)
        api = self._api = self._api or self._make_api()
        try:
            self._handle = await self._thread.call(lambda: _open(api, self.queue), timeout_ms, undo=api.close)
        except TimeoutError as exc:
            raise TransportAbsent(f"{self.queue}: the spooler gave no answer in {timeout_ms} ms") from exc
        except OSError as exc:
            raise TransportAbsent(f"{self.queue}: {_words(exc)}") from exc

    async def read(self, size: int, timeout_ms: int) -> bytes:  # noqa: ARG002  # the interface has them
        """A queue has no way back. Raises TransportLost."""
        raise TransportLost(f"{self.queue}: a print queue can't be read")

    async def write(self, data: bytes, timeout_ms: int) -> None:
        """Put `data` into the queue as one document.

        TransportRefused: it was not even begun; TransportLost, TransportStalled: nobody knows.
        """
        api, handle = self._api, self._handle
        if api is None or handle is None:
            raise TransportLost(f"{self.queue}: not open")
        try:
            await self._thread.call(lambda: _print(api, handle, data, self.queue), timeout_ms + CALL_GRACE_MS)
        except TimeoutError as exc:
            raise TransportStalled(f"{self.queue}: the spooler did not take the slip in time", sent=len(data)) from exc
        except TransportError:
            raise
        except OSError as exc:
            raise TransportLost(f"{self.queue}: {_words(exc)}") from exc

    async def close(self, timeout_ms: int) -> None:
        """Let go of the queue, at most after `timeout_ms`."""
        api, handle, self._handle = self._api, self._handle, None
        if api is not None and handle is not None:
            with contextlib.suppress(TimeoutError, TransportLost, OSError):
                await self._thread.call(lambda: api.close(handle), timeout_ms or 1)
        self._thread.end()


def _open(api: Winspool, queue: str) -> int:
    handle = api.open(queue)
    try:
        bits = api.status(handle)
    except BaseException:
        api.close(handle)
        raise
    if trouble := next((text for bit, text in TROUBLES if bits & bit), ""):
        api.close(handle)
        raise TransportRefused(f"{queue}: {trouble}")
    return handle


def _print(api: Winspool, handle: int, data: bytes, queue: str) -> None:
    """One document. Its end is what has it printed, where the queue waits for the whole of it."""
    try:
        api.start(handle, TITLE)
    except OSError as exc:
        raise TransportRefused(f"{queue}: {_words(exc)}") from exc
    try:
        _write(api, handle, data, queue)
        api.end(handle)
    except BaseException:
        with contextlib.suppress(OSError):
            api.abort(handle)
        raise


def _write(api: Winspool, handle: int, data: bytes, queue: str) -> None:
    sent = 0
    while sent < len(data):
        taken = api.write(handle, data[sent : sent + CHUNK_BYTES])
        if taken <= 0:  # the document has been begun: what the spooler makes of that is in doubt, bytes or none
            raise TransportStalled(f"{queue}: the spooler takes no bytes", sent=max(1, sent))
        sent += taken


def _words(exc: OSError) -> str:
    known = {
        ERROR_INVALID_PRINTER_NAME: "Windows has no queue of that name",
        ERROR_ACCESS_DENIED: "the agent's user may not print to this queue",
        RPC_S_SERVER_UNAVAILABLE: "the print spooler is not running",
    }
    number = getattr(exc, "winerror", None)
    return known.get(number or 0, exc.strerror or str(exc))
