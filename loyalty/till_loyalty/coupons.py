"""Which of the codes at hand stand for coupons that may be used here, why others don't, and which come back."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from till_loyalty.exceptions import ReceiptError
from till_loyalty.programme import Programme
from till_loyalty.receipt import MemberState, Usage
from till_loyalty.results import Calculation, Reason
from till_loyalty.rule_parts import Coupon

CODE_LIMIT = 50
"""Codes on one receipt; a cashier scans a handful."""


def normalise_code(code: str) -> str:
    """A code as codes are compared: without spaces around it, and in one case."""
    return code.strip().upper()


def coupons_by_code(coupons: Sequence[Coupon]) -> dict[str, Coupon]:
    """Coupons by their normalised codes."""
    return {normalise_code(code): coupon for coupon in coupons for code in coupon.codes}


def accepted(
    by_code: Mapping[str, Coupon], codes: Sequence[str], member: MemberState, business_date: str, *, offline: bool
) -> tuple[frozenset[str], list[Reason]]:
    """Ids of the coupons that may be used, and a reason for each code that stands for none.

    `numbers["code"]` of a reason is the place of the code among those given, from 1: codes are not repeated in results.
    """

    def why_not(coupon: Coupon, code: str) -> str:
        return _why_not(coupon, code, member, business_date, offline=offline)

    return _sorted_out(by_code, codes, why_not)


def accepted_of_nobody(
    by_code: Mapping[str, Coupon], codes: Sequence[str], business_date: str, *, offline: bool
) -> tuple[frozenset[str], list[Reason]]:
    """As `accepted`, for a sale with no member: coupons that are held or counted need one (`coupon_needs_member`)."""

    def why_not(coupon: Coupon, _code: str) -> str:
        if not _in_term(coupon, business_date):
            return "coupon_not_in_term"
        if coupon.assigned or _is_limited(coupon):
            return "coupon_needs_member"
        return "coupon_refused_offline" if offline and coupon.offline == "refuse" else ""

    return _sorted_out(by_code, codes, why_not)


def _sorted_out(
    by_code: Mapping[str, Coupon], codes: Sequence[str], why_not: Callable[[Coupon, str], str]
) -> tuple[frozenset[str], list[Reason]]:
    if len(codes) > CODE_LIMIT:
        raise ReceiptError(
            f"expected at most {CODE_LIMIT} codes, not {len(codes)}", pointer="/codes", code="codes_too_many"
        )
    usable: set[str] = set()
    reasons: list[Reason] = []
    for number, code in enumerate(codes, 1):
        normal = normalise_code(code)
        coupon = by_code.get(normal)
        if coupon is None:
            reasons.append(Reason(code="coupon_unknown", numbers={"code": number}))
            continue
        fault = why_not(coupon, normal)
        if fault:
            reasons.append(Reason(code=fault, rule=coupon.id, numbers={"code": number}))
        else:
            usable.add(coupon.id)
    return frozenset(usable), reasons


def _in_term(coupon: Coupon, business_date: str) -> bool:
    return not (
        (coupon.valid_from and business_date < coupon.valid_from)
        or (coupon.valid_to and business_date >= coupon.valid_to)
    )


def _is_limited(coupon: Coupon) -> bool:
    return bool(coupon.uses_per_member or coupon.uses_per_code)


def _why_not(coupon: Coupon, code: str, member: MemberState, business_date: str, *, offline: bool) -> str:
    """The code of the reason why the coupon can't be used by this normalised code, or nothing."""
    held = coupon.id in member.coupons
    if not _in_term(coupon, business_date):
        return "coupon_not_in_term"
    if coupon.assigned and not held:
        return "coupon_not_held"
    used = sum([each.uses for each in member.usage if each.rule == coupon.id and each.per == "life"])
    if (coupon.uses_per_member and used >= coupon.uses_per_member) or _is_spent(coupon, code, member.usage):
        return "coupon_used_up"
    if offline and (coupon.offline == "refuse" or (not coupon.offline and _is_limited(coupon) and not held)):
        return "coupon_refused_offline"
    return ""


def _is_spent(coupon: Coupon, code: str, usage: Sequence[Usage]) -> bool:
    """Whether all members together have used the code as often as it may be."""
    if not coupon.uses_per_code:
        return False
    used = [each.uses for each in usage if (each.rule, each.per, each.key) == (coupon.id, "code", code)]
    return sum(used) >= coupon.uses_per_code


def codes_used(
    programme: Programme, calculation: Calculation, codes: Sequence[str], usage: Sequence[Usage] = ()
) -> dict[str, str]:
    """The code that a sale uses up, normalised, by the id of its coupon; for coupons that count uses of codes.

    Of several codes of one coupon the first that has a use left by `usage` is used: one code is enough.
    """
    by_code = coupons_by_code(programme.coupons)
    used: dict[str, str] = {}
    spent: dict[str, str] = {}
    for code in codes:
        normal = normalise_code(code)
        coupon = by_code.get(normal)
        if coupon is None or not coupon.uses_per_code or coupon.id not in calculation.coupons:
            continue
        (spent if _is_spent(coupon, normal, usage) else used).setdefault(coupon.id, normal)
    return spent | used


def coupons_back(programme: Programme, sale: Calculation, *, returned_minor: int, on: str) -> tuple[str, ...]:
    """Ids of the coupons of a sale that its member may use again, when goods of `returned_minor` in all are back.

    Only a full return within the coupon's term (business date `on`) brings one back; a void is a full return.
    """
    date.fromisoformat(on)
    if returned_minor < sale.total_minor:
        return ()
    terms = {coupon.id: coupon for coupon in programme.coupons}
    return tuple(
        [
            each
            for each in sale.coupons
            if each in terms
            and terms[each].returns == "full_within_term"
            and not (terms[each].valid_to and on >= terms[each].valid_to)
        ]
    )
