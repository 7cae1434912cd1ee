"""Adds the whole ledger up again, by other sums than those that made it, in one moment of the database."""

import sqlite3
from typing import Any

from msgspec import Struct

from till_cloud.store.connection import is_damage
from till_cloud.verify_grants import GRANT_CHECKS, Check

BREACHES_SHOWN = 100


_LOT_SUMS = """
SELECT l.member_id, l.lot, l.left, l.used, l.expired, l.reversed,
    sum(CASE v.kind WHEN 'use' THEN v.points WHEN 'give_back' THEN -v.points ELSE 0 END) AS used_moved,
    sum(CASE v.kind WHEN 'expire' THEN v.points WHEN 'reverse_expired' THEN -v.points ELSE 0 END) AS expired_moved,
    sum(CASE WHEN v.kind IN ('reverse', 'reverse_expired') THEN v.points ELSE 0 END) AS reversed_moved
FROM lots l LEFT JOIN lot_moves v ON v.member_id = l.member_id AND v.lot = l.lot
GROUP BY l.member_id, l.lot
"""

# What each rule may give in all, by its limits; the largest of a programme's versions, for a later one may give less.
_BUDGETS = """
SELECT programme_id, rule, max(total) AS total FROM (
    SELECT p.programme_id, json_extract(r.value, '$.id') AS rule,
        min(coalesce(json_extract(l.value, '$.amount'), 0)) AS total
    FROM programmes p, json_each(p.body, '$.rules') r, json_each(r.value, '$.limits') l
    WHERE json_extract(l.value, '$.per') = 'budget' GROUP BY p.programme_id, p.version, rule
) GROUP BY programme_id, rule
"""

# A member's moves between tiers, each with the one before and the one after it.
_TIER_MOVES = """
SELECT member_id, position, tier_before, tier_after,
    lag(tier_after) OVER one AS came_from, lead(position) OVER one AS next
FROM tier_moves WINDOW one AS (PARTITION BY member_id ORDER BY position)
"""

