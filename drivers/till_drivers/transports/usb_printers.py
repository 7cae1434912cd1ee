"""Finding a printer among the USB devices, and its way in and out. Everything here blocks, some calls for long."""

import contextlib
import importlib.util
from typing import Any, cast

from msgspec import Struct

from till_drivers.exceptions import SettingsError, TransportAbsent

PRINTER_CLASS = 7
VENDOR_CLASS = 0xFF
"""Some cheap printers call themselves nothing in particular; taken only when they have no printer interface."""
PROTOCOLS = (2, 1)
"""Of a printer interface: both ways, one way. Others wrap what is printed (IPP over USB) and are no raw line."""
NO_PERMISSION = "no permission to use it: a udev rule has to give the agent's user this device"


class UsbPort(Struct, frozen=True):
    """A claimed printer. `source` is None when it has no way to answer. The types are pyusb's, which has none."""

    device: Any
    interface: int
    sink: Any
    source: Any
    detached: bool
    """Whether a kernel driver was put aside, to be given the printer back."""


def require_usb() -> None:
    """SettingsError when the packages of the extra `usb` are not there; imports neither."""
    missing = [name for name in ("usb", "libusb_package") if importlib.util.find_spec(name) is None]
    if missing:
        raise SettingsError("expected the packages of the extra `usb` (pip install 'tillside[usb]'); they aren't there")


def find(vid: int, pid: int, serial: str | None, *, backend: Any = None) -> Any:
    """The one device of that identity. Raises TransportAbsent; SettingsError when there is no libusb."""
    import usb.core

    name = f"{vid:04x}:{pid:04x}" + (f":{serial}" if serial else "")
    try:
        bus = backend or _libusb()
        found: list[Any] = list(usb.core.find(find_all=True, idVendor=vid, idProduct=pid, backend=bus) or ())
    except usb.core.NoBackendError as exc:
        raise SettingsError("expected libusb, which the extra `usb` brings; it can't be loaded") from exc
    if serial is not None:
        found = [device for device in found if _serial(device, name) == serial]
    if not found:
        raise TransportAbsent(f"{name}: not plugged in")
    if len(found) > 1:
        raise TransportAbsent(f"{name}: expected one such device, not {len(found)}; name its serial number")
    return found[0]


def claim(device: Any) -> UsbPort:
    """Take the printer's interface for ourselves alone. Raises OSError (pyusb's are), TransportAbsent."""
    import usb.core
    import usb.util

    try:
        configuration = device.get_active_configuration()
    except usb.core.USBError:
        device.set_configuration()
        configuration = device.get_active_configuration()
    interface = _printer_interface(configuration)
    number = interface.bInterfaceNumber
    detached = False
    with contextlib.suppress(NotImplementedError):  # no kernel drivers on this system
        if device.is_kernel_driver_active(number):
            device.detach_kernel_driver(number)
            detached = True
    port = UsbPort(device, number, _endpoint(interface, usb.util.ENDPOINT_OUT),
                   _endpoint(interface, usb.util.ENDPOINT_IN), detached)  # fmt: skip
    try:
        usb.util.claim_interface(device, number)
        if sum(each.bInterfaceNumber == number for each in configuration) > 1:
            device.set_interface_altsetting(number, interface.bAlternateSetting)
    except BaseException:
        release(port)
        raise
    return port


def release(port: UsbPort) -> None:
    """Give the interface back, to the kernel's driver if it had it."""
    import usb.core
    import usb.util

    with contextlib.suppress(usb.core.USBError):
        usb.util.release_interface(port.device, port.interface)
    if port.detached:
        with contextlib.suppress(usb.core.USBError, NotImplementedError):
            port.device.attach_kernel_driver(port.interface)
    usb.util.dispose_resources(port.device)


def _libusb() -> Any:
    """The packaged library, or the system's where there is none for this machine."""
    import libusb_package

    return libusb_package.get_libusb1_backend()


def _serial(device: Any, name: str) -> str:
    try:
        return cast("str", device.serial_number) or ""
    except ValueError as exc:  # pyusb's word for a device whose strings may not be read
        raise TransportAbsent(f"{name}: {NO_PERMISSION}") from exc


def _printer_interface(configuration: Any) -> Any:
    """The setting of an interface that takes raw bytes, both ways if there is one."""
    import usb.util

    takes = [each for each in configuration if _endpoint(each, usb.util.ENDPOINT_OUT) is not None]
    printers = [each for each in takes if each.bInterfaceClass == PRINTER_CLASS]
    for protocol in PROTOCOLS:
        for each in printers:
            if each.bInterfaceProtocol == protocol:
                return each
    for each in takes:
        if each.bInterfaceClass == VENDOR_CLASS:
            return each
    raise TransportAbsent("expected a printer, not a device without an interface that takes raw bytes")


def _endpoint(interface: Any, direction: int) -> Any:
    """Its bulk endpoint of that direction, or None."""
    import usb.util

    return next(
        (
            each
            for each in interface
            if usb.util.endpoint_direction(each.bEndpointAddress) == direction
            and usb.util.endpoint_type(each.bmAttributes) == usb.util.ENDPOINT_TYPE_BULK
        ),
        None,
    )
