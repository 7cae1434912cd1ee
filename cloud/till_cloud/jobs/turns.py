"""Blocks of a job through the one writer, which tills' pushes want too: who had to wait for it lets others go first."""

import sqlite3
import time
from collections.abc import Callable

from till_cloud.centre import Centre

REST_TIMES = 10
"""After a block, so many times what it had waited for the writer, and what it took of it while others came. With nobody
before it that is nothing; after an outage, with a second of pushes before it, one block goes in each ten seconds.
"""

LONGEST_REST_S = 30.0
"""Whatever waits: a chain whose writer is never idle is seen to as well, a block each half minute."""


def rest_s(waited_s: float, took_s: float) -> float:
    """How long to leave the writer to others after a block that waited so long for it, and took so long.

    What it took counts as far as it waited: who waits for nobody holds nobody up, and a long block among pushes must
    not be followed by as short a rest as a short one.
    """
    waited_s = max(waited_s, 0.0)
    return min((waited_s + min(max(took_s, 0.0), waited_s)) * REST_TIMES, LONGEST_REST_S)


def in_turns(
    centre: Centre,
    block: Callable[[sqlite3.Connection], bool],
    *,
    pause: Callable[[float], bool],
    mono_s: Callable[[], float] = time.monotonic,
) -> None:
    """Write `block` again and again while it answers True, and rest after each, the last one too.

    `pause` waits so many seconds, or until it is to end: then it answers True. Call it from a worker thread.
    """
    while True:
        more, waited_s, took_s = _write(centre, block, mono_s)
        if pause(rest_s(waited_s, took_s)) or not more:
            return


def in_turn(
    centre: Centre,
    block: Callable[[sqlite3.Connection], bool],
    *,
    pause: Callable[[float], bool],
    mono_s: Callable[[], float] = time.monotonic,
) -> bool:
    """Write `block` once, and rest where there is more: whether to go on. For jobs of which most have nothing to do."""
    more, waited_s, took_s = _write(centre, block, mono_s)
    return more and not pause(rest_s(waited_s, took_s))


def _write(
    centre: Centre, block: Callable[[sqlite3.Connection], bool], mono_s: Callable[[], float]
) -> tuple[bool, float, float]:
    """What the block answered, how long it had waited for the writer, and how long it took."""
    asked_s = mono_s()

    def work(connection: sqlite3.Connection) -> tuple[bool, float, float]:
        began_s = mono_s()
        more = block(connection)
        return more, began_s - asked_s, mono_s() - began_s

    return centre.write(work).result()
