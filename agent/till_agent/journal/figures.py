"""Where the journal stands, in numbers for status and metrics."""

from msgspec import Struct

from till_agent.journal import schema


class Figures(Struct, frozen=True):
    """Where the journal stands, for status and metrics. `acked_seq` and `last_seq` are of the current epoch."""

    till: str
    epoch: int
    last_seq: int
    acked_seq: int
    waiting: int
    oldest_waiting_wall_ms: int
    """When the oldest waiting op was made; 0 when none waits."""
    adjusted: int
    rejected: int

    @property
    def waiting_percent(self) -> int:
        """Of the ops that may wait."""
        return self.waiting * 100 // schema.WAITING_OPS_LIMIT

    def age_percent(self, now_wall_ms: int) -> int:
        """Of the time that an op may wait; 0 when none waits or the wall clock stands before the op."""
        if not self.oldest_waiting_wall_ms:
            return 0
        return max(0, now_wall_ms - self.oldest_waiting_wall_ms) * 100 // schema.WAITING_AGE_LIMIT_MS

    def level(self, now_wall_ms: int) -> str:
        """`ok`, `warning` from 80 % of a limit on, `over` past it: a journal never drops an op, it says so."""
        percent = max(self.waiting_percent, self.age_percent(now_wall_ms))
        if percent >= 100:
            return "over"
        return "warning" if percent >= schema.WARN_AT_PERCENT else "ok"
