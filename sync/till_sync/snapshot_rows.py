"""How a member lies in a cache and in a snapshot: everything but balance and moving facts packed into one value.

Both ends know it: a snapshot is a file of the cache's own tables, so that a till need not read it row by row.
"""

from typing import Literal

import msgspec
from msgspec import Struct

from till_sync.wallet_use import NO_USE, WalletUse
from till_sync.wire import MemberFacts, MemberRow


class StoredMember(Struct, array_like=True, frozen=True):
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


class MovingFacts(Struct, array_like=True, frozen=True):
    """The facts that a member's own sales change; they lie beside the balance, which changes with them.

    `usage` holds the five fields of each row after one another. A field may be added at the end: who does not know it
    reads the others.
    """

    purchases: int
    last_purchase: str
    usage: tuple[tuple[str, str, str, int, int], ...]
    wallet: WalletUse = NO_USE


_encode = msgspec.msgpack.Encoder().encode

NO_FACTS = b""
"""What is stored of a member whom the cloud told no moving facts of: nothing, so that a million take no room."""

OF_SNAPSHOT = -1
"""`included_epoch` and `facts_epoch` of a row that came with a snapshot: it includes what the whole cache does."""

BalanceColumns = tuple[int, int, int, int, int, int, int, int, int, bytes, int, int]
"""balance, held, position, expiring_points, expiring_at_ms, included_epoch, included_seq, as_of_ms, inactive, facts,
facts_epoch, facts_seq"""


def pack(row: MemberRow) -> bytes:
    """What `members.data` holds of a row."""
    facts = row.facts
    return _encode(
        StoredMember(
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
    if facts.purchases < 0 and not facts.usage and not facts.last_purchase and not facts.wallet:
        return NO_FACTS
    usage = tuple([(each.rule, each.per, each.key, each.amount, each.uses) for each in facts.usage])
    return _encode(MovingFacts(facts.purchases, facts.last_purchase, usage, facts.wallet))


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
