"""A wall clock that is set ten years forth and back under a till that sells: a hold lasts as long as it was to, and
nothing is lost, doubled, revived or put in another order."""

import random

import pytest

from kit.bridge import receipt
from kit.cashier import Cashier
from kit.chain import ANNA
from kit.world import Till, World

pytestmark = pytest.mark.faults

TEN_YEARS_S = 3_653 * 86_400
SEED = 20_361_123


def set_clock(till: Till, seconds: int) -> None:
    (till.folder / "clock").write_text(str(seconds))


def sell_through_jumps(world: World, mutant: str) -> None:
    """Points are held, the clock is set, and the receipt is paid; then the till is killed, and starts by that clock."""
    world.start_cloud()
    till = world.till().start(mutant).wait_members()
    cashier = Cashier(till, random.Random(SEED))
    for number, seconds in enumerate((TEN_YEARS_S, -TEN_YEARS_S, 0)):
        uid = f"held-{number}"
        wish = {"sale_uid": uid, "member": {"card": ANNA.card}, "points": 100}
        hold = till.pos.ask("POST", "/v1/holds", wish)["hold"]
        set_clock(till, seconds)
        cashier.tried[uid] = receipt(4_000, member={"card": ANNA.card}, redeem_points=100, hold=hold)
        assert cashier.send(uid).json()["calculation"]["redeemed_points"] == 100
        cashier.sell(2)
        till.drain()
        till.wait_status(
            lambda s, wrong=seconds: ("clock_skew" in {each["code"] for each in s["problems"]}) == bool(wrong),
            "the clock to be told of",
        )
    world.line.cut()
    cashier.sell()
    set_clock(till, -TEN_YEARS_S)
    till.kill().start(mutant)
    cashier.sell()
    world.line.mend()
    world.prove(till, cashier.answers, set(cashier.tried))


def test_a_clock_that_jumps_ten_years_costs_nothing(world: World) -> None:
    sell_through_jumps(world, "clock-is-set")


@pytest.mark.mutants
def test_a_till_that_ends_holds_by_the_wall_clock_is_found_out(world: World) -> None:
    with pytest.raises(AssertionError):
        sell_through_jumps(world, "holds-end-by-the-wall-clock")
