"""The digest of members: the same of the same facts, another of any other, and of nothing that a till need not know."""

import hashlib

import msgspec
import pytest

from till_loyalty.receipt import Usage
from till_sync.digests import digest_of, open_keys
from till_sync.wallet_use import WalletUse
from till_sync.wire import ExpiringPoints, MemberFacts, MemberRow

NOW_MS = 1_800_000_000_000
KEYS = open_keys(NOW_MS)
ROW = MemberRow(
    member_id="m-1",
    tier="gold",
    name_masked="A***",
    tags=("phone:1", "card:2"),
    balance=70,
    held=5,
    position=9,
    facts=MemberFacts(
        segments=("b", "a"), purchases=3, usage=(Usage(rule="r", per="day", key=KEYS[0], amount=1, uses=2),)
    ),
)

CHANGES = {
    "member_id": "m-2",
    "status": "blocked",
    "tier": "",
    "name_masked": "B***",
    "phone_masked": "*1",
    "card_masked": "*2",
    "language": "kk",
    "tags": ("phone:1",),
    "balance": 71,
    "held": 4,
    "expiring": ExpiringPoints(points=1, at_ms=2),
    "inactive": 1,
}
FACTS = {
    "segments": ("a",),
    "birthday": "01-02",
    "member_since": "2026-01-01",
    "purchases": 4,
    "last_purchase": "2026-01-02",
    "usage": (),
    "coupons": ("c",),
    "referral_code": "X",
    "wallet": WalletUse(token=1),
}


def digest(row: MemberRow) -> str:
    return digest_of([row], KEYS, after="", last="").digest


def test_the_form_is_written_down() -> None:
    """What `docs/reference/protocol.md` says, by other means."""
    line = (
        '["m-1","active","gold","A***","","","",["card:2","phone:1"],70,5,0,0,0,["a","b"],"","",3,"",[],"",'
        f'[["r","day","{KEYS[0]}",1,2]]]\n'
    )
    assert digest(ROW) == hashlib.sha256(b"tillside-members-1\n" + line.encode()).hexdigest()


def test_every_field_that_a_till_goes_by_counts() -> None:
    """A new field of the wire must be put into the lines, or be named here."""
    assert {*CHANGES, "position", "facts"} == set(MemberRow.__struct_fields__)
    assert set(FACTS) == set(MemberFacts.__struct_fields__)


@pytest.mark.parametrize("field", CHANGES)
def test_another_value_gives_another_digest(field: str) -> None:
    assert digest(msgspec.structs.replace(ROW, **{field: CHANGES[field]})) != digest(ROW)


@pytest.mark.parametrize("field", FACTS)
def test_another_fact_gives_another_digest(field: str) -> None:
    facts = msgspec.structs.replace(ROW.facts, **{field: FACTS[field]})
    assert digest(msgspec.structs.replace(ROW, facts=facts)) != digest(ROW)


def test_order_and_position_do_not_count() -> None:
    """Tags and segments are sets; a verdict gives a position of its own."""
    facts = msgspec.structs.replace(ROW.facts, segments=("a", "b"))
    again = msgspec.structs.replace(ROW, facts=facts, tags=("card:2", "phone:1"), position=10)
    assert digest(again) == digest(ROW)


def test_uses_of_periods_that_are_over_do_not_count() -> None:
    """The cloud tells of them no more, and a row that has not changed since still has them."""
    old = Usage(rule="r", per="day", key="2001-01-01", amount=1, uses=1)
    facts = msgspec.structs.replace(ROW.facts, usage=(*ROW.facts.usage, old))
    assert digest(msgspec.structs.replace(ROW, facts=facts)) == digest(ROW)


def test_removed_members_are_not_there() -> None:
    """A till has dropped them."""
    gone = MemberRow(member_id="m-0", status="removed")
    assert digest_of([gone, ROW], KEYS, after="", last="") == digest_of([ROW], KEYS, after="", last="")
