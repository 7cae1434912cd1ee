"""Whether a rule holds for this sale at all: when, where, for whom, and what the receipt must hold.

A rule's conditions are made ready once a programme. Dates are the store's own, never UTC: comparing texts of one form
compares moments, so a doubled or missing hour of a clock change needs no word here.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from till_loyalty.exceptions import ReceiptError
from till_loyalty.programme import Rule
from till_loyalty.receipt import Line, MemberState, Place, StoreClock
from till_loyalty.rule_parts import WEEKDAYS, Birthday, Need, TimeSpan, When, Where, Who

NOWHERE = Place()
LEAP_YEAR = 4
"""The first year that has a 29 February: all birthdays of a text without a year come after it."""


class Situation:
    """What conditions may look at. The dates are read from the clock once, and only if a rule asks.

    `nobody`: a sale with no member, of whom nobody keeps a count; `member` is then one of whom nothing is known.
    `keeps_budgets`: the caller keeps budgets, so that a rule missing among them has no share here.
    """

    __slots__ = (
        "_business",
        "_checked",
        "budgets",
        "clock",
        "coupons",
        "keeps_budgets",
        "member",
        "nobody",
        "offline",
        "place",
        "time",
    )

    def __init__(
        self,
        clock: StoreClock,
        member: MemberState,
        place: Place | None = None,
        *,
        coupons: frozenset[str] = frozenset(),
        budgets: Mapping[str, int] | None = None,
        offline: bool = False,
        nobody: bool = False,
    ) -> None:
        self.clock = clock
        self.member = member
        self.place = place or NOWHERE
        self.coupons = coupons
        self.budgets = budgets or {}
        self.keeps_budgets = budgets is not None
        self.offline = offline
        self.nobody = nobody
        self.time = clock.local_time[11:16]
        self._business: date | None = None
        self._checked = False

    @property
    def business(self) -> date:
        """The store's business date; ReceiptError `clock_invalid` when the clock gives none."""
        if self._business is None:
            self._business = _date_of(self.clock.business_date)
        return self._business

    def check_clock(self) -> None:
        """ReceiptError `clock_invalid` unless the local time is a moment in the one form that compares as text."""
        if self._checked:
            return
        text = self.clock.local_time
        try:
            good = len(text) == len("2026-01-31T23:59:59") and datetime.fromisoformat(text).isoformat() == text
        except ValueError:
            good = False
        if not good:
            raise ReceiptError(
                f"expected a local time as 2026-01-31T23:59:59, not {text[:40]!r}",
                pointer="/clock/local_time",
                code="clock_invalid",
            )
        self._checked = True


def _date_of(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ReceiptError(
            f"expected a business date as 2026-01-31, not {text[:40]!r}",
            pointer="/clock/business_date",
            code="clock_invalid",
        ) from None


class Needed(NamedTuple):
    """A need of a rule, by the rule's position and the position of its match in the plan's matcher."""

    rule: int
    match: int
    need: Need


def holds(rule: Rule, situation: Situation) -> bool:
    """Whether the rule's `when`, `where` and `who` hold; the receipt's goods are looked at elsewhere."""
    return (
        (rule.when is None or in_time(rule.when, situation))
        and (rule.where is None or at_place(rule.where, situation.place))
        and (rule.who is None or is_for(rule.who, situation))
    )


def in_time(when: When, situation: Situation) -> bool:
    """Whether the store's clock is within all that is named."""
    situation.check_clock()
    now = situation.clock.local_time
    if (when.from_ and now < when.from_) or (when.to and now >= when.to):
        return False
    if not when.times:
        return _on_day(when, situation.business)
    return any(_on_day(when, day) for span in when.times if (day := _day_in(span, situation)) is not None)


def _day_in(span: TimeSpan, situation: Situation) -> date | None:
    """The day that the span holding this moment belongs to, or None outside of it."""
    time = situation.time
    if span.from_ < span.to:
        return situation.business if span.from_ <= time < span.to else None
    if time >= span.from_:
        return situation.business
    if time < span.to:  # past midnight: the day on which the span began
        today = date.fromisoformat(situation.clock.local_time[:10])
        return today - timedelta(days=1) if today > date.min else None
    return None


def _on_day(when: When, day: date) -> bool:
    if when.weekdays and WEEKDAYS[day.weekday()] not in when.weekdays:
        return False
    text = day.isoformat()
    return not ((when.business_from and text < when.business_from) or (when.business_to and text >= when.business_to))


def at_place(where: Where, place: Place) -> bool:
    """Whether the place has one of each kind that is named."""
    return (
        (not where.stores or place.store in where.stores)
        and (not where.regions or place.region in where.regions)
        and (not where.groups or not set(where.groups).isdisjoint(place.groups))
        and (not where.channels or place.channel in where.channels)
    )


def is_for(who: Who, situation: Situation) -> bool:
    """Whether all that is named is known of the member, and so."""
    member = situation.member
    if (who.tiers and member.tier not in who.tiers) or (who.coupon and who.coupon not in situation.coupons):
        return False
    if who.segments and set(who.segments).isdisjoint(member.segments):
        return False
    if who.first_purchases and not 0 <= member.purchases < who.first_purchases:
        return False
    if who.purchase_number and member.purchases + 1 != who.purchase_number:
        return False
    since = member.member_since
    if (who.joined_from and not since >= who.joined_from) or (who.joined_to and not "" < since < who.joined_to):
        return False
    if who.silent_days and not _silent(member.last_purchase, situation.business, who.silent_days):
        return False
    return who.birthday is None or near_birthday(who.birthday, member.birth_date, situation.business)


def _silent(last_purchase: str, today: date, days: int) -> bool:
    try:
        return (today - date.fromisoformat(last_purchase)).days >= days
    except ValueError:  # unknown, or kept in a form that nobody can read: not known to be silent
        return False


def near_birthday(window: Birthday, birth_date: str, today: date) -> bool:
    """Whether today is within the window around a birthday, also over New Year. An unreadable date is unknown.

    `birth_date` is `YYYY-MM-DD`, or `MM-DD` where the year is nobody's business.
    """
    born = day_of_birth(birth_date)
    if born is None:
        return False
    for year in (today.year - 1, today.year, today.year + 1):
        if not 1 <= year <= 9999 or year < born.year:
            continue
        birthday = birthday_in(year, born)
        if -window.days_before <= (today - birthday).days <= window.days_after:
            return True
    return False


def day_of_birth(birth_date: str) -> date | None:
    """The day of birth, of a year long ago where the text has none; None when it is no date."""
    try:
        return date.fromisoformat(f"{LEAP_YEAR:04d}-{birth_date}" if len(birth_date) == len("02-29") else birth_date)
    except ValueError:
        return None


def birthday_in(year: int, born: date) -> date:
    """The birthday of that year; 29 February is 28 February in a year without one."""
    try:
        return born.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def is_met(need: Need, lines: Sequence[Line], indexes: Sequence[int]) -> bool:
    """Whether these lines of the receipt hold what is needed."""
    if not indexes:
        return False
    if need.minimum_sum_minor and sum([lines[index].amount_minor for index in indexes]) < need.minimum_sum_minor:
        return False
    quantity = need.minimum_quantity_thousandths
    if quantity and sum([lines[index].quantity_thousandths for index in indexes]) < quantity:
        return False
    return not need.minimum_different or len({lines[index].sku for index in indexes}) >= need.minimum_different
