"""A thousand tills come back with a hundred operations each, by a clock in hand: within 1.3 times of the best that any
cloud could do with the same tills, few sent away; also when tills come seconds late, and when the cloud is starved."""

from random import Random
from typing import Any

import pytest

from kit.slots_model import Model, late_by
from till_cloud import slots
from till_cloud.busy import REQUESTS_LIMIT

TIME_OF_BEST = 1.3
RETRIES = 0.2
PATIENCE_MS = 10_000
"""What a till waits for an answer."""


def starved(times: float, begin_ms: float, end_ms: float) -> Any:
    return lambda at_ms: times if begin_ms <= at_ms < end_ms else 1.0


STORMS: dict[str, dict[str, Any]] = {
    "all well": {},
    "tills a second late": {"delay": late_by(1_000, 8_000)},
    "tills three seconds late, some fifteen": {"delay": late_by(3_000, 15_000)},
    "tills eight seconds late, some thirty": {"delay": late_by(8_000, 30_000)},
    "cloud half as fast as ever": {"slow": starved(2, 0, 1e12)},
    "cloud half as fast while it is greeted": {"slow": starved(2, 0, 15_000)},
    "cloud a third as fast in the middle": {"slow": starved(3, 10_000, 20_000)},
    "cloud starved now and then": {"slow": lambda at_ms: 4.0 if int(at_ms / 4_000) % 3 == 0 else 1.0},
    "cloud starved now and then, tills late": {
        "slow": lambda at_ms: 4.0 if int(at_ms / 4_000) % 3 == 0 else 1.0,
        "delay": late_by(2_000, 10_000),
    },
    "cloud twice as fast as ever": {"slow": starved(0.5, 0, 1e12)},
    "cloud just started": {"learnt": False},
    "cloud just started, and slow": {"learnt": False, "slow": starved(5, 0, 1e12)},
    "few tills with long queues": {"tills": 300, "ops": 500},
    "few tills with long queues, late": {"tills": 300, "ops": 500, "delay": late_by(2_000, 10_000)},
}


def check(found: Model, best: Model) -> None:
    """Fast enough, gentle enough, nobody left waiting for an answer."""
    assert found.end_ms <= TIME_OF_BEST * best.end_ms, f"{found.end_ms / best.end_ms:.2f} times the best"
    assert found.retries < RETRIES, f"{found.retries:.0%} sent away"
    assert found.most_at_once <= REQUESTS_LIMIT
    assert found.longest_ms < PATIENCE_MS


def best_of(**storm: Any) -> Model:
    return Model(bounded=False, **storm).run()


@pytest.mark.parametrize("name", STORMS)
def test_a_chain_comes_back_in_about_the_least_time_and_few_are_sent_away(name: str) -> None:
    """Whatever tills and cloud are like meanwhile."""
    check(Model(**STORMS[name]).run(), best_of(**STORMS[name]))


@pytest.mark.parametrize("name", ["all well", "cloud half as fast as ever", "cloud starved now and then"])
def test_without_slots_many_are_sent_away(name: str) -> None:
    """The control: times at random, sent away where too many come at once."""
    with pytest.raises(AssertionError):
        check(Model(**STORMS[name], slots=False).run(), best_of(**STORMS[name]))


def test_a_cloud_that_suddenly_is_five_times_slower_does_not_break() -> None:
    """What was promised can't be kept: most are sent away once, none twice on average, and no time is lost."""
    storm = {"slow": starved(5, 0, 1e12)}
    found, best = Model(**storm).run(), best_of(**storm)
    assert found.end_ms <= TIME_OF_BEST * best.end_ms
    assert found.refused <= found.tills
    assert found.longest_ms < PATIENCE_MS


def test_a_pace_believed_for_ever_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutant: the cloud goes by what work took before the outage."""
    monkeypatch.setattr(slots.Pace, "learn", lambda *_: None)
    storm = {"learnt": False, "slow": starved(5, 0, 1e12)}
    with pytest.raises(AssertionError):
        check(Model(**storm).run(), best_of(**storm))


def test_the_model_is_the_same_each_time() -> None:
    """Two runs of a seed end at the same moment, another seed at another."""
    ends = [Model(tills=50, seed=seed, delay=lambda rng: Random.random(rng)).run().end_ms for seed in (1, 1, 2)]
    assert ends[0] == ends[1] != ends[2]
