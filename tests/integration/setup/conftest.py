"""Fixtures of the set-up's tests."""

from integration.setup.setup_kit import _quick, bundle, layout

__all__ = ["_quick", "bundle", "layout"]
