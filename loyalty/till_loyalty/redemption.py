"""How many points may pay on a receipt, how many do, and what they pay of each line.

The share is of the lines that points may pay for: an excluded line neither is paid nor raises the ceiling for others.
Every limit is rounded down, whatever the programme's rounding, so that no limit is ever passed.
"""

from typing import NamedTuple

from till_loyalty.allocation import allocate
from till_loyalty.money import WHOLE_PERCENT, money_of_points, points_within_money
from till_loyalty.plan import Plan
from till_loyalty.receipt import Line
from till_loyalty.results import Reason

AS_MANY_AS_ALLOWED = -1


class Redeemed(NamedTuple):
    """`redeemable_points`: the most that may be spent; `points`, `money_minor`: what is; the rest by line index."""

    redeemable_points: int
    points: int
    money_minor: int
    line_money: list[int]
    line_points: list[int]
    reasons: list[Reason]


def redeem(plan: Plan, lines: tuple[Line, ...], redeems: list[bool], spendable: int, wish: int) -> Redeemed:
    """Trim `wish` (minor points, or -1) to what the programme, the receipt and the member allow."""
    programme = plan.programme
    terms = programme.redemption
    value, exponent = programme.point_value_minor, programme.points_exponent
    if not terms.enabled or spendable <= 0:
        # So it is for most sales at the cloud: what the lines would allow need not be worked out.
        why = _why_nothing(plan, spendable, 0, 0, 0, wish)
        return Redeemed(0, 0, 0, [0] * len(lines), [0] * len(lines), [] if why is None else [why])
    least = terms.minimum_line_price_minor
    weights = [line.amount_minor if may else 0 for line, may in zip(lines, redeems, strict=True)]
    caps = [
        (weight - least if weight > least else 0)
        if line.minimum_price_minor <= least
        else max(0, weight - line.minimum_price_minor)
        for line, weight in zip(lines, weights, strict=True)
    ]
    share_minor = sum(weights) * terms.max_share_basis_points // WHOLE_PERCENT
    caps_minor = sum(caps)
    limits = {
        "redeem_limited_by_balance": spendable,
        "redeem_limited_by_share": points_within_money(share_minor, point_value_minor=value, points_exponent=exponent),
        "redeem_limited_by_line_prices": points_within_money(
            caps_minor, point_value_minor=value, points_exponent=exponent
        ),
    }
    if terms.maximum_receipt_minor:
        limits["redeem_limited_by_receipt_ceiling"] = points_within_money(
            terms.maximum_receipt_minor, point_value_minor=value, points_exponent=exponent
        )
    zero = _why_nothing(plan, spendable, share_minor, caps_minor, min(limits.values()), wish)
    if zero is not None:
        return Redeemed(0, 0, 0, [0] * len(lines), [0] * len(lines), [zero])
    unit = plan.unit_points
    redeemable = min(limits.values()) // unit * unit
    asked = spendable if wish == AS_MANY_AS_ALLOWED else wish
    points = min(asked, redeemable) // unit * unit
    money = money_of_points(points, point_value_minor=value, points_exponent=exponent)
    numbers = [line.number for line in lines]
    line_money = allocate(money, weights, caps=caps, numbers=numbers)
    line_points = line_money if points == money else allocate(points, line_money, numbers=numbers)
    reasons = _why_less(limits, asked, points, unit, wish)
    if terms.proof and points > terms.proof_above_points:
        numbers_told = {"above": terms.proof_above_points, "given": points}
        reasons.append(Reason(code="proof_needed", numbers=numbers_told))
    return Redeemed(redeemable, points, money, line_money, line_points, reasons)


def _why_nothing(
    plan: Plan, spendable: int, share_minor: int, caps_minor: int, most_points: int, wish: int
) -> Reason | None:
    """The reason why no point at all may be spent here, if so."""
    terms = plan.programme.redemption
    code, numbers = "", {}
    if not terms.enabled:
        code = "redeem_disabled"
    elif spendable <= 0:
        code = "redeem_nothing_spendable"
    elif spendable < terms.minimum_balance_points:
        code, numbers = "redeem_below_minimum_balance", {"needed": terms.minimum_balance_points, "have": spendable}
    elif not share_minor or not caps_minor:
        code = "redeem_nothing_payable"
    elif most_points < plan.unit_points:
        code, numbers = "redeem_below_step", {"step": plan.unit_points, "most": most_points}
    if not code:
        return None
    return Reason(code=code, numbers=_asked(wish) | numbers)


def _why_less(limits: dict[str, int], asked: int, given: int, unit: int, wish: int) -> list[Reason]:
    """The limit that trimmed the wish, and the step if that trimmed it further."""
    if wish == 0 or given >= asked:
        return []
    reasons = []
    code, most = min(limits.items(), key=lambda limit: limit[1])
    if asked > most:
        reasons.append(Reason(code=code, numbers={"asked": asked, "given": given}))
    if min(asked, most) % unit:
        reasons.append(Reason(code="redeem_trimmed_to_step", numbers={"step": unit, "given": given}))
    return reasons


def _asked(wish: int) -> dict[str, int]:
    return {"asked": wish} if wish > 0 else {}
