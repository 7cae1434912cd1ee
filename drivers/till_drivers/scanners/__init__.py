"""Scanners: protocols without I/O (`framing`, `aim`, `dedupe`) and the drivers that feed them."""
