"""Values of a checked file by their paths, for checks that look at several keys."""

from typing import Any

from till_config import schema
from till_config.checking import Checked
from till_config.toml_places import KeyPath

MISSING = object()
"""Stands for a value that was given and is wrong, or that is required and was not given."""


def get(checked: Checked, path: KeyPath) -> Any:
    """The good value at `path`, else its default, else `MISSING`."""
    if path in checked.values:
        return checked.values[path]
    if any(fault.path == path for fault in checked.faults):
        return MISSING
    section = schema.at(tuple(part for part in path[:-1] if isinstance(part, str)))
    default = section.keys[str(path[-1])].default
    return default if isinstance(default, str | int) else MISSING


def indexes(checked: Checked, *path: str) -> list[int]:
    """Of a list of sections, those that are sections."""
    return [index for index in range(checked.values.get(path, 0)) if (*path, index) in checked.values]
