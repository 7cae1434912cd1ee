"""Makers of scanners, of receipt printers and of serial converters by their USB vendor id.

Facts from the public list of USB ids (linux-usb.org, version 2025-07-26, free under the 3-clause BSD licence). It only
helps to tell a scanner from a printer: what is not listed works as well.
"""

import re
from typing import Literal

Guess = Literal["scanner", "printer", "either", "unknown"]

SCANNER_MAKERS = {
    0x05E0: "Symbol Technologies",
    0x05F9: "PSC Scanning (Datalogic)",
    0x0536: "Hand Held Products",
    0x065A: "Optoelectronics",
    0x067E: "Intermec Technologies",
    0x0C2E: "Metrologic Instruments (Honeywell)",
    0x1EAB: "Fujian Newland Computer",
}
PRINTER_MAKERS = {
    0x04B8: "Seiko Epson",
    0x0519: "Star Micronics",
    0x08A6: "Toshiba TEC",
    0x0AA7: "Wincor Nixdorf",
    0x0DD4: "Custom Engineering",
    0x1203: "TSC Auto ID Technology",
    0x1504: "Bixolon",
    0x154F: "SNBC",
    0x1D90: "Citizen",
}
CONVERTER_MAKERS = {
    0x0403: "Future Technology Devices (FTDI)",
    0x067B: "Prolific Technology",
    0x10C4: "Silicon Labs",
    0x1A86: "QinHeng Electronics",
}
"""A cable that anything may hang on."""

_SCANNER_WORDS = re.compile(r"bar ?code|scanner|imager|\b[12]d\b", re.IGNORECASE)
_PRINTER_WORDS = re.compile(r"printer|receipt|thermal|\bpos-?(?:58|80)|\btm-[a-z]?\d", re.IGNORECASE)


def guess(vid: int | None, name: str) -> Guess:
    """What a thing is, by what it calls itself, else by its maker."""
    is_scanner, is_printer = _SCANNER_WORDS.search(name) is not None, _PRINTER_WORDS.search(name) is not None
    if is_scanner != is_printer:
        return "scanner" if is_scanner else "printer"
    if vid in SCANNER_MAKERS:
        return "scanner"
    if vid in PRINTER_MAKERS:
        return "printer"
    return "either" if vid in CONVERTER_MAKERS or is_scanner else "unknown"


def maker(vid: int | None) -> str:
    """The maker's name as the list has it, or ""."""
    return (SCANNER_MAKERS | PRINTER_MAKERS | CONVERTER_MAKERS).get(vid or 0, "")
