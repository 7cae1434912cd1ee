"""When to try again: full jitter under a cap, a retry budget, the cloud's own slots, single probes of a dead line.

Pure but for the clock and the randomness that are handed in; waiting is the worker's matter.
"""

from random import Random
from typing import TYPE_CHECKING

from till_sync.exceptions import (
    CloudBusy,
    CloudRefused,
    CloudUnreachable,
    IdentityRefused,
    NotOurCloud,
    SyncError,
    UpgradeNeeded,
)
from till_sync.retry_after import SLOT_LIMIT_MS

if TYPE_CHECKING:
    from tenacity import RetryCallState

RETRY_BASE_MS = 500
"""The first wait is drawn from 0 to this: long enough for a server's restart, short enough for nobody to notice."""

RETRY_CAP_MS = 30_000
"""No wait is drawn from more: a line that is back is found in 15 s on average, at four probes a minute from a till."""

HALT_PROBE_MS = 300_000
"""How often a till asks again when a person has to mend something first."""

HALT_JITTER = 0.1
"""Share by which that time is spread, so that a thousand tills halted at once do not ask at once."""

SHARED_RETRY_SPREAD_MS = 1_000
"""Added to a Retry-After in whole seconds, which everybody else got too."""

SPREAD_MS = 60_000
"""After an outage the first work comes at a random time within this, so that a chain does not come at once."""

AT_ONCE_MS = 50
"""A slot so near is now: what lies between is less than the next exchange takes."""

DOWN_AFTER_FAILURES = 3
"""One lost connection is no outage: it needs no probe and no spread."""

BUDGET_RATIO = 0.2
"""Retries that one success allows: under a fifth of all requests are retries when things work now and then."""

BUDGET_BURST = 10
"""Retries that may be spent at once, before the waits go to their full length."""

_MAX_DOUBLINGS = 20


class RetryBudget:
    """A bucket of retries: each success puts a part in, each retry takes one out."""

    def __init__(self, *, ratio: float = BUDGET_RATIO, burst: int = BUDGET_BURST) -> None:
        self._ratio = ratio
        self._burst = float(burst)
        self._left = self._burst

    def earn(self) -> None:
        """An exchange succeeded."""
        self._left = min(self._burst, self._left + self._ratio)

    def spend(self) -> bool:
        """Whether a quick retry may be made; takes it out if so."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Backoff:
    """How long to wait after a failure; a tenacity wait strategy.

    Full jitter: U(0, min(cap, base * 2^(attempt - 1))). Out of budget: U(cap / 2, cap). What the cloud asked for is
    never undercut, and a slot given to this till alone is kept to the millisecond. What needs a person is asked again
    every `halt_probe_ms`.
    """

    def __init__(
        self,
        random: Random,
        budget: RetryBudget,
        *,
        base_ms: int = RETRY_BASE_MS,
        cap_ms: int = RETRY_CAP_MS,
        halt_probe_ms: int = HALT_PROBE_MS,
    ) -> None:
        self._random = random
        self._budget = budget
        self._base_ms = base_ms
        self._cap_ms = cap_ms
        self._halt_probe_ms = halt_probe_ms

    def __call__(self, retry_state: "RetryCallState") -> float:
        """Seconds to wait, as tenacity asks for them."""
        error = retry_state.outcome.exception() if retry_state.outcome is not None else None
        return self.delay_ms(error, retry_state.attempt_number) / 1000

    def delay_ms(self, error: BaseException | None, attempt: int) -> int:
        """Milliseconds to wait after failure number `attempt` (from 1) in a row."""
        if isinstance(error, SyncError) and not error.retryable:
            return self.halt_delay_ms()
        asked = error.retry_after if isinstance(error, SyncError) else None
        drawn = self._draw(attempt)
        if asked is None:
            return drawn
        if asked.slot:
            return max(asked.ms, self._base_ms)
        return max(asked.ms + self._uniform(0, SHARED_RETRY_SPREAD_MS), drawn)

    def halt_delay_ms(self) -> int:
        """Milliseconds until the next look at something that a person has to mend."""
        return self._halt_probe_ms + self._uniform(0, int(self._halt_probe_ms * HALT_JITTER))

    def _draw(self, attempt: int) -> int:
        if not self._budget.spend():
            return self._uniform(self._cap_ms // 2, self._cap_ms)
        return self._uniform(0, min(self._cap_ms, self._base_ms << min(attempt - 1, _MAX_DOUBLINGS)))

    def _uniform(self, low: int, high: int) -> int:
        return self._random.randint(low, max(low, high))


class Line:
    """What is known of the line to the cloud: up, failing, down, or just back and to be entered gently."""

    def __init__(
        self, random: Random, *, spread_ms: int = SPREAD_MS, down_after_failures: int = DOWN_AFTER_FAILURES
    ) -> None:
        self._random = random
        self._spread_ms = spread_ms
        self._down_after = down_after_failures
        self._failures = 0
        self._online = False
        self._spread_due = False
        self._slot_ms = 0

    def use(self, *, spread_ms: int) -> None:
        """Another spread, from the next outage on."""
        self._spread_ms = spread_ms

    @property
    def online(self) -> bool:
        """Whether the last exchange got an answer of our cloud that takes this till for its own."""
        return self._online

    @property
    def down(self) -> bool:
        """Whether so many exchanges failed in a row that only single probes go out."""
        return self._failures >= self._down_after

    def succeeded(self) -> None:
        """An exchange got its answer; after an outage this was the probe, and the spread is due once."""
        self._spread_due = self._spread_due or self.down
        self._failures = 0
        self._online = True

    def failed(self, error: BaseException) -> None:
        """An exchange failed. An outage is a silent or foreign other end, or one too busy even to give us a slot."""
        if isinstance(error, CloudUnreachable | NotOurCloud | CloudBusy):
            directed = error.retry_after is not None and error.retry_after.slot
            self._failures += 0 if directed else 1
            self._online = False
        elif isinstance(error, CloudRefused):
            self._failures = 0
            self._online = not isinstance(error, IdentityRefused | UpgradeNeeded)

    def unreachable(self) -> None:
        """A side exchange (a hold) got no answer: not online, but no failure of the loop that probes."""
        self._online = False

    def assigned(self, slot_ms: int) -> None:
        """The cloud said when this till is to begin, from now; 0: it did not say. Its slot stands for the spread."""
        self._slot_ms = min(slot_ms, SLOT_LIMIT_MS)

    def take_spread_ms(self) -> int:
        """How long to wait before the next work: the slot that the cloud gave, else the spread after an outage.

        0 at any other time. Taken once.
        """
        slot_ms, self._slot_ms = self._slot_ms, 0
        spread_due, self._spread_due = self._spread_due, False
        if slot_ms:
            return slot_ms if slot_ms > AT_ONCE_MS else 0
        return self._random.randint(0, self._spread_ms) if spread_due else 0
