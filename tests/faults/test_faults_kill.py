"""`kill -9` of the agent between a quote and the answer to its sale: nothing acknowledged is lost, none doubled."""

import os
import random
import signal
import statistics
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from kit.cashier import Cashier
from kit.chain import TILLS
from kit.proof import DoubledError, LostError
from kit.world import Till, World

KILLS = 80
SOAK_KILLS = 5_000
SEED = 20171223
MEASURED = 5
"""Sales after a start that are not killed, to learn how long one takes here: moments are drawn from that time."""
MARGIN = 2
"""Some kills come after the answer: those must not lose it either."""


def kill_in_mid_sale(cashier: Cashier, delay_s: float) -> str:
    """One receipt with the power failing `delay_s` after the sale was sent; what had become of it."""
    cashier.sell()
    uid = cashier.ring_up()
    agent = cashier.till.agent
    assert agent is not None
    begun = threading.Event()

    def strike() -> None:
        begun.wait()
        time.sleep(delay_s)
        os.kill(agent.process.pid, signal.SIGKILL)

    killer = threading.Thread(target=strike)
    killer.start()
    begun.set()
    answered = cashier.send(uid) is not None
    killer.join()
    cashier.till.kill()
    cashier.till.start()
    known = cashier.make_sure(uid)
    cashier.make_sure(uid)
    return "answered" if answered else "committed" if known else "not begun"


def kill_often(till: Till, kills: int, seed: int) -> tuple[Cashier, Counter[str]]:
    """A till that is killed `kills` times at seeded moments."""
    cashier = Cashier(till, random.Random(seed))
    took: list[float] = []
    till.start().wait_members().kill()
    for _ in range(MEASURED):
        till.start()
        cashier.sell()
        uid = cashier.ring_up()
        begun = time.perf_counter()
        assert cashier.send(uid) is not None
        took.append(time.perf_counter() - begun)
        till.kill()
    till.start()
    fates = Counter(
        kill_in_mid_sale(cashier, cashier.rng.random() * statistics.median(took) * MARGIN) for _ in range(kills)
    )
    return cashier, fates


def prove_kills(world: World, kills: int, seed: int) -> None:
    """At two tills at once, which push to one cloud meanwhile; then journals, ledger and balances are compared."""
    world.start_cloud()
    tills = [world.till(name) for name in TILLS]
    with ThreadPoolExecutor(len(tills)) as pool:
        runs = [pool.submit(kill_often, till, kills // len(tills), seed + n) for n, till in enumerate(tills)]
        done = [run.result() for run in runs]
    fates = sum((fate for _, fate in done), Counter[str]())
    assert fates.total() == kills
    assert fates["committed"] + fates["not begun"] > 0, f"no kill came before the answer: {fates}"
    rows = []
    for cashier, _ in done:
        assert len(cashier.answers) == len(cashier.tried) == 2 * (kills // len(tills) + MEASURED)
        rows += world.prove_ops(cashier.till, cashier.answers, set(cashier.tried))
    world.prove_balances(rows)


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.timeout(400)
def test_eighty_kills_in_mid_sale_lose_and_double_nothing(world: World) -> None:
    """Always with the same seed; where in the agent's work a kill falls is another each time."""
    prove_kills(world, KILLS, SEED)


@pytest.mark.soak
@pytest.mark.faults
@pytest.mark.timeout(0)
def test_five_thousand_kills_in_mid_sale_lose_and_double_nothing(world: World) -> None:
    """The same for about half an hour, with a seed of its own that is told when it fails."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    prove_kills(world, SOAK_KILLS, seed)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("moment", "known"), [("dies-before-commit", False), ("dies-within-commit", False), ("dies-after-commit", True)]
)
def test_the_moments_that_chance_seldom_hits(world: World, moment: str, known: bool) -> None:
    """Before, within and after the commit: the same sale sent again is sold once, with one answer."""
    world.start_cloud()
    till = world.till().start(moment).wait_members()
    cashier = Cashier(till, random.Random(SEED))
    uid = cashier.ring_up()
    assert cashier.send(uid) is None
    till.kill()
    till.start()
    assert cashier.make_sure(uid) is known
    assert cashier.make_sure(uid) is True
    world.prove(till, cashier.answers, set(cashier.tried))


@pytest.mark.faults
def test_an_answer_before_the_commit_is_found_out(world: World) -> None:
    """Mutant: the acknowledged sale is gone after the kill."""
    till = world.till().start("answers-before-commit")
    cashier = Cashier(till, random.Random(SEED))
    with pytest.raises(LostError):
        assert kill_in_mid_sale_after_answer(cashier) is True
    till.stop()


def kill_in_mid_sale_after_answer(cashier: Cashier) -> bool:
    """The power fails the moment the answer is there; whether the till still knows of the sale."""
    uid = cashier.ring_up()
    assert cashier.send(uid) is not None
    cashier.till.kill()
    cashier.till.start()
    return cashier.make_sure(uid)


@pytest.mark.faults
def test_a_sale_is_there_after_its_answer(world: World) -> None:
    """The power fails the moment the answer is there, and the sale is there."""
    cashier = Cashier(world.till().start(), random.Random(SEED))
    assert kill_in_mid_sale_after_answer(cashier) is True


@pytest.mark.faults
def test_a_sale_that_is_sold_again_is_found_out(world: World) -> None:
    """Mutant: the second try of a sale is a second sale."""
    cashier = Cashier(world.till().start("sells-again"), random.Random(SEED))
    uid = cashier.ring_up()
    assert cashier.send(uid) is not None
    with pytest.raises(DoubledError):
        cashier.send(uid)
