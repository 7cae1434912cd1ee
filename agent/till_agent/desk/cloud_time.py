"""The cloud's time as far as this till can tell it: that of the newest page, and what has passed here since.

What has passed is counted by monotonic time, which nobody sets back. Only after the machine was started anew does its
wall clock say how long it was off; one that stands before the newest page says nothing.
"""

from till_agent.ports import Cache, Seen
from till_sync.ports import Clock


class CloudTime:
    """Used on the loop. None is: nobody can tell."""

    def __init__(self, cache: Cache, clock: Clock) -> None:
        self._cache = cache
        self._clock = clock
        # How long the cloud had been silent when this boot first saw a page of another one, and when that was.
        self._before: tuple[Seen, int, int] | None = None

    def silent_ms(self) -> int | None:
        """Time since the newest page came."""
        seen, clock = self._cache.seen, self._clock
        if seen is None:
            return None
        if seen.boot == clock.boot:
            return max(0, clock.mono_ms() - seen.mono_ms)
        if self._before is None or self._before[0] != seen:
            off_ms = clock.wall_ms() - seen.wall_ms
            if off_ms < 0:
                return None
            # From here on by monotonic time: a wall clock that is set back later takes nothing off.
            self._before = (seen, off_ms, clock.mono_ms())
        _, off_ms, since_ms = self._before
        return off_ms + max(0, clock.mono_ms() - since_ms)

    def now_ms(self) -> int | None:
        """What the cloud's clock shows now."""
        silent_ms = self.silent_ms()
        return None if silent_ms is None else self._cache.as_of_ms + silent_ms
