"""Receipt printers: slips to bytes (`render`), to text (`to_text`), and the driver that prints them."""

from till_drivers.printers.factory import (
    cups_printer,
    file_printer,
    serial_printer,
    tcp_printer,
    usb_printer,
    windows_printer,
)
from till_drivers.printers.printer import EscposPrinter
from till_drivers.printers.profile import CODE_PAGES, PROFILE_58MM, PROFILE_80MM, PrinterConfig, Profile
from till_drivers.printers.render import render
from till_drivers.printers.text import to_text

__all__ = [
    "CODE_PAGES",
    "PROFILE_58MM",
    "PROFILE_80MM",
    "EscposPrinter",
    "PrinterConfig",
    "Profile",
    "cups_printer",
    "file_printer",
    "render",
    "serial_printer",
    "tcp_printer",
    "to_text",
    "usb_printer",
    "windows_printer",
]
