"""The threads that a sale goes through are let onto a processor sooner, where the system can be asked for it.

A thread that wakes up on a busy machine waits until whoever runs there has had a whole turn: 1.4 ms on two cores of
Linux, 2.8 on eight, and so again at each hand-over of a sale. From Linux 6.12 on a thread may ask for shorter turns,
and goes before those whose turns are longer. It gets no more of the processor than its share, and needs no right to it.
"""

import contextlib
import platform
import struct
import sys
import threading
from typing import Any, NamedTuple

TURN_NS = 500_000
"""A third of a sale's work. With a tenth of a millisecond others cut it into pieces."""
_CALLS = {"x86_64": (314, 315), "aarch64": (274, 275)}
"""sched_setattr and sched_getattr by number: the C library has functions for them from glibc 2.41 on only."""
_OTHER = 0
"""SCHED_OTHER. Whoever gave the thread another policy, or a higher priority, knows what they want of it."""
_RESET_ON_FORK = 0x01
"""Threads and processes that this one starts are ordinary: nobody waits at the till for a page or a picture."""
_LAYOUT = struct.Struct("=IIQiIQQQ")


class Schedule(NamedTuple):
    """Linux's `sched_attr` in its first form. `turn_ns`, its `sched_runtime`, is 0 before 6.12."""

    size: int
    policy: int
    flags: int
    nice: int
    priority: int
    turn_ns: int
    deadline_ns: int
    period_ns: int


def go_first() -> bool:
    """From now on the calling thread has short turns. False where the system does not let it, and all is as it was."""
    thread = threading.get_native_id()
    with contextlib.suppress(OSError, AttributeError):
        now = schedule_of(thread)
        if now is not None and now.turn_ns and now.policy == _OTHER and now.nice >= 0:
            wanted = now._replace(size=_LAYOUT.size, flags=now.flags | _RESET_ON_FORK, turn_ns=TURN_NS)
            return _call(0, thread, _LAYOUT.pack(*wanted), 0) == 0
    return False


def schedule_of(thread: int) -> Schedule | None:
    """How a thread is let onto a processor, by its native id; None where the system can't be asked. OSError,
    AttributeError where its C library can't."""
    room = bytearray(_LAYOUT.size)
    if sys.platform != "linux" or platform.machine() not in _CALLS:
        return None
    import ctypes

    shared = (ctypes.c_char * _LAYOUT.size).from_buffer(room)
    done = _call(1, thread, shared, _LAYOUT.size, 0)
    return Schedule(*_LAYOUT.unpack(room)) if done == 0 else None


def _call(which: int, thread: int, *values: Any) -> int:
    import ctypes

    library: Any = ctypes.CDLL(None)
    return int(library.syscall(_CALLS[platform.machine()][which], ctypes.c_long(thread), *values))
