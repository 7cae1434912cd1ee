"""Typed settings with packaged defaults, and the root of the tillside command."""
