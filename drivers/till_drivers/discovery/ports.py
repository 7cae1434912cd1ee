"""Serial ports: of Linux from /sys and /dev, of other systems from pyserial."""

import re
from pathlib import Path

from till_drivers.discovery.found import Fit, Found
from till_drivers.discovery.ids import guess, maker
from till_drivers.discovery.system import System, printable

_NAMES = re.compile(r"tty(?:USB|ACM|S|AMA|XRUSB|mxc)\d+|rfcomm\d+")
NO_UART = "0"
"""What /sys/class/tty/ttyS*/type says where the kernel keeps a name for a port that the machine does not have."""


def serial_ports(system: System) -> list[Found]:
    """Every serial port, with the sections for a scanner and a printer on it."""
    if not system.platform.startswith("linux"):
        return [_fitted(found, is_only=True) for found in _of_pyserial()]
    by_id = system.links("/dev/serial/by-id")
    by_path = system.links("/dev/serial/by-path")
    ports = [_of_linux(system, entry, by_id) for entry in system.entries("/sys/class/tty") if _is_real(system, entry)]
    identities = [port.match for port in ports if port.match]
    done: list[Found] = []
    for port in ports:
        is_only = identities.count(port.match) < 2
        steady = by_path.get(system.at(port.place).resolve(), "") if not is_only else ""
        done.append(_fitted(port, is_only=is_only, steady=steady))
    return done


def _is_real(system: System, entry: Path) -> bool:
    if _NAMES.fullmatch(entry.name) is None or not (entry / "device").exists():
        return False
    return not (entry.name.startswith("ttyS") and system.text(entry / "type") == NO_UART)


def _of_linux(system: System, entry: Path, by_id: dict[Path, str]) -> Found:
    node = system.at(f"/dev/{entry.name}")
    usb = system.usb_of(entry / "device")
    trouble, fix = system.unusable(node)
    return Found(
        kind="serial",
        place=f"/dev/{entry.name}",
        by_id=by_id.get(node.resolve(), ""),
        vid=usb.vid if usb else None,
        pid=usb.pid if usb else None,
        serial_number=printable(usb.serial_number) if usb else "",
        name=(usb.name or maker(usb.vid)) if usb else "",
        trouble=trouble,
        fix=fix,
    )


def _of_pyserial() -> list[Found]:
    from till_drivers.transports import list_serial_ports

    return [
        Found(
            kind="serial",
            place=port.device,
            by_id=port.by_id,
            vid=port.vid,
            pid=port.pid,
            serial_number=printable(port.serial_number),
            name=printable(port.description) or maker(port.vid),
        )
        for port in list_serial_ports()
    ]


def _fitted(port: Found, *, is_only: bool, steady: str = "") -> Found:
    """`is_only`: no other port has its identity. `steady`: a name by the socket it is plugged into, for twins."""
    import msgspec

    what = guess(port.vid, port.name)
    # Twins without a serial number can only be told apart by where they are plugged in.
    place = steady or (port.by_id if is_only else "") or port.place
    scanner_keys: dict[str, str | int | bool] = {"match": port.match} if port.match and is_only else {"port": place}
    printer_place = place if port.by_id or steady or not (port.match and is_only) else f"usb:{port.match}"
    scanner = Fit(role="scanner", driver="serial", keys=scanner_keys, sure=what == "scanner")
    printer = Fit(role="printer", driver="serial", keys={"device": printer_place}, sure=what == "printer")
    fits = {"scanner": (scanner,), "printer": (printer,)}.get(what, (scanner, printer))
    return msgspec.structs.replace(port, fits=fits)
