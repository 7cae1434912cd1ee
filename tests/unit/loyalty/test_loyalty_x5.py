"""683 receipts of a real chain, exact to the kopeck; the rest are excluded goods or extra promotions, counted here."""

import csv
from decimal import Decimal
from typing import NamedTuple

from till_loyalty.engine import calculate
from till_loyalty.programme_document import example_text, parse_programme
from till_loyalty.receipt import MemberState
from unit.loyalty.loyalty_support import CLOCK, receipt, shared


class Row(NamedTuple):
    """One receipt: the sum, points spent and received, in kopecks; whether the rule is said to hold for it."""

    total: int
    spent: int
    received: int
    follows: bool


def kopecks(text: str) -> int:
    return int(Decimal(text) * 100)


def rows() -> list[Row]:
    path = shared("x5_retailhero", "two_tier_rule_check.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(
                kopecks(row["purchase_sum"]),
                abs(kopecks(row["points_spent_rub"])),
                kopecks(row["actual_regular_points"]),
                row["matches_rule"] == "True",
            )
            for row in csv.DictReader(file)
        ]


def earned(row: Row) -> int:
    """Points that the example programme gives, in kopecks."""
    rules = parse_programme(example_text("x5"))
    state = MemberState(spendable_points=row.spent // 10)
    result = calculate(rules, state, receipt(row.total), CLOCK, redeem_points=row.spent // 10)
    assert result.redeemed_minor == row.spent
    return result.earned_points * 10


def test_every_receipt_that_follows_the_rule_is_exact_to_the_kopeck() -> None:
    following = [row for row in rows() if row.follows]
    assert len(following) == 683
    assert [earned(row) for row in following] == [row.received for row in following]


def test_the_others_got_less_or_more() -> None:
    others = [row for row in rows() if not row.follows]
    less = sum(row.received < earned(row) for row in others)
    assert (len(others), less, len(others) - less) == (157, 59, 98)
