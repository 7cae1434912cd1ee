"""Members and their identifiers, as rows, and the pages of them that tills pull."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from till_cloud.store import slow_tags, usage
from till_cloud.store.facts import segments_of
from till_loyalty.receipt import Usage
from till_sync.wallet_use import NO_USE, WalletUse
from till_sync.wire import ExpiringPoints, MemberFacts, MemberRow


class MemberProfile(Struct, frozen=True):
    """A member without the ledger. `name` is whole; tills get the masked forms only."""

    member_id: str
    status: str
    tier: str
    name: str
    name_masked: str
    phone_masked: str
    card_masked: str
    language: str


_PROFILE = """
SELECT member_id, status, tier, name, name_masked, phone_masked, card_masked, language
FROM members WHERE member_id = ?
"""
_TAGS = "SELECT tag FROM identifiers WHERE member_id = ? ORDER BY tag"
_ADD = """
INSERT INTO members (member_id, status, tier, name, name_masked, phone_masked, card_masked, language, added_at_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE = """
UPDATE members SET status = ?, tier = ?, name = ?, name_masked = ?, phone_masked = ?, card_masked = ?, language = ?
WHERE member_id = ?
"""
_ADD_TAG = "INSERT INTO identifiers (tag, member_id) VALUES (?, ?)"
_ADD_BALANCE = "INSERT INTO balances (member_id, position) VALUES (?, ?)"
_TOUCH = "UPDATE balances SET position = ? WHERE member_id = ?"

# Members as tills see them. Lots that are asleep, and the one that ends first, come from partial indexes; the first of
# these has to be named, or SQLite walks through all lots that the member ever had.
_SEEN = """
SELECT b.position, m.member_id, m.status, m.tier, m.name_masked, m.phone_masked, m.card_masked, m.language,
       b.balance - b.debt,
       b.held + CASE WHEN b.granted = 0 THEN 0 WHEN b.debt > 0 THEN b.granted ELSE
           (SELECT coalesce(sum(v.points), 0) FROM vouchers v WHERE v.member_id = b.member_id AND v.state = 'open') END,
       (SELECT coalesce(sum(l.left), 0) FROM lots l INDEXED BY lots_asleep
        WHERE l.member_id = m.member_id AND l.active_at_ms IS NOT NULL),
       (SELECT l.expires_at_ms || ':' || sum(l.left) FROM lots l
        WHERE l.member_id = m.member_id AND l.expires_at_ms IS NOT NULL AND l.left > 0
        GROUP BY l.expires_at_ms ORDER BY l.expires_at_ms LIMIT 1),
       m.segments, m.birth_date, m.member_since, m.purchases, m.last_purchase, m.referral_code,
       m.wallet_token, m.wallet_rotating
FROM balances b JOIN members m ON m.member_id = b.member_id
"""
# A page of them in the order of their last change.
_PAGE = f"{_SEEN} WHERE b.position > :after ORDER BY b.position LIMIT :limit"
# Those of some ids, in the order of these.
_SOME = f"{_SEEN} WHERE m.member_id IN (SELECT value FROM json_each(:ids)) ORDER BY m.member_id"  # noqa: S608 - constants of this file
_REMOVED = """
SELECT member_id FROM members WHERE status = 'removed' AND member_id IN (SELECT value FROM json_each(?))
"""
_SOME_TAGS = """
SELECT member_id, tag FROM identifiers WHERE member_id IN (SELECT value FROM json_each(?)) ORDER BY tag
"""

_FACTS = 12
"""Columns of that query before the member's facts."""

# The tags of the members of that page.
_PAGE_TAGS = """
SELECT i.member_id, i.tag FROM balances b JOIN identifiers i ON i.member_id = b.member_id
WHERE b.position > ? AND b.position <= ? ORDER BY i.tag
"""


def profile(connection: sqlite3.Connection, member_id: str) -> MemberProfile | None:
    row = connection.execute(_PROFILE, (member_id,)).fetchone()
    return None if row is None else MemberProfile(*row)


def owner(connection: sqlite3.Connection, tag: str) -> str | None:
    """The member that an identifier belongs to, by whichever of its tags."""
    found = slow_tags.owner(connection, tag)
    if not found and (slow := slow_tags.slow_of(connection, tag)):
        found = slow_tags.owner(connection, slow)
    return found or None


def tags(connection: sqlite3.Connection, member_id: str) -> tuple[str, ...]:
    return tuple(row[0] for row in connection.execute(_TAGS, (member_id,)))


def add(
    connection: sqlite3.Connection, member: MemberProfile, tag_list: Iterable[str], position: int, now_ms: int
) -> None:
    """A new member with an empty account."""
    connection.execute(
        _ADD,
        (
            member.member_id,
            member.status,
            member.tier,
            member.name,
            member.name_masked,
            member.phone_masked,
            member.card_masked,
            member.language,
            now_ms,
        ),
    )
    connection.execute(_ADD_BALANCE, (member.member_id, position))
    add_tags(connection, member.member_id, tag_list)


def update(connection: sqlite3.Connection, member: MemberProfile, position: int) -> None:
    """Replace a member's profile."""
    connection.execute(
        _UPDATE,
        (
            member.status,
            member.tier,
            member.name,
            member.name_masked,
            member.phone_masked,
            member.card_masked,
            member.language,
            member.member_id,
        ),
    )
    connection.execute(_TOUCH, (position, member.member_id))


def add_tags(connection: sqlite3.Connection, member_id: str, tag_list: Iterable[str]) -> None:
    connection.executemany(_ADD_TAG, [(slow_tags.kept(connection, tag), member_id) for tag in tag_list])


def page(connection: sqlite3.Connection, after: int, limit: int, open_keys: Sequence[str]) -> list[MemberRow]:
    """Up to `limit` members changed after a position, in order of their last change.

    `open_keys` name the periods of which uses are told: those that are not over. What tills were lent is not told: it
    is the member's, and is called back for whoever asks.
    """
    found = connection.execute(_PAGE, {"after": after, "limit": limit}).fetchall()
    if not found:
        return []
    until = found[-1][0]
    return _rows(
        found, connection.execute(_PAGE_TAGS, (after, until)), *usage.page(connection, after, until, open_keys)
    )


def removed(connection: sqlite3.Connection, ids: Sequence[str]) -> set[str]:
    """Those of some members who were erased, or merged into others."""
    if not ids:
        return set()
    return {str(row[0]) for row in connection.execute(_REMOVED, (msgspec.json.encode(ids).decode(),))}


def of_ids(connection: sqlite3.Connection, ids: Sequence[str], open_keys: Sequence[str]) -> list[MemberRow]:
    """The members of these ids in the order of ids, as `page` gives them."""
    text = msgspec.json.encode(list(ids)).decode()
    found = connection.execute(_SOME, {"ids": text}).fetchall()
    return _rows(found, connection.execute(_SOME_TAGS, (text,)), *usage.of_ids(connection, text, open_keys))


def _rows(
    found: Sequence[Any],
    tag_rows: Iterable[tuple[str, str]],
    used: Mapping[str, Sequence[Usage]],
    coupons: Mapping[str, Sequence[str]],
) -> list[MemberRow]:
    owned: dict[str, list[str]] = {}
    for member_id, tag in tag_rows:
        owned.setdefault(member_id, []).append(tag)
    rows: list[MemberRow] = []
    for row in found:
        member_id = row[1]
        facts = _facts(row[_FACTS:], tuple(used.get(member_id, ())), tuple(coupons.get(member_id, ())))
        rows.append(_member_row(row[:_FACTS], tuple(owned.get(member_id, ())), facts))
    return rows


def _facts(
    row: tuple[str, str, str, int, str, str, int, int], used: tuple[Usage, ...], coupons: tuple[str, ...]
) -> MemberFacts:
    segments, birth_date, member_since, purchases, last_purchase, referral_code, token, rotating = row
    return MemberFacts(
        segments=segments_of(segments),
        birthday=birth_date[-len("12-31") :],  # the year never leaves the cloud
        member_since=member_since,
        purchases=purchases,
        last_purchase=last_purchase,
        usage=used,
        coupons=coupons,
        referral_code=referral_code,
        wallet=WalletUse(token=token, rotating=rotating) if token or rotating else NO_USE,
    )


def _member_row(
    row: tuple[int, str, str, str, str, str, str, str, int, int, int, str | None],
    tag_list: tuple[str, ...],
    facts: MemberFacts,
) -> MemberRow:
    position, member_id, status, tier, name, phone, card, language, balance, held, inactive, expiring = row
    soonest = None
    if expiring is not None:
        at_ms, points = expiring.split(":")
        soonest = ExpiringPoints(points=int(points), at_ms=int(at_ms))
    return MemberRow(
        member_id=member_id,
        status=status,  # type: ignore[arg-type]  # the table's CHECK allows exactly the wire's four
        tier=tier,
        name_masked=name,
        phone_masked=phone,
        card_masked=card,
        language=language,
        tags=tag_list,
        balance=balance,
        held=held,
        expiring=soonest,
        position=position,
        inactive=inactive,
        facts=facts,
    )
