"""Discounts that the cash software took are facts; and what a sale with no member, or with codes, gets."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_loyalty.coupons import codes_used
from till_loyalty.engine import calculate, empty_calculation
from till_loyalty.exceptions import ReceiptError
from till_loyalty.limits import usage_of
from till_loyalty.programme import Exclusion, Programme, Rule
from till_loyalty.receipt import MemberState, Place, Receipt, Usage
from till_loyalty.results import Calculation, DiscountGiven, Reason
from till_loyalty.rule_parts import Coupon, Discount, Funding, Limit, Match, Where, Who
from unit.loyalty.loyalty_support import CLOCK, line, programme, receipt

TENTH = Discount(percent_basis_points=1000)
MORNING = Rule(id="morning", discount=TENTH, funded_by=Funding(supplier="dairy", share_basis_points=5000))
BASE = Rule(id="base", percent_basis_points=1000, priority=200)
SOMEBODY = MemberState(spendable_points=10**6)
SPRING = Coupon(id="spring", codes=("Spring", "SPRING-2"))


def row(rule: str, number: int, amount: int, **fields: Any) -> DiscountGiven:
    return DiscountGiven(rule=rule, line=number, base_minor=0, amount_minor=amount, **fields)


def sale(rules: Programme, *amounts: int, who: MemberState | None = SOMEBODY, **fields: Any) -> Calculation:
    return calculate(rules, who, receipt(*amounts), CLOCK, **fields)


def test_what_the_quote_gave_and_the_till_took_is_the_same_sale() -> None:
    """Taking exactly what the quote handed out gives the quote's figures."""
    rules = programme(MORNING, BASE)
    quote = sale(rules, 1000, 333, redeem_points=3)
    assert quote.discount_minor == 133
    assert sale(rules, 1000, 333, redeem_points=3, taken=quote.discounts) == quote


def test_taken_none_asks_the_rules_and_an_empty_tuple_does_not() -> None:
    """A sale that names no discount took none, whatever a rule would give."""
    rules = programme(MORNING, BASE)
    assert sale(rules, 1000).discount_minor == 100
    nothing = sale(rules, 1000, taken=())
    assert (nothing.discount_minor, nothing.payable_minor, nothing.earned_points) == (0, 1000, 1)


def test_points_and_redemption_count_on_what_is_left() -> None:
    """The base of points and the room for points are the price after what was taken."""
    result = sale(programme(BASE), 10_000, taken=(row("gone", 1, 4000),), redeem_points=-1)
    assert (result.discount_minor, result.redeemable_points, result.payable_minor) == (4000, 59, 100)
    assert sale(programme(BASE), 10_000, taken=(row("gone", 1, 4000),)).earned_points == 6


def test_a_rule_that_no_longer_holds_does_not_undo_its_discount() -> None:
    """The quote was at 10:59, the sale at 11:01: the money was taken, and stays taken."""
    elsewhere = Rule(id="morning", discount=TENTH, where=Where(stores=("another",)))
    assert sale(programme(elsewhere), 1000, taken=(row("morning", 1, 100),)).payable_minor == 900


def test_the_programme_says_who_pays_and_the_rows_say_at_which_price() -> None:
    """A supplier in the request is not believed of a known rule, and is kept of an unknown one."""
    taken = (
        row("morning", 1, 100, supplier="thief", supplier_share_basis_points=9),
        row("old", 1, 50, supplier="mill"),
    )
    first, second = sale(programme(MORNING), 1000, taken=taken).discounts
    assert (first.base_minor, first.supplier, first.supplier_share_basis_points) == (1000, "dairy", 5000)
    assert (second.base_minor, second.supplier, second.rule) == (900, "mill", "old")


