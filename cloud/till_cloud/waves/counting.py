"""What no version of a programme may change once members have points, or tills may have given some."""

import sqlite3

from till_cloud.exceptions import AdminError
from till_cloud.store import programmes, tills
from till_loyalty.programme import Programme
from till_loyalty.programme_document import parse_programme


def must_count_as_before(connection: sqlite3.Connection, programme: Programme, *, by_wave: bool = False) -> None:
    """Balances are kept in the smallest part of a point, sums in that of money: with other decimal places each would
    be another one, and sums of two currencies can't be added up.

    AdminError. The cloud can't see what tills sell without a line: whichever was enrolled may have sold by the version
    that is active. Asked at an upload, and again when a wave begins: then tills sell by both versions at once, so that
    it is no matter whether somebody has points yet.
    """
    row = programmes.active(connection)
    if row is None or not (by_wave or programmes.points_have_moved(connection) or tills.any_enrolled(connection)):
        return
    before = parse_programme(row.body, suffix=".json")
    if programme.points_exponent != before.points_exponent:
        raise AdminError(
            f"expected points_exponent = {before.points_exponent}, not {programme.points_exponent}: members have "
            "points, or a till that was enrolled may have given some, and each balance would become another one; keep "
            "it, and say by point_value_minor what a point is worth"
        )
    for name in ("currency", "currency_exponent"):
        is_now, was = getattr(programme, name), getattr(before, name)
        if is_now != was:
            raise AdminError(
                f"expected {name} = {was!r}, not {is_now!r}: members have points, or a till that was enrolled may have "
                "sold, and sums of both would be added up; keep it, and begin a chain of its own for another currency "
                "(`tillside cloud init`)"
            )
