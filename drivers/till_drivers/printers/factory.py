"""Printers from settings: what the entry points `tillside.printers` name.

A third party's factory has the same form: `factory(settings, *, clock=None) -> PrinterDriver`.
"""

from till_drivers.exceptions import SettingsError
from till_drivers.ports import Clock
from till_drivers.printers.printer import EscposPrinter
from till_drivers.printers.profile import PrinterConfig, Profile
from till_drivers.transports.serial import SerialTransport
from till_drivers.transports.tcp import TcpTransport


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
        SerialTransport(settings.device, baud_rate=settings.baud_rate),
        clock=clock,
        status=settings.status,
        keep_open=True,
    )
