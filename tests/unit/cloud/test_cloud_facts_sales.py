"""Sales counted by facts: what tills pull, what the cloud keeps of use and discounts, and how a difference is named."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from till_cloud.staff import change_segment, give_coupon
from till_cloud.store import tills
from till_cloud.verify import verify
from till_loyalty.programme import Redemption, Rule
from till_loyalty.receipt import Place, Usage
from till_loyalty.results import DiscountGiven
from till_loyalty.rule_parts import Birthday, Coupon, Discount, Funding, Limit, Where, Who
from till_sync.asking import CouponQuestion
from till_sync.ops import SaleBody
from unit.cloud.cloud_desk import Desk, on
from unit.cloud.cloud_kit import Chain, programme

RULES = programme(
    tiers=(),
    rules=(
        Rule(id="base", percent_basis_points=1000),
        Rule(id="daily", points=500, limits=(Limit(per="day", amount=500),)),
        Rule(id="first", points=70, who=Who(first_purchases=1)),
        Rule(id="sleepers", points=40, who=Who(segments=("sleepers",))),
        Rule(id="birthday", points=30, who=Who(birthday=Birthday(days_before=1, days_after=1))),
        Rule(id="south", points=20, where=Where(regions=("south",))),
        Rule(id="spring-points", points=9, who=Who(coupon="spring")),
        Rule(
            id="off",
            discount=Discount(percent_basis_points=1000),
            who=Who(coupon="tenth"),
            funded_by=Funding(supplier="acme", share_basis_points=5000),
        ),
    ),
    coupons=(
        Coupon(id="spring", codes=("SPRING",), uses_per_member=1),
        Coupon(id="tenth", codes=("T-1", "T-2"), uses_per_code=1, offline="allow"),
        Coupon(id="own", codes=("OWN",), assigned=True),
    ),
)
ALWAYS = 1000 + 500
"""Of the base rule and the daily one, on 100.00."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Chain]:
    made = Chain(tmp_path / "c.db", rules=RULES)
    made.member("m-1")
    made.centre.write(lambda c: c.execute("UPDATE members SET purchases = 3")).result()
    try:
        yield made
        assert made.centre.read(verify).holds
    finally:
        made.centre.close()


def flags(world: Chain) -> list[str]:
    return [row[0] for row in world.rows("SELECT code FROM flags ORDER BY till, epoch, seq, code")]


def desks(world: Chain) -> tuple[Desk, Desk]:
    both = Desk(world, "k1"), Desk(world, "k2")
    for desk in both:
        desk.pull()
    return both


def test_a_page_tells_what_rules_may_know_of_a_member_but_no_year_of_birth(world: Chain) -> None:
    world.centre.write(
        lambda c: c.execute("UPDATE members SET birth_date = '1980-05-09', referral_code = 'AB'")
    ).result()
    world.centre.write(lambda c: change_segment(c, "m-1", "sleepers", 1, member=True)).result()
    world.centre.write(lambda c: give_coupon(c, "m-1", "own", 1)).result()
    desk = Desk(world)
    desk.pull()
    desk.sold("a", "m-1")
    desk.pull()
    facts = desk.rows["m-1"].facts
    assert (facts.birthday, facts.segments, facts.coupons, facts.referral_code) == (
        "05-09",
        ("sleepers",),
        ("own",),
        "AB",
    )
    assert (facts.purchases, facts.last_purchase) == (4, "2027-01-15")
    assert facts.usage == (Usage(rule="daily", per="day", key="2027-01-15", amount=500, uses=1),)


def test_uses_of_periods_that_are_over_are_not_told(world: Chain) -> None:
    desk = Desk(world)
    desk.pull()
    desk.sold("a", "m-1", clock=on("2027-01-10"))
    desk.pull()
    assert desk.rows["m-1"].facts.usage == ()
    assert world.rows("SELECT key, amount FROM member_usage") == [("2027-01-10", 500)]


def test_a_page_says_where_the_till_stands(world: Chain) -> None:
    row = tills.StoreRow("s1", "First", "Europe/Moscow", "south", ("big",))
    world.centre.write(lambda c: tills.put_store(c, row, 1)).result()
    desk = Desk(world)
    desk.pull()
    assert desk.place == Place(store="s1", region="south", groups=("big",))
    assert desk.sold("a", "m-1").effect_points == ALWAYS + 20


def test_a_till_can_not_say_that_it_stands_elsewhere(world: Chain) -> None:
    """The till's own place holds only while it names its own store."""
    desk = Desk(world)
    desk.pull()
    desk.place = Place(store="s2", region="south")
    result = desk.sold("a", "m-1")
    assert (result.status, result.code, result.effect_points) == ("adjusted", "facts_differ", ALWAYS)


