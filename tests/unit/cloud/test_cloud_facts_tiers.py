"""Tiers moved by spending and events given, as sales and returns come in, in whatever order."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from till_cloud.staff import set_tier
from till_cloud.store import facts
from till_cloud.verify import verify
from till_loyalty.programme import Event, Rule, Tier
from till_loyalty.rule_parts import Funding
from unit.cloud.cloud_desk import Desk, on
from unit.cloud.cloud_kit import NOON_MS, Chain, programme

RULES = programme(
    tiers=(
        Tier(id="standard"),
        Tier(id="silver", from_spend_minor=50_000),
        Tier(id="gold", from_spend_minor=100_000, multiplier_basis_points=20_000),
        Tier(id="friends", by_hand=True),
    ),
    tier_period="month",
    rules=(Rule(id="base", percent_basis_points=1000),),
    events=(
        Event(id="hello", on="first_purchase", points=1_000, minimum_sum_minor=5_000),
        Event(id="brought", on="referred", points=300, minimum_sum_minor=5_000),
        Event(id="thanks", on="referrer", points=400, minimum_sum_minor=5_000, maximum=2),
        Event(id="up", on="tier_reached", tiers=("silver", "gold"), points=50, funded_by=Funding(supplier="acme")),
    ),
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Chain]:
    made = Chain(tmp_path / "c.db", rules=RULES)
    made.member("m-1", tier="standard")
    made.member("m-2", tier="standard")
    old(made, "m-1", "m-2")
    try:
        yield made
        verification = made.centre.read(verify)
        assert verification.holds, verification.breaches
    finally:
        made.centre.close()


def old(world: Chain, *names: str) -> None:
    """Members who bought something before, so that nothing is their first."""
    for name in names:
        world.centre.write(
            lambda c, n=name: facts.add_purchases(c, {n: facts.Purchases(1, "2026-06-01", 10**9)})
        ).result()


def desk_of(world: Chain, name: str = "k1") -> Desk:
    desk = Desk(world, name)
    desk.pull()
    return desk


def tier(world: Chain, member: str = "m-1") -> str:
    return world.rows("SELECT tier FROM members WHERE member_id = ?", member)[0][0]


def events(world: Chain, member: str = "m-1") -> list[tuple[str, int, int]]:
    """Movements of events: (event, given, taken back)."""
    sql = "SELECT uid, earned, reversed FROM movements WHERE member_id = ? AND kind = 'event' ORDER BY position"
    return world.rows(sql, member)


def test_spending_moves_up_at_once_and_tills_hear_of_it(world: Chain) -> None:
    desk = desk_of(world)
    assert desk.sold("a", "m-1", 60_000).effect_points == 6_000
    assert tier(world) == "silver"
    desk.pull()
    assert desk.rows["m-1"].tier == "silver"
    assert world.rows("SELECT tier_before, tier_after, reason FROM tier_moves") == [("standard", "silver", "spend")]


def test_a_return_moves_down_at_once_and_takes_the_tiers_points_back(world: Chain) -> None:
    desk = desk_of(world)
    desk.sold("a", "m-1", 60_000)
    desk.returned("r", "a")
    assert (tier(world), world.balances("m-1")) == ("standard", (0, 0, 0))
    assert events(world) == [("up", 50, 0), ("up", 0, 50)]
    assert world.rows("SELECT sum(points), sum(points_share) FROM funded") == [(0, 0)]


def test_a_tier_reached_again_after_a_return_gives_nothing_again(world: Chain) -> None:
    """And a second return takes nothing again: no loop gains a point, and none loses one."""
    desk = desk_of(world)
    for uid in ("a", "b"):
        desk.sold(uid, "m-1", 60_000)
        desk.returned(f"r-{uid}", uid)
    assert events(world) == [("up", 50, 0), ("up", 0, 50)]
    assert world.balances("m-1") == (0, 0, 0)


def test_tiers_stepped_over_give_as_those_stepped_into(world: Chain) -> None:
    desk = desk_of(world)
    desk.sold("a", "m-1", 100_000)
    assert tier(world) == "gold"
    assert [key for (key,) in world.rows("SELECT key FROM events_given ORDER BY key")] == [
        "gold:2027-01",
        "silver:2027-01",
    ]


def test_a_late_offline_sale_counts_in_its_own_month(world: Chain) -> None:
    """The month before still carries the tier; one long over does not."""
    desk = desk_of(world)
    desk.sold("a", "m-1", 60_000, clock=on("2026-11-20"), offline=True)
    assert tier(world) == "standard"
    desk.sold("b", "m-1", 60_000, clock=on("2026-12-20"), offline=True)
    assert tier(world) == "silver"


def test_a_sale_counts_by_the_tier_that_the_member_had_when_it_was_made(world: Chain) -> None:
    """The queue of an offline till comes after a return took the tier away."""
    first, late = desk_of(world), desk_of(world, "k2")
    first.sold("a", "m-1", 100_000)
    late.pull()
    world.wall.ms += 3_600_000
    late.sell("b", "m-1", at_ms=world.wall.ms)
    world.wall.ms += 3_600_000
    first.returned("r", "a")
    assert tier(world) == "standard"
    result = late.push()[0]
    assert (result.status, result.effect_points) == ("applied", 2_000)


def test_a_sale_made_after_the_tier_was_lost_counts_by_the_new_one(world: Chain) -> None:
    first, late = desk_of(world), desk_of(world, "k2")
    first.sold("a", "m-1", 100_000)
    late.pull()
    first.returned("r", "a")
    world.wall.ms += 3_600_000
    result = late.sold("b", "m-1", at_ms=world.wall.ms)
    assert (result.status, result.code, result.effect_points) == ("adjusted", "facts_differ", 1_000)


def test_a_clock_that_is_ahead_makes_no_tier(world: Chain) -> None:
    """The sale's moment is never later than the cloud's own."""
    late = desk_of(world)
    late.rows["m-1"] = type(late.rows["m-1"])(member_id="m-1", tier="gold")
    assert late.sold("b", "m-1", at_ms=NOON_MS * 2).code == "facts_differ"


def test_a_tier_given_by_hand_is_not_moved_by_spending(world: Chain) -> None:
    world.centre.write(lambda c: set_tier(c, "m-1", "friends", world.wall())).result()
    desk_of(world).sold("a", "m-1", 200_000)
    assert tier(world) == "friends"
    assert events(world) == []


def test_a_first_purchase_gives_once_however_the_op_is_retried(world: Chain) -> None:
    world.member("m-3", tier="standard")
    desk = desk_of(world)
    desk.sold("a", "m-3")
    desk.till.push(1)
    desk.sold("b", "m-3")
    assert events(world, "m-3") == [("hello", 1_000, 0)]
    assert world.balances("m-3") == (1_000 + 1_000 + 1_000, 0, 0)


def test_a_first_purchase_is_the_first_of_at_least_the_sum(world: Chain) -> None:
    world.member("m-3", tier="standard")
    desk = desk_of(world)
    desk.sold("a", "m-3", 4_000)
    assert events(world, "m-3") == []
    desk.sold("b", "m-3", 5_000)
    desk.sold("c", "m-3", 5_000)
    assert events(world, "m-3") == [("hello", 1_000, 0)]


def test_a_void_takes_the_events_points_and_the_next_sale_gives_them(world: Chain) -> None:
    """A cashier's slip of the hand costs nobody their welcome; but never twice."""
    world.member("m-3", tier="standard")
    desk = desk_of(world)
    desk.sold("a", "m-3", 10_000)
    desk.voided("a")
    assert world.balances("m-3") == (0, 0, 0)
    desk.sold("b", "m-3", 10_000)
    assert world.balances("m-3") == (2_000, 0, 0)


