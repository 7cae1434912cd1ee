"""What limits payment by points, one by one, and when the member has to prove who they are."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_loyalty.engine import calculate
from till_loyalty.programme import Exclusion, Programme, Redemption, Rule
from till_loyalty.receipt import Receipt
from till_loyalty.results import Calculation, DiscountGiven, Reason
from till_loyalty.rule_parts import Discount, Match
from unit.loyalty.loyalty_support import CLOCK, line, member, programme, receipt

GOODS = receipt(1000, 600, 400)


def spend(
    wish: int, *, points: int = 10**6, goods: Receipt = GOODS, rules: tuple[Rule, ...] = (), **terms: Any
) -> Calculation:
    return calculate(_paying(*rules, **terms), member(points), goods, CLOCK, redeem_points=wish)


def _paying(*rules: Rule, **terms: Any) -> Programme:
    return programme(*rules, point_value_minor=1, redemption=Redemption(**terms))


def told(result: Calculation, code: str) -> list[Reason]:
    return [each for each in result.reasons if each.code == code]


@pytest.mark.parametrize(
    ("terms", "most", "code"),
    [
        ({"max_share_basis_points": 2500}, 500, "redeem_limited_by_share"),
        ({"minimum_line_price_minor": 350}, 950, "redeem_limited_by_line_prices"),
        ({"maximum_receipt_minor": 777}, 777, "redeem_limited_by_receipt_ceiling"),
        ({"maximum_receipt_minor": 777, "max_share_basis_points": 1000}, 200, "redeem_limited_by_share"),
        ({"maximum_receipt_minor": 777, "step_points": 100}, 700, "redeem_limited_by_receipt_ceiling"),
        ({}, 1997, "redeem_limited_by_line_prices"),
    ],
)
def test_the_tightest_limit_of_a_receipt_holds_and_is_told(terms: dict[str, Any], most: int, code: str) -> None:
    """The wish is cut to it, never refused."""
    result = spend(-1, **terms)
    assert (result.redeemable_points, result.redeemed_points, result.payable_minor) == (most, most, 2000 - most)
    assert told(result, code)


@pytest.mark.parametrize(("points", "most"), [(499, 0), (500, 500)])
def test_the_smallest_balance_is_reached_with_its_last_point(points: int, most: int) -> None:
    """Below it nothing is spent, at it everything may be."""
    assert spend(-1, points=points, minimum_balance_points=500).redeemed_points == most


def test_an_excluded_line_is_not_paid_and_gives_no_share() -> None:
    """Half of the lines that points may pay for, not of the receipt; and only those lines are paid."""
    rules = programme(
        point_value_minor=1,
        redemption=Redemption(max_share_basis_points=5000),
        exclusions=(Exclusion(id="vodka", match=Match(skus=("sku-1",)), earn=False),),
    )
    result = calculate(rules, member(10**6), GOODS, CLOCK, redeem_points=-1)
    assert [each.redeemed_points for each in result.lines] == [0, 300, 200]


@pytest.mark.parametrize("own", [0, 1, 399, 400])
def test_a_line_keeps_the_higher_of_its_own_and_the_programmes_least_price(own: int) -> None:
    """A price fixed by law is never paid with points."""
    goods = Receipt(lines=(line(1, 1000), line(2, 400, minimum_price_minor=own)))
    result = spend(-1, goods=goods)
    assert [each.payable_minor for each in result.lines] == [1, max(1, own)]


def test_the_share_and_the_room_are_of_the_price_after_discounts() -> None:
    """Whether the rules take the discount or the cash software took it already."""
    half = Rule(id="half", discount=Discount(percent_basis_points=5000))
    assert spend(-1, rules=(half,), max_share_basis_points=5000).redeemed_points == 500
    rules = _paying(max_share_basis_points=5000)
    taken = (DiscountGiven(rule="half", line=1, base_minor=0, amount_minor=1000),)
    result = calculate(rules, member(10**6), GOODS, CLOCK, redeem_points=-1, taken=taken)
    assert [each.redeemed_points for each in result.lines] == [0, 300, 200]


@pytest.mark.parametrize(
    ("wish", "terms", "needed"),
    [
        (100, {"proof": ("code",), "proof_above_points": 100}, False),
        (101, {"proof": ("code",), "proof_above_points": 100}, True),
        (101, {"proof_above_points": 100}, False),
        (1, {"proof": ("code",)}, True),
        (0, {"proof": ("code",)}, False),
        (-1, {"proof": ("code",), "proof_above_points": 100}, True),
        (500, {"proof": ("code",), "proof_above_points": 100, "maximum_receipt_minor": 100}, False),
        (500, {"proof": ("code",), "proof_above_points": 100, "enabled": False}, False),
    ],
)
def test_proof_is_needed_above_its_threshold(wish: int, terms: dict[str, Any], needed: bool) -> None:
    """By what is spent, not by what was asked for; and only where the programme names a proof."""
    result = spend(wish, **terms)
    reason = Reason(
        code="proof_needed",
        numbers={"above": terms.get("proof_above_points", 0), "given": result.redeemed_points},
    )
    assert told(result, "proof_needed") == ([reason] if needed else [])


@given(
    st.lists(st.integers(0, 5000), min_size=1, max_size=6),
    st.integers(0, 10_000),
    st.integers(0, 9000),
    st.integers(0, 300),
    st.integers(1, 50),
    st.integers(-1, 9000),
    st.integers(0, 9000),
)
def test_no_limit_is_ever_passed(
    amounts: list[int], share: int, ceiling: int, least: int, step: int, wish: int, have: int
) -> None:
    """All limits hold together, and a wish within the most that may be spent is met to the step."""
    terms: dict[str, Any] = {
        "max_share_basis_points": share,
        "maximum_receipt_minor": ceiling,
        "minimum_line_price_minor": least,
        "step_points": step,
    }
    result = spend(wish, points=have, goods=receipt(*amounts), **terms)
    spent = result.redeemed_points
    assert spent <= result.redeemable_points <= have
    assert spent * 10_000 <= sum(amounts) * share
    assert not ceiling or spent <= ceiling
    assert spent % step == result.redeemable_points % step == 0
    for each in result.lines:
        assert each.payable_minor >= min(each.amount_minor, least)
    if 0 <= wish <= result.redeemable_points:
        assert spent == wish // step * step
