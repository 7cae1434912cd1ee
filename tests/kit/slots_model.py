"""A chain's tills come back after an outage, by a clock in hand: the cloud's real `Slots`, made-up work and delays.

One server does greetings, pushes and pulls one after the other; how long each takes is a function of the time, so that
a starved cloud can be had. Tills greet at random times, come when they were told and a `delay` later, and ask again.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from till_cloud.busy import REQUESTS_LIMIT, RETRY_AFTER_MS, RETRY_SPREAD_MS
from till_cloud.slots import FIRST_BATCH_OPS, Slots

GREETINGS_WITHIN_MS = 15_000.0
GREETING_MS, PUSH_MS, OP_MS, PULL_MS = 1.0, 5.0, 0.25, 2.0
LEAST_WAIT_MS = 500.0
LONGEST_BACKOFF_MS = 30_000.0
QUIET_PUSHES = 300
"""What the cloud had done before the outage, and learnt its pace from."""
STEP_MS = 250.0


def late_by(mean_ms: float, most_ms: float) -> Callable[[Random], float]:
    """Delays mostly short, seldom long."""
    return lambda rng: min(most_ms, rng.expovariate(1 / mean_ms))


@dataclass
class Model:
    """One storm. `slow(at_ms)`: times that work takes then. `slots` False is the control: the cloud gives none.

    `bounded` False: nothing is refused and everybody comes as soon as greeted; no cloud can be faster than that.
    """

    tills: int = 1_000
    ops: int = FIRST_BATCH_OPS
    seed: int = 20171223
    slow: Callable[[float], float] = lambda _: 1.0
    delay: Callable[[Random], float] = lambda rng: rng.random() * 20
    slots: bool = True
    bounded: bool = True
    learnt: bool = True
    """Whether the cloud knows its pace by what it did before the outage."""

    now_ms: float = 0.0
    end_ms: float = 0.0
    pushes: int = 0
    pulls: int = 0
    refused: int = 0
    most_at_once: int = 0
    longest_ms: float = 0.0
    _free_ms: float = 0.0
    _at_once: int = 0
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0

    def run(self) -> "Model":
        """Until nothing is left anywhere."""
        self._rng = Random(self.seed)
        self._slots = Slots(lambda: self.now_ms)
        self._left = dict.fromkeys(range(self.tills), self.ops)
        self._tries = dict.fromkeys(range(self.tills), 0)
        for _ in range(QUIET_PUSHES if self.learnt else 0):
            self._slots.pace.learn(FIRST_BATCH_OPS, PUSH_MS + FIRST_BATCH_OPS * OP_MS)
        for till in range(self.tills):
            self._at(self._rng.random() * GREETINGS_WITHIN_MS, self._greet, till)
        while self._events:
            at_ms, _, event = heapq.heappop(self._events)
            self.now_ms = at_ms
            event()
        return self

    @property
    def retries(self) -> float:
        """Share of the requests that were sent away."""
        return self.refused / (self.pushes + self.pulls)

    def _at(self, at_ms: float, event: Callable[..., None], *values: Any) -> None:
        self._count += 1
        heapq.heappush(self._events, (max(at_ms, self.now_ms), self._count, partial(event, *values)))

    def _work(self, takes_ms: float) -> float:
        """When the server is through with this and all before it."""
        at_ms = max(self._free_ms, self.now_ms)
        while takes_ms > 0:
            times = self.slow(at_ms)
            step_ms = min(takes_ms, STEP_MS / times)
            takes_ms -= step_ms
            at_ms += step_ms * times
        self._free_ms = at_ms
        return at_ms

    def _greet(self, till: int) -> None:
        end_ms = self._work(GREETING_MS)
        wait_ms = 0.0
        if self.slots and self.bounded:
            wait_ms = self._slots.book(str(till), self._left[till])
        elif self.bounded:
            wait_ms = self._rng.random() * GREETINGS_WITHIN_MS
        self._at(max(end_ms, self.now_ms + wait_ms) + self.delay(self._rng), self._push, till)

    def _push(self, till: int) -> None:
        self.pushes += 1
        wait_ms = self._sent_away(till)
        if wait_ms:
            self.refused += 1
            self._at(self.now_ms + max(LEAST_WAIT_MS, wait_ms) + self.delay(self._rng), self._push, till)
            return
        turn, ops = self._slots.begin(str(till)), min(FIRST_BATCH_OPS, self._left[till])
        self._slots.sized(turn, ops)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        end_ms = self._work(PUSH_MS + ops * OP_MS)
        self.longest_ms = max(self.longest_ms, end_ms - self.now_ms)
        self._at(end_ms, self._answer, till, turn, ops)

    def _sent_away(self, till: int) -> float:
        if not self.bounded:
            return 0
        wait_ms = float(self._slots.wait_ms(str(till))) if self.slots else 0
        if wait_ms <= 0 and (wait_ms or self._at_once >= REQUESTS_LIMIT):
            self._tries[till] += 1
            drawn_ms = self._rng.random() * min(LONGEST_BACKOFF_MS, LEAST_WAIT_MS * 2 ** self._tries[till])
            wait_ms = max(RETRY_AFTER_MS + self._rng.random() * RETRY_SPREAD_MS, drawn_ms)
        return wait_ms

    def _answer(self, till: int, turn: Any, ops: int) -> None:
        self._left[till] -= ops
        wait_ms = self._slots.done(turn, self._left[till])
        self._slots.end(turn)
        self._at_once -= 1
        if self._left[till]:
            self._at(self.now_ms + (wait_ms if self.slots else 0) + self.delay(self._rng), self._push, till)
            return
        self.end_ms = self.now_ms
        self.pulls += 1
        self._work(PULL_MS)
