"""A scanner in HID-POS mode (usage page 0x8C) through hidapi, which is imported when the first one is opened."""

import asyncio
import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from till_drivers.exceptions import ProtocolError, SettingsError, TransportAbsent, TransportLost
from till_drivers.ports import Clock
from till_drivers.scanners.hid_descriptor import REPORT_LIMIT_BYTES, SCANNER_PAGE, USUAL, Layouts, parse_descriptor
from till_drivers.scanners.hid_reports import ReportReader
from till_drivers.scanners.reading_loop import ReadingLoop, ScannerConfig, check_settings
from till_drivers.transports.device_thread import DeviceThread

READ_SLICE_MS = 200
"""A read inside hidapi can't be woken: stopping waits for the end of one of these."""
CALL_GRACE_MS = 500
"""How much longer than asked a call may take in the driver before its thread is given up."""
CONTINUED_MS = 1_000
"""Between two reports of one code there are a few milliseconds; after this the rest of it is lost."""
_BROKEN = (OSError, ValueError)
"""What hidapi raises: for a device that is gone, and for one that has been closed."""
_NEEDED = "expected the package hidapi; install tillside with its extra: tillside[hid]"


class HidScanner(Struct, frozen=True, kw_only=True):
    """A device that says it is a scanner. `path` is hidapi's; it changes with each plugging."""

    path: bytes
    vid: int
    pid: int
    serial_number: str
    name: str

    @property
    def match(self) -> str:
        """`VID:PID` or `VID:PID:SERIAL` for the settings."""
        return f"{self.vid:04x}:{self.pid:04x}" + (f":{self.serial_number}" if self.serial_number else "")


def load_hidapi() -> Any:
    """The hidapi module for this system. SettingsError when the package is not there, or is another of that name."""
    # On Linux the kernel's own interface goes first: libusb would take the device from the kernel for as long.
    for name in ("hidraw", "hid") if sys.platform == "linux" else ("hid",):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        if hasattr(module, "device") and hasattr(module, "enumerate"):
            return module
    raise SettingsError(_NEEDED)


def list_hid_scanners(hidapi: Any) -> list[HidScanner]:
    """Every device on usage page 0x8C, once: hidapi lists one with several collections as many times.

    Blocks for some milliseconds.
    """
    found: dict[bytes, HidScanner] = {}
    for each in hidapi.enumerate():
        if each.get("usage_page") != SCANNER_PAGE:
            continue
        path = bytes(each["path"])
        found[path] = HidScanner(
            path=path,
            vid=each["vendor_id"],
            pid=each["product_id"],
            serial_number=each.get("serial_number") or "",
            name=each.get("product_string") or "",
        )
    return [found[path] for path in sorted(found)]


def locate_hid_scanner(match: str, hidapi: Any) -> HidScanner:
    """The scanner that `VID:PID[:SERIAL]` names now.

    Of several with one serial number, collections of one device on Windows, the first is taken. Raises TransportAbsent
    when none or more than one is plugged in, or the device is there in another mode.
    """
    vid_pid, serial_number = match[:9].lower(), match[10:]
    found = [
        each
        for each in list_hid_scanners(hidapi)
        if f"{each.vid:04x}:{each.pid:04x}" == vid_pid and serial_number in ("", each.serial_number)
    ]
    if len(found) > 1 and (len({each.serial_number for each in found}) > 1 or not found[0].serial_number):
        raise TransportAbsent(f"{match}: expected one such device, not {len(found)}; name its serial number")
    if found:
        return found[0]
    if any(f"{each['vendor_id']:04x}:{each['product_id']:04x}" == vid_pid for each in hidapi.enumerate()):
        raise TransportAbsent(f"{match}: plugged in, but not in HID-POS mode; scan its code for that from its manual")
    raise TransportAbsent(f"{match}: not plugged in")


