"""Keyboards that Linux knows of, and finding the scanner among them by what it is, never by its event number."""

import re
import sys
from pathlib import Path

from msgspec import Struct

from till_drivers.exceptions import SettingsError, TransportAbsent
from till_drivers.scanners.keyboard_keys import KEYS_OF_A_SCANNER

SYSTEM_INPUT = Path("/sys/class/input")
DEVICES = Path("/dev/input")
BY_ID = DEVICES / "by-id"
_EVENT_NUMBER = re.compile(r"/dev/input/event[0-9]+")
_IDENTITY = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}(:.+)?", re.IGNORECASE)
_BITS_A_WORD = 8 * (8 if sys.maxsize > 2**32 else 4)
"""The kernel writes a device's keys as words of its own `long`."""


class Keyboard(Struct, frozen=True, kw_only=True):
    """A device that types digits and Enter. `by_id` is its name that stays the same over replugging, or ""."""

    device: str
    by_id: str = ""
    vid: str = ""
    pid: str = ""
    serial_number: str = ""
    name: str = ""
    place: str = ""
    """Where it is plugged in: the same for all parts of one device."""
    part: str = ""
    """Which of the device's parts it is: `input0`."""

    @property
    def match(self) -> str:
        """`VID:PID` or `VID:PID:SERIAL` for the settings; "" for one that is not on USB."""
        tail = f":{self.serial_number}" if self.serial_number else ""
        return f"{self.vid}:{self.pid}{tail}" if self.vid else ""


def list_keyboards(system: Path = SYSTEM_INPUT, devices: Path = DEVICES) -> list[Keyboard]:
    """Every device that types digits and Enter, the till's own keyboard among them. Empty where there is no Linux."""
    if not system.is_dir():
        return []
    by_id = devices / "by-id"
    names = {link.resolve().name: str(link) for link in sorted(by_id.iterdir())} if by_id.is_dir() else {}
    found = (_keyboard(entry, devices, names) for entry in system.glob("event*"))
    return sorted((each for each in found if each is not None), key=lambda each: (each.place, each.part, each.device))


def check_place(port: str, match: str) -> None:
    """SettingsError unless `port` is a name that stays the same, or `match` is `VID:PID[:SERIAL]`.

    An event number means another device after a restart: the cashier's own keyboard, for one.
    """
    if port and _EVENT_NUMBER.fullmatch(port):
        raise SettingsError(f"expected a name under {BY_ID}, or match, not {port!r}: the number changes")
    if not port and not _IDENTITY.fullmatch(match):
        raise SettingsError(f"expected VID:PID or VID:PID:SERIAL with four hexadecimal digits each, not {match!r}")


def locate_keyboard(port: str, match: str, system: Path = SYSTEM_INPUT, devices: Path = DEVICES) -> str:
    """The node to open now: `port` as it is, or the device that `match` names; see `check_place`.

    Of several keyboards in one device the first is taken: scanners type on it. Raises TransportAbsent when none is
    plugged in or two devices fit.
    """
    if port:
        if not Path(port).exists():
            raise TransportAbsent(f"{port}: not plugged in")
        return port
    identity, serial_number = match[:9].lower(), match[10:]
    found = [
        each
        for each in list_keyboards(system, devices)
        if f"{each.vid}:{each.pid}" == identity and serial_number in ("", each.serial_number)
    ]
    if not found:
        raise TransportAbsent(f"{match}: not plugged in")
    if len({each.place for each in found}) > 1:
        raise TransportAbsent(f"{match}: expected one such device, not {len(found)}; name its serial number")
    return found[0].device


def _keyboard(entry: Path, devices: Path, names: dict[str, str]) -> Keyboard | None:
    about = entry / "device"
    if not _types_codes(_read(about / "capabilities" / "key")):
        return None
    bus_place, _, part = _read(about / "phys").rpartition("/")
    return Keyboard(
        device=str(devices / entry.name),
        by_id=names.get(entry.name, ""),
        vid=_read(about / "id" / "vendor").lower(),
        pid=_read(about / "id" / "product").lower(),
        serial_number=_read(about / "uniq"),
        name=_read(about / "name"),
        place=bus_place or part or entry.name,
        part=part,
    )


def _types_codes(words: str) -> bool:
    """Whether a device's keys, words of a bit field with the highest first, have all of a scanner's."""
    field = 0
    for word in words.split():
        try:
            field = field << _BITS_A_WORD | int(word, 16)
        except ValueError:
            return False
    return all(field >> key & 1 for key in KEYS_OF_A_SCANNER)


def _read(path: Path) -> str:
    """A line that the kernel tells of a device; "" when it tells none, or the device has gone meanwhile."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
