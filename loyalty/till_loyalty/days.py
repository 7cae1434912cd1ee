"""Days of a store's calendar as moments (milliseconds since 1970 UTC), right also where clocks change at midnight.

A clock change can leave midnight out (Beirut, Santiago), or have it twice (Havana, Asuncion); then a day begins with
the first moment that has its date, and ends after the last one.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from till_loyalty.exceptions import LoyaltyError

DAY_MS = 86_400_000
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MILLISECOND = timedelta(milliseconds=1)


def day_start_ms(day: date, zone: str) -> int:
    """The first moment of the day in an IANA time zone; LoyaltyError `zone_unknown`."""
    first, second = _midnights(day, _zone(zone))
    if first > second:  # midnight was left out: the day begins where the clock jumped
        return _first_moment_of(day, second, first, _zone(zone))
    return first


def day_end_ms(day: date, zone: str) -> int:
    """The first moment after the last one of the day; LoyaltyError `zone_unknown`."""
    if day == date.max:
        return day_start_ms(day, zone) + DAY_MS
    after = day + timedelta(days=1)
    first, second = _midnights(after, _zone(zone))
    if first < second and local_day(second - 1, zone) < after:  # the clock went back into this day
        return second
    return day_start_ms(after, zone)


def local_day(at_ms: int, zone: str) -> date:
    """The date that a store's clock shows at a moment; LoyaltyError `zone_unknown`."""
    return _shown(at_ms, _zone(zone))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # unknown; a path out of the data; a folder of it
        raise LoyaltyError(f"expected an IANA time zone, not {name[:60]!r}", code="zone_unknown") from None


def _midnights(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """The day's midnight by the clock before a change and by the clock after it; the same on any other day."""
    wall = (day.toordinal() - _EPOCH_DAY) * DAY_MS
    both = []
    for fold in (0, 1):
        offset = datetime(day.year, day.month, day.day, tzinfo=zone, fold=fold).utcoffset() or timedelta()
        both.append(wall - offset // _MILLISECOND)
    return both[0], both[1]


def _first_moment_of(day: date, low_ms: int, high_ms: int, zone: ZoneInfo) -> int:
    """By halves: the first moment, after `low_ms` and no later than `high_ms`, at which the clock shows the day."""
    while low_ms < high_ms:
        middle = (low_ms + high_ms) // 2
        if _shown(middle, zone) >= day:
            high_ms = middle
        else:
            low_ms = middle + 1
    return low_ms


def _shown(at_ms: int, zone: ZoneInfo) -> date:
    return (datetime.fromtimestamp(at_ms // 1000, UTC)).astimezone(zone).date()
