"""14,489 realistic receipts of a year, with the household, the store and its local time; and what they come to."""

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

from till_loyalty.receipt import Line, Receipt, StoreClock
from unit.loyalty.loyalty_support import shared

STORES = ZoneInfo("America/New_York")


class Sale(NamedTuple):
    """A receipt, who bought, where and when."""

    household: int
    store: str
    clock: StoreClock
    receipt: Receipt


class Figures(NamedTuple):
    """What an example programme comes to over all of them; minor units."""

    receipts: int = 0
    lines: int = 0
    earned_points: int = 0
    discount_minor: int = 0
    redeemed_minor: int = 0
    returned: int = 0

    def plus(self, **more: int) -> "Figures":
        return Figures(*(old + more.get(name, 0) for name, old in zip(self._fields, self, strict=True)))


RECEIPTS, LINES = 14_489, 142_393
EXPECTED: dict[str, Figures] = {
    "supermarket": Figures(RECEIPTS, LINES, 819030, 49272, 775322, 1449),
    "russia": Figures(RECEIPTS, LINES, 15382, 0, 733600, 1449),
    "pharmacy": Figures(RECEIPTS, LINES, 2355234, 48661, 1776613, 1449),
    "clothing": Figures(RECEIPTS, LINES, 25865, 107993, 2269500, 1449),
    "x5": Figures(RECEIPTS, LINES, 15659, 0, 144580, 1449),
}
"""By example: as the run of a whole year gave them, carried with balances, limits and returns."""


def rows(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(shared("completejourney", name), "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def cents(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole) * 100 + int(fraction.ljust(2, "0"))


@cache
def real_sales() -> tuple[Sale, ...]:
    """All of them, in the order of the file; read once for all tests of a process."""
    products = {
        row["product_id"]: (row["department"], row["product_category"], row["product_type"])
        for row in rows("products.csv.gz")
    }
    sales = []
    for _, group in groupby(rows("lines_hh_mod10_eq1.csv.gz"), key=lambda row: row["basket_id"]):
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
        local = datetime.fromisoformat(row["ts_utc"]).astimezone(STORES).replace(tzinfo=None)
        clock = StoreClock(local_time=local.isoformat(timespec="seconds"), business_date=local.date().isoformat())
        sales.append(Sale(int(row["household_id"]), row["store_id"], clock, Receipt(lines=tuple(sold))))
    return tuple(sales)


def birthday_of(household: int) -> str:
    """Some day of the year as `MM-DD`: one for each household."""
    day = datetime.fromtimestamp(86_400 * (household * 37 % 366), UTC).replace(year=2016)
    return day.strftime("%m-%d")
