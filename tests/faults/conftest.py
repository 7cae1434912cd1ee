"""Fixtures of the tests with real processes."""

from kit.fixtures import chain, world

__all__ = ["chain", "world"]
