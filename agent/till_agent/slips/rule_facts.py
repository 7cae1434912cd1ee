"""What a slip tells of the rules' work: discounts, coupons, points by rule, and from when they can be spent."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from till_agent.api import Offered
from till_drivers.slips.facts import Later, Offer, Row
from till_drivers.slips.words import SlipWords
from till_loyalty.results import Calculation

ROWS = 4
"""Rules that are named one by one; what the others gave is one row more. A slip is no catalogue."""


def rule_facts(calculation: Calculation, words: SlipWords, *, today: str, inactive_points: int) -> dict[str, Any]:
    """Fields of `SlipFacts`. `today` is the receipt's business date; `inactive_points` are all that the member has."""
    off: dict[str, int] = {}
    for discount in calculation.discounts:
        off[discount.rule] = off.get(discount.rule, 0) + discount.amount_minor
    points: dict[str, int] = {}
    later: dict[str, int] = {}
    for accrual in calculation.accruals:
        points[accrual.rule] = points.get(accrual.rule, 0) + accrual.points
        if accrual.active_from > today:
            later[accrual.active_from] = later.get(accrual.active_from, 0) + accrual.points
    titles = {
        rule.id: words.title(rule.title, rule.id)
        for rule in words.programme.rules
        if rule.id in off or rule.id in points
    }
    coupons = {each.id: words.title(each.title, each.id) for each in words.programme.coupons if calculation.coupons}
    earned = _rows(points, titles, words.slip("other_points")) if len(points) > 1 else ()
    return {
        "discounts": _rows(off, titles, words.slip("other_discounts")),
        "discount_minor": calculation.discount_minor,
        "coupons": tuple([coupons.get(each, each) for each in calculation.coupons]),
        "earned_by": earned,
        "later": tuple([Later(words.day(day), amount) for day, amount in sorted(later.items())]),
        "inactive": max(0, inactive_points - sum(later.values())),
    }


def _rows(given: Mapping[str, int], titles: Mapping[str, str], others: str) -> tuple[Row, ...]:
    rows = [Row(titles.get(rule, rule), amount) for rule, amount in given.items() if amount]
    if len(rows) <= ROWS + 1:
        return tuple(rows)
    return (*rows[:ROWS], Row(others, sum([row.amount for row in rows[ROWS:]])))


def offer_facts(offered: Sequence[Offered], calculation: Calculation, words: SlipWords) -> dict[str, Any]:
    """Coupons that the member holds, in the slip's language; one that this receipt used and that works but a few times
    is no offer any more."""
    coupons = {each.id: each for each in words.programme.coupons} if offered else {}
    rows: list[Offer] = []
    for each in offered:
        coupon = coupons.get(each.coupon)
        if each.coupon in calculation.coupons and (coupon is None or coupon.uses_per_member or coupon.uses_per_code):
            continue
        title = words.title(coupon.title, each.title) if coupon is not None else each.title
        until = date.fromisoformat(each.valid_to) - timedelta(days=1) if each.valid_to else None
        rows.append(Offer(title, words.day(until.isoformat()) if until else ""))
    return {"offers": tuple(rows)}


def tier_title(tier: str, words: SlipWords) -> str:
    """What the member's tier is called; "" for one that the programme gives no name."""
    named = next((each for each in words.programme.tiers if each.id == tier), None)
    return words.title(named.title, "") if named is not None else ""
