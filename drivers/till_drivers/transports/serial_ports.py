"""Which serial ports there are, and finding a device again by what it is rather than by the name it happened to get."""

import re
import sys
from pathlib import Path

from msgspec import Struct

from till_drivers.exceptions import SettingsError, TransportAbsent

BY_ID = Path("/dev/serial/by-id")
_USB = re.compile(r"usb:([0-9a-f]{4}):([0-9a-f]{4})(?::(.+))?", re.IGNORECASE)


class SerialPort(Struct, frozen=True, kw_only=True):
    """A port as the system lists it. `by_id` is the name that stays the same over replugging, or ""."""

    device: str
    by_id: str = ""
    vid: int | None = None
    pid: int | None = None
    serial_number: str = ""
    description: str = ""

    @property
    def match(self) -> str:
        """The text to put into the settings so that this device is found again under any name."""
        if self.vid is not None and self.pid is not None:
            tail = f":{self.serial_number}" if self.serial_number else ""
            return f"usb:{self.vid:04x}:{self.pid:04x}{tail}"
        return self.by_id or self.device


def list_serial_ports() -> list[SerialPort]:
    """Every serial port of this machine, USB ones with their identity. Blocks for some milliseconds."""
    from serial.tools.list_ports import comports

    names: dict[str, str] = {}
    if BY_ID.is_dir():
        names = {str(link.resolve()): str(link) for link in sorted(BY_ID.iterdir())}
    return [
        SerialPort(
            device=port.device,
            by_id=names.get(port.device, ""),
            vid=port.vid,
            pid=port.pid,
            serial_number=port.serial_number or "",
            description=port.description if port.description != "n/a" else "",
        )
        for port in sorted(comports(), key=lambda port: port.device)
    ]


def locate_serial_port(text: str) -> str:
    """Name to open now for `text`: a path or COM name as it is, or `usb:VID:PID[:SERIAL]` looked up.

    Raises TransportAbsent when no such device is plugged in, SettingsError when `text` is empty or no such form.
    """
    if not text:
        raise SettingsError("expected a device path, a COM port or usb:VID:PID[:SERIAL], not ''")
    if not text.lower().startswith("usb:"):
        if sys.platform != "win32" and not Path(text).exists():
            raise TransportAbsent(f"{text}: not plugged in")
        return text
    form = _USB.fullmatch(text)
    if form is None:
        raise SettingsError(f"expected usb:VID:PID[:SERIAL] with four hexadecimal digits each, not {text!r}")
    vid, pid, serial_number = int(form[1], 16), int(form[2], 16), form[3]
    found = [
        port
        for port in list_serial_ports()
        if (port.vid, port.pid) == (vid, pid) and serial_number in (None, port.serial_number)
    ]
    if not found:
        raise TransportAbsent(f"{text}: not plugged in")
    if len(found) > 1:
        raise TransportAbsent(f"{text}: expected one such device, not {len(found)}; name its serial number")
    return found[0].device