@pytest.mark.parametrize(
    ("taken", "code", "pointer"),
    [
        ((row("a", 3, 1),), "discount_line_unknown", "/discounts/0/line"),
        ((row("a", 1, 600), row("b", 1, 401)), "discount_too_large", "/discounts/1/amount_minor"),
        ((row("a", 1, -1),), "discount_invalid", "/discounts/0/amount_minor"),
    ],
)
@pytest.mark.parametrize("who", [None, SOMEBODY, MemberState(blocked=True)])
def test_discounts_that_can_not_be_are_refused(
    taken: tuple[DiscountGiven, ...], code: str, pointer: str, who: MemberState | None
) -> None:
    """A line that is not there, or more than it costs: the request is wrong, whoever buys."""
    with pytest.raises(ReceiptError) as caught:
        sale(programme(MORNING), 1000, 500, who=who, taken=taken)
    assert (caught.value.code, caught.value.pointer) == (code, pointer)


def test_a_whole_line_may_be_taken_off_and_nothing_is_no_discount() -> None:
    """Rows up to the whole price count; rows of 0 are left out, so that their coupon is not used up."""
    result = sale(programme(BASE), 1000, taken=(row("a", 1, 1000), row("b", 1, 0)))
    assert (result.payable_minor, len(result.discounts), result.earned_points) == (0, 1, 0)


@pytest.mark.parametrize(("who", "code"), [(None, "no_member"), (MemberState(blocked=True), "member_blocked")])
def test_nobody_pays_less_what_was_taken(who: MemberState | None, code: str) -> None:
    """Money that was taken off is off, with and without a member, and without a programme."""
    result = sale(programme(BASE), 1000, who=who, taken=(row("x", 1, 10),))
    assert (result.payable_minor, result.earned_points, result.reasons[-1].code) == (990, 0, code)
    plain = empty_calculation(receipt(1000), taken=(row("x", 1, 10, supplier="mill"),))
    assert (plain.payable_minor, plain.discounts[0].supplier, plain.reasons[0].code) == (990, "mill", "no_programme")


@pytest.mark.parametrize(
    "rule",
    [
        Rule(id="r", discount=TENTH),
        Rule(id="r", discount=TENTH, where=Where(stores=("s",))),
        Rule(id="r", discount=TENTH, limits=(Limit(per="receipt", amount=1000),)),
        Rule(id="r", discount=TENTH, limits=(Limit(per="budget", amount=1000),)),
    ],
)
def test_a_discount_for_anybody_is_for_nobody_too(rule: Rule) -> None:
    """A shelf price asks for no card: a sale with no member, or with a blocked one, gets it."""
    fields: dict[str, Any] = {"place": Place(store="s"), "budgets": {"r": 1000}}
    for who in (None, MemberState(blocked=True, spendable_points=99)):
        result = sale(programme(rule, BASE), 1000, who=who, redeem_points=-1, **fields)
        assert (result.discount_minor, result.earned_points, result.redeemed_points) == (100, 0, 0)
        assert result.accruals == ()


@pytest.mark.parametrize(
    "rule",
    [
        Rule(id="r", discount=TENTH, tiers=("gold",)),
        Rule(id="r", discount=TENTH, who=Who(tiers=("gold",))),
        Rule(id="r", discount=TENTH, who=Who(segments=("x",))),
        Rule(id="r", discount=TENTH, who=Who(first_purchases=1)),
        Rule(id="r", discount=TENTH, who=Who(purchase_number=1)),
        Rule(id="r", discount=TENTH, who=Who(joined_to="2999-01-01")),
        Rule(id="r", discount=TENTH, who=Who(silent_days=1)),
        *(Rule(id="r", discount=TENTH, limits=(Limit(per=per, amount=9),)) for per in ("day", "week", "month", "life")),
    ],
)
def test_a_discount_that_asks_for_a_member_is_not_for_nobody(rule: Rule) -> None:
    """Nobody has no tier, segment, history, and no count of what they had; what a count denies is told."""
    result = sale(programme(rule), 1000, who=None)
    assert result.discount_minor == 0
    told = [Reason(code="rule_needs_member", rule="r", numbers={"would": 100})] if rule.limits else []
    assert [each for each in result.reasons if each.code != "no_member"] == told


