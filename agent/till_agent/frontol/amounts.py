"""Frontol's decimals and our whole units, exactly: no float anywhere. Pure.

Frontol writes numbers (100.5) or texts ("100,50"). Digits beyond our own are rounded half up: there is nothing smaller
to count in.
"""

import re
from decimal import ROUND_HALF_UP, Context, Decimal

from till_agent.frontol.exceptions import BadDocument

DIGITS_LIMIT = 40
"""Of a text, before the point and after it; a number of JSON with more is rounded to twice as many. The largest amount
of a receipt has 14."""
LARGEST_POWER = 15
"""Of ten. 10**13 minor units are the most that a receipt may cost (`till_loyalty.receipt`)."""
LARGEST_WHOLE = 10 ** (LARGEST_POWER + 1)
QUANTITY_DIGITS = 3
_EXACT = Context(prec=2 * DIGITS_LIMIT, rounding=ROUND_HALF_UP)
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}([.,][0-9]{0,40})?([eE][+-]?[0-9]{1,3})?")
_SPACES = str.maketrans("", "", " \u00a0\u202f\t")


def units(value: object, digits: int, name: str) -> int:
    """`value` in units of 10**-digits, half up; BadDocument when it is no number, or beyond any receipt."""
    if type(value) is int and abs(value) < LARGEST_WHOLE:
        return value * int(10**digits)  # most numbers of most receipts
    number = _decimal(value, name)
    if not number:
        return 0
    if not number.is_finite() or number.adjusted() > LARGEST_POWER:
        raise BadDocument(f"expected a number that a receipt may have as {name}, not one of that size")
    if number.adjusted() < -DIGITS_LIMIT:
        return 0
    return int(_EXACT.to_integral_value(_EXACT.scaleb(number, digits)))


def _decimal(value: object, name: str) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str):
        text = value.translate(_SPACES)
        if _NUMBER.fullmatch(text):
            return Decimal(text.replace(",", "."))
    raise BadDocument(f"expected a number as {name}, not {type(value).__name__}")


def decimal_of(minor: int, exponent: int) -> Decimal:
    """Minor units as Frontol has them, with all digits: 1230 is 12.30."""
    return Decimal(minor).scaleb(-exponent, _EXACT)


def product(price_minor: int, quantity_thousandths: int) -> int:
    """Money of a quantity at a price, half up."""
    return (price_minor * quantity_thousandths * 2 + 1000) // 2000


def smallest(price_minor: int, quantity_thousandths: int) -> int:
    """The least that a quantity may cost by the least price of one: never below it."""
    return -(-price_minor * quantity_thousandths // 1000)
