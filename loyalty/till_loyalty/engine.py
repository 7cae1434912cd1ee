"""The one function of programme, member, receipt and store clock that till and cloud both run.

Order of work: exclusions, discounts, redemption, accrual on the base.
Reason codes are listed in docs/reference/programme.md.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from till_loyalty.accrual import Earned, accrue
from till_loyalty.conditions import Situation
from till_loyalty.coupons import accepted, accepted_of_nobody
from till_loyalty.discounts import Discounted, discount
from till_loyalty.exceptions import ReceiptError, invariant
from till_loyalty.plan import Plan, Standing, plan_of
from till_loyalty.programme import Programme
from till_loyalty.receipt import Line, MemberState, Place, Receipt, StoreClock, check_receipt
from till_loyalty.redemption import AS_MANY_AS_ALLOWED, Redeemed, redeem
from till_loyalty.results import Calculation, DiscountGiven, LineResult, Reason
from till_loyalty.taken import discounts_taken

NOBODY = MemberState()
"""Of whom nothing is known, so no condition on a member holds."""


class Recount(NamedTuple):
    """A sale with the discounts that were taken, and the discounts that the rules would have given in their place.

    `fault`: why the rules could not be asked for them, though the sale itself could be counted; else "".
    """

    result: Calculation
    by_rules: tuple[DiscountGiven, ...]
    fault: str = ""


def calculate(
    programme: Programme,
    member: MemberState | None,
    receipt: Receipt,
    clock: StoreClock,
    *,
    redeem_points: int = 0,
    place: Place | None = None,
    codes: Sequence[str] = (),
    budgets: Mapping[str, int] | None = None,
    offline: bool = False,
    taken: Sequence[DiscountGiven] | None = None,
) -> Calculation:
    """What `receipt` gives and costs: pure, and the same bytes (`canonical_bytes`) wherever it runs.

    `member` None means a sale with no member: it earns and spends nothing, and gets the discounts that ask nothing of a
    member; a blocked member gets the same. `redeem_points` are minor points that the member wishes to spend,
    -1 for as many as allowed; the wish is trimmed, never refused. `place` None: rules with a `where` don't hold.
    `codes`: coupon and promo codes scanned. `budgets`: what is left of each rule's budget here, by rule id: a till's
    share of it, or all of it at the cloud; None: nobody keeps budgets here, and none binds. `offline`: no line to the
    cloud, so rules act as their limits declare for that. `taken` None works the discounts out (a quote); anything else
    is what the cash software took off, and no discount rule is asked (a sale, `discounts_taken`). Lines are at their
    prices before both.
    ReceiptError when the receipt contradicts itself, or a rule asks for the time and the clock has none.
    """
    asked = _Asked(redeem_points, place, codes, budgets, offline, taken)
    return _count(programme, member, receipt, clock, asked, None)


def recount(
    programme: Programme,
    member: MemberState | None,
    receipt: Receipt,
    clock: StoreClock,
    *,
    taken: Sequence[DiscountGiven],
    redeem_points: int = 0,
    place: Place | None = None,
    codes: Sequence[str] = (),
    budgets: Mapping[str, int] | None = None,
    offline: bool = False,
) -> Recount:
    """`calculate` with discounts `taken` and, out of the same work, the discounts of `calculate` without them."""
    by_rules = _ByRules()
    asked = _Asked(redeem_points, place, codes, budgets, offline, taken)
    return Recount(_count(programme, member, receipt, clock, asked, by_rules), tuple(by_rules.given), by_rules.fault)


class _ByRules:
    """What the rules would take off a receipt where facts stand instead."""

    def __init__(self) -> None:
        self.given: list[DiscountGiven] = []
        self.fault = ""

    def ask(self, plan: Plan, lines: tuple[Line, ...], situation: Situation, standing: Standing | None = None) -> None:
        """Work them out; `standing` is that of these lines, if there is one already."""
        if not plan.discounts:
            return
        try:
            if standing is None:
                standing = plan.stand(lines, situation)
            self.given = discount(plan, lines, standing, situation).given
        except ReceiptError as error:
            self.fault = str(error)


class _Asked(NamedTuple):
    """What `calculate` is asked beside programme, member, receipt and clock."""

    redeem_points: int
    place: Place | None
    codes: Sequence[str]
    budgets: Mapping[str, int] | None
    offline: bool
    taken: Sequence[DiscountGiven] | None


def _count(
    programme: Programme,
    member: MemberState | None,
    receipt: Receipt,
    clock: StoreClock,
    asked: _Asked,
    by_rules: _ByRules | None,
) -> Calculation:
    """The work of `calculate`; asks `by_rules`, if it is there, what the rules take off where facts stand instead."""
    redeem_points, place, codes, budgets, offline, taken = asked
    check_receipt(receipt)
    _check_wish(redeem_points)
    lines = receipt.lines
    facts = None if taken is None else discounts_taken(programme, lines, taken)
    plan = plan_of(programme)
    if member is None or member.blocked:
        reason = Reason(code="member_blocked" if member else "no_member", numbers=_asked(redeem_points))
        situation = Situation(clock, NOBODY, place, budgets=budgets, offline=offline, nobody=True)
        return _for_nobody(plan, receipt, situation, codes, facts, reason, by_rules)
    coupons, refusals = _coupons(plan, codes, member, clock, offline=offline)
    situation = Situation(clock, member, place, coupons=coupons, budgets=budgets, offline=offline)
    standing = plan.stand(lines, situation)
    standing.reasons.extend(refusals)
    discounted = facts
    if discounted is None and plan.discounts:
        discounted = discount(plan, lines, standing, situation)
    elif by_rules is not None:
        by_rules.ask(plan, lines, situation, standing)
    if discounted is not None:
        lines = _reduced(lines, discounted)
    redeemed = redeem(plan, lines, standing.redeems, max(0, member.spendable_points), redeem_points)
    if programme.earn_base == "gross":
        bases = [line.amount_minor for line in receipt.lines]
    else:
        bases = [line.amount_minor - paid for line, paid in zip(lines, redeemed.line_money, strict=True)]
    earned = accrue(plan, lines, standing, bases, member.tier, situation)
    result = _assemble(programme, receipt, standing, redeemed, earned)
    return _finished(programme, result, discounted, coupons)


def _for_nobody(
    plan: Plan,
    receipt: Receipt,
    situation: Situation,
    codes: Sequence[str],
    facts: Discounted | None,
    reason: Reason,
    by_rules: _ByRules | None,
) -> Calculation:
    """The receipt of a sale with no member, who can have discounts that anybody gets."""
    programme = plan.programme
    result = _plain(programme.id, programme.version, receipt, reason)
    if facts is None and not plan.discounts and not codes:
        return result
    coupons, refusals = accepted_of_nobody(
        plan.coupons, codes, situation.clock.business_date, offline=situation.offline
    )
    if refusals:
        result = replace(result, reasons=(*refusals, *result.reasons))
    discounted = facts
    situation.coupons = coupons
    if discounted is None:
        standing = plan.stand(receipt.lines, situation)
        discounted = discount(plan, receipt.lines, standing, situation)
    elif by_rules is not None:
        by_rules.ask(plan, receipt.lines, situation)
    return _finished(programme, result, discounted, coupons)


def _finished(
    programme: Programme, result: Calculation, discounted: Discounted | None, coupons: frozenset[str]
) -> Calculation:
    """The result with its discounts and coupons in it."""
    if discounted is not None and (discounted.given or discounted.reasons):
        result = _with_discounts(result, discounted)
    return _with_coupons(programme, result, coupons) if coupons or result.discounts else result


def _coupons(
    plan: Plan, codes: Sequence[str], member: MemberState, clock: StoreClock, *, offline: bool
) -> tuple[frozenset[str], list[Reason]]:
    if not codes:
        return frozenset(), []
    return accepted(plan.coupons, codes, member, clock.business_date, offline=offline)


def _reduced(lines: tuple[Line, ...], discounted: Discounted) -> tuple[Line, ...]:
    """The lines at their prices after discounts, as redemption and accrual see them."""
    if not discounted.given:
        return lines
    return tuple(
        [
            replace(line, amount_minor=line.amount_minor - off) if off else line
            for line, off in zip(lines, discounted.line_money, strict=True)
        ]
    )


def _with_discounts(result: Calculation, discounted: Discounted) -> Calculation:
    """The result with the money off in its lines and totals."""
    off = sum(discounted.line_money)
    invariant(sum([each.amount_minor for each in discounted.given]) == off, "discounts differ from their rules")
    lines = tuple(
        [
            replace(line, payable_minor=line.payable_minor - each, discount_minor=each) if each else line
            for line, each in zip(result.lines, discounted.line_money, strict=True)
        ]
    )
    invariant(all(line.payable_minor >= 0 for line in lines), "a discount is larger than its line")
    return replace(
        result,
        payable_minor=result.payable_minor - off,
        lines=lines,
        discount_minor=off,
        discounts=tuple(discounted.given),
        reasons=(*discounted.reasons, *result.reasons),
    )


def _with_coupons(programme: Programme, result: Calculation, coupons: frozenset[str]) -> Calculation:
    """The result with the coupons that gave something, and a reason for each that gave nothing.

    A discount that was taken used its coupon, also when the coupon would not be accepted any more.
    """
    gave = {each.rule for each in result.accruals} | {each.rule for each in result.discounts}
    used = {rule.who.coupon for rule in programme.rules if rule.who is not None and rule.id in gave} - {""}
    idle = [Reason(code="coupon_without_effect", rule=each) for each in sorted(coupons - used)]
    if not used and not idle:
        return result
    return replace(result, coupons=tuple(sorted(used)), reasons=(*result.reasons, *idle))


def empty_calculation(receipt: Receipt, *, redeem_points: int = 0, taken: Sequence[DiscountGiven] = ()) -> Calculation:
    """The totals of a receipt where no programme is at hand: nothing earned, nothing spent, and that is said.

    `taken`: discounts that the cash software took nevertheless, from a quote made while there was a programme.
    """
    check_receipt(receipt)
    _check_wish(redeem_points)
    plain = _plain("", 0, receipt, Reason(code="no_programme", numbers=_asked(redeem_points)))
    discounted = discounts_taken(None, receipt.lines, taken)
    return _with_discounts(plain, discounted) if discounted.given else plain


def _assemble(
    programme: Programme, receipt: Receipt, standing: Standing, redeemed: Redeemed, earned: Earned
) -> Calculation:
    total = receipt.total_minor
    results = tuple(
        [
            LineResult(
                number=line.number,
                amount_minor=line.amount_minor,
                quantity_thousandths=line.quantity_thousandths,
                payable_minor=line.amount_minor - paid,
                paid_by_points_minor=paid,
                redeemed_points=spent,
                earned_points=points,
            )
            for line, paid, spent, points in zip(
                receipt.lines, redeemed.line_money, redeemed.line_points, earned.line_points, strict=True
            )
        ]
    )
    earned_points = sum(earned.line_points)
    invariant(sum(redeemed.line_money) == redeemed.money_minor, "money paid by points differs from its lines")
    invariant(sum(redeemed.line_points) == redeemed.points, "points spent differ from their lines")
    invariant(sum([each.points for each in earned.accruals]) == earned_points, "points earned differ from their rules")
    return Calculation(
        programme_id=programme.id,
        programme_version=programme.version,
        total_minor=total,
        payable_minor=total - redeemed.money_minor,
        lines=results,
        redeemable_points=redeemed.redeemable_points,
        redeemed_points=redeemed.points,
        redeemed_minor=redeemed.money_minor,
        earned_points=earned_points,
        accruals=tuple(earned.accruals),
        reasons=(*standing.reasons, *redeemed.reasons, *earned.reasons),
    )


def _plain(programme_id: str, version: int, receipt: Receipt, reason: Reason) -> Calculation:
    """Totals only: nobody earns or spends, for one reason."""
    total = receipt.total_minor
    return Calculation(
        programme_id=programme_id,
        programme_version=version,
        total_minor=total,
        payable_minor=total,
        lines=tuple(
            [
                LineResult(
                    number=line.number,
                    amount_minor=line.amount_minor,
                    quantity_thousandths=line.quantity_thousandths,
                    payable_minor=line.amount_minor,
                )
                for line in receipt.lines
            ]
        ),
        reasons=(reason,),
    )


def _check_wish(redeem_points: int) -> None:
    if redeem_points < AS_MANY_AS_ALLOWED:
        raise ReceiptError(
            f"expected points to redeem of 0 or more, or -1 for as many as allowed, not {redeem_points}",
            pointer="/redeem_points",
            code="redeem_points_invalid",
        )


def _asked(redeem_points: int) -> dict[str, int]:
    return {"asked": redeem_points} if redeem_points > 0 else {}
