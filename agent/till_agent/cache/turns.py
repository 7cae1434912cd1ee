"""Long work of the cache's writer in short turns, so that a sale gets on meanwhile.

A thread that calls SQLite lets go of the interpreter for microseconds each time, and has it again before one that waits
for it has woken up. So a sale, which needs it a dozen times in the journal's own thread, waits up to Python's switch
interval of 5 ms each time, for as long as a page is written. A real pause lets it through. Where nobody has called for
a while there is none: pauses make a load of many members by pages half as long again.
"""

import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

TURN_ROWS = 50
"""Half a millisecond of work."""

PAUSE_S = 0.0005
"""As long as that: a sale's part in the journal takes about so much. 10,000 rows take a tenth of a second more."""

PAUSES_A_CALL = 5_000
"""A call is followed by others: the next 250,000 rows are written with pauses, which takes five seconds and more."""


class Pace:
    """One for the process, as the interpreter is one. `called` belongs to whoever serves calls, `in_turns` to a thread
    that writes; they may miss each other's step, which costs a pause."""

    def __init__(self) -> None:
        self._pauses = 0

    def called(self) -> None:
        """Somebody sells: let them through from the next turn on."""
        self._pauses = PAUSES_A_CALL

    def in_turns(self, rows: Sequence[T], turn_rows: int = TURN_ROWS) -> Iterator[Sequence[T]]:
        """The rows in short parts, with a pause between them if somebody has called."""
        for first in range(0, len(rows), turn_rows):
            if first and self._pauses > 0:
                self._pauses -= 1
                time.sleep(PAUSE_S)
            yield rows[first : first + turn_rows]


pace = Pace()
in_turns = pace.in_turns
