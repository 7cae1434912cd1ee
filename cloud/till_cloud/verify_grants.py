"""What always holds of points that are lent: the checks of `till_cloud.verify` on grants and vouchers."""

from msgspec import Struct


class Check(Struct, frozen=True):
    """A rule, and the query that finds the rows that break it. The first column says where."""

    code: str
    invariant: int
    sql: str


# What lies with tills and on vouchers, by member.
_LENT = """
SELECT member_id, sum(points) AS points FROM (
    SELECT member_id, points FROM grants WHERE points > 0
    UNION ALL SELECT member_id, points FROM vouchers WHERE state = 'open'
) GROUP BY member_id
"""

GRANT_CHECKS = (
    Check(
        "grants_are_granted",
        6,
        f"WITH lent AS MATERIALIZED ({_LENT})"  # noqa: S608 - a constant of this module
        " SELECT b.member_id FROM balances b LEFT JOIN lent l ON l.member_id = b.member_id"
        " WHERE coalesce(l.points, 0) <> b.granted OR b.held + b.granted > b.balance",
    ),
    Check(
        "free_and_lent_are_the_gross",
        6,
        f"WITH lent AS MATERIALIZED ({_LENT})"  # noqa: S608 - a constant of this module
        " SELECT b.member_id FROM balances b LEFT JOIN lent l ON l.member_id = b.member_id"
        " WHERE (b.balance - b.granted) + coalesce(l.points, 0)"
        " <> b.earned + b.given_back - b.redeemed - b.reversed - b.expired + b.debt",
    ),
    Check(
        "grants_add_up",
        6,
        "SELECT holder || ' ' || member_id FROM grants WHERE points <> granted - used - released - written_off"
        " OR min(points, recall, used, released, written_off) < 0 OR recall > points",
    ),
    Check(
        "write_offs_are_written",
        6,
        "SELECT holder FROM (SELECT holder, sum(written_off) AS points FROM grants GROUP BY holder)"
        " GROUP BY holder HAVING sum(points) >"
        " (SELECT coalesce(sum(w.points), 0) FROM grant_write_offs w WHERE w.holder = holder)",
    ),
)
