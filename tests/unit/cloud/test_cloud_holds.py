"""Holds: granted once, resolved once, never given back by time alone."""

import pytest

from till_cloud.exceptions import RefusedError
from till_cloud.holding import FORGOTTEN_AFTER_MS, OPEN_HOLDS_LIMIT
from unit.cloud.cloud_kit import NOON_MS, Chain, chain


@pytest.fixture
def world(tmp_path):
    with chain(tmp_path / "c.db") as made:
        made.member("m-1", points=5000)
        yield made


def refused(world: Chain, *args: object, **kwargs: object) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        world.hold(*args, **kwargs)
    return caught.value


def test_a_hold_reserves_points(world: Chain) -> None:
    till = world.till()
    answer = world.hold(till, "h1", "m-1", 3000, ttl_ms=60_000)
    assert (answer.points, answer.expires_at_ms, answer.balance, answer.held) == (3000, NOON_MS + 60_000, 5000, 3000)
    assert world.balances("m-1") == (5000, 3000, 0)


def test_the_same_hold_asked_again_gets_the_same_answer_and_reserves_once(world: Chain) -> None:
    till = world.till()
    first = world.hold(till, "h1", "m-1", 3000)
    world.hold(till, "h2", "m-1", 1000)
    world.wall.ms += 5
    again = world.hold(till, "h1", "m-1", 3000)
    assert (again.expires_at_ms, again.balance, again.held, again.position) == (
        first.expires_at_ms,
        first.balance,
        first.held,
        first.position,
    )
    assert world.balances("m-1") == (5000, 4000, 0)


def test_no_more_is_promised_than_is_there(world: Chain) -> None:
    till = world.till()
    world.hold(till, "h1", "m-1", 3000)
    error = refused(world, till, "h2", "m-1", 2001)
    assert (error.problem.status, error.code, error.problem.extras["available"]) == (409, "insufficient_points", 2000)
    assert world.hold(till, "h3", "m-1", 2000).held == 5000


def test_a_member_in_debt_is_promised_nothing(world: Chain) -> None:
    world.member("m-2")
    till = world.till()
    till.sale("a", "m-2", 10_000)
    till.push()
    world.hold(till, "h", "m-2", 900)
    till.take_return("r", "a")
    till.push_last()
    assert refused(world, till, "h2", "m-2", 1).problem.extras["available"] == 0


@pytest.mark.parametrize(
    ("status", "http", "code"),
    [
        ("blocked", 409, "member_blocked"),
        ("provisional", 409, "member_provisional"),
        ("removed", 404, "member_unknown"),
    ],
)
def test_only_active_members_spend(world: Chain, status: str, http: int, code: str) -> None:
    world.member("m-2", points=100, status=status)
    error = refused(world, world.till(), "h", "m-2", 1)
    assert (error.problem.status, error.code) == (http, code)


def test_an_unknown_member_has_no_points(world: Chain) -> None:
    assert refused(world, world.till(), "h", "m-none", 1).code == "member_unknown"


@pytest.mark.parametrize("hold", ["", " h", "h h", "ä", "h" * 121, "h\n"])
def test_a_hold_id_that_is_none_is_refused(world: Chain, hold: str) -> None:
    assert refused(world, world.till(), hold, "m-1", 1).code == "hold_invalid"


def test_an_id_that_names_other_points_is_refused(world: Chain) -> None:
    one, two = world.till("k1"), world.till("k2")
    world.hold(one, "h", "m-1", 100)
    assert refused(world, one, "h", "m-1", 101).code == "hold_mismatch"
    assert refused(world, one, "h", "m-1", 100, sale="other").code == "hold_mismatch"
    assert refused(world, two, "h", "m-1", 100).code == "hold_mismatch"


def test_a_released_hold_is_free_again_and_over(world: Chain) -> None:
    till = world.till()
    world.hold(till, "h", "m-1", 3000)
    till.release("h")
    result = till.push_last()
    assert (result.status, result.member_id, result.balance, result.held) == ("applied", "m-1", 5000, 0)
    assert refused(world, till, "h", "m-1", 3000).code == "hold_released"
    till.release("h")
    assert till.push_last().code == "hold_released"
    assert world.balances("m-1") == (5000, 0, 0)


def test_a_used_hold_is_over(world: Chain) -> None:
    till = world.till()
    world.hold(till, "h", "m-1", 3000)
    till.sale("a", "m-1", 10_000, redeem=3000, hold="h")
    till.release("h")
    assert till.push().results[1].code == "hold_used"
    assert refused(world, till, "h", "m-1", 3000).code == "hold_used"


def test_a_release_that_overtakes_its_request_closes_it_in_advance(world: Chain) -> None:
    """The till gave up on an answer; the request, late on the line, must not reserve points that nobody gives back."""
    till = world.till()
    till.release("h")
    assert (till.push_last().status, till.push().results[0].code) == ("applied", "hold_unknown")
    assert refused(world, till, "h", "m-1", 100).code == "hold_released"


def test_a_till_cannot_release_anothers_hold(world: Chain) -> None:
    one, two = world.till("k1"), world.till("k2")
    world.hold(one, "h", "m-1", 100)
    two.release("h")
    assert (two.push_last().status, world.balances("m-1")[1]) == ("rejected", 100)


def test_a_hold_is_not_given_back_by_time(world: Chain) -> None:
    """A sale that used it may wait on a till for weeks; when it comes, it spends what was promised."""
    one, two = world.till("k1"), world.till("k2")
    world.hold(one, "h", "m-1", 5000, ttl_ms=1000)
    one.sale("a", "m-1", 20_000, redeem=5000, hold="h")
    world.wall.ms += 30 * 86_400_000
    assert refused(world, two, "h2", "m-1", 1).code == "insufficient_points"
    result = one.push_last(remaining=0)
    assert (result.status, result.balance) == ("applied", 1500)


def test_a_forgotten_hold_is_given_back_once_its_till_has_pushed_everything(world: Chain) -> None:
    till = world.till()
    world.hold(till, "h", "m-1", 5000, ttl_ms=1000)
    for uid, remaining, later_ms, held in (
        ("a", 0, 0, 5000),
        ("b", -1, FORGOTTEN_AFTER_MS + 2000, 5000),
        ("c", 3, 0, 5000),
        ("d", 0, 0, 0),
    ):
        world.wall.ms += later_ms
        till.sale(uid, "")
        till.push_last(remaining=remaining)
        assert world.balances("m-1")[1] == held, uid
    till.sale("e", "m-1", 10_000, redeem=500, hold="h")
    assert till.push_last().code == "hold_released"


def test_a_till_has_a_limit_of_open_holds(world: Chain) -> None:
    till = world.till()
    for number in range(OPEN_HOLDS_LIMIT):
        world.hold(till, f"h{number}", "m-1", 1)
    error = refused(world, till, "one-more", "m-1", 1)
    assert (error.code, error.problem.retryable) == ("too_many_holds", True)


def test_a_release_op_with_an_impossible_id_is_rejected(world: Chain) -> None:
    till = world.till()
    till.add_raw(
        b'{"kind":"hold-release","uid":"x","store":"s","at_wall_ms":1,"at_mono_ms":1,"boot":"b","hold":"\\u0000"}'
    )
    assert till.push_last().code == "hold_invalid"
