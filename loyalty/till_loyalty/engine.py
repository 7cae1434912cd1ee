"""The one function of programme, member, receipt and store clock that till and cloud both run.

Order of work: exclusions, redemption, accrual on the base. Reason codes are listed in docs/reference/programme.md.
"""

from till_loyalty.accrual import Earned, accrue
from till_loyalty.conditions import Situation
from till_loyalty.exceptions import ReceiptError, invariant
from till_loyalty.plan import Standing, plan_of
from till_loyalty.programme import Programme
from till_loyalty.receipt import MemberState, Place, Receipt, StoreClock, check_receipt
from till_loyalty.redemption import AS_MANY_AS_ALLOWED, Redeemed, redeem
from till_loyalty.results import Calculation, LineResult, Reason


def calculate(
    programme: Programme,
    member: MemberState | None,
    receipt: Receipt,
    clock: StoreClock,
    *,
    redeem_points: int = 0,
    place: Place | None = None,
) -> Calculation:
    """What `receipt` gives and costs: pure, and the same bytes (`canonical_bytes`) wherever it runs.

    `member` None means a sale with no member. `redeem_points` are minor points that the member wishes to spend,
    -1 for as many as allowed; the wish is trimmed, never refused. `place` None: rules with a `where` don't hold.
    ReceiptError when the receipt contradicts itself, or a rule asks for the time and the clock has none.
    """
    check_receipt(receipt)
    _check_wish(redeem_points)
    lines = receipt.lines
    if member is None:
        return _plain(programme.id, programme.version, receipt, Reason(code="no_member", numbers=_asked(redeem_points)))
    if member.blocked:
        reason = Reason(code="member_blocked", numbers=_asked(redeem_points))
        return _plain(programme.id, programme.version, receipt, reason)
    plan = plan_of(programme)
    standing = plan.stand(lines, Situation(clock, member, place, frozenset()))
    redeemed = redeem(plan, lines, standing.redeems, max(0, member.spendable_points), redeem_points)
    if programme.earn_base == "gross":
        bases = [line.amount_minor for line in lines]
    else:
        bases = [line.amount_minor - paid for line, paid in zip(lines, redeemed.line_money, strict=True)]
    earned = accrue(plan, lines, standing, bases, member.tier)
    return _assemble(programme, receipt, standing, redeemed, earned)


def empty_calculation(receipt: Receipt, *, redeem_points: int = 0) -> Calculation:
    """The totals of a receipt where no programme is at hand: nothing earned, nothing spent, and that is said."""
    check_receipt(receipt)
    _check_wish(redeem_points)
    return _plain("", 0, receipt, Reason(code="no_programme", numbers=_asked(redeem_points)))


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