def test_a_return_that_leaves_too_little_takes_the_events_points_for_good(world: Chain) -> None:
    world.member("m-3", tier="standard")
    desk = desk_of(world)
    desk.sold("a", "m-3", 4_000, 4_000)
    desk.returned("r1", "a", [(1, 1000)])
    desk.returned("r2", "a", [(2, 1000)])
    desk.sold("b", "m-3", 10_000)
    assert events(world, "m-3") == [("hello", 1_000, 0), ("hello", 0, 1_000)]
    assert world.balances("m-3") == (1_000, 0, 0)


def test_points_of_an_event_that_are_spent_are_owed(world: Chain) -> None:
    world.member("m-3", tier="standard")
    desk = desk_of(world)
    desk.sold("a", "m-3", 10_000)
    world.hold(desk.till, "h", "m-3", 2_000)
    desk.till.sale("s", "m-3", 10_000, tier="standard", redeem=2_000, hold="h")
    assert desk.push()[-1].status == "applied"
    desk.returned("r", "a")
    left, _, debt = world.balances("m-3")
    assert left - debt == 2_000 - 2_000 + 800 - 2_000


def refer(world: Chain, new: str, by: str) -> None:
    world.member(new, tier="standard")
    world.centre.write(lambda c: c.execute("UPDATE members SET referrer = ? WHERE member_id = ?", (by, new))).result()


def test_a_friend_gives_to_both_and_a_return_takes_from_both(world: Chain) -> None:
    refer(world, "m-3", "m-1")
    desk = desk_of(world)
    desk.sold("a", "m-3", 10_000)
    assert events(world, "m-3") == [("hello", 1_000, 0), ("brought", 300, 0)]
    assert events(world) == [("thanks", 400, 0)]
    desk.pull()
    assert desk.rows["m-1"].balance == 400
    desk.returned("r", "a")
    assert (world.balances("m-3"), world.balances("m-1")) == ((0, 0, 0), (0, 0, 0))
    desk.sold("b", "m-3", 10_000)
    assert (world.balances("m-3"), world.balances("m-1")) == ((1_000, 0, 0), (0, 0, 0))


def test_a_referrer_is_thanked_so_often_and_no_more(world: Chain) -> None:
    desk = desk_of(world)
    for number in (3, 4, 5):
        refer(world, f"m-{number}", "m-1")
        desk.pull()
        desk.sold(f"a{number}", f"m-{number}", 10_000)
    assert events(world) == [("thanks", 400, 0)] * 2


def test_a_blocked_referrer_gets_nothing_and_the_sale_stands(world: Chain) -> None:
    world.member("m-9", status="blocked")
    refer(world, "m-3", "m-9")
    assert desk_of(world).sold("a", "m-3", 10_000).status == "applied"
    assert events(world, "m-9") == []
    assert events(world, "m-3") == [("hello", 1_000, 0)]
