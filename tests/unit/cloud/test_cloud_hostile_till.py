"""A till that lies: no field of an op breaks the cloud, poisons its line, or gives what the honest op would not."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from till_cloud.verify import verify
from till_loyalty.programme import Rule, Tier
from till_loyalty.receipt import MemberState, Place, StoreClock, Usage
from till_loyalty.results import DiscountGiven
from till_loyalty.rule_parts import Coupon, Discount, Life, Limit, Who
from till_sync.ops import RegisterBody, SaleBody, Subject, encode_body
from unit.cloud.cloud_desk import Desk
from unit.cloud.cloud_kit import Chain, programme

HUGE = 10**30
RULES = programme(
    tiers=(Tier(id="standard"), Tier(id="gold", from_spend_minor=1_000_000)),
    tier_period="month",
    rules=(
        Rule(id="base", percent_basis_points=1000, life=Life(expires_after_days=30)),
        Rule(id="daily", points=500, limits=(Limit(per="day", amount=500),)),
        Rule(id="fund", points=10, limits=(Limit(per="budget", amount=1_000, offline="share"),)),
        Rule(id="off", discount=Discount(percent_basis_points=1000), who=Who(coupon="tenth")),
    ),
    coupons=(Coupon(id="tenth", codes=("T-1",), uses_per_code=1, offline="allow"),),
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Chain]:
    made = Chain(tmp_path / "c.db", rules=RULES)
    made.member("m-1", points=1_000, tier="standard")
    try:
        yield made
        assert made.centre.read(verify).holds
    finally:
        made.centre.close()


def taken(row: DiscountGiven) -> Callable[[SaleBody], SaleBody]:
    return lambda body: replace(body, result=replace(body.result, discounts=(row,)))


HOSTILE: dict[str, Callable[[SaleBody], SaleBody]] = {
    "a supplier's share past all": taken(
        DiscountGiven(
            rule="nobody", line=1, base_minor=1, amount_minor=1, supplier="acme", supplier_share_basis_points=HUGE
        )
    ),
    "a discount past all": taken(DiscountGiven(rule="nobody", line=1, base_minor=1, amount_minor=HUGE)),
    "a discount below 0": taken(DiscountGiven(rule="nobody", line=1, base_minor=1, amount_minor=-HUGE)),
    "a time before all, with another tier": lambda body: replace(
        body, at_wall_ms=-HUGE, facts=replace(body.facts or MemberState(), tier="gold")
    ),
    "a time after all, with another tier": lambda body: replace(
        body, at_wall_ms=HUGE, facts=replace(body.facts or MemberState(), tier="gold")
    ),
    "budgets past all": lambda body: replace(body, budgets={"fund": HUGE, "x": -HUGE}),
    "budgets below 0": lambda body: replace(body, budgets={"fund": -HUGE}),
    "use past all": lambda body: replace(
        body,
        usage=(Usage(rule="daily", per="day", key="x", amount=HUGE, uses=-HUGE),),
        facts=MemberState(purchases=HUGE, spendable_points=HUGE, usage=(Usage(rule="daily", per="day", uses=-HUGE),)),
    ),
    "points past all": lambda body: replace(
        body, result=replace(body.result, earned_points=HUGE, redeemed_points=HUGE, programme_version=HUGE)
    ),
    "points below 0": lambda body: replace(
        body, result=replace(body.result, earned_points=-HUGE, redeemed_points=-HUGE, programme_version=-HUGE)
    ),
    "a clock at the end": lambda body: replace(
        body, clock=StoreClock(local_time="9999-12-31T23:59:59", business_date="9999-12-31")
    ),
    "a clock at the beginning": lambda body: replace(
        body, clock=StoreClock(local_time="0001-01-01T00:00:00", business_date="0001-01-01")
    ),
    "no clock": lambda body: replace(body, clock=StoreClock(local_time="", business_date="")),
    "codes without end": lambda body: replace(body, codes=("T-1",) * 1_000),
    "a place of nowhere": lambda body: replace(body, place=Place(store="\0" * 100, region="x" * 100_000)),
}


@pytest.mark.parametrize("lie", HOSTILE)
@pytest.mark.parametrize("member", ["m-1", ""])
def test_a_lie_is_answered_and_the_line_moves_on(world: Chain, lie: str, member: str) -> None:
    """The op has a verdict, the next honest sale is applied, and the ledger adds up."""
    desk = Desk(world)
    desk.pull()
    desk.sell("lie", member, 10_000, change=HOSTILE[lie])
    desk.sell("honest", member, 10_000)
    verdicts = desk.push()
    assert verdicts[0].status in ("applied", "adjusted", "rejected")
    assert verdicts[1].status in ("applied", "adjusted")
    left, _, debt = world.balances("m-1")
    assert debt == 0
    assert left <= 1_000 + 2 * (1_000 + 500 + 10)


def test_the_same_void_twice_is_refused_and_the_line_moves_on(world: Chain) -> None:
    """Two voids of one uid that speak of two sales."""
    desk = Desk(world)
    desk.pull()
    desk.sell("a", "m-1", 10_000)
    desk.sell("b", "m-1", 10_000)
    desk.till.void("a")
    desk.till.add_raw(encode_body(_void_of(desk, "b", uid="a")))
    verdicts = desk.push()
    assert [each.status for each in verdicts[2:]] == ["applied", "rejected"]


def _void_of(desk: Desk, sale: str, *, uid: str):
    from till_loyalty.returns import reverse
    from till_sync.ops import VoidBody

    who, result, _ = desk.till.sold[sale]
    return VoidBody(**desk.till.common(uid), sale_uid=sale, sale_op="", subject=who, reversal=reverse(result))


def test_a_day_in_the_far_future_does_not_make_points_live_for_ever(world: Chain) -> None:
    """A till's clock that is ahead counts as the cloud's own day: points live 30 days from then, no longer."""
    desk = Desk(world)
    desk.pull()
    ahead = StoreClock(local_time="9000-01-15T12:00:00", business_date="9000-01-15")
    desk.sold("a", "m-1", 10_000, clock=ahead)
    [[latest]] = world.rows("SELECT max(expires_at_ms) FROM lots WHERE member_id = 'm-1'")
    assert latest <= world.wall() + 33 * 86_400_000
    [[last]] = world.rows("SELECT last_purchase FROM members WHERE member_id = 'm-1'")
    assert last < "2027-02"


def test_a_refused_sale_leaves_no_member_behind(world: Chain) -> None:
    """A rejected op changes nothing."""
    desk = Desk(world)
    desk.pull()
    row = DiscountGiven(rule="x", line=99, base_minor=1, amount_minor=1)
    tag = "card:00000000deadbeef"
    verdict = desk.sold(
        "a",
        "",
        10_000,
        change=lambda body: replace(taken(row)(body), subject=Subject(tag=tag)),
    )
    assert (verdict.status, verdict.code) == ("rejected", "discount_line_unknown")
    assert world.rows("SELECT count(*) FROM members") == [(1,)]


def test_an_unknown_discount_bills_no_supplier(world: Chain) -> None:
    """Who pays is what a programme says of a rule; a till's word makes no bill beyond what the till took off."""
    desk = Desk(world)
    desk.pull()
    row = DiscountGiven(
        rule="nobody", line=1, base_minor=1, amount_minor=100, supplier="acme", supplier_share_basis_points=70_000
    )
    desk.sold("a", "m-1", 10_000, change=taken(row))
    [[share]] = world.rows("SELECT coalesce(sum(discount_share_minor), 0) FROM funded")
    assert 0 <= share <= 100


@pytest.mark.parametrize(
    "field",
    [
        {"consent_wall_ms": HUGE},
        {"consent_wall_ms": -HUGE},
        {"programme_version": HUGE},
        {"programme_version": -HUGE},
        {"birth_date": "9999-99-99"},
        {"clock": StoreClock(local_time="", business_date="9999-12-31")},
        {"name": "x" * 100_000, "language": "\0", "referrer": "9" * 10_000, "confirmation": "x" * 10_000},
    ],
)
def test_a_registration_that_lies_is_answered(world: Chain, field: dict[str, object]) -> None:
    desk = Desk(world)
    body = RegisterBody(
        **(
            desk.till.common("r")
            | {
                "subject": Subject(tag="phone:00000000deadbeef"),
                "clock": StoreClock(local_time="2027-01-15T12:00:00", business_date="2027-01-15"),
                "programme_id": "test",
                "programme_version": 1,
                "consent_version": "1",
                "consent_wall_ms": 1,
            }
            | field
        )
    )
    desk.till.add(msgspec.structs.replace(body))
    assert desk.push()[0].status == "applied"
