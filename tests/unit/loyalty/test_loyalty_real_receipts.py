"""14,489 realistic receipts through the example programme, line by line against a reckoning of their own."""

import csv
import gzip
from collections.abc import Iterator
from fractions import Fraction
from itertools import groupby
from math import floor

import pytest

from till_loyalty.engine import calculate
from till_loyalty.programme import Programme
from till_loyalty.programme_document import example_text, parse_programme
from till_loyalty.receipt import Line, MemberState, Receipt, StoreClock
from till_loyalty.results import Calculation
from till_loyalty.returns import reverse
from unit.loyalty.loyalty_support import CLOCK, shared

TOBACCO = {("DRUG GM", "CIGARETTES"), ("DRUG GM", "CIGARS"), ("DRUG GM", "TOBACCO OTHER")}
PERCENT = {"": Fraction(1, 100), "standard": Fraction(1, 100), "silver": Fraction(3, 200), "gold": Fraction(2, 100)}


@pytest.fixture(scope="module")
def supermarket() -> Programme:
    return parse_programme(example_text("supermarket"))


def rows(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(shared("completejourney", name), "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def cents(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole) * 100 + int(fraction.ljust(2, "0"))


def real_receipts() -> Iterator[Receipt]:
    products = {
        row["product_id"]: (row["department"], row["product_category"], row["product_type"])
        for row in rows("products.csv.gz")
    }
    lines = rows("lines_hh_mod10_eq1.csv.gz")
    for _, group in groupby(lines, key=lambda row: row["basket_id"]):
        sold = []
        for row in group:
            category = products.get(row["product_id"], ())
            scale = 1 if category[:1] == ("FUEL",) else 1000
            sold.append(
                Line(
                    number=int(row["line_no"]),
                    sku=row["product_id"],
                    amount_minor=cents(row["sales_value"]),
                    quantity_thousandths=int(row["quantity"]) * scale,
                    category=category,
                )
            )
        yield Receipt(lines=tuple(sold))


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
    for receipt in real_receipts():
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


@pytest.mark.parametrize("name", ["pharmacy", "clothing", "x5"])
def test_the_other_examples_reconcile_too(name: str) -> None:
    """Every fifth receipt: lines sum to totals, each line pays what its parts leave, and a void leaves nothing."""
    rules = parse_programme(example_text(name))
    member = MemberState(
        tier="general" if rules.tiers else "",
        segments=("pensioner",),
        birth_date="1980-12-24",
        purchases=0,
        spendable_points=5000,
    )
    morning = StoreClock(local_time="2017-12-22T09:00:00", business_date="2017-12-22")
    count = earned = discounted = 0
    for position, receipt in enumerate(real_receipts()):
        if position % 5:
            continue
        result = calculate(rules, member, receipt, morning, redeem_points=-(position % 2), codes=("season",))
        for line in result.lines:
            assert line.payable_minor == line.amount_minor - line.discount_minor - line.paid_by_points_minor >= 0
        assert result.total_minor - result.discount_minor - result.redeemed_minor == result.payable_minor
        assert result.payable_minor == sum(line.payable_minor for line in result.lines)
        assert sum(each.points for each in result.accruals) == result.earned_points
        assert sum(each.amount_minor for each in result.discounts) == result.discount_minor
        back = reverse(result)
        assert (back.money_back_minor, back.points_taken) == (result.payable_minor, result.earned_points)
        count, earned, discounted = count + 1, earned + result.earned_points, discounted + result.discount_minor
    assert (count, earned > 0, discounted > 0) == (2898, True, name != "x5")
