"""Fixtures for the pages that are carried out against real processes."""

from kit.fixtures import chain, world

__all__ = ["chain", "world"]