def test_nobody_is_told_of_a_minimum_sum_and_of_no_exclusion() -> None:
    """The law holds for nobody too; reasons are those of discounts and that there is no member."""
    rules = programme(
        Rule(id="r", discount=TENTH, minimum_sum_minor=5000),
        Rule(id="q", discount=TENTH, match=Match(skus=("sku-1",))),
        exclusions=(Exclusion(id="tobacco", match=Match(skus=("sku-1",)), legal=True),),
    )
    result = sale(rules, 1000, 500, who=None)
    assert result.discount_minor == 0
    assert [each.code for each in result.reasons] == ["rule_below_minimum_sum", "no_member"]


@pytest.mark.parametrize(
    ("declared", "budgets", "offline", "off"),
    [
        ("share", {"r": 30}, False, 30),
        ("share", {"r": 30}, True, 30),
        ("share", {}, False, 0),
        ("share", {}, True, 0),
        ("share", {"another": 30}, False, 0),
        ("share", None, False, 100),
        ("share", None, True, 0),
        ("allow", {}, False, 100),
        ("allow", {}, True, 100),
        ("allow", {"r": 0}, False, 0),
        ("refuse", {"r": 30}, True, 0),
        ("refuse", {"r": 30}, False, 30),
    ],
)
def test_a_rule_gives_from_the_share_that_its_till_has(
    declared: Any, budgets: dict[str, int] | None, offline: bool, off: int
) -> None:
    """A till without a share of a shared budget gives nothing, with and without a line."""
    rules = programme(Rule(id="r", discount=TENTH, limits=(Limit(per="budget", amount=1000, offline=declared),)))
    for who in (SOMEBODY, None):
        assert sale(rules, 1000, who=who, budgets=budgets, offline=offline).discount_minor == off


PROMO = Rule(id="promo", discount=TENTH, who=Who(coupon="spring"))


@pytest.mark.parametrize(
    ("coupon", "offline", "code"),
    [
        ({}, False, ""),
        ({}, True, ""),
        ({"offline": "refuse"}, True, "coupon_refused_offline"),
        ({"assigned": True}, False, "coupon_needs_member"),
        ({"uses_per_member": 1}, False, "coupon_needs_member"),
        ({"uses_per_code": 1}, False, "coupon_needs_member"),
        ({"valid_to": "2017-12-23"}, False, "coupon_not_in_term"),
    ],
)
def test_nobody_uses_codes_that_nobody_counts(coupon: dict[str, Any], offline: bool, code: str) -> None:
    """A promo code for all is for nobody too; one that is counted or held needs a member."""
    rules = programme(PROMO, coupons=(Coupon(id="spring", codes=("Spring",), **coupon),))
    result = sale(rules, 1000, who=None, codes=("spring",), offline=offline)
    assert result.coupons == (() if code else ("spring",))
    assert [each.code for each in result.reasons] == ([code] if code else []) + ["no_member"]


def test_a_taken_discount_uses_its_coupon_though_it_is_refused_by_now() -> None:
    """Between quote and sale the last use went elsewhere: this one is counted all the same."""
    rules = programme(PROMO, coupons=(Coupon(id="spring", codes=("Spring",), uses_per_member=1),))
    who = MemberState(usage=(Usage(rule="spring", per="life", uses=1),))
    result = sale(rules, 1000, who=who, codes=("spring",), taken=(row("promo", 1, 100),))
    assert result.coupons == ("spring",)
    assert [each.code for each in result.reasons if each.rule == "spring"] == ["coupon_used_up"]
    assert sale(rules, 1000, taken=(row("promo", 1, 100),)).coupons == ("spring",)
    assert sale(rules, 1000, codes=("spring",), taken=()).coupons == ()


