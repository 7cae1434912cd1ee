"""Where the journal stands, in numbers for status and metrics."""

import logging
from typing import Any

from msgspec import Struct

from till_agent.journal import schema

_log = logging.getLogger(__name__)

DAY_MS = 86_400_000


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
    parked: int = 0
    """Of the rejected ones those that the cloud could not take; their bytes are only here."""
    began_wall_ms: int = 0
    """When the current epoch began; 0 for a till's first, before which no journal was."""
    repeated: int = 0
    """Not among the rejected ones: the cloud has had the same document under another id. Nothing is to be done."""
    head_hash: str = ""
    """Of the last row (hex); "" before an epoch's first."""

    @property
    def waiting_percent(self) -> int:
        """Of the ops that may wait."""
        return self.waiting * 100 // schema.WAITING_OPS_LIMIT

    def age_percent(self, now_wall_ms: int) -> int:
        """Of the time that an op may wait; 0 when none waits or the wall clock stands before the op."""
        if not self.oldest_waiting_wall_ms:
            return 0
        return max(0, now_wall_ms - self.oldest_waiting_wall_ms) * 100 // schema.WAITING_AGE_LIMIT_MS

    def waiting_values(self, now_wall_ms: int) -> dict[str, Any]:
        """How much waits and for how long, each with its limit."""
        oldest_ms = self.oldest_waiting_wall_ms
        return {
            "waiting": self.waiting,
            "limit": schema.WAITING_OPS_LIMIT,
            "days": max(0, now_wall_ms - oldest_ms) // DAY_MS if oldest_ms else 0,
            "days_limit": schema.WAITING_AGE_LIMIT_MS // DAY_MS,
        }

    def waiting_text(self, now_wall_ms: int) -> str:
        """How much waits and for how long, each with its limit, for the log and the command line."""
        return (
            "{waiting} operations wait for the cloud (limit {limit}), the oldest for {days} days (limit {days_limit})"
        ).format_map(self.waiting_values(now_wall_ms))

    def level(self, now_wall_ms: int) -> str:
        """`ok`, `warning` from 80 % of a limit on, `over` past it: a journal never drops an op, it says so."""
        percent = max(self.waiting_percent, self.age_percent(now_wall_ms))
        if percent >= 100:
            return "over"
        return "warning" if percent >= schema.WARN_AT_PERCENT else "ok"


class LimitWatch:
    """Tells the log when the queue comes near its limits, passes them, and is well again. Used on the loop only."""

    def __init__(self) -> None:
        self._level = "ok"

    def note(self, figures: Figures, now_wall_ms: int) -> None:
        """Look; log only what is another level than before."""
        level = figures.level(now_wall_ms)
        if level == self._level:
            return
        self._level = level
        if level == "ok":
            _log.info("The queue is well within its limits again: %d operations wait", figures.waiting)
            return
        grave = logging.ERROR if level == "over" else logging.WARNING
        _log.log(grave, "%s: none is dropped, mend the line", figures.waiting_text(now_wall_ms))
