"""What is typed into `tillside pos`: words, amounts, quantities, and lines of a receipt such as `3x milk 89.90`."""

import re
import shlex
from typing import Any

from msgspec import Struct

from till_loyalty.receipt import LARGEST_AMOUNT_MINOR, LARGEST_QUANTITY_THOUSANDTHS, Line

THOUSAND = 1000
DECIMAL = re.compile(r"(?P<whole>[0-9]{1,14})(?:[.,](?P<part>[0-9]{0,6}))?")
TIMES = re.compile(r"(?P<quantity>[0-9]+(?:[.,][0-9]+)?)[xх×*]", re.IGNORECASE)
"""A quantity before its goods; the Cyrillic letter looks the same on the keyboard."""
OPTION = re.compile(r"(?P<name>[a-z_]+)=(?P<value>.*)", re.DOTALL)
LINE_OPTIONS = ("sku", "category", "brand", "label", "supplier", "min")
SKU_LIMIT = 100


class NotUnderstoodError(Exception):
    """Raised when what was typed can't be carried out; the message says what was expected."""


class Units(Struct, frozen=True, kw_only=True):
    """How amounts and points are written here."""

    currency: str = ""
    currency_exponent: int = 2
    points_exponent: int = 0

    def money(self, minor: int) -> str:
        """An amount as people write it."""
        return _written(minor, self.currency_exponent)

    def points(self, minor: int) -> str:
        """Points as people write them."""
        return _written(minor, self.points_exponent)

    def read_money(self, text: str) -> int:
        """Minor units of `89.90`. NotUnderstoodError."""
        return _read(text, self.currency_exponent, "an amount such as 89.90", LARGEST_AMOUNT_MINOR)

    def read_points(self, text: str) -> int:
        """Minor points of `150`. NotUnderstoodError."""
        return _read(text, self.points_exponent, "points such as 150", LARGEST_AMOUNT_MINOR)


def quantity_words(thousandths: int) -> str:
    """`3`, `0.45`."""
    return _written(thousandths, 3).rstrip("0").rstrip(".")


def read_quantity(text: str) -> int:
    """Thousandths of `3` or `0.450`. NotUnderstoodError."""
    return _read(text, 3, "a quantity such as 3 or 0.45", LARGEST_QUANTITY_THOUSANDTHS)


def split_words(text: str) -> list[str]:
    """Words; what is in double quotes is one. A line that begins with `#` has none. NotUnderstoodError."""
    if text.lstrip().startswith("#"):
        return []
    reader = shlex.shlex(text, posix=True)
    reader.whitespace_split = True
    reader.quotes, reader.escape, reader.commenters = '"', "", ""
    try:
        return [word for word in reader if word]
    except ValueError:
        raise NotUnderstoodError('expected a second " to end the quoted words') from None


def split_options(words: list[str], allowed: tuple[str, ...]) -> tuple[list[str], dict[str, list[str]]]:
    """Words that stand alone, and the values of `name=value`. NotUnderstoodError for a name that is not allowed."""
    plain: list[str] = []
    options: dict[str, list[str]] = {}
    for word in words:
        found = OPTION.fullmatch(word)
        if found is None:
            plain.append(word)
        elif found["name"] in allowed:
            options.setdefault(found["name"], []).append(found["value"])
        else:
            raise NotUnderstoodError(f"expected one of {', '.join(f'{name}=' for name in allowed)}, not {word!r}")
    return plain, options


def read_line(words: list[str], number: int, units: Units) -> Line:
    """`[QUANTITYx] NAME PRICE [sku=...] [category=A/B] [label=...]`: PRICE is of one, `=PRICE` of all.

    NotUnderstoodError.
    """
    totals = [word for word in words if word.startswith("=")]
    plain, options = split_options([word for word in words if word not in totals], LINE_OPTIONS)
    quantity = THOUSAND
    if plain and (found := TIMES.fullmatch(plain[0])):
        quantity = read_quantity(found["quantity"])
        del plain[0]
    elif len(plain) > 1 and (found := TIMES.fullmatch("".join(plain[:2]))):
        quantity = read_quantity(found["quantity"])
        del plain[:2]
    if totals:
        amount = units.read_money(totals[0][1:])
    elif len(plain) > 1:
        each = units.read_money(plain.pop())
        amount = (each * quantity + THOUSAND // 2) // THOUSAND
    else:
        raise NotUnderstoodError("expected goods and a price, such as `3x milk 89.90`; `help` lists the commands")
    if not plain or not quantity:
        raise NotUnderstoodError("expected the name of the goods before the price, and more than none of them")
    if amount > LARGEST_AMOUNT_MINOR:
        raise NotUnderstoodError("expected an amount that a receipt can have")
    name = " ".join(plain)
    return Line(
        number=number,
        sku=options.get("sku", ["-".join(name.lower().split())])[-1][:SKU_LIMIT],
        name=name,
        quantity_thousandths=quantity,
        amount_minor=amount,
        **_more(options, units),
    )


def _more(options: dict[str, list[str]], units: Units) -> dict[str, Any]:
    found: dict[str, Any] = {name: options[name][-1] for name in ("brand", "supplier") if name in options}
    if "category" in options:
        found["category"] = tuple(options["category"][-1].split("/"))
    if "label" in options:
        found["labels"] = tuple(options["label"])
    if "min" in options:
        found["minimum_price_minor"] = units.read_money(options["min"][-1])
    return found


def _written(minor: int, exponent: int) -> str:
    sign, minor = ("-", -minor) if minor < 0 else ("", minor)
    whole, part = divmod(minor, 10**exponent)
    return f"{sign}{whole}.{part:0{exponent}}" if exponent else f"{sign}{whole}"


def _read(text: str, exponent: int, expected: str, largest: int) -> int:
    found = DECIMAL.fullmatch(text)
    part = (found["part"] or "").rstrip("0") if found else ""
    if found is None or len(part) > exponent:
        raise NotUnderstoodError(f"expected {expected}, not {text!r}")
    value: int = int(found["whole"]) * 10**exponent + int(part.ljust(exponent, "0") or "0")
    if value > largest:
        raise NotUnderstoodError(f"expected {expected}, not so much: {text!r}")
    return value
