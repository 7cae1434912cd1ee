"""Wallet codes at the cloud: made with a rising counter, used by sales, told to tills, and what staff hear of."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from till_cloud import wallet
from till_cloud.changes import hello
from till_cloud.exceptions import AdminError
from till_cloud.store import meta, tills
from till_cloud.store import wallet as rows
from till_loyalty import rotating
from till_loyalty.identifiers import tag
from till_loyalty.programme import CardRange, Identifiers, RotatingCode
from till_sync import wallet as codes
from till_sync.ops import SaleBody, decode_body, encode_body
from till_sync.wallet import Token
from till_sync.wallet_use import WalletUse
from till_sync.wire import Limits, MemberRow, OpResult
from unit.cloud.cloud_kit import Chain, Till, chain, programme

CARD = "2900000000001"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Chain]:
    cards = Identifiers(cards=(CardRange(prefix="29", lengths=(13,), check="ean13"),), rotating=RotatingCode())
    with chain(tmp_path / "c.db", rules=programme(identifiers=cards)) as made:
        yield made


def token(world: Chain, member: str = "m-1", hours: int = 1) -> Token:
    """The next code of a member, as a till reads it."""

    def make(connection) -> Token:
        made, text = wallet.token(connection, member, hours=hours, now_ms=world.wall())
        chain_mark = codes.chain_mark(meta.identifier_key(connection))
        assert codes.decode(text, public_key=meta.cloud_key(connection), chain=chain_mark) == made
        return made

    return world.centre.write(make).result()


def sell(till: Till, uid: str, use: WalletUse, member: str = "m-1") -> OpResult:
    """A sale that used a code; the verdict."""
    till.sale(uid, member)
    body = decode_body(bytes(till.ops.pop().body))
    till.heads.pop()
    assert isinstance(body, SaleBody)
    till.add_raw(encode_body(replace(body, wallet=use)))
    return till.push(len(till.ops)).results[-1]


def seen(world: Chain, member: str = "m-1") -> WalletUse:
    """What the next page tells a till."""
    row = world.centre.read(lambda c: tills.till(c, "k1"))
    (found,) = [
        each
        for each in world.centre.changes(row, since="", limit=100).rows
        if isinstance(each, MemberRow) and each.member_id == member
    ]
    return found.facts.wallet


def flags(world: Chain) -> list[str]:
    return [row[0] for row in world.rows("SELECT code FROM flags ORDER BY till, epoch, seq, code")]


def test_each_code_of_a_member_is_newer_than_the_last(world: Chain) -> None:
    """Also two of one second, after the clock was set back, and in a database that was set back to a backup."""
    world.member("m-1")
    first, second = token(world), token(world)
    assert (first.member_id, second.counter) == ("m-1", first.counter + 1)
    assert first.counter == world.wall() // 1000
    assert first.expires_at_s == world.wall() // 1000 + 3600
    world.wall.ms -= 3_600_000
    assert token(world).counter == first.counter + 2
    world.wall.ms += 7_200_000
    assert token(world).counter == world.wall() // 1000


def test_nobody_gets_a_code_for_nobody(world: Chain) -> None:
    world.member("m-1", status="blocked")
    world.member("m-2")
    for member, hours in (("m-1", 1), ("m-3", 1), ("m-2", 0), ("m-2", wallet.LONGEST_HOURS + 1)):
        with pytest.raises(AdminError):
            token(world, member, hours)


def test_tills_are_told_what_a_sale_used(world: Chain) -> None:
    """The newest of each kind, by the member's row; a sale that comes late takes nothing back."""
    world.member("m-1")
    till = world.till()
    assert seen(world) == WalletUse()
    assert sell(till, "a", WalletUse(token=10)).status == "applied"
    assert sell(till, "b", WalletUse(rotating=30)).status == "applied"
    assert sell(till, "c", WalletUse(token=9)).status == "applied"
    assert seen(world) == WalletUse(token=10, rotating=30)
    assert flags(world) == []


def test_a_code_that_two_sales_used_is_for_staff_and_both_sales_stand(world: Chain) -> None:
    """Two tills without a line could not know. The same sale pushed twice is one sale."""
    world.member("m-1")
    first, second = world.till(), world.till("k2")
    sell(first, "a", WalletUse(token=10))
    first.push()
    assert flags(world) == []
    verdict = sell(second, "b", WalletUse(token=10))
    assert (verdict.status, verdict.effect_points) == ("applied", 1000)
    assert flags(world) == ["wallet_used"]
    sell(second, "c", WalletUse(rotating=60))
    assert flags(world) == ["wallet_used"]


