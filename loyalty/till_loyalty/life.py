"""How long points live: pure date arithmetic in the store's calendar."""

import calendar
from datetime import date, timedelta

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


def plus_months(day: date, months: int) -> date:
    """The same day so many months on, or the last day of a shorter month: 31 January and 1 month is 28 February."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    if year > LAST_DAY.year:
        return LAST_DAY
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _plus_days(day: date, days: int) -> date:
    return day + timedelta(days=min(days, (LAST_DAY - day).days))
