"""`kill -9` at any moment of a till that makes 200 sales a second on several connections: many commits are one write
then, many answers are on their way, and the queue is being sent. Each promise is checked at the end."""

import random
import time
from typing import NamedTuple

import pytest

from kit.load import Load
from kit.proof import LostError
from kit.world import World

KILLS = 20
SOAK_KILLS = 1_000
RATE = 200
DESKS = 8
"""Each has at most one sale under way, so at 200 a second there are seldom fewer than two at once."""
SHORTEST_UP_S = 0.2
LONGEST_UP_S = 0.5
SOAK_LONGEST_UP_S = 1.2
"""Some kills come in the till's first second, in which it also greets the cloud and sends what waits."""
SEED = 20171223


class Killed(NamedTuple):
    """What happened: sales answered, requests that broke off, sales answered while the till was up and for how many
    seconds it was, seconds in all, operations in the journal and at the cloud."""

    sales: int
    unanswered: int
    up_sales: int
    up_s: float
    took_s: float
    ops: int

    @property
    def rate(self) -> float:
        """Sales a second while the till was up."""
        return self.up_sales / self.up_s


def kill_under_load(
    world: World, kills: int, seed: int, *, mutant: str = "", longest_up_s: float = LONGEST_UP_S
) -> Killed:
    """One till under load is killed `kills` times at random moments; then journal, ledger and balances are compared."""
    rng = random.Random(seed)
    world.start_cloud()
    till = world.till()
    till.start().wait_members().kill()
    begun = time.monotonic()
    up_s, up_sales = 0.0, 0
    load = Load(till, rate=RATE, desks=DESKS, seed=seed)
    load.begin()
    try:
        for _ in range(kills):
            till.start(mutant)
            sold, up_since = len(load.answers), time.monotonic()
            load.up()
            time.sleep(rng.uniform(SHORTEST_UP_S, longest_up_s))
            load.down()
            up_s += time.monotonic() - up_since
            up_sales += len(load.answers) - sold
            till.kill()
    finally:
        till.start()
        load.up()
        load.end()
    took_s = time.monotonic() - begun
    rows = world.prove_ops(till, load.answers, load.tried)
    world.prove_balances(rows)
    return Killed(len(load.answers), load.unanswered, up_sales, up_s, took_s, len(rows))


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.timeout(200)
def test_twenty_kills_under_load_lose_and_double_nothing(world: World) -> None:
    """Always with the same seed; some kills must have cut requests off."""
    killed = kill_under_load(world, KILLS, SEED)
    print(f"{killed}, {killed.rate:.0f} sales a second while up")
    assert killed.unanswered > 0


@pytest.mark.soak
@pytest.mark.faults
@pytest.mark.timeout(0)
def test_a_thousand_kills_at_two_hundred_sales_a_second_lose_and_double_nothing(world: World) -> None:
    """The same for about a quarter of an hour, with a seed of its own that is told."""
    seed = random.SystemRandom().randrange(2**32)
    killed = kill_under_load(world, SOAK_KILLS, seed, longest_up_s=SOAK_LONGEST_UP_S)
    print(f"seed {seed}: {killed}, {killed.rate:.0f} sales a second while up")


@pytest.mark.faults
@pytest.mark.mutants
def test_an_answer_before_the_commit_is_found_out_under_load(world: World) -> None:
    """Mutant: some of the sales that were answered are gone."""
    with pytest.raises(LostError):
        kill_under_load(world, 3, SEED, mutant="answers-before-commit")
