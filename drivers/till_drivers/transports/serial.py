"""A serial port, USB serial port or pseudo-terminal through pyserial, in a thread of its own.

What pyserial does badly, and what is done here about it:
- after an unplug it raises OSError, SerialException or termios.error from anywhere: all become TransportLost;
- closed from another thread, a running read fails with TypeError: a read is woken first, and the port is closed in the
  thread that reads;
- a write blocks for ever, or spins while the buffer is full: each write waits for room first and has a deadline;
- `exclusive` is only a flock, which other programs need not ask for: the terminal's own lock is set as well;
- it has a break on the line read as a zero byte, and bytes that came broken as if they were whole: a printer that is
  switched off in mid-slip would seem to have sent the proof (`serial_line`).
"""

import contextlib
import os
import select
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from till_drivers.exceptions import TransportAbsent, TransportError, TransportLost, TransportStalled
from till_drivers.transports.device_thread import DeviceThread
from till_drivers.transports.serial_ports import locate_serial_port

if TYPE_CHECKING:
    import serial

CHUNK_BYTES = 512
"""Bytes given to the port at once; a deadline in mid-chunk leaves this many in doubt."""
CALL_GRACE_MS = 500
"""How much longer than asked a call may take in the driver before its thread is given up."""
CLOSE_TIMEOUT_MS = 500
"""A close that takes longer hangs in the driver; stopping within a second leaves no more."""

_BROKEN: tuple[type[BaseException], ...] = (OSError, TypeError, AttributeError, ValueError)
if sys.platform != "win32":
    import fcntl
    import termios

    _BROKEN = (*_BROKEN, termios.error)


class SerialTransport:
    """The port that `device` names at the moment of `open`: a path, a COM port, or `usb:VID:PID[:SERIAL]`.

    Calls are done one after another: a write waits for a read that runs. `flow_control`: bytes wait between the
    device's XOFF and XON.
    """

    def __init__(
        self,
        device: str,
        *,
        baud_rate: int = 9600,
        flow_control: bool = False,
        locate: Callable[[str], str] = locate_serial_port,
    ) -> None:
        self.device = device
        self._baud_rate = baud_rate
        self._flow_control = flow_control
        self._locate = locate
        self._port: serial.Serial | None = None
        self._thread = DeviceThread(f"serial-{device}")

    async def open(self, timeout_ms: int) -> None:
        """Find and open the port, alone. Raises TransportAbsent; SettingsError when `device` is no name of a port."""
        await self.close(CLOSE_TIMEOUT_MS)
        try:
            self._port = await self._thread.call(self._open, timeout_ms, undo=_close)
        except TimeoutError as exc:
            raise TransportAbsent(f"{self.device}: no answer to open in {timeout_ms} ms") from exc
        except _BROKEN as exc:
            raise TransportAbsent(f"{self.device}: {exc}") from exc

    async def read(self, size: int, timeout_ms: int) -> bytes:
        """Up to `size` bytes, at least one; b"" when none came in time. Raises TransportLost."""
        port = self._need()
        try:
            return await self._thread.call(lambda: _read(port, size, timeout_ms), timeout_ms + CALL_GRACE_MS)
        except TimeoutError as exc:
            raise TransportLost(f"{self.device}: the driver hangs in a read") from exc
        except _BROKEN as exc:
            raise TransportLost(f"{self.device}: {exc}") from exc

    async def write(self, data: bytes, timeout_ms: int) -> None:
        """Hand all of `data` to the driver. Raises TransportStalled when it takes no more in time, or TransportLost."""
        port = self._need()
        try:
            await self._thread.call(lambda: _write(port, data, timeout_ms), timeout_ms + CALL_GRACE_MS)
        except TimeoutError as exc:
            raise TransportStalled(f"{self.device}: the driver hangs in a write", sent=len(data)) from exc
        except TransportError:
            raise
        except _BROKEN as exc:
            raise TransportLost(f"{self.device}: {exc}") from exc

    async def close(self, timeout_ms: int) -> None:
        """Give the port back, at most after `timeout_ms`; never raises for a device that is gone."""
        port, self._port = self._port, None
        if port is not None:
            with contextlib.suppress(*_BROKEN):
                port.cancel_read()
                port.cancel_write()
            with contextlib.suppress(TimeoutError, TransportLost, *_BROKEN):
                await self._thread.call(lambda: _close(port), timeout_ms or 1)
        self._thread.end()

    def _need(self) -> "serial.Serial":
        if self._port is None:
            raise TransportLost(f"{self.device}: not open")
        return self._port

    def _open(self) -> "serial.Serial":
        from till_drivers.transports.serial_line import SerialLine

        path = self._locate(self.device)
        port = SerialLine(
            path, self._baud_rate, timeout=0, write_timeout=1, exclusive=None if sys.platform == "win32" else True
        )
        try:
            _lock(port)
            if self._flow_control:
                port.xonxoff = True  # after the opening without it, which ends an XOFF of an earlier program's time
        except BaseException:
            port.close()
            raise
        return port


def _lock(port: "serial.Serial") -> None:
    """Keep out programs that do not ask for the flock. Not on pseudo-terminals: theirs outlives a killed process."""
    if sys.platform != "win32" and not os.ttyname(port.fileno()).startswith("/dev/pts/"):
        fcntl.ioctl(port.fileno(), termios.TIOCEXCL)


def _read(port: "serial.Serial", size: int, timeout_ms: int) -> bytes:
    timeout = timeout_ms / 1000
    if port.timeout != timeout:
        port.timeout = timeout
    data: bytes = port.read(1)
    if data and size > 1:
        # Unplugged since: what was read counts, a code's end for one; the next read tells the loss.
        with contextlib.suppress(*_BROKEN):
            if waiting := port.in_waiting:
                data += port.read(min(size - 1, waiting))
    return data


def _write(port: "serial.Serial", data: bytes, timeout_ms: int) -> None:
    from serial import SerialTimeoutException

    deadline = time.monotonic() + timeout_ms / 1000
    for start in range(0, len(data), CHUNK_BYTES):
        chunk = data[start : start + CHUNK_BYTES]
        left = deadline - time.monotonic()
        if left <= 0 or not _has_room(port, left):
            raise TransportStalled(f"{port.port}: the device takes no bytes", sent=start)
        port.write_timeout = max(0.001, deadline - time.monotonic())
        try:
            port.write(chunk)
        except SerialTimeoutException as exc:
            raise TransportStalled(f"{port.port}: the device stopped taking bytes", sent=start + len(chunk)) from exc


def _has_room(port: "serial.Serial", seconds: float) -> bool:
    """Whether the driver takes bytes within that time. pyserial's own write spins while there is no room at first."""
    if sys.platform == "win32":
        return True
    return bool(select.select([], [port.fileno()], [], seconds)[1])


def _close(port: "serial.Serial") -> None:
    with contextlib.suppress(*_BROKEN):
        if sys.platform != "win32" and not os.ttyname(port.fileno()).startswith("/dev/pts/"):
            fcntl.ioctl(port.fileno(), termios.TIOCNXCL)
    with contextlib.suppress(*_BROKEN):
        port.close()
