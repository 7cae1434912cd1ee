"""A member as stored: everything but balance and moving facts, packed; and the way back to what the cloud sent."""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from till_agent.ports import CachedMember
from till_loyalty.receipt import Usage
from till_sync.wire import ExpiringPoints, MemberFacts, MemberRow


class _Stored(Struct, array_like=True, frozen=True):
    """Fields by place, not by name: a million members take less than half the room. What sales don't change."""

    status: Literal["active", "blocked", "provisional", "removed"]
    tier: str
    name_masked: str
    phone_masked: str
    card_masked: str
    language: str
    tags: tuple[str, ...]
    segments: tuple[str, ...]
    birthday: str
    member_since: str
    coupons: tuple[str, ...]
    referral_code: str


class _Moving(Struct, array_like=True, frozen=True):
    """The facts that a member's own sales change; they lie beside the balance, which changes with them.

    `usage` holds the five fields of each row after one another.
    """

    purchases: int
    last_purchase: str
    usage: tuple[tuple[str, str, str, int, int], ...]


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(_Stored)
_moving_decoder = msgspec.msgpack.Decoder(_Moving)

NO_FACTS = b""
"""What is stored of a member whom the cloud told no moving facts of: nothing, so that a million take no room."""
UNREADABLE = (msgspec.DecodeError, ValueError, TypeError)
"""What reading a damaged row raises; text that is no longer UTF-8 is a ValueError."""

BalanceColumns = tuple[int, int, int, int, int, int, int, int, int, bytes, int, int]
"""balance, held, position, expiring_points, expiring_at_ms, included_epoch, included_seq, as_of_ms, inactive, facts,
facts_epoch, facts_seq"""
MemberColumns = tuple[str, bytes, int, int, int, int, int, int, int, int, int, bytes, int, int]
"""member_id, data, and the columns of a balance"""


def pack(row: MemberRow) -> bytes:
    """What `members.data` holds of a row."""
    facts = row.facts
    return _encode(
        _Stored(
            row.status,
            row.tier,
            row.name_masked,
            row.phone_masked,
            row.card_masked,
            row.language,
            row.tags,
            facts.segments,
            facts.birthday,
            facts.member_since,
            facts.coupons,
            facts.referral_code,
        )
    )


def pack_moving(facts: MemberFacts) -> bytes:
    """What `balances.facts` holds of a row."""
    if facts.purchases < 0 and not facts.usage and not facts.last_purchase:
        return NO_FACTS
    usage = tuple([(each.rule, each.per, each.key, each.amount, each.uses) for each in facts.usage])
    return _encode(_Moving(facts.purchases, facts.last_purchase, usage))


def tags_of(data: bytes) -> tuple[str, ...]:
    """The tags in `members.data`."""
    return _decoder.decode(data).tags


def without_tag(data: bytes, tag: str) -> bytes:
    """`members.data` of a member who lost a tag to another."""
    stored = _decoder.decode(data)
    return _encode(msgspec.structs.replace(stored, tags=tuple(each for each in stored.tags if each != tag)))


def balance_columns(row: MemberRow, included: tuple[int, int], as_of_ms: int) -> BalanceColumns:
    """What `balances` holds of a row."""
    expiring = row.expiring
    points, at_ms = (expiring.points, expiring.at_ms) if expiring else (0, 0)
    return (
        row.balance,
        row.held,
        row.position,
        points,
        at_ms,
        *included,
        as_of_ms,
        row.inactive,
        pack_moving(row.facts),
        *included,
    )


def as_member(columns: MemberColumns) -> CachedMember:
    """A look-up's row as the sale desk sees it."""
    member_id, data, balance, held, position, points, at_ms, epoch, seq, as_of_ms, inactive, moving, *facts_at = columns
    stored = _decoder.decode(data)
    row = MemberRow(
        member_id=member_id,
        status=stored.status,
        tier=stored.tier,
        name_masked=stored.name_masked,
        phone_masked=stored.phone_masked,
        card_masked=stored.card_masked,
        language=stored.language,
        tags=stored.tags,
        balance=balance,
        held=held,
        expiring=ExpiringPoints(points=points, at_ms=at_ms) if at_ms or points else None,
        position=position,
        inactive=inactive,
        facts=_facts(stored, moving),
    )
    return CachedMember(row=row, as_of_ms=as_of_ms, included=(epoch, seq), facts_included=(facts_at[0], facts_at[1]))


def _facts(stored: _Stored, moving: bytes) -> MemberFacts:
    known: dict[str, Any] = {}
    if moving:
        moved = _moving_decoder.decode(moving)
        known = {
            "purchases": moved.purchases,
            "last_purchase": moved.last_purchase,
            "usage": tuple(
                [
                    Usage(rule=rule, per=per, key=key, amount=amount, uses=uses)
                    for rule, per, key, amount, uses in moved.usage
                ]
            ),
        }
    return MemberFacts(
        segments=stored.segments,
        birthday=stored.birthday,
        member_since=stored.member_since,
        coupons=stored.coupons,
        referral_code=stored.referral_code,
        **known,
    )
