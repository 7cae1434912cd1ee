"""A sale counted again at the cloud: by the same engine, on what the cloud knows of the member, place and budgets."""

from collections.abc import Iterable
from datetime import date, timedelta

from msgspec import Struct
from msgspec.structs import replace

from till_cloud import budgets
from till_cloud.facts import state_of
from till_cloud.ingest.context import Context, Flag
from till_cloud.ledger.account import Account
from till_cloud.registry import Version
from till_cloud.store import facts, tiers
from till_cloud.store.facts import FactsRow
from till_loyalty.engine import calculate, empty_calculation, recount
from till_loyalty.exceptions import ReceiptError
from till_loyalty.receipt import MemberState, Place, StoreClock
from till_loyalty.results import Calculation, DiscountGiven
from till_sync.ops import SaleBody

BLOCKED = frozenset({"blocked", "removed"})

AHEAD = timedelta(days=1)
"""A store's business day may have begun before the day of its calendar, by a till whose clock is fast."""
DATE_LENGTH = len("2027-01-15")

TIER_SLACK_MS = 10 * 60_000
"""A till's clock may be so far off, and a change of tier so long on its way, without a sale counting otherwise."""


class Wish(Struct, frozen=True):
    """Points to spend, of how many. `covered` False: no hold covers them, so that none of them is taken."""

    points: int = 0
    spendable: int = 0
    covered: bool = True


class Counted(Struct, frozen=True):
    """The cloud's figures of a sale, and what they were counted from. `day` is the store's business date.

    `known` is what was known of the member before the sale; None where nothing asks for it. `by_rules`: the discounts
    that the rules would have given, whatever was taken; `fault`: why they could not be asked.
    """

    result: Calculation
    state: MemberState | None
    known: FactsRow | None
    day: date
    by_rules: tuple[DiscountGiven, ...] = ()
    fault: str = ""


def within(clock: StoreClock, today: date) -> StoreClock:
    """The till's clock; `today`, the store's day by the cloud's clock, where it is further ahead than clocks differ.

    Otherwise points would live, and a supplier's bill wait, until a day that somebody set.
    """
    day = day_of(clock)
    if day is None or day <= today + AHEAD:
        return clock
    return StoreClock(
        local_time=f"{today.isoformat()}{clock.local_time[DATE_LENGTH:]}", business_date=today.isoformat()
    )


def day_of(clock: StoreClock) -> date | None:
    """The store's business date; None where a till sends something else."""
    try:
        return date.fromisoformat(clock.business_date)
    except ValueError:
        return None


def count(context: Context, version: Version | None, body: SaleBody, account: Account | None, wish: Wish) -> Counted:
    """Points are earned on the money that was paid; so discounts that were taken are facts, whatever the rules say."""
    clock, taken = within(body.clock, context.today()), body.result.discounts
    day = day_of(clock) or context.today()
    known = _known(context, version, account)
    if version is None:
        return Counted(empty_calculation(body.receipt, taken=taken), None, known, day)
    state = None
    if account is not None:
        state = _state(context, version, body, account, known, wish, day)
    counted, by_rules, fault = recount(
        version.programme,
        state,
        body.receipt,
        clock,
        taken=taken,
        redeem_points=wish.points,
        place=_place(context, body),
        codes=body.codes,
        budgets=_budgets(context, version, body),
        offline=body.offline,
    )
    return Counted(counted if wish.covered else _unspent(counted), state, known, day, by_rules, fault)


def why_different(version: Version | None, body: SaleBody) -> str:
    """`facts_differ` when the till counted right by what it knew and sent, else `points_differ`."""
    claimed = body.result
    named = version is not None and (version.programme.id, version.programme.version) == (
        claimed.programme_id,
        claimed.programme_version,
    )
    if version is None or not named or (body.facts is None and body.subject.key):
        return "points_differ"
    try:
        own = calculate(
            version.programme,
            body.facts,
            body.receipt,
            body.clock,
            redeem_points=max(claimed.redeemed_points, 0),
            place=body.place,
            codes=body.codes,
            budgets=body.budgets,
            offline=body.offline,
            taken=claimed.discounts,
        )
    except ReceiptError:  # the sale itself was counted: what can't be counted are the till's facts
        return "points_differ"
    return "facts_differ" if figures(own) == figures(claimed) else "points_differ"


