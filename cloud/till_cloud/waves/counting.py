"""What no version of a programme may change once members have points."""

import sqlite3

from till_cloud.exceptions import AdminError
from till_cloud.store import programmes
from till_loyalty.programme import Programme
from till_loyalty.programme_document import parse_programme


def must_count_as_before(connection: sqlite3.Connection, programme: Programme, *, by_wave: bool = False) -> None:
    """Balances are kept in the smallest part of a point: with other decimal places each would be another one.

    AdminError. Asked at an upload, and again when a wave begins: then tills sell by both versions at once, so that it
    is no matter whether somebody has points yet.
    """
    row = programmes.active(connection)
    if row is None or not (by_wave or programmes.points_have_moved(connection)):
        return
    before = parse_programme(row.body, suffix=".json").points_exponent
    if programme.points_exponent != before:
        raise AdminError(
            f"expected points_exponent = {before}, not {programme.points_exponent}: members have points, or get some "
            "meanwhile, and each balance would become another one; keep it, and say by point_value_minor what a point "
            "is worth"
        )
