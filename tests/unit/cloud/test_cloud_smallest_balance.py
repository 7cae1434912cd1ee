"""The smallest balance to spend from is the member's, wherever their points lie; it is looked at before a promise."""

import msgspec
import pytest

from till_cloud.exceptions import RefusedError
from till_loyalty.programme import Programme
from unit.cloud.grants_kit import LendingChain, lending, release


@pytest.fixture
def rules() -> Programme:
    """Points can be spent from 500 on."""
    usual = lending()
    least = msgspec.structs.replace(usual.redemption, minimum_balance_points=500)
    return msgspec.structs.replace(usual, redemption=least)


def test_points_that_other_tills_have_are_the_members_balance(world: LendingChain) -> None:
    """1000 points, 900 lent elsewhere: a hold of 100 is granted, and its sale is spent, not refused afterwards."""
    till, other = world.taker(), world.taker("k2")
    world.member("m-1", points=1000)
    world.give(till, "m-1", 900)
    assert world.hold(other, "h", "m-1", 100).points == 100
    other.sale("a", "m-1", 1000, redeem=100, hold="h", spendable=1000)
    assert other.push_last().status == "applied"


def test_they_are_called_back_for_it(world: LendingChain) -> None:
    """What is lent counts for the smallest balance and for the points themselves."""
    till, other = world.taker(), world.taker("k2")
    world.member("m-1", points=1000)
    world.give(till, "m-1", 900)
    answer = world.hold(other, "h", "m-1", 600)
    assert isinstance(answer, RefusedError)
    assert answer.code == "points_lent"
    release(till, "m-1", 500)
    till.push_last()
    assert world.hold(other, "h", "m-1", 600).points == 600


def test_too_small_a_balance_is_said_before_the_customer_is_promised_anything(world: LendingChain) -> None:
    """What receipts under way keep is not there; nobody is asked for points that would not help."""
    till, other = world.taker(), world.taker("k2")
    world.member("m-1", points=1000)
    world.hold(till, "h1", "m-1", 501)
    with pytest.raises(RefusedError) as caught:
        world.hold(other, "h2", "m-1", 100)
    assert caught.value.code == "insufficient_points"
    assert caught.value.problem.extras["available"] == 0
    world.member("m-2", points=499)
    world.give(till, "m-2", 499)
    with pytest.raises(RefusedError):
        world.hold(other, "h3", "m-2", 100)
    row = world.row(till, "m-2")
    assert row is not None
    assert row.recall == 0


def test_a_promise_stands_when_the_balance_shrinks(world: LendingChain) -> None:
    """The goods of an earlier receipt came back meanwhile."""
    till = world.taker()
    world.member("m-1", points=100)
    till.sale("a", "m-1", 4_500)
    till.push_last()
    world.hold(till, "h", "m-1", 100)
    till.take_return("r", "a")
    till.sale("b", "m-1", 1000, redeem=100, hold="h", spendable=500)
    till.push(len(till.ops) - 1)
    assert world.rows("SELECT status, code FROM ops ORDER BY seq DESC LIMIT 1") == [("applied", "")]