def test_a_daily_limit_used_at_two_tills_gives_once(world: Chain) -> None:
    """Neither could know of the other: the second to arrive is adjusted, because the facts differed."""
    one, two = desks(world)
    one.sell("a", "m-1", offline=True)
    two.sell("b", "m-1", offline=True)
    first, second = one.push()[0], two.push()[0]
    assert (first.status, first.effect_points) == ("applied", ALWAYS)
    assert (second.status, second.code, second.effect_points) == ("adjusted", "facts_differ", 1000)
    assert flags(world) == ["facts_differ"]


def test_a_daily_limit_holds_over_several_sales_of_one_till(world: Chain) -> None:
    desk = Desk(world)
    desk.pull()
    for uid in ("a", "b", "c"):
        desk.sell(uid, "m-1", offline=True)
    assert [(r.status, r.effect_points) for r in desk.push()] == [
        ("applied", ALWAYS),
        ("applied", 1000),
        ("applied", 1000),
    ]


def test_a_return_gives_nothing_back_of_a_limit(world: Chain) -> None:
    """Otherwise buying and returning would be a way around it."""
    desk = Desk(world)
    desk.pull()
    desk.sold("a", "m-1")
    assert desk.returned("r", "a").effect_points == -ALWAYS
    desk.pull()
    assert desk.sold("b", "m-1").effect_points == 1000


def test_points_that_no_facts_of_the_till_explain_are_points_differ(world: Chain) -> None:
    """Tampering, or a defect: not what a till honestly could not know."""
    desk = Desk(world)
    desk.pull()

    def tamper(body: SaleBody) -> SaleBody:
        line = replace(body.result.lines[0], earned_points=9999)
        return replace(body, result=replace(body.result, earned_points=9999, lines=(line,)))

    result = desk.sold("a", "m-1", change=tamper)
    assert (result.status, result.code, result.effect_points) == ("adjusted", "points_differ", ALWAYS)


def test_invented_facts_change_nothing(world: Chain) -> None:
    """A till that calls everybody a sleeper is told apart by the facts it sent."""
    desk = Desk(world)
    desk.pull()
    desk.rows["m-1"] = replace(desk.rows["m-1"], facts=replace(desk.rows["m-1"].facts, segments=("sleepers",)))
    result = desk.sold("a", "m-1")
    assert (result.code, result.effect_points) == ("facts_differ", ALWAYS)


def test_a_first_purchase_counts_once_over_two_tills(world: Chain) -> None:
    world.member("m-2")
    one, two = desks(world)
    one.sell("a", "m-2")
    two.sell("b", "m-2")
    assert one.push()[0].effect_points == ALWAYS + 70
    assert two.push()[0].code == "facts_differ"
    assert world.rows("SELECT purchases FROM members WHERE member_id = 'm-2'") == [(2,)]


def test_a_void_and_a_full_return_take_a_purchase_back_once(world: Chain) -> None:
    desk = Desk(world)
    desk.pull()
    for uid in ("a", "b", "c"):
        desk.sold(uid, "m-1", 10_000, 5_000)
    desk.voided("a")
    desk.returned("r1", "b", [(1, 1000)])
    assert world.rows("SELECT purchases FROM members") == [(5,)]
    desk.returned("r2", "b", [(2, 1000)])
    assert world.rows("SELECT purchases FROM members") == [(4,)]


def test_a_coupon_of_one_use_counts_at_one_of_two_tills(world: Chain) -> None:
    one, two = desks(world)
    one.sell("a", "m-1", codes=("spring",))
    two.sell("b", "m-1", codes=(" Spring ",))
    assert one.push()[0].effect_points == ALWAYS + 9
    second = two.push()[0]
    assert (second.code, second.effect_points) == ("facts_differ", 1000)
    asked = CouponQuestion(codes=("SPRING",), member_id="m-1")
    assert world.centre.coupons(asked).usage == (Usage(rule="spring", per="life", uses=1),)


def test_a_coupon_comes_back_with_all_goods_and_not_before(world: Chain) -> None:
    desk = Desk(world)
    desk.pull()
    desk.sold("a", "m-1", 6_000, 4_000, codes=("SPRING",))
    desk.returned("r1", "a", [(1, 1000)])
    assert world.rows("SELECT uses FROM member_usage WHERE rule = 'spring'") == [(1,)]
    desk.returned("r2", "a", [(2, 1000)])
    assert world.rows("SELECT uses FROM member_usage WHERE rule = 'spring'") == [(0,)]


