"""Division with a named rounding, and points as money, at the exact boundaries."""

import decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_loyalty import money
from till_loyalty.exceptions import InvariantError

DECIMAL_ROUNDING = {
    "floor": decimal.ROUND_FLOOR,
    "ceil": decimal.ROUND_CEILING,
    "half_up": decimal.ROUND_HALF_UP,
    "half_even": decimal.ROUND_HALF_EVEN,
}


@pytest.mark.parametrize(
    ("numerator", "denominator", "floor", "half_up", "half_even", "ceil"),
    [
        (0, 7, 0, 0, 0, 0),
        (7, 7, 1, 1, 1, 1),
        (1, 2, 0, 1, 0, 1),
        (3, 2, 1, 2, 2, 2),
        (5, 2, 2, 3, 2, 3),
        (49, 100, 0, 0, 0, 1),
        (50, 100, 0, 1, 0, 1),
        (51, 100, 0, 1, 1, 1),
        (1, 3, 0, 0, 0, 1),
        (2, 3, 0, 1, 1, 1),
        (-1, 2, -1, -1, 0, 0),
        (-3, 2, -2, -2, -2, -1),
        (-5, 2, -3, -3, -2, -2),
        (10**30 + 5, 10, 10**29, 10**29 + 1, 10**29, 10**29 + 1),
        (2 * 10**17 + 1, 2 * 10**17, 1, 1, 1, 2),
    ],
)
def test_division_rounds_as_named(
    numerator: int, denominator: int, floor: int, half_up: int, half_even: int, ceil: int
) -> None:
    assert money.divide(numerator, denominator, "floor") == floor
    assert money.divide(numerator, denominator, "half_up") == half_up
    assert money.divide(numerator, denominator, "half_even") == half_even
    assert money.divide(numerator, denominator, "ceil") == ceil


@given(
    st.integers(-(10**20), 10**20),
    st.one_of(st.integers(1, 20), st.integers(1, 10**12)),
    st.sampled_from(sorted(DECIMAL_ROUNDING)),
)
def test_division_agrees_with_decimal(numerator: int, denominator: int, rounding: str) -> None:
    """The standard library's decimals, wide enough to hold the quotient's half exactly, round the same way."""
    with decimal.localcontext() as context:
        context.prec = 80
        # Doubling keeps an exact half exact; a fraction of 60 places is told from a half by its sign alone.
        whole, rest = divmod(numerator, denominator)
        nudge = (Fraction(rest, denominator) > Fraction(1, 2)) - (Fraction(rest, denominator) < Fraction(1, 2))
        fraction = decimal.Decimal(0) if not rest else decimal.Decimal("0.5") + decimal.Decimal(nudge) / 4
        expected = int((whole + fraction).to_integral_value(DECIMAL_ROUNDING[rounding]))
    assert money.divide(numerator, denominator, rounding) == expected  # type: ignore[arg-type]  # a wrong word on purpose


@pytest.mark.parametrize("denominator", [0, -1])
def test_division_by_nothing_is_our_own_fault(denominator: int) -> None:
    with pytest.raises(InvariantError):
        money.divide(1, denominator, "floor")


@pytest.mark.parametrize(
    ("base", "percent", "value", "exponent", "points"),
    [
        (10_000, 100, 100, 0, 1),  # 1 % of 100.00 is 1 whole point of 1.00
        (9_999, 100, 100, 0, 0),
        (9_999, 100, 100, 2, 99),
        (10_000, 100, 100, 2, 100),
        (199, 1, 1, 0, 0),
        (10_000, 1, 1, 0, 1),
        (2_000, 500, 150, 0, 0),  # 1.00 of money is less than a point of 1.50
        (3_000, 500, 150, 0, 1),
        (10**13, 10_000, 1, 2, 10**15),  # the largest receipt, all of it, in the smallest points
    ],
)
def test_percent_of_money_in_points(base: int, percent: int, value: int, exponent: int, points: int) -> None:
    got = money.points_of_percent(base, percent, point_value_minor=value, points_exponent=exponent, rounding="floor")
    assert got == points


@pytest.mark.parametrize(
    ("value", "exponent", "unit"),
    [(100, 0, 1), (100, 2, 1), (1, 0, 1), (1, 2, 100), (50, 2, 2), (150, 2, 2), (7, 1, 10), (25, 2, 4), (250, 1, 1)],
)
def test_smallest_portion_that_is_whole_money(value: int, exponent: int, unit: int) -> None:
    assert money.exact_points_unit(point_value_minor=value, points_exponent=exponent) == unit
    assert money.money_of_points(unit, point_value_minor=value, points_exponent=exponent) * 10**exponent == unit * value


def test_points_that_are_no_whole_money_are_refused() -> None:
    with pytest.raises(InvariantError):
        money.money_of_points(1, point_value_minor=50, points_exponent=2)


@given(st.integers(0, 10**13), st.sampled_from((1, 3, 100, 10**9)), st.integers(0, 2))
def test_points_within_money_is_the_most(amount: int, value: int, exponent: int) -> None:
    """One more minor point would be worth more than the money."""
    points = money.points_within_money(amount, point_value_minor=value, points_exponent=exponent)
    assert points * value <= amount * 10**exponent < (points + 1) * value
