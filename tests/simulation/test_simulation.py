"""Seeds played out; `make sim SEEDS=2000` plays more of them, `make sim SEED=17` one again, and makes it short."""

import os

import pytest

from simulation.mutants import MUTANTS
from simulation.shrinking import shortest, told
from simulation.world import play

SEEDS = 300
"""In `make test`; each takes about half a second. More with `make sim`."""
QUICKLY_FOUND = (
    *("answers_before_commit", "counts_own_ops_twice", "applies_twice"),
    *("overspends_the_budget", "loses_a_point_in_splitting"),
)

ONE = os.environ.get("TILLSIDE_SEED", "")
ALL = [int(ONE)] if ONE else list(range(1, int(os.environ.get("TILLSIDE_SEEDS", SEEDS)) + 1))
PARTS = 6
"""Classes that seeds are dealt to: those of a class are played by one worker, one after the other."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Deal the seeds."""
    if metafunc.cls is not None and "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", ALL[metafunc.cls.PART :: PARTS])


class _Seeds:
    PART = 0

    def test_every_invariant_holds_through_the_faults_of_a_seed(self, seed: int) -> None:
        failure, _digest = play(seed)
        if failure is not None:
            pytest.fail(told(shortest(failure)))


class TestSeeds1(_Seeds):
    PART = 0


class TestSeeds2(_Seeds):
    PART = 1


class TestSeeds3(_Seeds):
    PART = 2


class TestSeeds4(_Seeds):
    PART = 3


class TestSeeds5(_Seeds):
    PART = 4


class TestSeeds6(_Seeds):
    PART = 5


@pytest.mark.parametrize("seed", [10, 13, 300])
def test_a_seed_plays_the_same_again(seed: int) -> None:
    assert play(seed)[1] == play(seed)[1]


@pytest.mark.parametrize("name", QUICKLY_FOUND)
def test_the_simulation_finds_in_its_first_seed(name: str) -> None:
    """A few of the mistakes; test_simulation_mutants.py has all."""
    with MUTANTS[name]():
        failure, _digest = play(1)
    assert failure is not None
