"""Drivers for Tillside: a scanner on a TCP line protocol, a printer that writes text files."""
