"""Versions of programs in their order, and the files that they come in."""

import platform
import re
import sys

from msgspec import Struct

RELEASES = "releases.json"
"""Target with all releases: signed as every target is."""
_VERSION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9}){1,3})([a-z0-9.]{0,40})(\+[a-z0-9.]{1,40})?")
_BEFORE = re.compile(r"\.?(dev|a|b|rc)([0-9]{0,9})")
_ORDER = {"dev": 0, "a": 1, "b": 2, "rc": 3}
_RELEASED = 4


class Release(Struct, frozen=True, kw_only=True):
    """One bundle. `target` is its name in the repository; `made_s` the time of its commit."""

    version: str
    platform: str
    machine: str
    target: str
    length: int
    sha256: str
    made_s: int = 0


class Releases(Struct, frozen=True, kw_only=True):
    """`releases.json`, the oldest first."""

    format: int = 1
    releases: tuple[Release, ...] = ()


def is_version(text: str) -> bool:
    """Whether it is one as bundles have it."""
    return _VERSION.fullmatch(text) is not None


def order_of(text: str) -> tuple[tuple[int, ...], int, int]:
    """What versions are compared by; one that can't be read is before all others. `+camera` makes no difference."""
    found = _VERSION.fullmatch(text)
    if found is None:
        return (), 0, 0
    numbers = tuple(int(each) for each in found[1].split("."))
    before = _BEFORE.fullmatch(found[2])
    stage = _RELEASED if before is None else _ORDER[before[1]]
    return (*numbers, *(0,) * (4 - len(numbers))), stage, int(before[2] or 0) if before is not None else 0


def variant_of(text: str) -> str:
    """`+camera` of `1.2.0+camera`; "" of one without."""
    return text[text.index("+") :] if "+" in text else ""


def this_platform() -> tuple[str, str]:
    """(platform, machine) as bundles name them."""
    machine = platform.machine()
    return ("windows" if sys.platform == "win32" else "linux"), {"AMD64": "x86_64", "ARM64": "aarch64"}.get(
        machine, machine
    )
