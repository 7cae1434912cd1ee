"""14,489 realistic receipts through the example programme, line by line against a reckoning of their own."""

from fractions import Fraction
from math import floor

import pytest

from till_loyalty.engine import calculate
from till_loyalty.programme import Programme
from till_loyalty.programme_document import example_text, parse_programme
from till_loyalty.receipt import MemberState, Receipt
from till_loyalty.results import Calculation
from till_loyalty.returns import reverse
from unit.loyalty.loyalty_receipts import real_sales
from unit.loyalty.loyalty_support import CLOCK

TOBACCO = {("DRUG GM", "CIGARETTES"), ("DRUG GM", "CIGARS"), ("DRUG GM", "TOBACCO OTHER")}
PERCENT = {"": Fraction(1, 100), "standard": Fraction(1, 100), "silver": Fraction(3, 200), "gold": Fraction(2, 100)}


@pytest.fixture(scope="module")
def supermarket() -> Programme:
    return parse_programme(example_text("supermarket"))


def check(receipt: Receipt, result: Calculation, tier: str) -> None:
    """The programme's rules once more, for this programme alone, from each line's base."""
    bases = {"standing": 0, "produce": 0}
    for sold, got in zip(receipt.lines, result.lines, strict=True):
        tobacco = sold.category[:2] in TOBACCO
        fuel = sold.category[:1] == ("FUEL",)
        assert got.payable_minor + got.paid_by_points_minor == sold.amount_minor
        assert got.paid_by_points_minor == got.redeemed_points <= max(0, sold.amount_minor - 1)
        assert not (tobacco or fuel) or not got.paid_by_points_minor
        assert not tobacco or not got.earned_points
        if not tobacco:
            bases["standing"] += got.payable_minor
            bases["produce"] += got.payable_minor * (sold.category[:1] == ("PRODUCE",))
    assert result.total_minor == sum(line.amount_minor for line in receipt.lines)
    assert result.payable_minor == sum(line.payable_minor for line in result.lines)
    expected = floor(bases["standing"] * PERCENT[tier]) + floor(bases["produce"] * Fraction(2, 100))
    if bases["standing"] >= 10_000:
        expected += floor(bases["standing"] * Fraction(1, 200))
    assert result.earned_points == expected == sum(line.earned_points for line in result.lines)


def test_all_receipts_reconcile_by_line_and_in_total(supermarket: Programme) -> None:
    """Every receipt: bought, earned, partly paid by what was earned before, and every tenth given back whole."""
    balances = dict.fromkeys(PERCENT, 0)
    count = lines = redeemed = returned = 0
    for _, _, _, receipt in real_sales():
        tier = ("", "standard", "silver", "gold")[count % 4]
        count += 1
        lines += len(receipt.lines)
        state = MemberState(tier=tier, spendable_points=balances[tier])
        result = calculate(supermarket, state, receipt, CLOCK, redeem_points=-1 if count % 3 == 0 else 0)
        check(receipt, result, tier)
        assert result.redeemed_points <= balances[tier]
        redeemed += result.redeemed_points
        balances[tier] += result.earned_points - result.redeemed_points
        if count % 10 == 0:
            reversal = reverse(result)
            assert reversal.money_back_minor == result.payable_minor
            assert reversal.effect_points == result.redeemed_points - result.earned_points
            balances[tier] += reversal.effect_points
            returned += 1
    assert (count, lines) == (14_489, 142_393)
    assert redeemed > 50_000
    assert returned == 1448
    assert min(balances.values()) >= 0