def discount_flags(version: Version | None, counted: Counted) -> list[Flag]:
    """`discount_differs` when the rules would have given another discount than was taken: for people to look at."""
    if version is None or not (counted.by_rules or counted.result.discounts):
        return []
    if counted.fault:  # of rules that nobody asked for a sale without a member: no reason to refuse it
        return [Flag("discount_differs", 0, 0, counted.fault[:300])]
    taken, given = _sums(counted.result.discounts), _sums(counted.by_rules)
    if taken == given:
        return []
    rules = sorted({rule for (rule, _), _ in taken.items() ^ given.items()})
    detail = (
        f"taken {counted.result.discount_minor} off, by the rules {sum(given.values())}, in minor units of money:"
        f" {', '.join(rules)[:300]}"
    )
    points = counted.result.earned_points - counted.result.redeemed_points
    return [Flag("discount_differs", points, points, detail)]


def figures(counted: Calculation) -> tuple[object, ...]:
    """What must be equal at both ends. What could have been spent, and why, may differ: the till knew less."""
    return (
        counted.total_minor,
        counted.payable_minor,
        counted.redeemed_points,
        counted.redeemed_minor,
        counted.earned_points,
        counted.lines,
    )


def gives_the_same(counted: Calculation, claimed: Calculation) -> bool:
    """Whether the till's own result says all that the cloud keeps of a sale: also by which rules, until when."""
    return (
        figures(counted) == figures(claimed)
        and counted.accruals == claimed.accruals
        and counted.discounts == claimed.discounts
        and counted.coupons == claimed.coupons
    )


def _state(
    context: Context, version: Version, body: SaleBody, account: Account, known: FactsRow | None, wish: Wish, day: date
) -> MemberState:
    return state_of(
        context.book.connection,
        account.member_id,
        known,
        day,
        tier=_tier(context, body, account),
        blocked=account.status in BLOCKED,
        spendable_points=wish.spendable,
        codes=body.codes,
        with_usage=version.needs.usage,
    )


def _known(context: Context, version: Version | None, account: Account | None) -> FactsRow | None:
    """The member's row, if a rule or an event looks at it."""
    active = context.active()
    asked = (version is not None and version.needs.facts) or (active is not None and active.needs.events)
    if account is None or not asked:
        return None
    context.book.settle_purchases(account.member_id)
    return facts.of_member(context.book.connection, account.member_id)


def _tier(context: Context, body: SaleBody, account: Account) -> str:
    """The tier that the till counted by, if the member had it when the sale was made; else the one they have."""
    claimed = body.tier if body.facts is None else body.facts.tier
    if claimed == account.tier:
        return claimed
    made_ms = max(0, min(body.at_wall_ms, context.book.now_ms))  # what a till says may be any number
    since = tiers.moves_after(context.book.connection, account.member_id, made_ms - TIER_SLACK_MS)
    had = {since[0].before} if since else set()
    had.update([move.after for move in since if move.at_ms <= made_ms + TIER_SLACK_MS])
    return claimed if claimed in had else account.tier


def _place(context: Context, body: SaleBody) -> Place:
    """Where the till says that it stands, if that is its store; else where it is known to stand."""
    known = context.place()
    if body.place is None:
        return known
    return body.place if body.place.store == known.store else replace(known, channel=body.place.channel)


def _budgets(context: Context, version: Version, body: SaleBody) -> dict[str, int]:
    """What the till may give of each budget: never more than it counted with, nor than is left of its share."""
    if not version.needs.budgets:
        return {}
    left = budgets.shares(context.book.connection, context.till, version.programme)
    return {rule: min(body.budgets.get(rule, share), share) for rule, share in left.items()}


def _unspent(counted: Calculation) -> Calculation:
    """The same sale with nothing taken from the member.

    Points are earned on the money that was paid. Neither now nor on a return does a point move for what no hold
    covered: otherwise returning the goods would pay out points that were never spent.
    """
    return replace(
        counted, redeemed_points=0, lines=tuple([replace(line, redeemed_points=0) for line in counted.lines])
    )


def _sums(discounts: Iterable[DiscountGiven]) -> dict[tuple[str, int], int]:
    sums: dict[tuple[str, int], int] = {}
    for each in discounts:
        sums[each.rule, each.line] = sums.get((each.rule, each.line), 0) + each.amount_minor
    return sums
