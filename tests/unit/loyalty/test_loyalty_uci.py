"""Returns of a real shop, tied to their sales: what was earned comes back in proportion, all of it with all goods."""

import csv
import gzip
import re
from decimal import Decimal
from typing import NamedTuple

from till_loyalty.engine import calculate
from till_loyalty.programme import Rule
from till_loyalty.receipt import MemberState, Receipt
from till_loyalty.results import Reversal
from till_loyalty.returns import reverse
from unit.loyalty.loyalty_support import CLOCK, line, programme, shared


class Back(NamedTuple):
    """A line and how much of it comes back."""

    number: int
    quantity_thousandths: int
    amount_minor: int | None = None


def sold_quantities() -> dict[tuple[str, str, Decimal], int]:
    """Pieces by invoice, article and price."""
    sold: dict[tuple[str, str, Decimal], int] = {}
    for name in ("2010-12.csv.gz", "2011-01.csv.gz"):
        with gzip.open(shared("uci_online_retail", name), "rt", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                key = (row["InvoiceNo"], row["StockCode"], Decimal(row["UnitPrice"]))
                sold[key] = sold.get(key, 0) + max(0, int(row["Quantity"]))
    return sold


def test_every_linked_return_takes_its_part_and_a_full_one_leaves_nothing() -> None:
    sold = sold_quantities()
    rules = programme(Rule(id="base", percent_basis_points=333), points_exponent=2)
    links = partly = 0
    with shared("uci_online_retail", "returns_linked.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for invoice, count, price in re.findall(r"(\w+) x(\d+) @([\d.]+)", row["linked"]):
                pieces = sold[invoice, row["stock"], Decimal(price)]
                cents = int(Decimal(price) * 100)
                goods = Receipt(lines=(line(1, cents * pieces, quantity_thousandths=pieces * 1000),))
                sale = calculate(rules, MemberState(), goods, CLOCK)
                first = reverse(sale, lines=[Back(1, int(count) * 1000)])
                due = -(-sale.earned_points * first.money_back_minor // sale.payable_minor) if sale.payable_minor else 0
                assert (first.money_back_minor, first.points_taken) == (cents * int(count), due)
                done: list[Reversal] = [first]
                if int(count) < pieces:
                    partly += 1
                    done.append(reverse(sale, done))
                assert sum(each.points_taken for each in done) == sale.earned_points
                assert sum(each.money_back_minor for each in done) == sale.payable_minor
                links += 1
    assert links > 400
    assert partly > 100
