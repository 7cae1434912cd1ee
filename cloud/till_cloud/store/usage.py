"""What members have used of limits, coupons and codes, and the coupons given to them, as rows."""

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from till_loyalty.receipt import Usage

# One member's use in the periods named, and of coupons by life ("" is the key of a life).
_OF_MEMBER = """
SELECT rule, per, key, amount, uses FROM member_usage
WHERE member_id = ? AND key IN (SELECT value FROM json_each(?)) ORDER BY rule, per, key
"""
_ADD = """
INSERT INTO member_usage (member_id, rule, per, key, amount, uses) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (member_id, rule, per, key) DO UPDATE SET amount = amount + excluded.amount, uses = uses + excluded.uses
"""
_GIVE_BACK = """
UPDATE member_usage SET uses = max(uses - 1, 0) WHERE member_id = ? AND rule = ? AND per = 'life' AND key = ''
"""
_OF_CODES = (
    "SELECT coupon, code, uses FROM code_usage WHERE code IN (SELECT value FROM json_each(?)) ORDER BY code, coupon"
)
_ADD_CODE = """
INSERT INTO code_usage (code, coupon, uses) VALUES (?, ?, 1)
ON CONFLICT (code, coupon) DO UPDATE SET uses = uses + 1
"""
_GIVE_BACK_CODE = "UPDATE code_usage SET uses = max(uses - 1, 0) WHERE code = ? AND coupon = ?"
_ADD_SALE_CODE = "INSERT INTO sale_codes (till, uid, coupon, code) VALUES (?, ?, ?, ?)"
_OF_SALE = "SELECT code, coupon FROM sale_codes WHERE till = ? AND uid = ? ORDER BY coupon"
_FORGET_SALE_CODE = "DELETE FROM sale_codes WHERE till = ? AND uid = ? AND coupon = ?"
_COUPONS = "SELECT coupon FROM member_coupons WHERE member_id = ? ORDER BY coupon"
_GIVE_COUPON = """
INSERT INTO member_coupons (member_id, coupon, at_ms) VALUES (?, ?, ?) ON CONFLICT (member_id, coupon) DO NOTHING
"""

# Usage and coupons of the members of a page of changes, in one pass over its positions.
_PAGE = """
SELECT b.member_id, u.rule, u.per, u.key, u.amount, u.uses
FROM balances b JOIN member_usage u ON u.member_id = b.member_id
WHERE b.position > ?1 AND b.position <= ?2 AND u.key IN (SELECT value FROM json_each(?3))
UNION ALL
SELECT b.member_id, c.coupon, '', '', 0, 0
FROM balances b JOIN member_coupons c ON c.member_id = b.member_id
WHERE b.position > ?1 AND b.position <= ?2
ORDER BY 1, 2, 3, 4
"""


# The same of the members of some ids.
_OF_IDS = """
SELECT u.member_id, u.rule, u.per, u.key, u.amount, u.uses FROM member_usage u
WHERE u.member_id IN (SELECT value FROM json_each(?1)) AND u.key IN (SELECT value FROM json_each(?2))
UNION ALL
SELECT c.member_id, c.coupon, '', '', 0, 0 FROM member_coupons c
WHERE c.member_id IN (SELECT value FROM json_each(?1))
ORDER BY 1, 2, 3, 4
"""


def of_member(connection: sqlite3.Connection, member_id: str, keys: Sequence[str]) -> tuple[Usage, ...]:
    """What a member has used in the periods of these keys."""
    found = connection.execute(_OF_MEMBER, (member_id, _json(keys)))
    return tuple(
        [Usage(rule=rule, per=per, key=key, amount=amount, uses=uses) for rule, per, key, amount, uses in found]
    )


def add(connection: sqlite3.Connection, member_id: str, rows: Iterable[Usage]) -> None:
    """Add a sale's use to what is kept of its member."""
    values = [(member_id, row.rule, row.per, row.key, row.amount, row.uses) for row in rows]
    if values:
        connection.executemany(_ADD, values)


def give_back(connection: sqlite3.Connection, member_id: str, coupon: str) -> None:
    """One use of a coupon less."""
    connection.execute(_GIVE_BACK, (member_id, coupon))


def of_codes(connection: sqlite3.Connection, codes: Sequence[str]) -> tuple[Usage, ...]:
    """How often all members together used these codes, which are normalised."""
    found = connection.execute(_OF_CODES, (_json(codes),))
    return tuple([Usage(rule=coupon, per="code", key=code, uses=uses) for coupon, code, uses in found if uses])


def add_codes(connection: sqlite3.Connection, till: str, uid: str, pairs: Sequence[tuple[str, str]]) -> None:
    """One use more of each (normalised code, coupon), by this sale."""
    connection.executemany(_ADD_CODE, pairs)
    connection.executemany(_ADD_SALE_CODE, [(till, uid, coupon, code) for code, coupon in pairs])


def give_back_codes(connection: sqlite3.Connection, till: str, uid: str, coupons: Sequence[str]) -> None:
    """One use less of each code that this sale used of these coupons; nothing when that was done before."""
    used = [(code, coupon) for code, coupon in connection.execute(_OF_SALE, (till, uid)) if coupon in coupons]
    connection.executemany(_GIVE_BACK_CODE, used)
    connection.executemany(_FORGET_SALE_CODE, [(till, uid, coupon) for _, coupon in used])


def coupons(connection: sqlite3.Connection, member_id: str) -> tuple[str, ...]:
    """Coupons that a member holds."""
    return tuple([row[0] for row in connection.execute(_COUPONS, (member_id,))])


def give_coupon(connection: sqlite3.Connection, member_id: str, coupon: str, now_ms: int) -> bool:
    """Whether the member did not hold it before."""
    return connection.execute(_GIVE_COUPON, (member_id, coupon, now_ms)).rowcount > 0


def page(
    connection: sqlite3.Connection, after: int, until: int, keys: Sequence[str]
) -> tuple[dict[str, list[Usage]], dict[str, list[str]]]:
    """Use in the periods of `keys`, and coupons held, by member, of the members changed in (`after`, `until`]."""
    return _apart(connection.execute(_PAGE, (after, until, _json(keys))))


def of_ids(
    connection: sqlite3.Connection, ids: str, keys: Sequence[str]
) -> tuple[dict[str, list[Usage]], dict[str, list[str]]]:
    """The same of the members of a JSON list of ids."""
    return _apart(connection.execute(_OF_IDS, (ids, _json(keys))))


def _apart(
    rows: Iterable[tuple[str, str, str, str, int, int]],
) -> tuple[dict[str, list[Usage]], dict[str, list[str]]]:
    used: dict[str, list[Usage]] = {}
    held: dict[str, list[str]] = {}
    for member_id, rule, per, key, amount, uses in rows:
        if per:
            used.setdefault(member_id, []).append(Usage(rule=rule, per=per, key=key, amount=amount, uses=uses))
        else:
            held.setdefault(member_id, []).append(rule)
    return used, held


def _json(texts: Sequence[str]) -> str:
    return msgspec.json.encode(list(texts)).decode()
