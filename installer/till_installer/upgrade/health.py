"""Decides whether a new version is good, from one look after the other. Pure: no clock, no process.

It is proven when it was well for `proof_s` without a break, and given up at more than four missed looks, more than two
restarts, more than three times of getting bad again, or once it can't be proven in time any more.
"""

from typing import Literal

from msgspec import Struct

MISSED_LIMIT = 4
RESTARTS_LIMIT = 2
FLIPS_LIMIT = 3

Verdict = Literal["", "proven", "missed", "restarts", "flip_flop", "never_ready", "not_in_time"]


class Pace(Struct, frozen=True, kw_only=True):
    """Times of the watch, in seconds. The sum keeps a promise: after 60 s at most the old version serves again."""

    look_s: float = 1.0
    """Between two looks."""
    start_s: float = 15.0
    """Until the first good look: an agent is up within a second, one whose journal is damaged within ten."""
    proof_s: float = 30.0
    """Of good health without a break: an agent that ends after 20 s is not proven."""
    limit_s: float = 45.0
    """From the start of the service; what is not proven then is taken back."""
    stop_s: float = 8.0
    """A new version that doesn't stop when told to is killed after this."""
    back_s: float = 30.0
    """Until the old version that was started again is said not to have come up."""


class Judge:
    """One version under watch. `seen` is told each look, with the seconds since the service was started."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._was_good = False
        self._ever_good = False
        self._good_since = 0.0
        self._restarts = 0
        self.missed = 0
        self.flips = 0
        self.restarts = 0

    def seen(self, at_s: float, *, good: bool, restarts: int) -> Verdict:
        """What is known after this look: "" when the watch goes on."""
        began_anew = restarts > self._restarts
        self.restarts = self._restarts = max(restarts, self._restarts)
        if self._was_good and (not good or began_anew):
            self.flips += 1
        if good and (not self._was_good or began_anew):
            self._good_since = at_s
        if not good and self._ever_good:
            self.missed += 1
        self._was_good = good
        self._ever_good = self._ever_good or good
        return self._verdict(at_s)

    def _verdict(self, at_s: float) -> Verdict:
        if self.restarts > RESTARTS_LIMIT:
            return "restarts"
        if self.missed > MISSED_LIMIT:
            return "missed"
        if self.flips > FLIPS_LIMIT:
            return "flip_flop"
        if not self._ever_good:
            return "never_ready" if at_s > self._pace.start_s else ""
        since = self._good_since if self._was_good else at_s
        if self._was_good and at_s - since >= self._pace.proof_s:
            return "proven"
        return "not_in_time" if since + self._pace.proof_s > self._pace.limit_s else ""
