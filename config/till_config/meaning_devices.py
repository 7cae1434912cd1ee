"""What scanners and printers need of their keys: where each driver finds its device, and a device for each of them.

Drivers of other packages say themselves what they need, when the agent starts.
"""

import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import urlsplit

from till_config.checking import Checked, shown
from till_config.meaning_lookup import MISSING, get, indexes
from till_config.toml_places import KeyPath

PORT_OR_MATCH = ("serial", "keyboard", "hidpos", "camera")
"""Scanners that are found by a port or by their USB identity."""
PRINTER_NEEDS = {
    "tcp": "host",
    "serial": "device",
    "usb": "match",
    "file": "device",
    "cups": "queue",
    "windows": "queue",
}
"""The key by which each printer driver finds its printer."""
_UNMATCHED = {*PRINTER_NEEDS} - {"usb", "serial"}
"""Drivers that don't look at `match`. A serial printer doesn't either, but a serial scanner does."""
CAMERA_SCHEMES = ("http", "https")

_CUPS_QUEUE = re.compile(r"[^\s/#\-\x00-\x1f\x7f][^\s/#\x00-\x1f\x7f]*")
_WINDOWS_DEVICE = re.compile(r"(?:\\\\\.\\)?(?:LPT|COM)\d+:?", re.IGNORECASE)


def check_devices(checked: Checked) -> None:
    """Add what is wrong with `[[scanners]]` and `[[printers]]`."""
    for index in indexes(checked, "scanners"):
        _check_scanner(checked, ("scanners", index))
    for index in indexes(checked, "printers"):
        _check_printer(checked, ("printers", index))
    _check_own_ports(checked)
    _check_own_matches(checked)


def check_logo(value: str) -> str:
    """What is wrong with the path of a logo."""
    if value and not (value.isprintable() and Path(value).is_absolute()):
        return f"expected an absolute path or an empty text, not {shown(value)}"
    return ""


def _check_scanner(checked: Checked, item: KeyPath) -> None:
    driver, port, match = (get(checked, (*item, key)) for key in ("driver", "port", "match"))
    if MISSING in (driver, port, match):
        return
    if driver in PORT_OR_MATCH:
        if not port and not match:
            checked.add(item, f"expected `port` or `match`, by which the {driver} scanner is found; neither is given")
        elif port and match:
            checked.add((*item, "match"), "expected either `port` or `match`, not both")
        if driver == "camera" and port and (fault := _camera_fault(port)):
            checked.add((*item, "port"), fault)


def _camera_fault(port: str) -> str:
    if "://" not in port:
        if port.isprintable() and (PurePosixPath(port).is_absolute() or PureWindowsPath(port).is_absolute()):
            return ""
        if port.isdecimal():
            return ""  # the number that a camera has on Windows
        return f"expected an absolute path or an address like `http://camera/stream`, not {shown(port)}"
    try:
        parts = urlsplit(port)
        host, scheme, _ = parts.hostname, parts.scheme, parts.port
    except ValueError:
        host, scheme = None, ""
    if "@" in port:
        return "expected an address without user and password: secrets are never kept in the configuration"
    if not host or scheme not in CAMERA_SCHEMES:
        return f"expected an address like `http://camera/stream`, not {shown(port)}"
    return ""


def _check_printer(checked: Checked, item: KeyPath) -> None:
    driver = get(checked, (*item, "driver"))
    needed = PRINTER_NEEDS.get(driver) if isinstance(driver, str) else None
    if needed is None:
        return
    value = get(checked, (*item, needed))
    if value is MISSING:
        return
    if not value:
        checked.add(item, f"expected the key `{needed}`, which the driver `{driver}` needs; it isn't given")
    elif driver == "file" and not _is_device_file(value):
        checked.add((*item, "device"), f"expected the whole path of a device file, not {shown(value)}")
    elif driver == "cups" and not _CUPS_QUEUE.fullmatch(value):
        checked.add(
            (*item, "queue"),
            f"expected a queue's name as `lpstat -v` shows it, without spaces, `/` and `#`, not {shown(value)}",
        )


def _is_device_file(path: str) -> bool:
    absolute = PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute()
    return path.isprintable() and (absolute or _WINDOWS_DEVICE.fullmatch(path) is not None)


def _check_own_ports(checked: Checked) -> None:
    """A port is opened by one device only: the second finds it taken, or they take bytes from each other."""
    taken: dict[str, str] = {}
    places = [(("scanners", index), "port") for index in indexes(checked, "scanners")]
    places += [
        (("printers", index), "device")
        for index in indexes(checked, "printers")
        if get(checked, ("printers", index, "driver")) in ("serial", "file")
    ]
    for item, key in places:
        port = get(checked, (*item, key))
        if not isinstance(port, str) or not port:
            continue
        here = f"{item[0]}[{item[1]}]"
        owner = taken.setdefault(port, here)
        if owner != here:
            checked.add((*item, key), f"expected a {key} of its own, not {shown(port)}: {owner} has it")


def _check_own_matches(checked: Checked) -> None:
    """Of two that name the same USB device, or one that may be, each may find the other's."""
    for kind in ("scanners", "printers"):
        earlier: list[tuple[str, str, str]] = []
        for index in indexes(checked, kind):
            driver, match = (get(checked, (kind, index, key)) for key in ("driver", "match"))
            is_used = driver not in _UNMATCHED
            if not isinstance(match, str) or not match or not is_used:
                continue
            identity, serial = match[:9].lower(), match[10:]
            for owner, other, other_serial in earlier:
                if identity == other and (serial == other_serial or "" in (serial, other_serial)):
                    message = f"expected a device of its own, not {shown(match)}: {owner} has it"
                    fix = (
                        "" if serial and serial == other_serial else "; add each one's serial number: `VID:PID:SERIAL`"
                    )
                    checked.add((kind, index, "match"), message + fix)
                    break
            earlier.append((f"{kind}[{index}]", identity, serial))
