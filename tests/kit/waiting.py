"""Waiting for something that another process does: bounded, and with a word on what was waited for."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 60.0
"""Everything here happens within a second; a busy machine may need several."""
POLL_S = 0.02
LONGEST_POLL_S = 0.2
WAITED_A_POLL = 20
"""What has taken long is looked at less often: a look costs processors that what is waited for needs too."""


def wait_for(condition: Callable[[], T], what: str, *, patience_s: float = PATIENCE_S) -> T:
    """What `condition` gives as soon as that is true; AssertionError when it is not within `patience_s`."""
    begun = time.monotonic()
    while True:
        found = condition()
        if found:
            return found
        waited_s = time.monotonic() - begun
        if waited_s > patience_s:
            raise AssertionError(f"waited {patience_s:.0f} s for {what}, last seen: {found!r}")
        time.sleep(min(max(POLL_S, waited_s / WAITED_A_POLL), LONGEST_POLL_S))
