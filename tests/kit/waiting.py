"""Waiting for something that another process does: bounded, and with a word on what was waited for."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 20.0
"""Everything here happens within a second; a busy machine may need several."""
POLL_S = 0.02


def wait_for(condition: Callable[[], T], what: str, *, patience_s: float = PATIENCE_S) -> T:
    """What `condition` gives as soon as that is true; AssertionError when it is not within `patience_s`."""
    give_up = time.monotonic() + patience_s
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > give_up:
            raise AssertionError(f"waited {patience_s:.0f} s for {what}, last seen: {found!r}")
        time.sleep(POLL_S)
