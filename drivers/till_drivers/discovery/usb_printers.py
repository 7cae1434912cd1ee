"""Printers on USB itself: interfaces of class 7, and the device files that the kernel gives them."""

import importlib
from pathlib import Path

from till_drivers.discovery.found import Fit, Found
from till_drivers.discovery.ids import maker
from till_drivers.discovery.system import System, UsbIdentity, group_of, printable

PRINTER_CLASS = "07"
NO_PYUSB = "the driver `usb` needs the package pyusb"
PYUSB_FIX = "install it: `pip install 'tillside[usb]'`"


def usb_printers(system: System) -> list[Found]:
    """Every USB printer; a device file that belongs to none that /sys shows is listed by itself."""
    if not system.platform.startswith("linux"):
        return _of_pyusb(system)
    found: list[Found] = []
    seen: set[Path] = set()
    files: set[str] = set()
    for entry in system.entries("/sys/bus/usb/devices"):
        if system.text(entry / "bInterfaceClass") != PRINTER_CLASS:
            continue
        usb = system.usb_of(entry)
        if usb is None or usb.folder in seen:
            continue
        seen.add(usb.folder)
        file = _device_file(system, entry)
        files.add(file)
        found.append(_printer(system, usb, file))
    for node in system.entries("/dev/usb"):
        name = f"/dev/usb/{node.name}"
        if node.name.startswith("lp") and name not in files:
            trouble, fix = system.unusable(node)
            fit = Fit(role="printer", driver="file", keys={"device": name}, sure=True)
            found.append(Found(kind="file", place=name, fits=(fit,), trouble=trouble, fix=fix))
    return found


def _device_file(system: System, interface: Path) -> str:
    """The file by which the kernel's own driver prints, or ""."""
    for folder in ("usbmisc", "usb"):
        for child in system.entries(system.shown(interface / folder)):
            if child.name.startswith("lp"):
                return f"/dev/usb/{child.name}"
    return ""


def _printer(system: System, usb: UsbIdentity, file: str) -> Found:
    import msgspec

    identity = Found(
        kind="usb",
        place=file or f"usb:{usb.vid:04x}:{usb.pid:04x}",
        vid=usb.vid,
        pid=usb.pid,
        serial_number=printable(usb.serial_number),
        name=usb.name or maker(usb.vid),
    )
    direct = Fit(role="printer", driver="usb", keys={"match": identity.match}, sure=True)
    by_file = (Fit(role="printer", driver="file", keys={"device": file}, sure=True),) if file else ()
    trouble, fix = "", ""
    if not system.has_module("usb"):
        trouble, fix = ("", "") if file else (NO_PYUSB, PYUSB_FIX)
        fits = (*by_file, direct)
    else:
        trouble, fix = _rights(system, usb)
        fits = (direct, *by_file)
    return msgspec.structs.replace(identity, fits=fits, trouble=trouble, fix=fix)


def _rights(system: System, usb: UsbIdentity) -> tuple[str, str]:
    bus, number = (system.text(usb.folder / name) for name in ("busnum", "devnum"))
    if not (bus.isdecimal() and number.isdecimal()):
        return "", ""
    node = system.at(f"/dev/bus/usb/{int(bus):03}/{int(number):03}")
    trouble, fix = system.unusable(node)
    if trouble and node.exists() and group_of(node) in ("root", "0"):
        # The kernel gives such a node to root alone; a rule gives it to a group.
        rule = f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{usb.vid:04x}", GROUP="lp", MODE="0660"'
        fix = f"put `{rule}` into /etc/udev/rules.d/70-tillside.rules, replug, and add the agent's user to `lp`"
    return trouble, fix


def _of_pyusb(system: System) -> list[Found]:
    """Where there is no /sys. On Windows a printer is reached by its queue: libusb sees it only with another driver."""
    if system.platform == "win32" or not system.has_module("usb"):
        return []
    found: list[Found] = []
    for device in importlib.import_module("usb.core").find(find_all=True) or ():
        interfaces = [each for configuration in device for each in configuration]
        if not any(each.bInterfaceClass == int(PRINTER_CLASS, 16) for each in interfaces):
            continue
        vid, pid = int(device.idVendor), int(device.idProduct)
        match = f"{vid:04x}:{pid:04x}"
        fit = Fit(role="printer", driver="usb", keys={"match": match}, sure=True)
        found.append(Found(kind="usb", place=f"usb:{match}", vid=vid, pid=pid, name=maker(vid), fits=(fit,)))
    return found