def test_a_code_is_used_once_by_all_members_and_the_money_taken_stands(world: Chain) -> None:
    """Two tills took 10 % off by one code: nobody is asked for money, staff see it, and points are of what was paid."""
    world.member("m-2")
    one, two = desks(world)
    one.sell("a", "m-1", codes=("T-1",))
    two.sell("b", "m-2", codes=("t-1",))
    assert one.push()[0].effect_points == 900 + 500
    second = two.push()[0]
    assert (second.status, second.effect_points) == ("applied", 900 + 500 + 70)
    assert "discount_differs" in flags(world)
    assert world.centre.coupons(CouponQuestion(codes=("T-1", "T-2"))).usage == (
        Usage(rule="tenth", per="code", key="T-1", uses=2),
    )


def test_a_voided_sale_frees_its_code(world: Chain) -> None:
    desk = Desk(world)
    desk.pull()
    desk.sold("a", "m-1", codes=("T-1",))
    desk.voided("a")
    desk.pull()
    assert desk.sold("b", "m-1", codes=("T-1",)).status == "applied"
    assert world.rows("SELECT code, uses FROM code_usage") == [("T-1", 1)]


def test_of_two_codes_of_a_coupon_the_one_that_was_used_comes_back(world: Chain) -> None:
    """T-1 was another sale's already, so sale b used T-2, although both codes were on its receipt."""
    world.member("m-2")
    desk = Desk(world)
    desk.pull()
    desk.sold("a", "m-1", codes=("T-1",))
    used = Usage(rule="tenth", per="code", key="T-1", uses=1)
    desk.pending["m-2"] = [used]
    desk.sold("b", "m-2", codes=("T-1", "T-2"))
    kept = "SELECT code, uses FROM code_usage ORDER BY code"
    assert world.rows(kept) == [("T-1", 1), ("T-2", 1)]
    desk.voided("b")
    assert world.rows(kept) == [("T-1", 1), ("T-2", 0)]
    assert world.rows("SELECT uid, code FROM sale_codes") == [("a", "T-1")]


def test_a_discount_taken_stands_when_its_rule_is_gone(world: Chain) -> None:
    """The quote was made before the programme changed: applied, with a flag for staff."""
    desk = Desk(world)
    desk.pull()
    off = DiscountGiven(rule="off", line=1, base_minor=10_000, amount_minor=1_000)
    result = desk.sold("a", "m-1", takes=(off,))
    assert (result.status, result.effect_points, flags(world)) == ("applied", 900 + 500, ["discount_differs"])


def test_a_discount_that_was_not_taken_is_told_to_staff(world: Chain) -> None:
    desk = Desk(world)
    desk.pull()
    assert desk.sold("a", "m-1", codes=("T-1",), takes=()).status == "applied"
    assert flags(world) == ["discount_differs"]
    assert world.rows("SELECT count(*) FROM code_usage") == [(0,)]


def test_a_discount_larger_than_its_line_is_refused(world: Chain) -> None:
    desk = Desk(world)
    desk.pull()
    off = DiscountGiven(rule="off", line=1, base_minor=10_000, amount_minor=1_000)
    big = replace(off, amount_minor=10_001)

    def tamper(body: SaleBody) -> SaleBody:
        return replace(body, result=replace(body.result, discounts=(big,)))

    assert desk.sold("a", "m-1", takes=(off,), change=tamper).code == "discount_too_large"


def test_a_supplier_pays_its_share_and_gets_it_back_exactly(world: Chain) -> None:
    desk = Desk(world)
    desk.pull()
    desk.sold("a", "m-1", 3_333, 6_667, codes=("T-1",))
    bill = "SELECT sum(discount_minor), sum(discount_share_minor) FROM funded WHERE supplier = 'acme'"
    taken, share = world.rows(bill)[0]
    assert (taken, taken - 2 * share in (0, 1, 2)) == (1_000, True)
    desk.returned("r1", "a", [(1, 1000)])
    desk.returned("r2", "a", [(2, 1000)])
    assert world.rows(bill) == [(0, 0)]


def test_a_sale_from_a_release_without_facts_is_counted_as_before(tmp_path: Path) -> None:
    """Queues written before the upgrade name a tier only."""
    rules = programme(redemption=Redemption())
    world = Chain(tmp_path / "old.db", rules=rules)
    world.member("m-1", tier="gold")
    till = world.till()
    till.sale("a", "m-1", tier="gold")
    till.sale("b", "m-1", tier="standard")
    assert [(r.status, r.code, r.effect_points) for r in till.push().results] == [
        ("applied", "", 2000),
        ("adjusted", "points_differ", 2000),
    ]
    world.centre.close()
