"""Checks that a driver of another package keeps what the agent counts on. For that package's own tests.

`check_scanner` and `check_printer` run a driver against a bench, the package's own stand-in for the device (a socket, a
pseudo-terminal, a folder), and raise ConformanceError with everything that they found wrong. They take a few seconds.
"""

from till_drivers.conformance.findings import ConformanceError
from till_drivers.conformance.printers import PrinterBench, check_printer
from till_drivers.conformance.scanners import ScannerBench, check_scanner

__all__ = ["ConformanceError", "PrinterBench", "ScannerBench", "check_printer", "check_scanner"]
