"""A scanner that types like a keyboard, on Linux: its keys are taken from the system, so that they reach nobody else.

The node is opened without waiting and read when the loop says that there is something; what may wait in the system
(open, grab, close) is done in a thread with a deadline.
"""

import asyncio
import contextlib
import errno
import os
import sys
from collections.abc import Callable

from till_drivers.exceptions import SettingsError, TransportAbsent, TransportLost
from till_drivers.ports import Clock
from till_drivers.scanners.keyboard_devices import check_place, locate_keyboard
from till_drivers.scanners.keyboard_keys import EVENT, KeyReader
from till_drivers.scanners.reading_loop import ReadingLoop, ScannerConfig, Source, check_settings
from till_drivers.transports.device_thread import DeviceThread

GRAB = 0x40044590
"""EVIOCGRAB, `_IOW('E', 0x90, int)`: events of the device come to who asks for it, and to nobody else."""
KEY_GAP_MS = 500
"""No scanner pauses this long between two keys of one code; behind lost keys it ends what they were part of."""


def grab(descriptor: int) -> None:
    """Take the keyboard for this program alone. OSError when another has it, or it is no input device."""
    import fcntl

    fcntl.ioctl(descriptor, GRAB, 1)


class KeyboardSource:
    """Implements `till_drivers.scanners.reading_loop.Source` over an input event node."""

    def __init__(self, name: str, locate: Callable[[], str], *, grab: Callable[[int], None] = grab) -> None:
        self._name = name
        self._locate = locate
        self._grab = grab
        self._descriptor: int | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._thread = DeviceThread(f"keyboard-{name}")

    async def open(self, timeout_ms: int) -> None:
        """Find, open and grab the node. Raises TransportAbsent."""
        await self.close(timeout_ms)
        try:
            self._descriptor = await self._thread.call(self._open, timeout_ms, undo=os.close)
        except TimeoutError as exc:
            raise TransportAbsent(f"{self._name}: no answer to open in {timeout_ms} ms") from exc
        except OSError as exc:
            raise TransportAbsent(f"{self._name}: {_why(exc)}") from exc

    async def read(self, size: int, timeout_ms: int) -> bytes:
        """Whole events as they come; b"" when none came in time. Raises TransportLost."""
        loop = asyncio.get_running_loop()
        descriptor = self._descriptor
        if descriptor is None:
            raise TransportLost(f"{self._name}: not open")
        if (data := self._take(descriptor, size)) or not timeout_ms:
            return data
        self._waiting = loop.create_future()
        loop.add_reader(descriptor, _settle, self._waiting)
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                await self._waiting
        except TimeoutError:
            return b""
        finally:
            self._waiting = None
            if self._descriptor == descriptor:
                loop.remove_reader(descriptor)
        return self._take(descriptor, size)

    async def close(self, timeout_ms: int) -> None:
        """Give the keyboard back; a read that waits ends with TransportLost."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            asyncio.get_running_loop().remove_reader(descriptor)
            if self._waiting is not None:
                _settle(self._waiting)
            with contextlib.suppress(TimeoutError, TransportLost, OSError):
                await self._thread.call(lambda: os.close(descriptor), timeout_ms or 1)
        self._thread.end()

    def _open(self) -> int:
        node = self._locate()
        descriptor = os.open(node, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            self._grab(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _take(self, descriptor: int, size: int) -> bytes:
        if self._descriptor != descriptor:
            raise TransportLost(f"{self._name}: closed")
        try:
            data = os.read(descriptor, max(size - size % EVENT.size, EVENT.size))
        except BlockingIOError:
            return b""
        except OSError as exc:
            raise TransportLost(f"{self._name}: {_why(exc)}") from exc
        if not data:
            raise TransportLost(f"{self._name}: not plugged in")
        return data


class KeyboardScanner(ReadingLoop):
    """Named by `match` or a `port` under /dev/input/by-id. SettingsError on Windows and macOS."""

    def __init__(self, settings: ScannerConfig, *, clock: Clock | None = None, source: Source | None = None) -> None:
        if source is None and sys.platform != "linux":
            raise SettingsError(
                f"scanner {settings.name!r}: expected driver to be serial or hidpos here, not keyboard, which needs "
                "Linux; set the scanner itself to a COM port (USB serial) or to HID-POS"
            )
        prefix, suffix = check_settings(settings)
        try:
            check_place(settings.port, settings.match)
        except SettingsError as exc:
            raise SettingsError(f"scanner {settings.name!r}: {exc}") from exc
        name = settings.port or settings.match
        super().__init__(
            settings,
            source or KeyboardSource(name, lambda: locate_keyboard(settings.port, settings.match)),
            KeyReader(prefix=prefix, suffix=suffix, encoding=settings.encoding, ends_in_silence=bool(settings.gap_ms)),
            clock=clock,
            silence_ms=settings.gap_ms or KEY_GAP_MS,
        )


def _settle(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)


def _why(error: OSError) -> str:
    if error.errno == errno.ENOTTY:
        return "expected an input device, not another file"
    if error.errno == errno.ENODEV:
        return "not plugged in"
    if error.errno == errno.EBUSY:
        return "another program holds it"
    return error.strerror or type(error).__name__
