"""Scanners, printers, the print spool, and simulators of both."""
