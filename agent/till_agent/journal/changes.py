"""What an op changed of the facts that rules look at, read from its body: so the journal needs no table for it."""

import msgspec
from msgspec import Struct

from till_agent.journal.schema import row_id
from till_loyalty.receipt import Usage
from till_sync.ops import OpId, cover_of
from till_sync.wallet_use import NO_USE, WalletUse

NOTHING = b""
"""What is kept of an op that changed no fact."""
NO_SALE = 0
"""The change is a sale or a return; else it is the void of the sale with that row id."""

UsageRow = tuple[str, str, str, int, int]


class Change(Struct, frozen=True, array_like=True):
    """What one op changed. `day` is a sale's business date, `later` its points that are not active yet, by date.

    `granted` points of this till's grant the sale spent, `released` ones were given back; `floor` were spent within the
    floor limit. `wallet`: the wallet codes that it used.
    """

    voided: int
    day: str
    usage: tuple[UsageRow, ...]
    later: tuple[tuple[str, int], ...]
    given: dict[str, int]
    granted: int = 0
    released: int = 0
    floor: int = 0
    wallet: WalletUse = NO_USE


class _Day(Struct):
    business_date: str = ""


class _Part(Struct):
    rule: str = ""
    points: int = 0
    amount_minor: int = 0
    active_from: str = ""


class _Result(Struct):
    accruals: tuple[_Part, ...] = ()
    discounts: tuple[_Part, ...] = ()
    redeemed_points: int = 0


class _Head(Struct):
    """What is read of an op's body; the receipt, which is most of it, is passed by."""

    clock: _Day | None = None
    sale_op: str = ""
    usage: tuple[Usage, ...] = ()
    result: _Result | None = None
    hold: str = ""
    points: int = 0
    wallet: WalletUse = NO_USE


_head_decoder = msgspec.json.Decoder(_Head)
_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Change)


def pack_change(kind: str, body: bytes) -> bytes:
    """What the op of that kind changed, packed; NOTHING for one that changes no fact, or that says nothing we read."""
    if kind not in ("sale", "void", "return", "grant-release"):
        return NOTHING
    try:
        head = _head_decoder.decode(body)
        voided = NO_SALE if kind != "void" else _row_of(head.sale_op)
    except (msgspec.DecodeError, ValueError):
        return NOTHING
    if kind == "grant-release":
        return _encode(Change(NO_SALE, "", (), (), {}, released=head.points))
    usage = tuple([(each.rule, each.per, each.key, each.amount, each.uses) for each in head.usage])
    if kind != "sale":
        return _encode(Change(voided, "", usage, (), {})) if voided or usage else NOTHING
    day = head.clock.business_date if head.clock else ""
    result = head.result or _Result()
    later: dict[str, int] = {}
    given: dict[str, int] = {}
    for part in (*result.accruals, *result.discounts):
        given[part.rule] = given.get(part.rule, 0) + part.points + part.amount_minor
        if part.active_from > day:
            later[part.active_from] = later.get(part.active_from, 0) + part.points
    cover, redeemed = cover_of(head.hold), result.redeemed_points
    granted, floor = redeemed if cover == "grant" else 0, redeemed if cover == "floor" else 0
    return _encode(
        Change(NO_SALE, day, usage, tuple(later.items()), given, granted=granted, floor=floor, wallet=head.wallet)
    )


def read_change(packed: bytes) -> Change:
    """What `pack_change` packed."""
    return _decoder.decode(packed)


def _row_of(op: str) -> int:
    identity = OpId.parse(op)
    return row_id(identity.epoch, identity.seq)