CHECKS = (
    Check(
        "lot_adds_up",
        5,
        "SELECT member_id || ' lot ' || lot FROM lots WHERE issued <> left + used + expired + reversed"
        " OR min(left, used, expired, reversed) < 0",
    ),
    Check(
        "lots_are_the_balance",
        5,
        "SELECT b.member_id FROM balances b LEFT JOIN lots l ON l.member_id = b.member_id"
        " GROUP BY b.member_id HAVING coalesce(sum(l.left), 0) <> b.balance OR coalesce(sum(l.issued), 0) - (SELECT"
        " coalesce(sum(v.points), 0) FROM lot_moves v WHERE v.member_id = b.member_id AND v.kind = 'overdraw')"
        " <> b.earned",
    ),
    Check(
        "moves_are_the_lots",
        5,
        # The table of sums is named so that SQLite works it out once.
        f"WITH moved AS MATERIALIZED ({_LOT_SUMS})"  # noqa: S608 - a constant of this module
        " SELECT member_id || ' lot ' || lot FROM moved"
        " WHERE used <> used_moved OR expired <> expired_moved OR reversed <> reversed_moved",
    ),
    Check(
        "lots_are_what_was_earned",
        5,
        "SELECT l.member_id || ' movement ' || l.position FROM lots l LEFT JOIN movements v"
        " ON v.member_id = l.member_id AND v.position = l.position"
        " GROUP BY l.member_id, l.position HAVING v.earned IS NOT sum(l.issued) - (SELECT coalesce(sum(o.points), 0)"
        " FROM lot_moves o WHERE o.member_id = l.member_id AND o.position = l.position AND o.kind = 'overdraw')",
    ),
    Check(
        "gross_is_the_balance",
        6,
        "SELECT member_id FROM balances WHERE balance - debt <> earned + given_back - redeemed - reversed - expired",
    ),
    Check(
        "movements_are_the_gross",
        6,
        "SELECT b.member_id FROM balances b LEFT JOIN movements v ON v.member_id = b.member_id GROUP BY b.member_id"
        " HAVING coalesce(sum(v.earned), 0) <> b.earned OR coalesce(sum(v.redeemed), 0) <> b.redeemed"
        " OR coalesce(sum(v.given_back), 0) <> b.given_back OR coalesce(sum(v.reversed), 0) <> b.reversed"
        " OR coalesce(sum(v.expired), 0) <> b.expired",
    ),
    Check(
        "debt_is_what_is_owed",
        6,
        "SELECT b.member_id FROM balances b LEFT JOIN lot_moves v ON v.member_id = b.member_id GROUP BY b.member_id"
        " HAVING coalesce(sum(CASE WHEN v.kind IN ('owe', 'overdraw') THEN v.points"
        " WHEN v.pays_debt = 1 THEN -v.points ELSE 0 END), 0) <> b.debt",
    ),
    Check(
        "holds_are_held",
        7,
        "SELECT b.member_id FROM balances b LEFT JOIN holds h ON h.member_id = b.member_id AND h.state = 'open'"
        " GROUP BY b.member_id HAVING coalesce(sum(h.points), 0) <> b.held OR b.held > b.balance",
    ),
    Check(
        "held_is_active",
        7,
        "SELECT b.member_id FROM balances b LEFT JOIN lots l ON l.member_id = b.member_id AND l.active_at_ms IS NULL"
        " WHERE b.held + b.granted > 0 GROUP BY b.member_id HAVING coalesce(sum(l.left), 0) < b.held + b.granted",
    ),
    *GRANT_CHECKS,
    Check("nobody_below_zero", 7, "SELECT member_id FROM balances WHERE min(balance, held, granted, debt) < 0"),
    Check(
        "ops_are_the_movements",
        2,
        # SQLite indexes no table without row ids by itself, so the movements are copied into one that it does.
        "WITH v AS MATERIALIZED (SELECT till, epoch, seq, member_id, position,"
        " earned + given_back - redeemed - reversed - expired AS effect FROM movements WHERE till <> '')"
        " SELECT coalesce(o.till, '') || ':' || o.epoch || ':' || o.seq FROM ops o LEFT JOIN v"
        " ON v.till = o.till AND v.epoch = o.epoch AND v.seq = o.seq WHERE o.effect_points <> coalesce(v.effect, 0)"
        # Events and merges may follow an op in its transaction: its position is where all of them end.
        " OR v.member_id <> o.member_id OR v.position > o.position",
    ),
    Check(
        "one_movement_an_op",
        2,
        "SELECT till || ':' || epoch || ':' || seq FROM movements WHERE till <> '' GROUP BY till, epoch, seq"
        " HAVING count(*) > 1",
    ),
    Check(
        "uses_are_counted",
        5,
        "SELECT member_id || ' ' || rule || ' ' || per || ' ' || key FROM member_usage WHERE min(amount, uses) < 0"
        " UNION ALL SELECT coupon || ' code' FROM code_usage WHERE uses < 0",
    ),
    Check(
        "budgets_are_kept",
        7,
        f"WITH budgets AS MATERIALIZED ({_BUDGETS})"  # noqa: S608 - a constant of this module
        " SELECT s.programme_id || ' ' || s.rule FROM budget_shares s"
        " LEFT JOIN budgets b ON b.programme_id = s.programme_id AND b.rule = s.rule"
        " GROUP BY s.programme_id, s.rule HAVING sum(s.granted) > coalesce(b.total, 0) OR min(s.granted, s.used) < 0",
    ),
    Check(
        "events_are_given_once",
        2,
        # A voided sale's events may come again: their movements are matched by those that took them back.
        "SELECT v.member_id || ' ' || v.uid FROM movements v JOIN members m ON m.member_id = v.member_id"
        " WHERE v.kind = 'event' AND m.merged_into = '' GROUP BY v.member_id, v.uid"
        " HAVING sum(CASE WHEN v.earned > 0 THEN 1 ELSE -1 END) >"
        " (SELECT count(*) FROM events_given g WHERE g.member_id = v.member_id AND g.event = v.uid)",
    ),
    Check(
        "bills_are_what_was_given",
        6,
        "SELECT f.member_id || ' movement ' || f.position FROM funded f LEFT JOIN movements v"
        " ON v.member_id = f.member_id AND v.position = f.position GROUP BY f.member_id, f.position"
        " HAVING sum(max(f.points, 0)) > coalesce(v.earned, 0)"
        " OR max(abs(f.points_share) > abs(f.points) OR f.points_share * f.points < 0)"
        " OR max(abs(f.discount_share_minor) > abs(f.discount_minor) OR f.discount_share_minor * f.discount_minor < 0)"
        " UNION ALL SELECT supplier || ' ' || rule FROM funded GROUP BY supplier, rule"
        " HAVING min(sum(points), sum(discount_minor)) < 0",
    ),
    Check(
        "tiers_are_their_moves",
        6,
        f"WITH moves AS MATERIALIZED ({_TIER_MOVES})"  # noqa: S608 - a constant of this module
        " SELECT c.member_id || ' tier move ' || c.position FROM moves c JOIN members m ON m.member_id = c.member_id"
        " WHERE (c.came_from IS NOT NULL AND c.came_from <> c.tier_before)"
        " OR (c.next IS NULL AND c.tier_after <> m.tier)",
    ),
    Check(
        "corrections_are_movements",
        6,
        "SELECT a.member_id || ' movement ' || a.position FROM adjustments a LEFT JOIN movements v"
        " ON v.member_id = a.member_id AND v.position = a.position"
        " WHERE v.kind IS NOT 'adjust' OR v.earned - v.reversed <> a.points"
        " UNION ALL SELECT v.member_id || ' movement ' || v.position FROM movements v WHERE v.kind = 'adjust'"
        " AND NOT EXISTS (SELECT 1 FROM adjustments a WHERE a.member_id = v.member_id AND a.position = v.position)",
    ),
    Check(
        "what_is_put_aside_is_rejected",
        4,
        "SELECT p.till || ':' || p.epoch || ':' || p.seq FROM poison p LEFT JOIN ops o"
        " ON o.till = p.till AND o.epoch = p.epoch AND o.seq = p.seq WHERE o.status IS NOT 'rejected'"
        " UNION ALL SELECT o.till || ':' || o.epoch || ':' || o.seq FROM ops o WHERE o.code IN ('poison', 'parked')"
        " AND NOT EXISTS (SELECT 1 FROM poison p WHERE p.till = o.till AND p.epoch = o.epoch AND p.seq = o.seq)",
    ),
    Check(
        "no_gap_in_ops",
        4,
        "SELECT till || ':' || epoch FROM ops GROUP BY till, epoch HAVING min(seq) <> 1 OR max(seq) <> count(*)",
    ),
    Check(
        "acknowledged_is_stored",
        4,
        "SELECT t.till FROM tills t WHERE t.acked_seq <>"
        " (SELECT count(*) FROM ops o WHERE o.till = t.till AND o.epoch = t.epoch)",
    ),
)

