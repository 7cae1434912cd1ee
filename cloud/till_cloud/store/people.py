"""Who a member is: everything of a member's row that registration fills in, and what of it goes over in a merge."""

import sqlite3

from msgspec import Struct

from till_cloud.store import slow_tags
from till_cloud.store.facts import segments_of

MERGES_FOLLOWED = 16
"""Merges after each other that a lookup goes along; a merge makes the earlier ones point at the newest."""


class Person(Struct, frozen=True, kw_only=True):
    """Dates are `YYYY-MM-DD`, "" where unknown. `referrer` and `merged_into` are member ids."""

    member_id: str
    status: str
    tier: str
    name: str
    name_masked: str
    phone_masked: str
    card_masked: str
    language: str
    birth_date: str
    sex: str
    member_since: str
    segments: str
    referrer: str
    referral_code: str
    consent_version: str
    consent_at_ms: int
    confirmed_at_ms: int
    merged_into: str
    purchases: int
    last_purchase: str

    @property
    def registered(self) -> bool:
        """Somebody said who this is: false for who came about by a sale to a number that nobody knew."""
        return self.status != "provisional" or bool(self.consent_version or self.member_since)

    @property
    def segment_list(self) -> tuple[str, ...]:
        return segments_of(self.segments)


_FIELDS = Person.__struct_fields__
_FIND = """
SELECT member_id, status, tier, name, name_masked, phone_masked, card_masked, language, birth_date, sex, member_since,
    segments, referrer, referral_code, consent_version, consent_at_ms, confirmed_at_ms, merged_into, purchases,
    last_purchase
FROM members WHERE member_id = ?
"""
_WRITE = """
UPDATE members SET status = ?, tier = ?, name = ?, name_masked = ?, phone_masked = ?, card_masked = ?, language = ?,
    birth_date = ?, sex = ?, member_since = ?, segments = ?, referrer = ?, referral_code = ?, consent_version = ?,
    consent_at_ms = ?, confirmed_at_ms = ?, merged_into = ?, purchases = ?, last_purchase = ?
WHERE member_id = ?
"""
_MERGED_INTO = "SELECT merged_into FROM members WHERE member_id = ?"
_PUT_TAG = """
INSERT INTO identifiers (tag, member_id) VALUES (?, ?)
ON CONFLICT (tag) DO UPDATE SET member_id = excluded.member_id
"""

# What goes over from one member to another in a merge, each by (into, from).
_GO_OVER = (
    "UPDATE identifiers SET member_id = ?1 WHERE member_id = ?2",
    "UPDATE members SET referrer = CASE member_id WHEN ?1 THEN '' ELSE ?1 END WHERE referrer = ?2",
    "UPDATE members SET merged_into = ?1 WHERE merged_into = ?2",
    """
    UPDATE members SET largest_purchase_minor = max(largest_purchase_minor,
        (SELECT o.largest_purchase_minor FROM members o WHERE o.member_id = ?2)) WHERE member_id = ?1
    """,
    """
    INSERT INTO member_usage (member_id, rule, per, key, amount, uses)
        SELECT ?1, rule, per, key, amount, uses FROM member_usage WHERE member_id = ?2
    ON CONFLICT (member_id, rule, per, key) DO UPDATE SET
        amount = amount + excluded.amount, uses = uses + excluded.uses
    """,
    "DELETE FROM member_usage WHERE ?1 <> ?2 AND member_id = ?2",
    """
    INSERT INTO member_spend (member_id, period, spent_minor)
        SELECT ?1, period, spent_minor FROM member_spend WHERE member_id = ?2
    ON CONFLICT (member_id, period) DO UPDATE SET spent_minor = spent_minor + excluded.spent_minor
    """,
    "DELETE FROM member_spend WHERE ?1 <> ?2 AND member_id = ?2",
    """
    INSERT INTO member_coupons (member_id, coupon, at_ms)
        SELECT ?1, coupon, at_ms FROM member_coupons WHERE member_id = ?2
    ON CONFLICT (member_id, coupon) DO NOTHING
    """,
    "DELETE FROM member_coupons WHERE ?1 <> ?2 AND member_id = ?2",
    # The events stay with the old member too: its ledger has their points.
    """
    INSERT INTO events_given (member_id, event, key, position, about)
        SELECT ?1, event, key, position, about FROM events_given WHERE member_id = ?2
    ON CONFLICT (member_id, event, key) DO NOTHING
    """,
)


def find(connection: sqlite3.Connection, member_id: str) -> Person | None:
    row = connection.execute(_FIND, (member_id,)).fetchone()
    return None if row is None else Person(**dict(zip(_FIELDS, row, strict=True)))


def write(connection: sqlite3.Connection, person: Person) -> None:
    """Replace the member's row; the position, by which tills hear of it, is the book's."""
    connection.execute(_WRITE, [*[getattr(person, name) for name in _FIELDS[1:]], person.member_id])


def kept(connection: sqlite3.Connection, member_id: str) -> str:
    """The member that this one was merged into, else itself."""
    for _ in range(MERGES_FOLLOWED):
        row = connection.execute(_MERGED_INTO, (member_id,)).fetchone()
        if row is None or not row[0]:
            break
        member_id = str(row[0])
    return member_id


def put_tag(connection: sqlite3.Connection, tag: str, member_id: str) -> None:
    """Make an identifier this member's, whoever had it."""
    connection.execute(_PUT_TAG, (slow_tags.kept(connection, tag), member_id))


def go_over(connection: sqlite3.Connection, old: str, into: str) -> None:
    """Identifiers, uses, spending, coupons and given events of one member become another's."""
    for statement in _GO_OVER:
        connection.execute(statement, (into, old))