@pytest.mark.parametrize(("used", "good"), [(0, True), (1, True), (2, False), (3, False)])
def test_a_code_is_used_so_often_by_all_together(used: int, good: bool) -> None:
    """Rows of this code count, those of another code or another period do not."""
    rules = programme(PROMO, coupons=(Coupon(id="spring", codes=("Spring", "other"), uses_per_code=2),))
    rows = (
        Usage(rule="spring", per="code", key="SPRING", uses=used),
        Usage(rule="spring", per="code", key="OTHER", uses=9),
        Usage(rule="spring", per="life", uses=9),
        Usage(rule="summer", per="code", key="SPRING", uses=9),
    )
    result = sale(rules, 1000, who=MemberState(usage=rows), codes=(" sprinG ",))
    assert result.coupons == (("spring",) if good else ())
    assert good or result.reasons[0].code == "coupon_used_up"


def test_a_code_of_counted_use_is_refused_offline_unless_held_or_allowed() -> None:
    """Another till may have used it this minute."""
    for fields, held, good in (({}, (), False), ({}, ("spring",), True), ({"offline": "allow"}, (), True)):
        rules = programme(PROMO, coupons=(Coupon(id="spring", codes=("Spring",), uses_per_code=1, **fields),))  # type: ignore[arg-type]  # the fields of this table
        result = sale(rules, 1000, who=MemberState(coupons=held), codes=("spring",), offline=True)
        assert bool(result.coupons) is good


def test_one_code_of_a_coupon_is_used_up_and_it_is_one_with_a_use_left() -> None:
    """Who scans two codes of a coupon loses one."""
    coupon = Coupon(id="spring", codes=("a1", "a2", "a3"), uses_per_code=1)
    rules = programme(PROMO, coupons=(coupon, Coupon(id="idle", codes=("x",), uses_per_code=1)))
    had = (Usage(rule="spring", per="code", key="A1", uses=1),)
    codes = ("a1", "x", "A2 ", "a3")
    result = sale(rules, 1000, who=MemberState(usage=had), codes=codes)
    assert codes_used(rules, result, codes, had) == {"spring": "A2"}
    assert usage_of(rules, result, "2017-12-23", codes=codes, had=had) == (
        Usage(rule="spring", per="life", uses=1),
        Usage(rule="spring", per="code", key="A2", uses=1),
    )
    assert usage_of(rules, result, "2017-12-23") == (Usage(rule="spring", per="life", uses=1),)
    assert codes_used(rules, result, ("a1",), had) == {"spring": "A1"}, "a code that was taken nevertheless"


@given(
    st.lists(st.integers(0, 5000), min_size=1, max_size=6),
    st.lists(st.tuples(st.sampled_from(("morning", "old")), st.integers(0, 5), st.integers(0, 10_000)), max_size=6),
    st.integers(-1, 100),
)
def test_whatever_was_taken_the_totals_add_up(amounts: list[int], cuts: list[tuple[str, int, int]], wish: int) -> None:
    """Line by line: amount = payable + discount + points; recounting with the result's discounts changes nothing."""
    goods = Receipt(lines=tuple(line(number, amount) for number, amount in enumerate(amounts, 1)))
    left = list(amounts)
    taken = []
    for rule, place, part in cuts:
        place %= len(amounts)
        amount = left[place] * part // 10_000
        left[place] -= amount
        taken.append(row(rule, place + 1, amount))
    rules = programme(MORNING, BASE)
    result = calculate(rules, SOMEBODY, goods, CLOCK, redeem_points=wish, taken=taken)
    for each in result.lines:
        assert each.amount_minor == each.payable_minor + each.discount_minor + each.paid_by_points_minor
    assert result.discount_minor == sum(amounts) - sum(left) == sum(each.amount_minor for each in result.discounts)
    assert result.payable_minor == sum(each.payable_minor for each in result.lines)
    assert calculate(rules, SOMEBODY, goods, CLOCK, redeem_points=wish, taken=result.discounts) == result
