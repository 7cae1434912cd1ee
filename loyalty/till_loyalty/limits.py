"""How much a rule may still give: per receipt, to a member in a period, out of a budget; and what is then used up."""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache

from till_loyalty.allocation import allocate
from till_loyalty.conditions import Situation
from till_loyalty.coupons import codes_used
from till_loyalty.programme import Programme, Rule
from till_loyalty.receipt import Usage
from till_loyalty.results import Calculation, Reason
from till_loyalty.rule_parts import Limit

MEMBER_PERIODS = frozenset(("day", "week", "month", "life"))
"""Limits that count what a member has had."""

DAYS_KEPT = 64
"""Names of periods that are remembered: of the few days that sales of one time are of."""


@lru_cache(maxsize=DAYS_KEPT)
def period_key(per: str, day: date) -> str:
    """The name of the period of `day`: `2026-01-31`, `2026-W05` (ISO), `2026-01`; empty for a whole life."""
    if per == "day":
        return day.isoformat()
    if per == "week":
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02d}"
    return day.isoformat()[:7] if per == "month" else ""


def trim(
    rule: Rule, parts: list[int], situation: Situation, reasons: list[Reason], *, numbers: Sequence[int]
) -> list[int]:
    """`parts` (what the rule would give each line) cut to what its limits leave, in proportion; and the reason.

    `numbers` are the lines': of equal parts, the line of the lower number keeps more.
    """
    total = sum(parts)
    if not total:
        return parts
    if situation.nobody and any(limit.per in MEMBER_PERIODS for limit in rule.limits):
        reasons.append(Reason(code="rule_needs_member", rule=rule.id, numbers={"would": total}))
        return [0] * len(parts)
    for limit in rule.limits:
        left, code = _left(rule, limit, situation)
        if left is not None and left < total:
            reasons.append(Reason(code=code, rule=rule.id, numbers={"given": left, "would": total}))
            parts = allocate(left, parts, numbers=numbers)
            total = left
        if not total:
            break
    return parts


def _left(rule: Rule, limit: Limit, situation: Situation) -> tuple[int | None, str]:
    """What the limit leaves (None: it does not bind) and the reason's code if that is too little."""
    share = situation.budgets.get(rule.id)
    if limit.per != "receipt" and situation.offline:
        if limit.offline == "refuse":
            return 0, "rule_refused_offline"
        if limit.offline == "share" and share is None:
            return 0, "rule_without_share"
    code = f"rule_limited_by_{limit.per}"
    if limit.per == "budget":
        if share is None and limit.offline == "share" and situation.keeps_budgets:
            return 0, "rule_without_share"
        return (None if share is None else max(0, share)), code
    if limit.per == "receipt":
        return limit.amount or None, code
    key = period_key(limit.per, situation.business)
    had = [each for each in situation.member.usage if (each.rule, each.per, each.key) == (rule.id, limit.per, key)]
    if limit.uses and sum([each.uses for each in had]) >= limit.uses:
        return 0, code
    left = None if not limit.amount else max(0, limit.amount - sum([each.amount for each in had]))
    if limit.offline == "share" and situation.offline and share is not None:
        left = share if left is None else min(left, share)
    return left, code


def usage_of(
    programme: Programme,
    calculation: Calculation,
    business_date: str,
    *,
    codes: Sequence[str] = (),
    had: Sequence[Usage] = (),
) -> tuple[Usage, ...]:
    """What a sale uses up of its member's limits and coupons: one row a rule and period, to be added to what is kept.

    With the sale's `codes`, and the rows that its member `had`, also a row (`per` "code") for each code that coupons
    with a limit of their codes use up.

    Returns give nothing back of a limit: otherwise buying and returning would be a way around it.
    """
    day = date.fromisoformat(business_date)
    given: dict[str, int] = {}
    for accrual in calculation.accruals:
        given[accrual.rule] = given.get(accrual.rule, 0) + accrual.points
    for discount in calculation.discounts:
        given[discount.rule] = given.get(discount.rule, 0) + discount.amount_minor
    rows = [
        Usage(rule=rule.id, per=per, key=period_key(per, day), amount=given[rule.id], uses=1)
        for rule in programme.rules
        if rule.id in given
        for per in sorted({limit.per for limit in rule.limits} & MEMBER_PERIODS)
    ]
    rows += [Usage(rule=coupon, per="life", uses=1) for coupon in calculation.coupons]
    if codes and calculation.coupons:
        used = codes_used(programme, calculation, codes, had)
        rows += [Usage(rule=coupon, per="code", key=code, uses=1) for coupon, code in sorted(used.items())]
    return tuple(rows)


def budget_used(calculation: Calculation, rules: Sequence[Rule]) -> dict[str, int]:
    """What a sale takes from the budgets of rules that have one, by rule id."""
    used: dict[str, int] = {}
    budgeted = {rule.id for rule in rules if any(limit.per == "budget" for limit in rule.limits)}
    for accrual in calculation.accruals:
        if accrual.rule in budgeted:
            used[accrual.rule] = used.get(accrual.rule, 0) + accrual.points
    for discount in calculation.discounts:
        if discount.rule in budgeted:
            used[discount.rule] = used.get(discount.rule, 0) + discount.amount_minor
    return used
