"""Whether a coupon code is good: for this member, here and now."""

from collections.abc import Mapping

from till_agent.api import Coupon, Identify
from till_agent.desk.bench import Bench
from till_agent.desk.knowing import Known
from till_agent.desk.rule_views import refusal_message
from till_loyalty.coupons import accepted, accepted_of_nobody, coupons_by_code, normalise_code
from till_loyalty.rule_parts import Coupon as Terms


async def coupon(bench: Bench, code: str, reference: str | None, language: str | None) -> Coupon:
    """What the till says of `code`; of one of limited use it asks the cloud, within the budget.

    DeskProblem `reference_unknown`.
    """
    found = await bench.meeting.find(Identify(reference=reference), again=False) if reference else None
    normal = normalise_code(code)
    if found is not None:
        await bench.learn_codes(found, (normal,))
    current = bench.programme
    words = bench.words(language)
    if current is None:
        return Coupon(
            code=normal,
            usable=False,
            reason="no_programme",
            checked=False,
            offline=bench.offline,
            messages=(words.message("no_programme", level="warning"),),
        )
    figures = bench.balances.of(found) if found else None
    known = bench.known(found, figures, None, (normal,), figures.spendable if figures else 0)
    coupons = coupons_by_code(current.programme.coupons)
    reason = known.held_back[0].code if known.held_back else _refusal(known, coupons, normal)
    found_coupon = coupons.get(normal)
    return Coupon(
        code=normal,
        usable=not reason,
        reason=reason,
        checked=bench.coupons.asked(found.subject.member_id if found else "", normal),
        offline=known.offline,
        coupon=found_coupon.id if found_coupon else "",
        title=words.title(found_coupon.title, found_coupon.id) if found_coupon else "",
        valid_to=found_coupon.valid_to if found_coupon else "",
        messages=(refusal_message(words, reason, normal),) if reason else (),
    )


def _refusal(known: Known, coupons: Mapping[str, Terms], normal: str) -> str:
    """The code of the reason why the rules would not take it; "" when they would."""
    day = known.clock.business_date
    if known.state is None:
        _, reasons = accepted_of_nobody(coupons, (normal,), day, offline=known.offline)
    elif known.state.blocked:
        return "member_blocked"
    else:
        _, reasons = accepted(coupons, (normal,), known.state, day, offline=known.offline)
    return reasons[0].code if reasons else ""
