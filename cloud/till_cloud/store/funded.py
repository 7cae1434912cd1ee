"""What suppliers pay for, as rows: points and discounts of each movement, with their share. A bill is their sum."""

import sqlite3
from collections.abc import Iterable

from msgspec import Struct


class FundedRow(Struct, frozen=True):
    """What one rule gave that a supplier pays for, wholly or in part; below 0 where goods came back."""

    supplier: str
    rule: str
    points: int = 0
    points_share: int = 0
    discount_minor: int = 0
    discount_share_minor: int = 0


_NEXT = "SELECT coalesce(max(number), 0) FROM funded WHERE member_id = ? AND position = ?"
_ADD = """
INSERT INTO funded (member_id, position, number, supplier, rule, till, business_date,
    points, points_share, discount_minor, discount_share_minor)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def add(
    connection: sqlite3.Connection,
    member_id: str,
    position: int,
    rows: Iterable[FundedRow],
    *,
    till: str,
    business_date: str,
) -> None:
    """Add the rows of a ledger position ("" is the member of a sale with none)."""
    first = connection.execute(_NEXT, (member_id, position)).fetchone()[0] + 1
    connection.executemany(
        _ADD,
        [
            (
                *(member_id, position, number, row.supplier, row.rule, till, business_date),
                *(row.points, row.points_share, row.discount_minor, row.discount_share_minor),
            )
            for number, row in enumerate(rows, first)
        ],
    )
