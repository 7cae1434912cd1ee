"""What the rules did with a receipt, as cashiers are told: discounts, coupons refused, limits that were met."""

from collections.abc import Sequence

from till_agent.api import Message, Redeemable
from till_agent.desk.coupons import tidy
from till_agent.texts import Words
from till_loyalty.programme import Programme
from till_loyalty.results import Calculation, Reason

COUPON_REASONS = frozenset(
    (
        "coupon_unknown",
        "coupon_not_in_term",
        "coupon_not_held",
        "coupon_used_up",
        "coupon_refused_offline",
        "coupon_needs_member",
    )
)
"""Why a code is not taken; `numbers["code"]` is its place among the codes, from 1. Each sentence has `coupon`."""
RULE_REASONS = frozenset(
    (
        "rule_limited_by_receipt",
        "rule_limited_by_day",
        "rule_limited_by_week",
        "rule_limited_by_month",
        "rule_limited_by_life",
        "rule_limited_by_budget",
        "rule_refused_offline",
        "rule_without_share",
        "rule_needs_member",
        "coupon_without_effect",
    )
)
"""Why a rule gave less than it would have, or a good coupon nothing; each has a sentence with `title`."""
WHY_NOT_MORE = ("redeem_",)


def rule_messages(
    words: Words,
    programme: Programme | None,
    calculation: Calculation,
    held_back: Sequence[Reason],
    codes: Sequence[str],
) -> tuple[Message, ...]:
    """What to tell about discounts, coupons and limits; `held_back` are reasons of codes that the rules did not get."""
    if programme is None:
        return ()
    scanned = tidy(codes, programme)
    kept_back = {reason.numbers["code"] for reason in held_back}
    given = [code for place, code in enumerate(scanned, 1) if place not in kept_back]
    said: list[Message] = []
    if calculation.discount_minor:
        said.append(words.message("discount_total", amount_minor=calculation.discount_minor))
    if _of_birthday(programme, calculation):
        said.append(words.message("birthday"))
    said += [
        words.message("coupon_applied", title=words.title(coupon.title, coupon.id))
        for coupon in programme.coupons
        if coupon.id in calculation.coupons
    ]
    said += [_of_code(words, reason, scanned) for reason in held_back]
    told: set[tuple[str, str]] = set()
    for reason in calculation.reasons:
        if reason.code in COUPON_REASONS:
            said.append(_of_code(words, reason, given))
        elif reason.code in RULE_REASONS and (reason.code, reason.rule) not in told:
            told.add((reason.code, reason.rule))
            said.append(words.message(reason.code, title=_title(words, programme, reason)))
    return tuple(said)


def proof_messages(words: Words, programme: Programme | None, calculation: Calculation) -> tuple[Message, ...]:
    """That so many points want a proof of who the member is: for quotes, since the hold of a sale has seen it."""
    if programme is None:
        return ()
    redemption = programme.redemption
    if not redemption.proof or calculation.redeemed_points <= redemption.proof_above_points:
        return ()
    ways = words.proof(redemption.proof)
    return (words.message("proof_needed", points=redemption.proof_above_points, ways=ways),)


def redeemable(programme: Programme | None, calculation: Calculation) -> Redeemable:
    """The most that may be spent on the receipt."""
    if programme is None:
        return Redeemable(points=0, amount_minor=0, reason="no_programme")
    points = calculation.redeemable_points
    redemption = programme.redemption
    proof = redemption.proof if points > redemption.proof_above_points else ()
    return Redeemable(
        points=points,
        amount_minor=points * programme.point_value_minor // 10**programme.points_exponent,
        reason=next((each.code for each in calculation.reasons if each.code.startswith(WHY_NOT_MORE)), ""),
        proof=proof,
        proof_above_points=redemption.proof_above_points if proof else 0,
    )


def points_later(calculation: Calculation, business_date: str) -> dict[str, int]:
    """Points of the receipt that can be spent from a later date only, by that date."""
    later: dict[str, int] = {}
    for each in calculation.accruals:
        if each.active_from > business_date:
            later[each.active_from] = later.get(each.active_from, 0) + each.points
    return later


def refusal_message(words: Words, reason: str, code: str) -> Message:
    """Why a coupon's code is not taken."""
    if reason not in COUPON_REASONS:
        return words.message(reason, level="warning")
    return words.message(reason, level="warning", coupon=code)


def _of_code(words: Words, reason: Reason, codes: Sequence[str]) -> Message:
    place = reason.numbers.get("code", 0)
    return refusal_message(words, reason.code, codes[place - 1] if 0 < place <= len(codes) else reason.rule)


def _title(words: Words, programme: Programme, reason: Reason) -> str:
    named = programme.coupons if reason.code.startswith("coupon_") else programme.rules
    return next((words.title(each.title, each.id) for each in named if each.id == reason.rule), reason.rule)


def _of_birthday(programme: Programme, calculation: Calculation) -> bool:
    gave = {each.rule for each in calculation.accruals} | {each.rule for each in calculation.discounts}
    return any(rule.id in gave for rule in programme.rules if rule.who is not None and rule.who.birthday is not None)
