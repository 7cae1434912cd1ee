"""Slots: each till its own, as far apart as the work takes, bounded; and none starves. By a clock in a test's hand."""

import random

import pytest

from till_cloud import slots
from till_cloud.slots import (
    EARLINESS,
    FIRST_BATCH_OPS,
    LONGEST_WAIT_MS,
    MISSED_MS,
    WAITING_WORK_MS,
    Pace,
    Slots,
    Turn,
)

COST_MS = Pace().cost_ms(FIRST_BATCH_OPS)


class Clock:
    def __init__(self) -> None:
        self.ms = 1_000_000.0

    def __call__(self) -> float:
        return self.ms


class Cloud:
    """Slots over a made-up cloud that serves one push after the other."""

    def __init__(self, op_ms: float = slots.OP_MS) -> None:
        self.clock = Clock()
        self.slots = Slots(self.clock)
        self.op_ms = op_ms
        self.queue: list[tuple[Turn, int]] = []
        self.busy_until_ms = self.clock.ms
        self.most_serving = 0

    def come(self, till: str, ops: int = FIRST_BATCH_OPS) -> int:
        """A till comes with a push: 0 when it is let in."""
        wait_ms = self.slots.wait_ms(till)
        if not wait_ms:
            turn = self.slots.begin(till)
            self.slots.sized(turn, ops)
            if not self.queue:
                self.busy_until_ms = self.clock.ms
            self.queue.append((turn, ops))
            self.most_serving = max(self.most_serving, len(self.queue))
        return wait_ms

    def go_on(self, until_ms: float) -> None:
        """Serve what can be served by then."""
        while self.queue:
            turn, ops = self.queue[0]
            end_ms = self.busy_until_ms + 4 + ops * self.op_ms
            if end_ms > until_ms:
                break
            self.clock.ms = self.busy_until_ms = end_ms
            self.queue.pop(0)
            self.slots.done(turn, 0)
            self.slots.end(turn)
        self.clock.ms = until_ms


def test_one_till_alone_waits_for_nothing() -> None:
    """However often it comes, and also with a slot from its greeting."""
    cloud = Cloud()
    assert cloud.slots.book("k1", 10_000) == 1
    for _ in range(100):
        assert cloud.come("k1") == 0
        cloud.go_on(cloud.clock.ms + 100)


def test_those_who_ask_first_get_times_one_after_the_other() -> None:
    """As far apart as a push takes, less a little; the same till asked again gets the same time."""
    cloud = Cloud()
    given = [cloud.slots.book(f"k{number}", FIRST_BATCH_OPS) for number in range(50)]
    assert given == [max(1, round(number * COST_MS * EARLINESS)) for number in range(50)]
    assert cloud.slots.book("k20", FIRST_BATCH_OPS) == given[20]
    assert cloud.slots.promised == 50


def test_a_till_that_comes_too_early_gets_the_same_time_again() -> None:
    """And its own slot, not a later one."""
    cloud = Cloud()
    given = [cloud.slots.book(f"k{number}", FIRST_BATCH_OPS) for number in range(50)]
    assert cloud.come("k49") == given[49]
    cloud.clock.ms += given[49]
    assert cloud.come("k49") == 0


def test_a_missed_slot_is_given_up_and_another_is_given() -> None:
    """The line does not wait for those who do not come."""
    cloud = Cloud()
    cloud.slots.book("away", FIRST_BATCH_OPS)
    cloud.clock.ms += MISSED_MS + 1
    assert cloud.slots.wait_ms("other") == 0
    assert cloud.slots.promised == 0
    assert cloud.slots.book("away", FIRST_BATCH_OPS) == 1


def test_a_till_that_is_late_finds_the_room_that_was_meant_for_it() -> None:
    """Though there is too much under way for one without a slot, which gets the end of the line."""
    cloud = Cloud()
    cloud.slots.book("late", FIRST_BATCH_OPS)
    for number in range(slots.HOLDERS_AT_ONCE - 1):
        cloud.slots.sized(cloud.slots.begin(f"k{number}"), FIRST_BATCH_OPS)
    cloud.clock.ms += MISSED_MS / 2
    assert cloud.come("other") > 0
    assert cloud.come("late") == 0


