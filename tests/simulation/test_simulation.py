"""Seeds played out; `make sim SEEDS=300` plays more of them, `make sim SEED=17` one again, and makes it short."""

import os

import pytest

from simulation.mutants import MUTANTS
from simulation.shrinking import shortest, told
from simulation.world import play

SEEDS = 24
"""In `make test`; each takes about half a second. More with `make sim`."""
SEEDS_FOR_A_MUTANT = 40

ONE = os.environ.get("TILLSIDE_SEED", "")
ALL = range(1, int(os.environ.get("TILLSIDE_SEEDS", SEEDS)) + 1)


@pytest.mark.parametrize("seed", [int(ONE)] if ONE else ALL)
def test_every_invariant_holds_through_the_faults_of_a_seed(seed: int) -> None:
    failure, _digest = play(seed)
    if failure is not None:
        pytest.fail(told(shortest(failure)))


def test_a_seed_plays_the_same_again() -> None:
    assert play(7)[1] == play(7)[1]


@pytest.mark.parametrize("name", MUTANTS)
def test_the_simulation_finds(name: str) -> None:
    """Each mistake is found; which seed finds it first is told in docs/explanation/reliability.md."""
    with MUTANTS[name]():
        for seed in _likely(name):
            failure, _digest = play(seed)
            if failure is not None:
                return
    pytest.fail(f"{name} lived through {SEEDS_FOR_A_MUTANT} seeds")


FOUND_BY = {
    "not_synced": 9,
    "answers_before_commit": 3,
    "never_sends_again": 4,
    "forgets_the_epoch": 7,
    "cursor_without_rows": 4,
    "gives_holds_back_by_time": 8,
    "trusts_the_wall_clock": 17,
}
"""The first seed that finds a mutant, where it is not seed 1: so that finding it again is quick."""


def _likely(name: str) -> list[int]:
    known = FOUND_BY.get(name)
    others = [seed for seed in range(1, SEEDS_FOR_A_MUTANT + 1) if seed != known]
    return others if known is None else [known, *others]
