"""The daemon's memory after its start: what will never be freed is not looked at again, what is free goes back."""

import contextlib
import gc
import sys

YOUNG_OBJECTS = 5_000
"""New objects before Python looks for cycles among them (700 by default). Fifty calls at one moment hold some thousands
at once, none of them a cycle: with 700 they are walked through again and again while all fifty wait."""


def settle() -> None:
    """Call once, when all that lives as long as the process has been loaded; takes about a millisecond.

    Modules and settings are some 50,000 objects that every full collection would walk through, with a sale waiting for
    some 30 ms. And the start has used and freed memory in each thread's own pool, 7 MB of 60, which the C library
    keeps unless it is asked.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)
    give_back()


def give_back() -> None:
    """Ask the C library to return what it keeps free; nothing happens where there is no such call."""
    if sys.platform != "linux":
        return
    import ctypes

    # musl has no malloc_trim, and needs none.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
