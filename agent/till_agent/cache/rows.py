"""A member as stored: everything but the balance, packed; and the way back to what the cloud sent."""

from typing import Literal

import msgspec
from msgspec import Struct

from till_agent.ports import CachedMember
from till_sync.wire import ExpiringPoints, MemberRow


class _Stored(Struct, array_like=True, frozen=True):
    """Fields by place, not by name: a million members take less than half the room."""

    status: Literal["active", "blocked", "provisional", "removed"]
    tier: str
    name_masked: str
    phone_masked: str
    card_masked: str
    language: str
    tags: tuple[str, ...]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Stored)

UNREADABLE = (msgspec.DecodeError, ValueError, TypeError)
"""What reading a damaged row raises; text that is no longer UTF-8 is a ValueError."""

BalanceColumns = tuple[int, int, int, int, int, int, int, int]
"""balance, held, position, expiring_points, expiring_at_ms, included_epoch, included_seq, as_of_ms"""
MemberColumns = tuple[str, bytes, int, int, int, int, int, int, int, int]
"""member_id, data, and the columns of a balance"""


def pack(row: MemberRow) -> bytes:
    """What `members.data` holds of a row."""
    return _encoder.encode(
        _Stored(row.status, row.tier, row.name_masked, row.phone_masked, row.card_masked, row.language, row.tags)
    )


def tags_of(data: bytes) -> tuple[str, ...]:
    """The tags in `members.data`."""
    return _decoder.decode(data).tags


def without_tag(data: bytes, tag: str) -> bytes:
    """`members.data` of a member who lost a tag to another."""
    stored = _decoder.decode(data)
    return _encoder.encode(msgspec.structs.replace(stored, tags=tuple(each for each in stored.tags if each != tag)))


def balance_columns(row: MemberRow, included: tuple[int, int], as_of_ms: int) -> BalanceColumns:
    """What `balances` holds of a row."""
    expiring = row.expiring
    points, at_ms = (expiring.points, expiring.at_ms) if expiring else (0, 0)
    return row.balance, row.held, row.position, points, at_ms, *included, as_of_ms


def as_member(columns: MemberColumns) -> CachedMember:
    """A look-up's row as the sale desk sees it."""
    member_id, data, balance, held, position, points, at_ms, epoch, seq, as_of_ms = columns
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
    )
    return CachedMember(row=row, as_of_ms=as_of_ms, included=(epoch, seq))
