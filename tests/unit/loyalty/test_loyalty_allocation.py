"""Splitting by largest remainder: ties, caps, outside oracles, and large receipts."""

import json
import random

import pytest

from till_loyalty.allocation import allocate
from till_loyalty.engine import calculate
from till_loyalty.exceptions import InvariantError
from till_loyalty.programme import Redemption
from unit.loyalty.loyalty_support import CLOCK, member, programme, receipt, shared, steps_of


@pytest.mark.parametrize(
    ("amount", "weights", "caps", "parts"),
    [
        (0, [], None, []),
        (0, [0, 0], None, [0, 0]),
        (5, [1], None, [5]),
        (10, [1, 1, 1], None, [4, 3, 3]),
        (11, [1, 1, 1], None, [4, 4, 3]),
        (1, [0, 1, 0], None, [0, 1, 0]),
        (100, [1, 2, 4], None, [14, 29, 57]),
        (3, [1, 1], [1, 2], [1, 2]),
        (20, [50, 20], [5, 19], [5, 15]),
        (9, [10, 10], [5, 4], [5, 4]),
        (5, [3, 3], [3, 3], [3, 2]),
        (12, [10, 20, 50, 30], [10, 1, 0, 4], [7, 1, 0, 4]),
    ],
)
def test_split(amount: int, weights: list[int], caps: list[int] | None, parts: list[int]) -> None:
    assert allocate(amount, weights, caps=caps) == parts


def test_a_tie_goes_to_the_lower_line_number_not_to_the_first_sent() -> None:
    assert allocate(10, [1, 1, 1], numbers=[30, 20, 10]) == [3, 3, 4]


@pytest.mark.parametrize(
    ("amount", "weights", "caps"), [(1, [], None), (1, [0, 0], None), (-1, [1], None), (3, [1, 1], [1, 1])]
)
def test_what_cannot_be_split_is_refused(amount: int, weights: list[int], caps: list[int] | None) -> None:
    with pytest.raises(InvariantError):
        allocate(amount, weights, caps=caps)


def test_all_real_baskets_of_the_oracle() -> None:
    """120 baskets split as PyPI `apportionment` splits them; a tie that it leaves free goes to the lower line."""
    cases = json.loads(shared("allocation_largest_remainder.json").read_text())["cases"]
    assert len(cases) == 120
    for case in cases:
        assert allocate(case["redeem_cents"], case["line_cents"]) == case["expected_line_cents"], case["basket_id"]


def test_all_real_baskets_of_the_oracle_through_the_engine() -> None:
    """The same baskets redeemed by the engine: share of the receipt, balance, and the split."""
    cases = json.loads(shared("allocation_largest_remainder.json").read_text())["cases"]
    for case in cases:
        terms = Redemption(max_share_basis_points=case["max_share_pct"] * 100, minimum_line_price_minor=0)
        rules = programme(points_exponent=2, redemption=terms)
        balance = case["redeem_cents"] + 10**6 if case["balance_cents"] is None else case["balance_cents"]
        result = calculate(rules, member(balance), receipt(*case["line_cents"]), CLOCK, redeem_points=-1)
        assert [each.paid_by_points_minor for each in result.lines] == case["expected_line_cents"], case["basket_id"]


MONEY_CASES = {
    # Public engines' own tests (../shared/data/oracle_cases.json): amount, line totals, least prices, expected split.
    "solidus-009": (1500, [5000, 5000, 5000], [0, 0, 0], [500, 500, 500]),
    "solidus-010": (1000, [5000, 5000, 5000], [0, 0, 0], [334, 333, 333]),
    "solidus-011": (1500, [15000, 5000, 10000], [0, 0, 0], [750, 250, 500]),
    "medusa-006": (8000, [5000, 15000], [0, 0], [2000, 6000]),
    "sylius_d-002 by largest remainder": (300, [4300, 1400, 2300], [0, 0, 0], [161, 53, 86]),
    "sylius-015": (2000, [5000, 2000], [4500, 0], [500, 1500]),
    "sylius-017": (2500, [5000, 6000], [4500, 0], [500, 2000]),
    "sylius-019": (2700, [10000, 4000, 4000], [9000, 0, 0], [1000, 850, 850]),
    "sylius-021": (1200, [1000, 2000, 5000, 3000], [0, 1900, 5000, 2900], [1000, 100, 0, 100]),
    "sylius_d-005": (1200, [1000, 2000, 5000, 3000], [0, 1900, 5000, 2600], [700, 100, 0, 400]),
}


@pytest.mark.parametrize("name", MONEY_CASES)
def test_splits_of_public_engines(name: str) -> None:
    amount, totals, least, expected = MONEY_CASES[name]
    caps = [total - price for total, price in zip(totals, least, strict=True)]
    assert allocate(amount, totals, caps=caps) == expected


def test_caps_that_differ_by_a_hair_are_filled_in_the_right_order() -> None:
    """Nearly equal ratios of cap to weight, at the largest amounts, where floats would tie."""
    large = 10**13
    assert allocate(large, [large, large - 1], caps=[large // 2, large]) == [large // 2, large // 2]
    parts = allocate(2 * large - 4, [large, large - 1, 1], caps=[large - 2, large - 2, 0])
    assert parts == [large - 2, large - 2, 0]


def test_work_does_not_grow_with_the_square_of_the_lines() -> None:
    """Lines with a cap each, reached one after the other: the worst case for a split done in rounds."""

    def split(lines: int) -> None:
        seeded = random.Random(7)
        weights = [seeded.randrange(1, 10**6) for _ in range(lines)]
        caps = [weight * index // lines for index, weight in enumerate(weights)]
        allocate(sum(caps) * 9 // 10, weights, caps=caps)

    assert steps_of(lambda: split(4000)) < 12 * steps_of(lambda: split(400))
