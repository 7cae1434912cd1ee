"""The store's own wall clock: local time and business date in the store's time zone, never UTC."""

from datetime import datetime
from functools import lru_cache

from till_agent.desk.problems import problem
from till_agent.texts import local_datetime
from till_loyalty.receipt import StoreClock

SECOND_MS = 1000
CLOCKS_KEPT = 4
"""Calls of one second have the same clock."""


def store_clock(local_time: str | None, wall_ms: int, time_zone: str) -> StoreClock:
    """What the receipt's clock was: as the cash software says, else the machine's clock in the store's zone.

    The business date is the local date. DeskProblem `local_time_invalid` for a time that no calendar has.
    """
    if local_time is None:
        return _machine_clock(wall_ms // SECOND_MS, time_zone)
    try:
        return _clock(datetime.fromisoformat(local_time))
    except ValueError as exc:
        raise problem(
            "local_time_invalid", f"expected a local date and time, not {local_time!r}", pointer="/local_time"
        ) from exc


@lru_cache(maxsize=CLOCKS_KEPT)
def _machine_clock(wall_s: int, time_zone: str) -> StoreClock:
    return _clock(local_datetime(wall_s * SECOND_MS, time_zone).replace(tzinfo=None))


def _clock(moment: datetime) -> StoreClock:
    return StoreClock(local_time=moment.isoformat(timespec="seconds"), business_date=moment.date().isoformat())
