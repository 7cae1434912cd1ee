"""What the chain knows of a member beside the account: the columns that rules, tiers and events look at."""

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from msgspec import Struct


class FactsRow(Struct, frozen=True):
    """`segments` is a JSON list. Dates are `YYYY-MM-DD`, "" where unknown. `referrer` is a member's id."""

    member_id: str
    status: str
    tier: str
    segments: str
    birth_date: str
    sex: str
    member_since: str
    purchases: int
    last_purchase: str
    referrer: str
    referral_code: str
    largest_purchase_minor: int

    @property
    def segment_list(self) -> tuple[str, ...]:
        return segments_of(self.segments)


class Purchases(NamedTuple):
    """Purchases that came: how many, the last one's business date, the largest one's money."""

    times: int
    last: str
    largest_minor: int


_FACTS = """
SELECT member_id, status, tier, segments, birth_date, sex, member_since, purchases, last_purchase, referrer,
    referral_code, largest_purchase_minor
FROM members WHERE member_id = ?
"""
_BOUGHT = """
UPDATE members SET purchases = purchases + ?, last_purchase = max(last_purchase, ?),
    largest_purchase_minor = max(largest_purchase_minor, ?)
WHERE member_id = ?
"""
_UNBOUGHT = "UPDATE members SET purchases = max(purchases - 1, 0) WHERE member_id = ? AND purchases > 0"
_SEGMENTS = "UPDATE members SET segments = ? WHERE member_id = ?"
_TIER = "UPDATE members SET tier = ? WHERE member_id = ?"
_REFERRAL_OWNER = "SELECT member_id FROM members WHERE referral_code = ? AND referral_code <> ''"
_SET_REFERRAL = "UPDATE members SET referral_code = ? WHERE member_id = ?"

_segments: msgspec.json.Decoder[tuple[str, ...]] = msgspec.json.Decoder(tuple[str, ...])


def of_member(connection: sqlite3.Connection, member_id: str) -> FactsRow | None:
    row = connection.execute(_FACTS, (member_id,)).fetchone()
    return None if row is None else FactsRow(*row)


def segments_of(text: str) -> tuple[str, ...]:
    """The stored list."""
    return () if text == "[]" else _segments.decode(text)


def add_purchases(connection: sqlite3.Connection, bought: Mapping[str, Purchases]) -> None:
    """More purchases, by member."""
    connection.executemany(
        _BOUGHT, [(new.times, new.last, new.largest_minor, member_id) for member_id, new in bought.items()]
    )


def unbought(connection: sqlite3.Connection, member_id: str) -> None:
    """One purchase less: all of it came back."""
    connection.execute(_UNBOUGHT, (member_id,))


def set_segments(connection: sqlite3.Connection, member_id: str, names: tuple[str, ...]) -> None:
    connection.execute(_SEGMENTS, (msgspec.json.encode(sorted(set(names))).decode(), member_id))


def set_tier(connection: sqlite3.Connection, member_id: str, tier: str) -> None:
    connection.execute(_TIER, (tier, member_id))


def referral_owner(connection: sqlite3.Connection, code: str) -> str | None:
    """The member who has this code."""
    row = connection.execute(_REFERRAL_OWNER, (code,)).fetchone()
    return None if row is None else str(row[0])


def set_referral_code(connection: sqlite3.Connection, member_id: str, code: str) -> None:
    connection.execute(_SET_REFERRAL, (code, member_id))
