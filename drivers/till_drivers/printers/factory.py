"""Printers from settings: what the entry points `tillside.printers` name.

A third party's factory has the same form: `factory(settings, *, clock=None) -> PrinterDriver`.
"""

import sys

from till_drivers.exceptions import SettingsError
from till_drivers.ports import Clock
from till_drivers.printers.printer import EscposPrinter
from till_drivers.printers.profile import PrinterConfig, Profile
from till_drivers.transports.cups import CupsTransport
from till_drivers.transports.device_file import FileTransport
from till_drivers.transports.serial import SerialTransport
from till_drivers.transports.tcp import TcpTransport
from till_drivers.transports.windows_queue import WindowsQueueTransport


def tcp_printer(settings: PrinterConfig, *, clock: Clock | None = None) -> EscposPrinter:
    """A printer on the network; nothing is connected yet. Raises SettingsError."""
    Profile.of(settings)
    if not settings.host:
        raise SettingsError(f"printer {settings.name!r}: expected host, not ''")
    if not 1 <= settings.port <= 65_535:
        raise SettingsError(f"printer {settings.name!r}: expected port 1 to 65535, not {settings.port}")
    return EscposPrinter(
        settings.name,
        TcpTransport(settings.host, settings.port),
        clock=clock,
        status=settings.status,
        keep_open=False,
    )


def serial_printer(settings: PrinterConfig, *, clock: Clock | None = None) -> EscposPrinter:
    """A printer on a serial or USB serial port; nothing is opened yet. Raises SettingsError."""
    Profile.of(settings)
    if not settings.device:
        raise SettingsError(f"printer {settings.name!r}: expected device, not ''")
    if settings.baud_rate <= 0:
        raise SettingsError(f"printer {settings.name!r}: expected a positive baud_rate, not {settings.baud_rate}")
    return EscposPrinter(
        settings.name,
        SerialTransport(settings.device, baud_rate=settings.baud_rate, flow_control=True),
        clock=clock,
        status=settings.status,
        keep_open=True,
    )


def file_printer(settings: PrinterConfig, *, clock: Clock | None = None) -> EscposPrinter:
    """A printer behind a device file such as /dev/usb/lp0; nothing is opened yet. Raises SettingsError."""
    Profile.of(settings)
    if not settings.device:
        raise SettingsError(f"printer {settings.name!r}: expected device, not ''")
    if sys.platform == "win32":
        raise SettingsError(f"printer {settings.name!r}: expected the driver windows, serial or tcp here, not file")
    return EscposPrinter(
        settings.name, FileTransport(settings.device), clock=clock, status=settings.status, keep_open=True
    )


def usb_printer(settings: PrinterConfig, *, clock: Clock | None = None) -> EscposPrinter:
    """A printer on USB, by VID:PID[:SERIAL], without a kernel driver; needs the extra `usb`. Raises SettingsError."""
    from till_drivers.transports.usb import UsbTransport
    from till_drivers.transports.usb_printers import require_usb

    Profile.of(settings)
    try:
        transport = UsbTransport(settings.match)
        require_usb()
    except SettingsError as exc:
        raise SettingsError(f"printer {settings.name!r}: {exc}") from exc
    return EscposPrinter(settings.name, transport, clock=clock, status=settings.status, keep_open=True)


def cups_printer(settings: PrinterConfig, *, clock: Clock | None = None) -> EscposPrinter:
    """A raw queue of CUPS: a slip is at best ACCEPTED. Nothing is asked yet. Raises SettingsError."""
    Profile.of(settings)
    if sys.platform == "win32":
        raise SettingsError(f"printer {settings.name!r}: expected the driver windows here, not cups")
    try:
        transport = CupsTransport(settings.queue)
    except SettingsError as exc:
        raise SettingsError(f"printer {settings.name!r}: {exc}") from exc
    return EscposPrinter(settings.name, transport, clock=clock, status=False, keep_open=False)


def windows_printer(settings: PrinterConfig, *, clock: Clock | None = None) -> EscposPrinter:
    """A raw queue of the Windows spooler: a slip is at best ACCEPTED. Raises SettingsError, on other systems always."""
    from till_drivers.transports.winspool import CtypesWinspool

    Profile.of(settings)
    if not settings.queue:
        raise SettingsError(f"printer {settings.name!r}: expected queue, not ''")
    try:
        api = CtypesWinspool()
    except SettingsError as exc:
        raise SettingsError(f"printer {settings.name!r}: {exc}") from exc
    transport = WindowsQueueTransport(settings.queue, api=lambda: api)
    return EscposPrinter(settings.name, transport, clock=clock, status=False, keep_open=False)
