"""Scanners that are HID devices: in HID-POS mode (usage page 0x8C), and those that type as a keyboard does."""

import importlib
import re
from collections.abc import Iterator
from typing import Any

from till_drivers.discovery.found import Fit, Found
from till_drivers.discovery.ids import guess, maker
from till_drivers.discovery.system import System, printable

BARCODE_SCANNER_PAGE = 0x8C
KEYBOARD_USAGE = (0x01, 0x06)
"""Usage page and usage of a keyboard."""
WINDOWS_FIX = "set the scanner to `USB serial (COM)` or `HID-POS`: on Windows what types can't be told from a keyboard"
NO_HIDAPI = "the driver `hidpos` needs the package hidapi"
HIDAPI_FIX = "install it: `pip install 'tillside[hid]'`"

_HID_ID = re.compile(r"^HID_ID=([0-9A-F]+):([0-9A-F]+):([0-9A-F]+)$", re.MULTILINE | re.IGNORECASE)
_KEYS_OF_SCANNERS = (*range(2, 12), 28)
"""Linux key codes of 1 to 9, 0 and Enter: what a scanner that types needs at least."""
_BUSES_OF_PEOPLE = {"0003", "0005"}
"""USB and Bluetooth; a power button is on neither."""


def hid_scanners(system: System) -> list[Found]:
    """Scanners in HID-POS mode."""
    if not system.platform.startswith("linux"):
        return list(_of_hidapi(system))
    found: list[Found] = []
    for entry in system.entries("/sys/class/hidraw"):
        if BARCODE_SCANNER_PAGE not in top_level_pages(system.data(entry / "device" / "report_descriptor")):
            continue
        told = system.text(entry / "device" / "uevent")
        ids = _HID_ID.search(told)
        vid, pid = (int(ids[2], 16) & 0xFFFF, int(ids[3], 16) & 0xFFFF) if ids else (None, None)
        trouble, fix = system.unusable(system.at(f"/dev/{entry.name}"))
        if not trouble and not system.has_module("hid"):
            trouble, fix = NO_HIDAPI, HIDAPI_FIX
        found.append(
            _hid_pos(f"/dev/{entry.name}", vid, pid, _field(told, "HID_UNIQ"), _field(told, "HID_NAME"), trouble, fix)
        )
    return found


def keyboards(system: System) -> list[Found]:
    """Keyboards that may be scanners. Only one that says so is called one: to take a cashier's own is no help."""
    found: list[Found] = []
    by_id = system.links("/dev/input/by-id")
    for entry in system.entries("/sys/class/input"):
        device = entry / "device"
        if not entry.name.startswith("event") or system.text(device / "id" / "bustype") not in _BUSES_OF_PEOPLE:
            continue
        if not _has_keys(system.text(device / "capabilities" / "key"), _KEYS_OF_SCANNERS):
            continue
        vid, pid = (int(system.text(device / "id" / name) or "0", 16) for name in ("vendor", "product"))
        node = system.at(f"/dev/input/{entry.name}")
        name = printable(system.text(device / "name")) or maker(vid)
        trouble, fix = system.unusable(node)
        identity = Found(
            kind="keyboard",
            place=f"/dev/input/{entry.name}",
            by_id=by_id.get(node.resolve(), ""),
            vid=vid,
            pid=pid,
            serial_number=printable(system.text(device / "uniq")),
            name=name,
            trouble=trouble,
            fix=fix,
        )
        found.append(_with_fit(identity, "keyboard", sure=guess(vid, name) == "scanner"))
    return found


def top_level_pages(descriptor: bytes) -> set[int]:
    """Usage pages in force where a top-level collection begins; what makes no sense ends the reading."""
    pages: set[int] = set()
    page, depth, place = 0, 0, 0
    while place < len(descriptor):
        head = descriptor[place]
        if head == 0xFE:  # a long item: its length stands in the next byte
            place += 3 + (descriptor[place + 1] if place + 1 < len(descriptor) else 0)
            continue
        size = (0, 1, 2, 4)[head & 3]
        value = int.from_bytes(descriptor[place + 1 : place + 1 + size], "little")
        kind = head & 0xFC
        if kind == 0x04:  # Usage Page
            page = value
        elif kind == 0xA0:  # Collection
            if depth == 0:
                pages.add(page)
            depth += 1
        elif kind == 0xC0:  # End Collection
            depth -= 1
        place += 1 + size
    return pages


def _of_hidapi(system: System) -> Iterator[Found]:
    """Where there is no /sys: what hidapi lists, once for each device."""
    if not system.has_module("hid"):
        return
    listed: list[dict[str, Any]] = importlib.import_module("hid").enumerate()
    for each in listed:
        vid, pid = int(each["vendor_id"]), int(each["product_id"])
        name = printable(f"{each.get('manufacturer_string') or ''} {each.get('product_string') or ''}")
        serial = printable(each.get("serial_number") or "")
        usage = (each.get("usage_page"), each.get("usage"))
        place = printable(bytes(each["path"]).decode(errors="replace"), limit=200)
        if usage[0] == BARCODE_SCANNER_PAGE:
            yield _hid_pos(place, vid, pid, serial, name, "", "")
        elif usage == KEYBOARD_USAGE and guess(vid, name) == "scanner":
            yield Found(
                kind="keyboard",
                place=place,
                vid=vid,
                pid=pid,
                serial_number=serial,
                name=name,
                trouble="it types as a keyboard does",
                fix=WINDOWS_FIX,
            )


def _hid_pos(place: str, vid: int | None, pid: int | None, serial: str, name: str, trouble: str, fix: str) -> Found:
    said = printable(name) or maker(vid)
    identity = Found(
        kind="hid", place=place, vid=vid, pid=pid, serial_number=printable(serial), name=said, trouble=trouble, fix=fix
    )
    return _with_fit(identity, "hidpos", sure=True)


def _with_fit(found: Found, driver: str, *, sure: bool) -> Found:
    import msgspec

    keys: dict[str, str | int | bool] = {"match": found.match} if found.vid else {"port": found.by_id or found.place}
    return msgspec.structs.replace(found, fits=(Fit(role="scanner", driver=driver, keys=keys, sure=sure),))


def _field(uevent: str, name: str) -> str:
    found = re.search(rf"^{name}=(.*)$", uevent, re.MULTILINE)
    return found[1] if found else ""


def _has_keys(words: str, wanted: tuple[int, ...]) -> bool:
    """Whether a bitmap of /sys has these keys: hexadecimal words, the last one for the lowest codes."""
    try:
        lowest = int(words.rsplit(maxsplit=1)[-1], 16)
    except (IndexError, ValueError):
        return False
    return all(lowest >> key & 1 for key in wanted)
