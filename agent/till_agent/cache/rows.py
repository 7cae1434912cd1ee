"""A member as stored: everything but balance and moving facts, packed; and the way back to what the cloud sent."""

from typing import Any

import msgspec

from till_agent.ports import CachedMember
from till_loyalty.receipt import Usage
from till_sync.snapshot_rows import OF_SNAPSHOT, MovingFacts, StoredMember
from till_sync.wire import ExpiringPoints, MemberFacts, MemberRow

_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(StoredMember)
_moving_decoder = msgspec.msgpack.Decoder(MovingFacts)

UNREADABLE = (msgspec.DecodeError, ValueError, TypeError)
"""What reading a damaged row raises; text that is no longer UTF-8 is a ValueError."""

MemberColumns = tuple[str, bytes, int, int, int, int, int, int, int, int, int, bytes, int, int]
"""member_id, data, and the columns of a balance"""

Noted = tuple[MemberColumns, tuple[int, int]]
"""A member as stored, and the last own op (epoch, seq) that rows of a snapshot included then."""


def tags_of(data: bytes) -> tuple[str, ...]:
    """The tags in `members.data`."""
    return _decoder.decode(data).tags


def shown_of(data: bytes) -> tuple[str, str, str]:
    """The masked name, phone and card in `members.data`."""
    stored = _decoder.decode(data)
    return stored.name_masked, stored.phone_masked, stored.card_masked


def without_tag(data: bytes, tag: str) -> bytes:
    """`members.data` of a member who lost a tag to another."""
    stored = _decoder.decode(data)
    return _encode(msgspec.structs.replace(stored, tags=tuple(each for each in stored.tags if each != tag)))


def as_member(columns: MemberColumns, base: tuple[int, int] = (0, 0)) -> CachedMember:
    """A look-up's row as the sale desk sees it. `base` is the last own op that rows of a snapshot include."""
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
    return CachedMember(
        row=row,
        as_of_ms=as_of_ms,
        included=base if epoch == OF_SNAPSHOT else (epoch, seq),
        facts_included=base if facts_at[0] == OF_SNAPSHOT else (facts_at[0], facts_at[1]),
    )


def _facts(stored: StoredMember, moving: bytes) -> MemberFacts:
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
            "wallet": moved.wallet,
        }
    return MemberFacts(
        segments=stored.segments,
        birthday=stored.birthday,
        member_since=stored.member_since,
        coupons=stored.coupons,
        referral_code=stored.referral_code,
        **known,
    )
