"""Fixtures of the tests under wine: cloud and line are as for every other till."""

from kit.fixtures import chain, world

__all__ = ["chain", "world"]
