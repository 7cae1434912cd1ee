"""Goods come back while the points they earned are lent to tills: the points are there, and are asked back for it."""

import msgspec
import pytest

from till_cloud.adjusting import adjust
from till_cloud.exceptions import AdminError
from till_loyalty.programme import Programme
from unit.cloud.cloud_kit import Till
from unit.cloud.grants_kit import LendingChain, covered, lending, release

POLICIES = ("debt", "within_balance", "refuse")


@pytest.fixture(params=POLICIES)
def rules(request: pytest.FixtureRequest) -> Programme:
    """Each policy in its turn."""
    return msgspec.structs.replace(lending(), return_policy=request.param)


def bought_and_lent(world: LendingChain, till: Till) -> None:
    """All that the member has, 1000 points of one purchase, lies with tills."""
    world.member("m-1")
    till.sale("a", "m-1", 10_000)
    till.push_last()
    world.lend()
    assert world.granted("m-1") == 1000


def recalled(world: LendingChain, till: Till) -> int:
    row = world.row(till, "m-1")
    return 0 if row is None else row.recall


def test_a_return_owes_what_is_lent_and_asks_it_back(world: LendingChain) -> None:
    """Whatever the policy says of points that are spent: these are not. What the till gives back pays."""
    till = world.taker()
    bought_and_lent(world, till)
    till.take_return("r", "a")
    verdict = till.push_last()

    assert (verdict.status, verdict.code, verdict.balance) == ("applied", "", 0)
    assert recalled(world, till) == 1000
    release(till, "m-1", 1000)
    till.push_last()
    assert world.balances("m-1") == (0, 0, 0)
    assert world.granted("m-1") == 0


def test_buying_and_returning_for_ever_gains_nothing(world: LendingChain) -> None:
    """Were lent points taken for spent ones, each round would leave its points with the member."""
    till = world.taker()
    world.member("m-1")
    for number in range(5):
        till.sale(f"a{number}", "m-1", 10_000)
        till.push_last()
        world.lend()
        till.take_return(f"r{number}", f"a{number}")
        till.push_last()
        release(till, "m-1", recalled(world, till))
        till.push_last()
        world.wall.ms += 600_000
    assert world.balances("m-1") == (0, 0, 0)


def test_the_till_that_takes_the_goods_back_is_asked_first(world: LendingChain) -> None:
    """It has a line at this moment; others are asked only for what it has not."""
    till, other = world.taker(), world.taker("k2")
    bought_and_lent(world, till)
    mine, theirs = world.row(till, "m-1"), world.row(other, "m-1")
    assert mine is not None
    assert theirs is not None
    till.take_return("r", "a", [(1, 800)])
    till.push_last()
    assert (recalled(world, till), recalled(world, other)) == (400, 0)
    till.take_return("r2", "a")
    till.push_last()
    assert (recalled(world, till), recalled(world, other)) == (mine.points, theirs.points)


def test_others_are_asked_when_the_first_has_spent_its_share(world: LendingChain) -> None:
    """Its sale was on its way: the question moves on with what is left to ask."""
    till, other = world.taker(), world.taker("k2")
    bought_and_lent(world, till)
    till.take_return("r", "a", [(1, 800)])
    till.push_last()
    covered(till, "s", "m-1", 500, "grant")
    assert till.push_last().status == "applied"
    # The 50 that the sale earns pay some of the debt of 400.
    assert world.balances("m-1")[2] == 350
    assert (recalled(world, till), recalled(world, other)) == (0, 350)


def test_the_member_may_spend_again_when_the_debt_is_paid(world: LendingChain) -> None:
    """No rest and no recall is left behind."""
    till = world.taker()
    bought_and_lent(world, till)
    till.take_return("r", "a", [(1, 1000)])
    till.push_last()
    release(till, "m-1", recalled(world, till))
    till.push_last()
    assert world.balances("m-1") == (500, 0, 0)
    assert recalled(world, till) == 0
    covered(till, "s", "m-1", 500, "grant")
    assert till.push_last().status == "applied"


def test_what_is_neither_there_nor_lent_goes_by_the_policy(world: LendingChain) -> None:
    """400 were spent, 600 are lent: only these are owed by all."""
    till = world.taker()
    bought_and_lent(world, till)
    covered(till, "s", "m-1", 400, "grant")
    till.push_last()
    till.take_return("r", "a")
    verdict = till.push_last()
    policy = world.programme.return_policy
    assert (verdict.status, verdict.code) == {
        "debt": ("applied", ""),
        "within_balance": ("adjusted", "points_forgiven"),
        "refuse": ("rejected", "points_spent"),
    }[policy]
    # The 40 that the second sale earned are free, and taken.
    assert world.balances("m-1")[2] == {"debt": 960, "within_balance": 600, "refuse": 0}[policy]


def test_staff_take_points_that_tills_have(world: LendingChain) -> None:
    """With everything lent, a correction would never find anything free; more than the balance stays refused."""
    till = world.taker()
    bought_and_lent(world, till)

    def take(points: int) -> int:
        return world.centre.write(
            lambda c: adjust(c, "m-1", -points, why="slip", by="staff", now_ms=world.wall())
        ).result().balance  # fmt: skip

    with pytest.raises(AdminError):
        take(1001)
    assert take(700) == 300
    assert recalled(world, till) == 700
    with pytest.raises(AdminError):
        take(301)
