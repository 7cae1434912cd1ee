"""The daemon's memory after its start: what will never be freed is not looked at again, what is free goes back."""

import contextlib
import gc
import sys

YOUNG_OBJECTS = 20_000
"""New objects before Python looks for cycles among them (700 by default) whoever waits. Fifty calls at one moment hold
some thousands at once, none of them a cycle, and walking through these takes 3 to 20 ms of theirs: so it is done at
rest, and this is for a till that never rests. 20,000 are some 3 MB."""
LOOK_S = 0.25
"""Between two looks whether the till rests."""
REST_OBJECTS = 300
"""More new objects than that since the last look: somebody calls."""
WORTH_OBJECTS = 1_000
"""Fewer are not worth walking through."""
BIG_BYTES = 4 * 1024 * 1024
"""So much in one piece comes from the system and goes back to it at once. What takes more is a slow tag of a phone: 16
MB. Left to itself, glibc takes each thread's second one from a pool of that thread and keeps it: 33 MB after a dozen
tags by two threads, 98 by six, of which `give_back` gets half or nothing."""
_MMAP_THRESHOLD = -3
"""In glibc's malloc.h."""
OFTEN = 10
"""So many rounds of one generation before the next one is walked through with it, as Python itself does."""


def settle() -> None:
    """Call once, when all that lives as long as the process has been loaded; takes about a millisecond.

    Modules and settings are some 50,000 objects that every full collection would walk through, with a sale waiting for
    some 30 ms. And the start has used and freed memory in each thread's own pool, 7 MB of 60, which the C library
    keeps unless it is asked.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, OFTEN, OFTEN)
    give_back()


def keep_big_apart() -> None:
    """Ask the C library not to keep big pieces, from now on; nothing happens where there is no such call."""
    _ask("mallopt", _MMAP_THRESHOLD, BIG_BYTES)


def give_back() -> None:
    """Ask the C library to return what it keeps free; nothing happens where there is no such call."""
    _ask("malloc_trim", 0)


def _ask(name: str, *numbers: int) -> None:
    if sys.platform != "linux":
        return
    import ctypes

    # musl has neither, and needs none.
    with contextlib.suppress(OSError, AttributeError):
        getattr(ctypes.CDLL(None), name)(*numbers)


class Resting:
    """Looks for cycles between calls instead of in the midst of one. Told to `look` every `LOOK_S`, on the loop."""

    def __init__(self) -> None:
        self._before = 0

    def look(self) -> bool:
        """Whether the till rested and enough had gathered."""
        young, middle, old = gc.get_count()
        rests = 0 <= young - self._before < REST_OBJECTS
        self._before = young
        if not rests or young < WORTH_OBJECTS:
            return False
        gc.collect(2 if old >= OFTEN else 1 if middle >= OFTEN else 0)
        self._before = 0
        return True
