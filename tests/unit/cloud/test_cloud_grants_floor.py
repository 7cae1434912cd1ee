"""The floor limit at the cloud: points that are not there are owed, and the worst loss is the one that was chosen."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from till_loyalty.programme import Floor, Programme
from till_sync.ops import SaleBody, decode_body
from unit.cloud.cloud_kit import Till
from unit.cloud.grants_kit import LendingChain, covered, lending

FLOOR = Floor(member_points=500, till_points=2_000)


@pytest.fixture
def rules() -> Programme:
    """Without a line, points that are not there may be spent up to the limit."""
    return lending(offline="floor", floor=FLOOR)


@pytest.fixture
def till(world: LendingChain) -> Till:
    world.member("m-1", points=300)
    world.till("k2")
    return world.taker()


def test_what_is_there_is_spent_as_usual(world: LendingChain, till: Till) -> None:
    """Nothing is owed, and nobody is called."""
    covered(till, "a", "m-1", 200, "floor")
    result = till.push_last()

    assert (result.status, result.balance, world.balances("m-1")) == ("applied", 120, (120, 0, 0))
    assert world.flags() == []


def test_what_is_not_there_is_owed(world: LendingChain, till: Till) -> None:
    """The gross figures say what was spent; what is earned later pays the debt first."""
    covered(till, "a", "m-1", 400, "floor")
    result = till.push_last()

    # 300 were there; 400 in money earned 40, which paid part of the 100 owed.
    assert (result.status, result.balance, result.effect_points) == ("applied", -60, -360)
    assert world.balances("m-1") == (0, 0, 60)
    assert world.rows("SELECT earned, redeemed, reversed FROM balances WHERE member_id = 'm-1'") == [(340, 400, 0)]
    assert world.flags() == ["floor_overdrawn"]


def test_a_return_brings_an_overdrawn_sale_back(world: LendingChain, till: Till) -> None:
    """As if it had not been."""
    covered(till, "a", "m-1", 400, "floor")
    till.push_last()
    till.take_return("r", "a")
    assert till.push_last().status == "applied"

    assert world.balances("m-1") == (300, 0, 0)


def test_a_return_after_the_debt_was_paid_gives_the_points(world: LendingChain, till: Till) -> None:
    """The debt was paid with points of the member: they are theirs again."""
    covered(till, "a", "m-1", 400, "floor")
    till.sale("b", "m-1", 2_000)
    till.push(len(till.ops) - 1)
    assert world.balances("m-1") == (140, 0, 0)
    till.take_return("r", "a")
    till.push_last()

    assert world.balances("m-1") == (500, 0, 0)


def test_granted_points_are_not_overdrawn_away(world: LendingChain, till: Till) -> None:
    """Another till's share stays there, whatever is owed."""
    other = world.taker("k3")
    world.give(other, "m-1", 250)
    covered(till, "a", "m-1", 200, "floor")
    till.push_last()
    covered(other, "b", "m-1", 250, "grant")

    assert other.push_last().status == "applied"


@pytest.mark.parametrize("points", [501, 2_000])
def test_more_than_the_floor_is_not_spent(world: LendingChain, till: Till, points: int) -> None:
    """A till that goes beyond what the retailer takes on itself is no word to move points by."""
    covered(till, "a", "m-1", points, "floor")

    assert till.push_last().code == "floor_exceeded"
    assert world.balances("m-1")[2] == 0


def test_without_such_a_policy_there_is_no_floor(world: LendingChain, till: Till) -> None:
    """The policy of the programme that the sale names counts."""
    rules = lending(2)
    world.upload(rules)
    covered(till, "a", "m-1", 100, "floor")

    assert till.push_last().code == "floor_missing"


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(
    balance=st.integers(0, 900),
    member_points=st.integers(1, 600),
    more_points=st.integers(0, 600),
    wishes=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 400)), min_size=1, max_size=8),
    order=st.randoms(use_true_random=False),
)
def test_the_worst_loss_is_the_one_that_was_chosen(
    tmp_path_factory: pytest.TempPathFactory,
    balance: int,
    member_points: int,
    more_points: int,
    wishes: list[tuple[int, int]],
    order,
) -> None:
    """However tills that are cut off spend: (tills - 1) times the least of floor and balance; in all tills times C."""
    till_points = member_points + more_points
    floor = Floor(member_points=member_points, till_points=till_points)
    world = LendingChain(tmp_path_factory.mktemp("floor") / "c.db", rules=lending(offline="floor", floor=floor))
    world.member("m-1", points=balance)
    tills = [world.taker(f"k{number}") for number in range(3)]
    spent = [0, 0, 0]
    for number, (index, wish) in enumerate(wishes):
        # What an honest till lets a member spend who is shown `balance`, before the cloud has heard of any of it.
        allowed = min(member_points, till_points, balance) - spent[index]
        points = min(wish, allowed)
        if points > 0:
            covered(tills[index], f"s{number}", "m-1", points, "floor")
            spent[index] += points
    waiting = [till for till in tills if len(till.ops) > 1]
    order.shuffle(waiting)
    for till in waiting:
        results = till.push(2).results
        assert {result.status for result in results} == {"applied"}

    left, _, debt = world.balances("m-1")
    assert left - debt >= -2 * min(member_points, balance)
    assert debt <= 3 * till_points
    world.sound()
    world.centre.close()


def test_the_kit_makes_what_tills_send(world: LendingChain, till: Till) -> None:
    """A covered sale names the hold that the till gave itself."""
    covered(till, "a", "m-1", 100, "floor")
    body = decode_body(bytes(till.ops[-1].body))
    assert isinstance(body, SaleBody)
    assert (body.cover, body.hold[:2]) == ("floor", "f-")
