"""Work that may wait is done in a fixed share of the time, however many tills ask for it."""

import contextlib
import threading
from collections.abc import Callable, Iterator

SHARE = 20
"""Digests take at most a twentieth of one core: a stretch of 4,096 members takes some 60 ms, so that one is made each
1.2 s at most. A till that asked in vain asks again with a later page.
"""


LONGEST_REST_MS = 60_000
"""However long a turn took, and however the clock was set meanwhile."""


class Rationed:
    """One turn at a time, and after each a rest of `SHARE` times what it took. Usable from several threads."""

    def __init__(self, wall_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms
        self._lock = threading.Lock()
        self._next_ms = 0
        self._taken = False

    @contextlib.contextmanager
    def turn(self, *, wanted: bool) -> Iterator[bool]:
        """Whether the block may do it now."""
        with self._lock:
            rest_ms = self._next_ms - self._wall_ms()
            given = wanted and not self._taken and not 0 < rest_ms <= LONGEST_REST_MS
            self._taken = self._taken or given
        started_ms = self._wall_ms()
        try:
            yield given
        finally:
            if given:
                with self._lock:
                    ended_ms = self._wall_ms()
                    rest_ms = min(max(SHARE * (ended_ms - started_ms), 0), LONGEST_REST_MS)
                    self._taken, self._next_ms = False, ended_ms + rest_ms
