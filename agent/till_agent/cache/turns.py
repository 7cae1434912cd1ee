"""Long work of the cache's writer in short turns, so that a sale gets on meanwhile.

A thread that calls SQLite lets go of the interpreter for microseconds each time, and has it again before one that waits
for it has woken up. So a sale, which needs it a dozen times in the journal's own thread, waits up to Python's switch
interval of 5 ms each time, for as long as a page is written. A real pause lets it through: a short one between any two
turns, in which a call that has come is heard, and a longer one while a call goes on. Where nobody has called for a
while there is none: pauses make a load of many members by pages half as long again.
"""

import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

TURN_ROWS = 25
"""Half a millisecond of work: so long a call waits to be heard. Shorter ones cost more in pauses than they spare."""

PAUSE_S = 0.0002
"""Long enough for a thread that waits for the interpreter to wake up and have it."""

CALL_S = 0.003
"""What a sale takes by itself, from when it asks for the programme: nothing is written meanwhile."""

WAITS_A_TURN = 20
"""Pauses of one after another call: a rush that never ends must not keep a page from being written."""

PAUSES_A_CALL = 10_000
"""A call is followed by others: the next 250,000 rows are written with pauses, which takes seven seconds and more."""


class Pace:
    """One for the process, as the interpreter is one. `called` belongs to whoever serves calls, `in_turns` to a thread
    that writes; they may miss each other's step, which costs a pause."""

    def __init__(self) -> None:
        self.calls = 0
        self._pauses = 0
        self._called_until_s = 0.0

    def called(self) -> None:
        """Somebody sells: let them through from the next turn on."""
        self.calls += 1
        self._pauses = PAUSES_A_CALL
        self._called_until_s = time.monotonic() + CALL_S

    def in_turns(self, rows: Sequence[T], turn_rows: int = TURN_ROWS) -> Iterator[Sequence[T]]:
        """The rows in short parts, with a pause between them if somebody has called, until that call is through."""
        for first in range(0, len(rows), turn_rows):
            if first and self._pauses > 0:
                self._pauses -= 1
                self._pause()
            yield rows[first : first + turn_rows]

    def _pause(self) -> None:
        for _ in range(WAITS_A_TURN):
            time.sleep(PAUSE_S)
            if time.monotonic() >= self._called_until_s:
                return


pace = Pace()
in_turns = pace.in_turns
