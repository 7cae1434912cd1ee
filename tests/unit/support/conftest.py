"""The doctor's till that is well, for the bundle to be made of."""

from unit.doctor.conftest import template, till, webs

__all__ = ["template", "till", "webs"]