def test_the_row_moves_with_a_sale_that_gives_nothing(world: Chain) -> None:
    """Else no till would hear that the code was used."""
    world.member("m-1")
    till = world.till()
    row = world.centre.read(lambda c: tills.till(c, "k1"))
    since = world.centre.changes(row, since="", limit=100).next
    till.sale("a", "m-1", 1)
    body = decode_body(bytes(till.ops.pop().body))
    till.heads.pop()
    till.add_raw(encode_body(replace(body, wallet=WalletUse(token=7))))
    assert till.push(1).results[-1].effect_points == 0
    (told,) = world.centre.changes(row, since=since, limit=100).rows
    assert isinstance(told, MemberRow)
    assert told.facts.wallet == WalletUse(token=7)


def test_what_either_of_two_members_used_is_used_by_the_one_they_are(world: Chain) -> None:
    world.member("m-1")
    world.member("m-2")
    till = world.till()
    sell(till, "a", WalletUse(token=10))
    sell(till, "b", WalletUse(token=12, rotating=60), "m-2")

    world.merge("m-2", "m-1")
    assert seen(world) == WalletUse(token=12, rotating=60)
    sell(till, "c", WalletUse(token=12), "m-2")
    assert flags(world) == ["wallet_used"]


def test_used_codes_are_kept_for_a_while(world: Chain) -> None:
    world.member("m-1")
    till = world.till()
    for number in range(3):
        sell(till, f"s{number}", WalletUse(token=10**9 + number * rows.KEPT_S))
    kept = world.rows("SELECT code FROM wallet_uses ORDER BY code")
    assert kept == [(10**9 + rows.KEPT_S,), (10**9 + 2 * rows.KEPT_S,)]


def test_a_code_of_a_phone_that_lives_in_the_future_shuts_out_none_of_now(world: Chain) -> None:
    """A till that can't tell the time takes it by its proof. It is used, what was used before stays so, and what the
    member's phone shows once its clock is right is newer than nothing."""
    world.member("m-1")
    till = world.till()
    now_s = world.wall() // 1000
    sell(till, "a", WalletUse(rotating=now_s))
    sell(till, "b", WalletUse(rotating=now_s + 10 * 365 * 86_400))
    assert seen(world) == WalletUse(rotating=now_s)
    sell(till, "c", WalletUse(rotating=now_s + 7_000))
    assert seen(world) == WalletUse(rotating=now_s + 7_000)
    assert flags(world) == []
    sell(till, "d", WalletUse(rotating=now_s + 10 * 365 * 86_400))
    assert flags(world) == ["wallet_used"]
    sell(till, "e", WalletUse(rotating=now_s))
    assert flags(world) == ["wallet_used"] * 2


def test_what_google_is_given_makes_codes_that_tills_take(world: Chain) -> None:
    """By the secret that hello tells tills, and by the one before until it is dropped."""
    key = world.centre.read(meta.identifier_key)
    world.member("m-1", tags=(tag(key, "card", CARD),))
    till = world.till()
    given = world.centre.read(lambda c: wallet.google(c, CARD))
    details = given["totpDetails"]
    assert isinstance(details, dict)
    assert details["periodMillis"] == "30000"
    (parameters,) = details["parameters"]
    at_s = 1_800_000_005
    value = rotating.totp(bytes.fromhex(parameters["key"]), at_s // 30, parameters["valueLength"])
    text = str(given["valuePattern"]).replace(rotating.SECONDS, str(at_s)).replace(rotating.VALUE, value)
    rules = RotatingCode()
    shown = rotating.read(text, rules)
    assert shown is not None

    def told() -> list[bytes]:
        row = world.centre.read(lambda c: tills.till(c, till.name))
        answer = world.centre.read(lambda c: hello(c, row, limits=Limits(), now_ms=1))
        assert not any(each in repr(answer) for each in answer.wallet_keys)
        return [bytes.fromhex(each) for each in answer.wallet_keys]

    assert rotating.proved(shown, told(), rules) == 1_800_000_000
    assert world.centre.write(wallet.new_key).result() == 2
    assert rotating.proved(shown, told(), rules) == 1_800_000_000
    world.centre.write(wallet.drop_former_keys).result()
    assert rotating.proved(shown, told(), rules) is None


def test_google_is_given_nothing_for_a_card_that_nobody_has(world: Chain) -> None:
    for card in (CARD, "4111111111111111", "abc"):
        with pytest.raises(AdminError):
            world.centre.read(lambda c, card=card: wallet.google(c, card))


def test_a_former_cloud_reads_a_sale_with_a_code(world: Chain) -> None:
    """It knows no such member of the body, and passes it by; of a sale without one nothing is written."""
    world.member("m-1")
    till = world.till()
    till.sale("a", "m-1")
    body = decode_body(bytes(till.ops[0].body))
    assert isinstance(body, SaleBody)
    assert b"wallet" not in encode_body(body)
    assert b'"wallet":{"token":5}' in encode_body(replace(body, wallet=WalletUse(token=5)))
    assert b"wallet" not in msgspec.json.encode(MemberRow(member_id="m-1"))
