"""One of a balancer's backends is broken and answers 500 at random, for hours: no good operation is parked by it.

An operation that is really poison is parked all the same, in bounded time.
"""

import asyncio
from contextlib import suppress
from random import Random

import msgspec
import pytest

from till_sync.client import CloudClient
from till_sync.exceptions import SyncError
from till_sync.parking import PARK_WAITS_MS
from till_sync.pull import Puller
from till_sync.push import Pusher
from till_sync.retry import Backoff, Line, RetryBudget
from till_sync.rounds import Rounds
from till_sync.transport import Reply
from till_sync.wire import PushRequest
from unit.sync.sync_fakes import TILL, FakeClock, FakeCloud, FakeOutbox, FakeSink, FixedRandom, Request, problem_reply

BROKEN = problem_reply(500, "internal")
ROUND_MS = 10_000
HOUR = 3_600_000 // ROUND_MS
"""Rounds of an hour: a worker has more of them, but a suspect is not tried more often."""


class Hand:
    """A till's rounds, driven by hand: ten seconds from one to the next, no pulls."""

    def __init__(self, count: int = 0) -> None:
        self.clock = FakeClock()
        self.cloud = FakeCloud(self.clock)
        self.cloud.protocol = 3
        self.outbox = FakeOutbox(self.clock, count)
        client = CloudClient(self.cloud, till=TILL, token="secret", clock=self.clock)
        budget, random = RetryBudget(), FixedRandom(0.5)
        self.rounds = Rounds(
            client,
            self.outbox,
            Pusher(client, self.outbox, clock=self.clock),
            Puller(client, FakeSink(), clock=self.clock),
            clock=self.clock,
            line=Line(random, spread_ms=0),
            budget=budget,
            backoff=Backoff(random, budget),
        )

    def half_broken(self, seed: int, *, controls: bool = True) -> None:
        """Every second push fails; `controls`: those without operations too. A hello never does, which is the worst."""
        chance, honest = Random(seed), self.cloud.answer

        def answer(request: Request) -> Reply:
            pushed = request.path.endswith("/ops") and (controls or b'"ops":[]' not in request.body)
            return BROKEN if pushed and chance.random() < 0.5 else honest(request)

        self.cloud.answer = answer  # type: ignore[method-assign]  # a balancer stands before this cloud

    def live(self, rounds: int, *, sell: bool = False) -> None:
        async def whole() -> None:
            for index in range(rounds):
                if sell and index % 3 == 0:
                    self.outbox.add(1)
                with suppress(SyncError):
                    await self.rounds.run(pull=False, manual=False, enter_gently=asyncio.sleep)
                self.clock.mono += ROUND_MS
                self.clock.wall += ROUND_MS

        asyncio.run(whole())

    def pushes(self) -> list[PushRequest]:
        return [msgspec.json.decode(body, type=PushRequest) for body in self.cloud.pushes()]


@pytest.mark.parametrize("controls", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_a_backend_that_flaps_for_hours_parks_no_good_op(seed: int, controls: bool) -> None:
    """Even where it fails over what has operations in it only, so that the control push proves nothing."""
    line = Hand()
    line.half_broken(seed, controls=controls)
    line.live(3 * HOUR, sell=True)
    del line.cloud.answer
    line.live(HOUR // 4)
    assert line.cloud.parked == {}
    assert line.outbox.acked == len(line.outbox.bodies) == HOUR


def test_poison_is_parked_after_a_quarter_of_an_hour_and_the_line_goes_on() -> None:
    """Each of the tries that count is followed by a push of nothing, which the cloud takes."""
    line = Hand(20)
    line.cloud.cant_take = {7: BROKEN}
    line.live(int(0.24 * HOUR))
    assert (line.cloud.parked, line.outbox.acked) == ({}, 6)
    line.live(int(0.1 * HOUR))
    assert (list(line.cloud.parked), line.outbox.acked) == ([7], 20)
    alone = [
        request for request in line.pushes() if [op.seq for op in request.ops] == [7] and not request.ops[0].parked
    ]
    control = [request for request in line.pushes() if not request.ops]
    assert len(control) == len(alone) == len(PARK_WAITS_MS) + 1 == 24
    assert {(one.first_seq, one.prev_hash, one.head_hash, one.remaining, one.protocol) for one in control} == {
        (7, "h6", "h6", -1, 3)
    }


@pytest.mark.parametrize("seed", range(3))
def test_poison_at_a_flapping_cloud_is_parked_in_bounded_time(seed: int) -> None:
    line = Hand(20)
    line.cloud.cant_take = {7: BROKEN}
    line.half_broken(seed)
    line.live(2 * HOUR)
    assert (list(line.cloud.parked), line.outbox.acked) == ([7], 20)


def test_nothing_is_parked_while_no_push_at_all_gets_through() -> None:
    """The cloud's hello is fine, and every push fails: that says nothing of the operation at the head."""
    line = Hand(5)
    honest = line.cloud.answer
    line.cloud.answer = lambda request: BROKEN if request.path.endswith("/ops") else honest(request)  # type: ignore[method-assign]  # as above
    line.live(3 * HOUR)
    del line.cloud.answer
    line.live(60)
    assert (line.cloud.parked, line.outbox.acked) == ({}, 5)
