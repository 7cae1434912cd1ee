"""A printer on USB itself, through pyusb: for one that no kernel driver gives a file.

libusb holds the printer's interface alone: another program that wants it is told that it is busy. A device file
(`file`) needs no extra package; this one works on machines without `usblp`, and finds the printer by what it is.
"""

import contextlib
import errno
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from till_drivers.exceptions import SettingsError, TransportAbsent, TransportError, TransportLost, TransportStalled
from till_drivers.transports.device_thread import DeviceThread
from till_drivers.transports.usb_printers import UsbPort, claim, find, release

CHUNK_BYTES = 4096
"""Bytes of one transfer: libusb tells how many of it went when its time is up."""
CALL_GRACE_MS = 500
"""How much longer than asked a call may take in the driver before its thread is given up."""
EMPTY_PAUSE_SECONDS = 0.01
"""Between two reads of a printer that answers at once that it has nothing to say."""
_MATCH = re.compile(r"(?:usb:)?([0-9a-f]{4}):([0-9a-f]{4})(?::(.+))?", re.IGNORECASE)


class UsbTransport:
    """The printer that `match` (`VID:PID[:SERIAL]`) names at the moment of `open`. Raises SettingsError.

    `backend` gives pyusb's access to the bus; None takes libusb's.
    """

    def __init__(self, match: str, *, backend: Callable[[], Any] | None = None) -> None:
        form = _MATCH.fullmatch(match)
        if form is None:
            raise SettingsError(f"expected VID:PID[:SERIAL] with four hexadecimal digits each, not {match!r}")
        self.match = match
        self._vid, self._pid, self._serial = int(form[1], 16), int(form[2], 16), form[3]
        self._backend = backend
        self._port: UsbPort | None = None
        self._rest = b""
        """Bytes of a packet that nobody asked for yet."""
        self._thread = DeviceThread(f"usb-{match}")

    @property
    def is_one_way(self) -> bool:
        """Whether the open printer has no way to answer."""
        return self._port is not None and self._port.source is None

    async def open(self, timeout_ms: int) -> None:
        """Find the printer and claim it. Raises TransportAbsent."""
        await self.close(0)
        try:
            self._port = await self._thread.call(self._open, timeout_ms, undo=release)
        except TimeoutError as exc:
            raise TransportAbsent(f"{self.match}: no answer to open in {timeout_ms} ms") from exc
        except OSError as exc:
            raise TransportAbsent(f"{self.match}: {words(exc)}") from exc

    async def read(self, size: int, timeout_ms: int) -> bytes:
        """Up to `size` bytes, at least one; b"" when none came in time. Raises TransportLost."""
        port = self._need()
        if not self._rest:
            try:
                self._rest = await self._thread.call(lambda: _read(port, timeout_ms), timeout_ms + CALL_GRACE_MS)
            except TimeoutError as exc:
                raise TransportLost(f"{self.match}: the driver hangs in a read") from exc
            except OSError as exc:
                raise TransportLost(f"{self.match}: {words(exc)}") from exc
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    async def write(self, data: bytes, timeout_ms: int) -> None:
        """Until the printer took all of `data`. Raises TransportStalled when it does not in time, TransportLost."""
        port = self._need()
        try:
            await self._thread.call(lambda: _write(port, data, timeout_ms, self.match), timeout_ms + CALL_GRACE_MS)
        except TimeoutError as exc:
            raise TransportStalled(f"{self.match}: the driver hangs in a write", sent=len(data)) from exc
        except TransportError:
            raise
        except OSError as exc:
            raise TransportLost(f"{self.match}: {words(exc)}") from exc

    async def close(self, timeout_ms: int) -> None:
        """Give the printer back to the system, at most after `timeout_ms`; never raises for one that is gone."""
        port, self._port = self._port, None
        self._rest = b""
        if port is not None:
            with contextlib.suppress(TimeoutError, TransportLost, OSError):
                await self._thread.call(lambda: release(port), timeout_ms or 1)
        self._thread.end()

    def _need(self) -> UsbPort:
        if self._port is None:
            raise TransportLost(f"{self.match}: not open")
        return self._port

    def _open(self) -> UsbPort:
        backend = self._backend() if self._backend is not None else None
        return claim(find(self._vid, self._pid, self._serial, backend=backend))


def _read(port: UsbPort, timeout_ms: int) -> bytes:
    """One packet's bytes: asked for less than a packet, libusb would call the rest an overflow."""
    from usb.core import USBTimeoutError

    if port.source is None:
        threading.Event().wait(timeout_ms / 1000)  # in the device's own thread
        return b""
    deadline = time.monotonic() + timeout_ms / 1000
    while (left := deadline - time.monotonic()) > 0:
        try:
            data = bytes(port.source.read(port.source.wMaxPacketSize, max(1, int(left * 1000))))
        except USBTimeoutError:
            return b""
        if data:
            return data
        threading.Event().wait(min(EMPTY_PAUSE_SECONDS, left))
    return b""


def _write(port: UsbPort, data: bytes, timeout_ms: int, name: str) -> None:
    from usb.core import USBTimeoutError

    deadline = time.monotonic() + timeout_ms / 1000
    sent = 0
    while sent < len(data):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TransportStalled(f"{name}: the printer takes no bytes", sent=sent)
        try:
            sent += port.sink.write(data[sent : sent + CHUNK_BYTES], max(1, int(left * 1000)))
        except USBTimeoutError as exc:  # pyusb raises it only when nothing of this transfer went
            raise TransportStalled(f"{name}: the printer takes no bytes", sent=sent) from exc


def words(exc: OSError) -> str:
    """What went wrong, in words that lead to its end."""
    known = {
        errno.EACCES: "no permission to use it: a udev rule has to give the agent's user this device",
        errno.EPERM: "no permission to use it: a udev rule has to give the agent's user this device",
        errno.EBUSY: "another program holds the printer (CUPS?)",
        errno.ENODEV: "unplugged",
        errno.EIO: "the line to the printer broke",
    }
    return known.get(exc.errno or 0, exc.strerror or str(exc))
