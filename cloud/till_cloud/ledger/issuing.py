"""Which lots a calculation gives: one for each span of life that its accruals name, in the calendar of the store."""

import sqlite3
from collections.abc import Callable
from datetime import date, timedelta

from till_cloud.ledger.account import IssuedLot
from till_cloud.ledger.book import Book
from till_loyalty.days import day_end_ms, day_start_ms
from till_loyalty.exceptions import invariant
from till_loyalty.life import LAST_DAY
from till_loyalty.results import Calculation

# The calendar of the store that a till stands in.
_TIME_ZONE = "SELECT s.time_zone FROM tills t JOIN stores s ON s.store = t.store WHERE t.till = ?"


def time_zone_of(connection: sqlite3.Connection, till: str) -> str:
    """The IANA zone of a till's store; UTC for a till that is not there."""
    row = connection.execute(_TIME_ZONE, (till,)).fetchone()
    return "UTC" if row is None else str(row[0])


def lots_of_sale(book: Book, till: str, calculation: Calculation) -> list[IssuedLot]:
    """`lots_to_issue` in the calendar of the store that the till stands in."""
    dated = any(accrual.active_from or accrual.expires_on for accrual in calculation.accruals)
    time_zone = time_zone_of(book.connection, till) if dated else "UTC"
    return lots_to_issue(calculation, time_zone=time_zone, now_ms=book.now_ms, next_position=book.next_position)


def end_of_grace_ms(day: date, days: int, time_zone: str) -> int | None:
    """The end of the last day of so many days after `day`; None when there is no grace."""
    return day_end_ms(day + timedelta(days=min(days, (LAST_DAY - day).days)), time_zone) if days else None


def lots_to_issue(
    calculation: Calculation, *, time_zone: str, now_ms: int, next_position: Callable[[], int]
) -> list[IssuedLot]:
    """The lots of a calculation, each with a position of its own; together they are its earned points.

    A lot whose first day has begun by `now_ms` is active at once.
    """
    spans: dict[tuple[str, str], int] = {}
    for accrual in calculation.accruals:
        span = (accrual.active_from, accrual.expires_on)
        spans[span] = spans.get(span, 0) + accrual.points
    total = sum(spans.values())
    invariant(total == calculation.earned_points, f"accruals of {total} points, not {calculation.earned_points}")
    return [
        issue(points, active_from, expires_on, time_zone=time_zone, now_ms=now_ms, number=next_position())
        for (active_from, expires_on), points in sorted(spans.items())
        if points
    ]


def issue(points: int, active_from: str, expires_on: str, *, time_zone: str, now_ms: int, number: int) -> IssuedLot:
    """One lot that lives from the first day to the end of the last one; an empty text is no bound."""
    active_at_ms = day_start_ms(date.fromisoformat(active_from), time_zone) if active_from else None
    expires_at_ms = day_end_ms(date.fromisoformat(expires_on), time_zone) if expires_on else None
    if active_at_ms is not None and active_at_ms <= now_ms:
        active_at_ms = None
    return IssuedLot(number, points, active_at_ms, expires_at_ms)
