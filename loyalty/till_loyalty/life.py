"""How long points live: pure date arithmetic in the store's calendar, and the lots that a sale's points make."""

import calendar
from datetime import date, timedelta
from typing import NamedTuple

from till_loyalty.days import day_end_ms, day_start_ms
from till_loyalty.exceptions import invariant
from till_loyalty.programme import Programme
from till_loyalty.results import Calculation
from till_loyalty.rule_parts import Life

LAST_DAY = date.max


def life_of(life: Life, given: date) -> tuple[str, str]:
    """First and last day on which points given on `given` can be spent; an empty text where there is no such bound.

    With several bounds the earliest ends them. Past the calendar's end there is none.
    """
    first = _plus_days(given, life.activates_after_days)
    ends = []
    if life.expires_after_days:
        ends.append(_plus_days(first, life.expires_after_days))
    if life.expires_after_months:
        ends.append(plus_months(first, life.expires_after_months))
    if life.expires_on:
        ends.append(date.fromisoformat(life.expires_on))
    return first.isoformat() if first != given else "", min(ends).isoformat() if ends else ""


class LotTerms(NamedTuple):
    """Points that live together. First and last day on which they can be spent; empty: at once, never."""

    active_from: str
    expires_on: str
    points: int

    def active_at_ms(self, zone: str) -> int | None:
        """The moment from which they can be spent, in the store's time zone; None: at once."""
        return day_start_ms(date.fromisoformat(self.active_from), zone) if self.active_from else None

    def expires_at_ms(self, zone: str) -> int | None:
        """The first moment at which they can't be spent any more; None: never."""
        return day_end_ms(date.fromisoformat(self.expires_on), zone) if self.expires_on else None


def lots_of(programme: Programme, calculation: Calculation, business_date: str) -> tuple[LotTerms, ...]:
    """The lots that a sale's points make: one for each pair of first and last day, soonest-ending first.

    They sum to `earned_points` exactly. Points that no accrual names live as the programme says, from `business_date`.
    """
    groups: dict[tuple[str, str], int] = {}
    for accrual in calculation.accruals:
        terms = (accrual.active_from, accrual.expires_on)
        groups[terms] = groups.get(terms, 0) + accrual.points
    rest = calculation.earned_points - sum(groups.values())
    invariant(rest >= 0, "rules gave more points than the sale earned")
    if rest:
        terms = life_of(programme.life or Life(), date.fromisoformat(business_date))
        groups[terms] = groups.get(terms, 0) + rest
    lots = [LotTerms(first, last, points) for (first, last), points in groups.items() if points]
    return tuple(sorted(lots, key=lambda lot: (not lot.expires_on, lot.expires_on, lot.active_from)))


def grace_until_ms(programme: Programme, day: date, zone: str) -> int | None:
    """Until when points live that a return on `day` brings back into a lot whose time is past; None: no grace."""
    days = programme.return_grace_days
    return day_end_ms(_plus_days(day, days), zone) if days else None


def plus_months(day: date, months: int) -> date:
    """The same day so many months on, or the last day of a shorter month: 31 January and 1 month is 28 February."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    if year > LAST_DAY.year:
        return LAST_DAY
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _plus_days(day: date, days: int) -> date:
    return day + timedelta(days=min(days, (LAST_DAY - day).days))
