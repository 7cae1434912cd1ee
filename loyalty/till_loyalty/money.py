"""Whole-number arithmetic of money and points: division with a named rounding, and points as money.

Money and points are minor units. `point_value_minor` is the money that one whole point pays for, and a whole point is
`minor_points(points_exponent)` minor points. No float, no Decimal: the same integers on every machine.
"""

from math import gcd

from till_loyalty.exceptions import invariant
from till_loyalty.programme import Rounding

WHOLE_PERCENT = 10_000
"""100 % in basis points."""
_MINOR_PER_POINT = (1, 10, 100)


def divide(numerator: int, denominator: int, rounding: Rounding) -> int:
    """`numerator / denominator` as a whole number; the denominator is above 0.

    `floor` and `ceil` go down and up also below zero; `half_up` takes an exact half away from zero, as bookkeepers do;
    `half_even` takes it to the even neighbour.
    """
    invariant(denominator > 0, "expected a denominator above 0")
    quotient, remainder = divmod(numerator, denominator)
    if not remainder or rounding == "floor":
        return quotient
    if rounding == "ceil":
        return quotient + 1
    twice = 2 * remainder
    if twice != denominator:
        return quotient + (twice > denominator)
    if rounding == "half_up":
        return quotient + (numerator > 0)
    return quotient + (quotient & 1)


def minor_points(points_exponent: int) -> int:
    """Minor points in one whole point, for an exponent of 0 to 2."""
    return _MINOR_PER_POINT[points_exponent]


def points_of_percent(
    base_minor: int, basis_points: int, *, point_value_minor: int, points_exponent: int, rounding: Rounding
) -> int:
    """Minor points worth `basis_points` of `base_minor`: one division, so one rounding."""
    return divide(
        base_minor * basis_points * minor_points(points_exponent), WHOLE_PERCENT * point_value_minor, rounding
    )


def money_of_points(points: int, *, point_value_minor: int, points_exponent: int) -> int:
    """Minor money that `points` pay for; they must convert exactly (a multiple of `exact_points_unit`)."""
    money, remainder = divmod(points * point_value_minor, minor_points(points_exponent))
    invariant(not remainder, "expected points that convert to whole minor money")
    return money


def points_within_money(money_minor: int, *, point_value_minor: int, points_exponent: int) -> int:
    """The most minor points whose value does not pass `money_minor`."""
    return money_minor * minor_points(points_exponent) // point_value_minor


def exact_points_unit(*, point_value_minor: int, points_exponent: int) -> int:
    """The smallest number of minor points that is worth a whole number of minor money."""
    whole = minor_points(points_exponent)
    return whole // gcd(whole, point_value_minor)
