"""Lots as the ledger keeps them: their first and last day become moments in the calendar of a store."""

import sqlite3
from collections.abc import Iterable

from till_cloud.ledger.account import IssuedLot
from till_cloud.ledger.book import Book
from till_loyalty.life import LotTerms, lots_of
from till_loyalty.programme import Programme
from till_loyalty.results import Calculation

# The calendar of the store that a till stands in.
_TIME_ZONE = "SELECT s.time_zone FROM tills t JOIN stores s ON s.store = t.store WHERE t.till = ?"


def time_zone_of(connection: sqlite3.Connection, till: str) -> str:
    """The IANA zone of a till's store; UTC for a till that is not there."""
    row = connection.execute(_TIME_ZONE, (till,)).fetchone()
    return "UTC" if row is None else str(row[0])


def lots_of_sale(
    book: Book, till: str, programme: Programme, calculation: Calculation, business_date: str
) -> list[IssuedLot]:
    """The lots that a sale of this till gives; together they are its earned points."""
    if not calculation.earned_points:
        return []
    terms = lots_of(programme, calculation, business_date)
    dated = any(each.active_from or each.expires_on for each in terms)
    return issue(book, terms, time_zone_of(book.connection, till) if dated else "UTC")


def issue(book: Book, terms: Iterable[LotTerms], time_zone: str) -> list[IssuedLot]:
    """Lots to be posted, each with a position of its own. One whose first day has begun is active at once."""
    lots: list[IssuedLot] = []
    for each in terms:
        active_at_ms = each.active_at_ms(time_zone)
        if active_at_ms is not None and active_at_ms <= book.now_ms:
            active_at_ms = None
        lots.append(IssuedLot(book.next_position(), each.points, active_at_ms, each.expires_at_ms(time_zone)))
    return lots
