"""Whatever rules give and take off: sums hold, prices hold, till and cloud agree, and a void leaves nothing."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from till_loyalty.engine import calculate
from till_loyalty.programme import Programme, Rule
from till_loyalty.programme_document import decode_programme, programme_json
from till_loyalty.receipt import MemberState, Receipt
from till_loyalty.results import Calculation, canonical_bytes
from till_loyalty.returns import reverse
from till_loyalty.rule_parts import Discount, Limit, Match, PerMoney, PerUnit, Step
from unit.loyalty.loyalty_support import CLOCK, ROUNDINGS, SKUS, members, programme, receipts, wishes

small = st.integers(1, 2000)
discounts = st.one_of(
    st.builds(Discount, percent_basis_points=st.integers(1, 10_000), maximum_minor=st.sampled_from((0, 50))),
    st.builds(Discount, amount_minor=small, per=st.sampled_from(("receipt", "line", "unit"))),
    st.builds(Discount, unit_price_minor=small),
    st.builds(Discount, bundle_units=st.integers(1, 3), bundle_price_minor=small),
    st.builds(Discount, buy_units=st.integers(0, 2), get_units=st.integers(1, 2), maximum_groups=st.integers(0, 2)),
)
ways = st.one_of(
    st.fixed_dictionaries({"discount": discounts}),
    st.fixed_dictionaries({"percent_basis_points": st.integers(0, 10_000)}),
    st.fixed_dictionaries({"per_money": st.builds(PerMoney, points=st.integers(1, 9), per_minor=small)}),
    st.fixed_dictionaries({"per_unit": st.builds(PerUnit, points=st.integers(1, 9))}),
    st.fixed_dictionaries({"points": small}),
    st.fixed_dictionaries({"multiplier_basis_points": st.integers(10_000, 30_000)}),
    st.fixed_dictionaries({"steps": st.just((Step(points=1), Step(from_minor=500, percent_basis_points=700)))}),
)


@st.composite
def gifts(draw: st.DrawFn) -> Programme:
    rules = []
    for index in range(draw(st.integers(1, 5))):
        limits = draw(st.sampled_from(((), (), (Limit(per="receipt", amount=7),))))
        match = Match(skus=draw(st.sampled_from(((), SKUS[:1], SKUS[1:3]))))
        rules.append(Rule(id=f"r{index}", priority=draw(st.integers(0, 2)), limits=limits, match=match, **draw(ways)))
    return programme(
        *rules,
        discount_rounding=draw(st.sampled_from(ROUNDINGS)),
        discount_round_at=draw(st.sampled_from(("receipt", "line"))),
        round_at=draw(st.sampled_from(("receipt", "line"))),
        point_value_minor=draw(st.sampled_from((1, 100))),
    )


@settings(max_examples=150, deadline=None)
@given(gifts(), members, receipts(8), wishes)
def test_sums_and_least_prices_hold(rules: Programme, member: MemberState, receipt: Receipt, wish: int) -> None:
    result = calculate(rules, member, receipt, CLOCK, redeem_points=wish)
    for sold, line in zip(receipt.lines, result.lines, strict=True):
        assert line.payable_minor == line.amount_minor - line.discount_minor - line.paid_by_points_minor
        assert 0 <= line.discount_minor <= max(0, sold.amount_minor - sold.minimum_price_minor)
        assert line.payable_minor >= min(sold.minimum_price_minor, sold.amount_minor)
        assert line.earned_points == sum(each.points for each in result.accruals if each.line == line.number)
        assert line.discount_minor == sum(each.amount_minor for each in result.discounts if each.line == line.number)
    assert result.payable_minor == sum(line.payable_minor for line in result.lines)
    for rule in rules.rules:
        if rule.limits:
            given_points = sum(each.points for each in result.accruals if each.rule == rule.id)
            given_money = sum(each.amount_minor for each in result.discounts if each.rule == rule.id)
            assert given_points + given_money <= 7


@settings(max_examples=100, deadline=None)
@given(gifts(), members, receipts(8), wishes)
def test_till_and_cloud_agree_and_a_void_leaves_nothing(
    rules: Programme, member: MemberState, receipt: Receipt, wish: int
) -> None:
    result = calculate(rules, member, receipt, CLOCK, redeem_points=wish)
    pulled = decode_programme(programme_json(rules))
    assert canonical_bytes(calculate(pulled, member, receipt, CLOCK, redeem_points=wish)) == canonical_bytes(result)
    assert msgspec.json.decode(canonical_bytes(result), type=Calculation) == result
    if any(line.quantity_thousandths or line.amount_minor for line in result.lines):
        back = reverse(result)
        assert (back.money_back_minor, back.points_taken) == (result.payable_minor, result.earned_points)
        assert back.points_back == result.redeemed_points
