"""How much to send or ask for at once: grows while exchanges are quick, shrinks when they are slow or refused."""

TARGET_MS = 1_000
"""An exchange that takes longer than twice this is too large for the line; one under half of it may be larger."""


class BatchSize:
    """A count between `floor` and `ceiling`. Starts at `initial`; doubles and halves."""

    def __init__(self, *, initial: int, ceiling: int, floor: int = 1, target_ms: int = TARGET_MS) -> None:
        self._floor = floor
        self._limit = ceiling
        self._ceiling = ceiling
        self._own_ceiling = ceiling
        self._target_ms = target_ms
        self._current = min(initial, ceiling)
        self._grows = True

    @property
    def current(self) -> int:
        return self._current

    @property
    def expected(self) -> int:
        """What it will be after the exchange under way, if that goes as the one before it."""
        return min(2 * self._current, self._ceiling, self._limit) if self._grows else self._current

    def limit(self, ceiling: int) -> None:
        """What the other end takes at most; learnt anew from each of its answers."""
        self._limit = max(self._floor, ceiling)
        self._set(self._current)

    def done(self, count: int, elapsed_ms: int) -> None:
        """An exchange of `count` took that long."""
        self._grows = elapsed_ms < self._target_ms // 2
        if elapsed_ms > 2 * self._target_ms:
            self._set(count // 2)
        elif self._grows and count >= self._current:
            self._set(self._current * 2)

    def too_slow(self, count: int) -> None:
        """An exchange of `count` did not end in time."""
        self._set(min(self._current, count // 2))

    def refused(self, count: int) -> None:
        """`count` was too much in size; it is not tried again until `forget`."""
        self._ceiling = max(self._floor, count // 2)
        self._set(self._ceiling)

    def forget(self) -> None:
        """The other end may have changed: what it refused once is no limit any more."""
        self._ceiling = self._own_ceiling

    def _set(self, count: int) -> None:
        self._current = max(self._floor, min(count, self._ceiling, self._limit))