class HidSource:
    """Implements `till_drivers.scanners.reading_loop.Source`; a read gives one report. `opened` hears its layouts."""

    def __init__(self, match: str, opened: Callable[[Layouts], None], *, load: Callable[[], Any] = load_hidapi) -> None:
        self._match = match
        self._opened = opened
        self._load = load
        self._device: Any = None
        self._thread = DeviceThread(f"hid-{match}")

    async def open(self, timeout_ms: int) -> None:
        """Find and open the scanner. Raises TransportAbsent, with its reason: not there, not allowed, no hidapi."""
        await self.close(timeout_ms)
        try:
            self._device, layouts = await self._thread.call(self._open, timeout_ms, undo=lambda both: both[0].close())
        except TimeoutError as exc:
            raise TransportAbsent(f"{self._match}: no answer to open in {timeout_ms} ms") from exc
        except SettingsError as exc:
            raise TransportAbsent(f"{self._match}: {exc}") from exc
        except _BROKEN as exc:
            raise TransportAbsent(f"{self._match}: can't be opened: {exc}") from exc
        self._opened(layouts)

    async def read(self, size: int, timeout_ms: int) -> bytes:
        """One report; b"" when none came in time. Raises TransportLost."""
        deadline = asyncio.get_running_loop().time() + timeout_ms / 1000
        while True:
            device = self._device
            if device is None:
                raise TransportLost(f"{self._match}: not open")
            left_ms = round((deadline - asyncio.get_running_loop().time()) * 1000)
            slice_ms = max(0, min(READ_SLICE_MS, left_ms))
            if report := await self._slice(device, max(size, REPORT_LIMIT_BYTES), slice_ms):
                return report
            if left_ms <= READ_SLICE_MS:
                return b""

    async def close(self, timeout_ms: int) -> None:
        """Give the scanner back, at most after `timeout_ms`; never raises for a device that is gone."""
        device, self._device = self._device, None
        if device is not None:
            with contextlib.suppress(TimeoutError, TransportLost, *_BROKEN):
                await self._thread.call(device.close, timeout_ms or 1)
        self._thread.end()

    async def _slice(self, device: Any, size: int, timeout_ms: int) -> bytes:
        try:
            return bytes(await self._thread.call(lambda: device.read(size, timeout_ms), timeout_ms + CALL_GRACE_MS))
        except TimeoutError as exc:
            raise TransportLost(f"{self._match}: the driver hangs in a read") from exc
        except _BROKEN as exc:
            raise TransportLost(f"{self._match}: not plugged in: {exc}") from exc

    def _open(self) -> tuple[Any, Layouts]:
        hidapi = self._load()
        found = locate_hid_scanner(self._match, hidapi)
        device = hidapi.device()
        device.open_path(found.path)
        return device, _layouts(device)


class HidPosScanner(ReadingLoop):
    """Named by `match`: `VID:PID[:SERIAL]`."""

    def __init__(
        self, settings: ScannerConfig, *, clock: Clock | None = None, load: Callable[[], Any] = load_hidapi
    ) -> None:
        if not settings.match:
            raise SettingsError(
                f"scanner {settings.name!r}: expected match (VID:PID) for a HID-POS scanner, not a port"
            )
        if load is load_hidapi and importlib.util.find_spec("hid") is None:
            raise SettingsError(f"scanner {settings.name!r}: {_NEEDED}")
        prefix, suffix = check_settings(settings)
        reader = ReportReader(prefix=prefix, suffix=suffix)

        def opened(layouts: Layouts) -> None:
            reader.layouts = layouts

        super().__init__(
            settings, HidSource(settings.match, opened, load=load), reader, clock=clock, silence_ms=CONTINUED_MS
        )


def _layouts(device: Any) -> Layouts:
    """Where the device's reports have what, by its own word or as most do."""
    try:
        return parse_descriptor(bytes(device.get_report_descriptor()))
    except (*_BROKEN, AttributeError, ProtocolError):
        return USUAL