_FIGURES = """
SELECT count(*) AS members, coalesce(sum(balance), 0) AS points, coalesce(sum(held), 0) AS held,
    coalesce(sum(granted), 0) AS granted,
    coalesce(sum(debt), 0) AS debt, coalesce(sum(earned), 0) AS earned, coalesce(sum(redeemed), 0) AS redeemed,
    coalesce(sum(given_back), 0) AS given_back, coalesce(sum(reversed), 0) AS reversed,
    coalesce(sum(expired), 0) AS expired
FROM balances
"""
_COUNTS = {
    "movements": "SELECT count(*) FROM movements",
    "lots": "SELECT count(*) FROM lots",
    "ops": "SELECT count(*) FROM ops",
    "applied": "SELECT count(*) FROM ops WHERE status = 'applied'",
    "adjusted": "SELECT count(*) FROM ops WHERE status = 'adjusted'",
    "rejected": "SELECT count(*) FROM ops WHERE status = 'rejected'",
    "flags": "SELECT count(*) FROM flags",
    "tills": "SELECT count(*) FROM tills",
}


class Breach(Struct, frozen=True):
    """A row that breaks an invariant of docs/reference/cloud.md, "What always holds"."""

    invariant: int
    code: str
    where: str


class Verification(Struct, frozen=True, kw_only=True):
    """`figures` are whole minor points and counts; `breaches` at most a hundred of `breach_count`."""

    holds: bool
    breach_count: int
    figures: dict[str, int]
    breaches: tuple[Breach, ...]


def verify(connection: sqlite3.Connection) -> Verification:
    """Run every check within the caller's read transaction; takes some tens of seconds for a million members.

    A file that can't be read to the end breaks the rules too: then there are no figures.
    """
    try:
        return _added_up(connection)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        broken = Breach(5, "database_damaged", str(error))
        return Verification(holds=False, breach_count=1, figures={}, breaches=(broken,))


def _added_up(connection: sqlite3.Connection) -> Verification:
    breaches: list[Breach] = []
    count = 0
    for check in CHECKS:
        for (where,) in connection.execute(check.sql):
            count += 1
            if len(breaches) < BREACHES_SHOWN:
                breaches.append(Breach(check.invariant, check.code, str(where)))
    damage = [row[0] for row in connection.execute("PRAGMA quick_check(10)") if row[0] != "ok"]
    count += len(damage)
    breaches += [Breach(5, "database_damaged", str(line)) for line in damage]
    cursor = connection.execute(_FIGURES)
    names = [column[0] for column in cursor.description]
    figures: dict[str, Any] = dict(zip(names, cursor.fetchone(), strict=True))
    for name, sql in _COUNTS.items():
        figures[name] = connection.execute(sql).fetchone()[0]
    return Verification(holds=count == 0, breach_count=count, figures=figures, breaches=tuple(breaches))
