"""The store's own wall clock: local time and business date in the store's time zone, never UTC."""

from datetime import datetime

from till_agent.desk.problems import problem
from till_agent.texts import local_datetime
from till_loyalty.receipt import StoreClock


def store_clock(local_time: str | None, wall_ms: int, time_zone: str) -> StoreClock:
    """What the receipt's clock was: as the cash software says, else the machine's clock in the store's zone.

    The business date is the local date. DeskProblem `local_time_invalid` for a time that no calendar has.
    """
    if local_time is None:
        moment = local_datetime(wall_ms, time_zone).replace(tzinfo=None)
    else:
        try:
            moment = datetime.fromisoformat(local_time)
        except ValueError as exc:
            raise problem(
                "local_time_invalid", f"expected a local date and time, not {local_time!r}", pointer="/local_time"
            ) from exc
    return StoreClock(local_time=moment.isoformat(timespec="seconds"), business_date=moment.date().isoformat())