def test_a_till_that_finds_no_room_at_its_slot_gets_the_end_of_the_line_and_room_there() -> None:
    """Behind all who were promised before it, and before all who come later."""
    cloud = Cloud()
    given = [cloud.slots.book(f"k{number}", FIRST_BATCH_OPS) for number in range(50)]
    turns = [cloud.slots.begin(f"other{number}") for number in range(slots.HOLDERS_AT_ONCE)]
    again = cloud.come("k0")
    assert again > given[-1]
    assert cloud.slots.book("new", FIRST_BATCH_OPS) > again
    cloud.clock.ms += again
    assert cloud.come("k0") == 0
    assert len(turns) < slots.LATE_AT_ONCE


def test_nobody_is_told_to_come_later_than_the_limit_and_the_place_is_kept() -> None:
    """Who comes then is told the rest."""
    cloud = Cloud()
    for number in range(round(1.2 * LONGEST_WAIT_MS / (COST_MS * EARLINESS))):
        told = cloud.slots.book(f"k{number}", FIRST_BATCH_OPS)
    assert told == LONGEST_WAIT_MS
    cloud.clock.ms += LONGEST_WAIT_MS
    assert cloud.come(f"k{number}") == pytest.approx(0.2 * LONGEST_WAIT_MS, abs=2 * COST_MS)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the limit nobody gets a slot of their own; the cloud tells a time at random instead."""
    monkeypatch.setattr(slots, "SLOTS_LIMIT", 10)
    cloud = Cloud()
    assert [cloud.slots.book(f"k{number}", 1) for number in range(12)][-2:] == [-1, -1]


def test_the_pace_is_learnt_and_a_mad_clock_is_not_believed() -> None:
    """Twice as slow is twice the time; a stopped machine is no pace at all."""
    pace = Pace()
    for _ in range(50):
        pace.learn(100, 2 * COST_MS)
    assert pace.cost_ms(100) == pytest.approx(2 * COST_MS)
    assert pace.ops_per_second == pytest.approx(100_000 / (2 * COST_MS))
    pace.learn(1, 10**9)
    assert pace.factor == slots.PACE_MOST


@pytest.mark.parametrize("op_ms", [0.05, slots.OP_MS, 1.0], ids=["fast", "as assumed", "slow"])
@pytest.mark.parametrize("greeted", [True, False], ids=["greeted", "pushing at once"])
def test_a_thousand_tills_at_once_are_all_served_in_about_the_time_that_the_work_takes(
    op_ms: float, *, greeted: bool
) -> None:
    """Work taken on stays bounded, nobody starves, few are sent away, whatever pace the cloud turns out to have."""
    cloud, rng = Cloud(op_ms), random.Random(20171223)
    start_ms = cloud.clock.ms
    due = {f"k{number}": start_ms + rng.random() * 2_000 for number in range(1_000)}
    to_greet = set(due) if greeted else set()
    refused = 0
    while due:
        till, at_ms = min(due.items(), key=lambda each: each[1])
        cloud.go_on(max(at_ms, cloud.clock.ms))
        if till in to_greet:
            to_greet.discard(till)
            due[till] = cloud.clock.ms + cloud.slots.book(till, FIRST_BATCH_OPS) + rng.random() * 20
            continue
        wait_ms = cloud.come(till)
        assert wait_ms >= 0
        if wait_ms:
            refused += 1
            due[till] = cloud.clock.ms + wait_ms + rng.random() * 20
        else:
            del due[till]
    ideal_ms = 1_000 * (4 + FIRST_BATCH_OPS * op_ms)
    cloud.go_on(cloud.clock.ms + WAITING_WORK_MS * 20)
    took_ms = cloud.busy_until_ms - start_ms
    assert cloud.most_serving <= 64
    assert not cloud.queue
    if op_ms >= slots.OP_MS:
        assert took_ms <= 1.3 * (ideal_ms + 2_000)
    assert refused <= (2_000 if not greeted else 100 if op_ms <= slots.OP_MS else 1_050)


def test_what_a_till_has_left_gets_the_next_time_while_others_wait() -> None:
    """So that one with a long queue does not keep the rest out; alone it goes on at once."""
    cloud = Cloud()
    turn = cloud.slots.begin("long")
    cloud.slots.sized(turn, 100)
    cloud.clock.ms += COST_MS
    assert cloud.slots.done(turn, 10_000) == 0
    cloud.slots.end(turn)
    for number in range(10):
        cloud.slots.book(f"k{number}", FIRST_BATCH_OPS)
    turn = cloud.slots.begin("long")
    cloud.slots.sized(turn, 100)
    cloud.clock.ms += COST_MS
    assert cloud.slots.done(turn, 10_000) >= 8 * COST_MS
    cloud.slots.end(turn)
