"""Properties of the store's calendar: clock changes, midnights, 29 February, month ends, ISO weeks over New Year.

What is compared with is worked out another way: by going through days or minutes, never by the rules' own arithmetic.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from till_loyalty import conditions, life, limits
from till_loyalty.conditions import Situation
from till_loyalty.receipt import MemberState, StoreClock
from till_loyalty.rule_parts import WEEKDAYS, Birthday, TimeSpan, When

CHANGES = {
    "Europe/Kyiv": ((2024, 3, 31), (2024, 10, 27)),
    "Asia/Almaty": ((2024, 2, 29), (2024, 3, 1)),
    "America/New_York": ((2024, 3, 10), (2024, 11, 3)),
    "America/Havana": ((2024, 3, 10), (2024, 11, 3)),
    "America/Santiago": ((2024, 4, 6), (2024, 9, 8)),
    "Asia/Beirut": ((2024, 3, 31), (2024, 10, 27)),
    "Africa/Cairo": ((2024, 4, 26), (2024, 10, 31)),
}
"""Days around which clocks change; in all but two zones at or across midnight. Almaty went from +6 to +5 for good."""
MINUTE_MS = 60_000
HOURS = ("00:00", "00:30", "01:00", "02:00", "03:00", "12:00", "22:00", "23:00", "23:30")


@st.composite
def moments(draw: st.DrawFn) -> tuple[str, int]:
    """A time zone, and a UTC moment within two days of a change of its clocks, at a whole minute."""
    zone = draw(st.sampled_from(sorted(CHANGES)))
    day = datetime(*draw(st.sampled_from(CHANGES[zone])), tzinfo=UTC)
    minutes = draw(st.integers(-2 * 24 * 60, 2 * 24 * 60))
    return zone, int((day + timedelta(minutes=minutes)).timestamp()) * 1000


def wall(zone: str, at_ms: int) -> datetime:
    """What the store's clock shows."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def windows_hold_by_the_wall_clock(data: st.DataObject) -> None:
    """A window holds whenever the clock on the wall is in it, both times where an hour is doubled.

    Compared with going back minute by minute to the window's beginning, which names its day.
    """
    zone, at_ms = data.draw(moments())
    now = wall(zone, at_ms)
    edges = st.sampled_from((*HOURS, *[now.strftime("%H:%M")] * 3))
    start, end = data.draw(st.lists(edges, min_size=2, max_size=2, unique=True))
    days = tuple(data.draw(st.sets(st.sampled_from(WEEKDAYS), min_size=1)))
    when = When(times=(TimeSpan(from_=start, to=end),), weekdays=days)
    clock = StoreClock(local_time=now.isoformat(), business_date=now.date().isoformat())
    holds = conditions.in_time(when, Situation(clock, MemberState()))
    began = now.replace(second=0)
    for _ in range(24 * 60):
        if began.strftime("%H:%M") == start:
            break
        began -= timedelta(minutes=1)
    length = (int(end[:2]) * 60 + int(end[3:]) - int(start[:2]) * 60 - int(start[3:])) % (24 * 60)
    inside = now < began + timedelta(minutes=length)
    assert holds == (inside and WEEKDAYS[began.weekday()] in days)


def points_live_on_the_stores_days(data: st.DataObject) -> None:
    """Points can be spent at each moment, and only then, at which the store's clock shows one of their days."""
    zone, at_ms = data.draw(moments())
    today = wall(zone, at_ms).date()
    given = today + timedelta(days=data.draw(st.integers(-2, 1)))
    days = data.draw(st.integers(1, 2))
    first, last = life.life_of(life.Life(activates_after_days=1, expires_after_days=days), given)
    terms = life.LotTerms(first, last, 1)
    active, expires = terms.active_at_ms(zone), terms.expires_at_ms(zone)
    assert active is not None
    assert expires is not None
    spendable = active <= at_ms < expires
    assert spendable == (date.fromisoformat(first) <= today <= date.fromisoformat(last))
    for edge, inside in ((active, True), (active - 1, False), (expires - 1, True), (expires, False)):
        shown = wall(zone, edge).date()
        assert (date.fromisoformat(first) <= shown <= date.fromisoformat(last)) == inside


days_of_note = st.one_of(
    st.dates(date(2015, 12, 20), date(2016, 1, 15)),
    st.dates(date(2020, 12, 20), date(2021, 1, 15)),
    st.dates(date(2024, 2, 20), date(2024, 3, 10)),
    st.dates(date(2024, 12, 25), date(2025, 1, 10)),
    st.dates(date(1999, 1, 1), date(2101, 1, 1)),
)


def weeks_are_named_by_their_thursday(data: st.DataObject) -> None:
    """An ISO week belongs to the year of its Thursday, and its days share one name that no other week has."""
    day = data.draw(days_of_note)
    monday = day - timedelta(days=day.weekday())
    thursday = monday + timedelta(days=3)
    number = 1 + (thursday - date(thursday.year, 1, 1)).days // 7
    expected = f"{thursday.year}-W{number:02d}"
    assert {limits.period_key("week", monday + timedelta(days=each)) for each in range(7)} == {expected}
    assert limits.period_key("week", monday + timedelta(days=7)) != expected


def months_end_on_their_last_day(data: st.DataObject) -> None:
    """So many months on: the same day of that month, or its last; found by going through its days."""
    day, months = data.draw(days_of_note), data.draw(st.integers(1, 30))
    year, month = day.year, day.month
    for _ in range(months):
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    there = date(year, month, 1)
    while there.day < day.day and (there + timedelta(days=1)).month == month:
        there += timedelta(days=1)
    assert life.plus_months(day, months) == there


def birthdays_are_near_as_the_days_count(data: st.DataObject) -> None:
    """A window around a birthday, also over New Year; who was born on 29 February has it on the 28th in other years."""
    today = data.draw(st.one_of(days_of_note, st.dates(date(2023, 2, 20), date(2023, 3, 10))))
    born = data.draw(st.sampled_from(("02-29", "02-29", "2000-02-29", "01-01", "1990-12-31", "03-01", "1985-02-28")))
    before, after = data.draw(st.integers(0, 10)), data.draw(st.integers(0, 10))
    near = conditions.near_birthday(Birthday(days_before=before, days_after=after), born, today)

    def is_birthday(day: date) -> bool:
        leap = (day + timedelta(days=1)).month == 2 if (day.month, day.day) == (2, 28) else False
        if born[-5:] == "02-29":
            return (day.month, day.day) == (2, 29) or ((day.month, day.day) == (2, 28) and not leap)
        return day.isoformat()[5:] == born[-5:]

    assert near == any(is_birthday(today + timedelta(days=shift)) for shift in range(-after, before + 1))


PROPERTIES = (
    windows_hold_by_the_wall_clock,
    points_live_on_the_stores_days,
    weeks_are_named_by_their_thursday,
    months_end_on_their_last_day,
    birthdays_are_near_as_the_days_count,
)
