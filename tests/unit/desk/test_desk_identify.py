"""Who was scanned or keyed, and what is shown of them."""

import msgspec
import pytest

from fakes.till import (
    ANNA_CARD,
    ANNA_PHONE,
    ANNA_TAGS,
    KEY,
    PROGRAMME,
    STRANGER_CARD,
    STRANGER_TAG,
    FakeTill,
    anna,
    receipt,
)
from till_agent.api import HoldCreate, Identify, Member, SaleRequest
from till_agent.exceptions import DeskProblem
from till_loyalty.identifiers import tag
from till_loyalty.programme import CardRange, Redemption
from till_sync.wire import ExpiringPoints, MemberRow, OpResult

DAY_MS = 24 * 3600 * 1000

LENDS_NOTHING = msgspec.structs.replace(PROGRAMME, redemption=Redemption(offline="refuse"))


def identify(till: FakeTill, **who: str) -> Member:
    return till.run(till.desk.identify(Identify(**who)))


def codes(member: Member) -> list[str]:
    return [message.code for message in member.messages]


@pytest.mark.parametrize(
    "who",
    [
        {"card": ANNA_CARD},
        {"card": "29000 0000 0018"},
        {"phone": "8 (916) 123-12-34"},
        {"phone": ANNA_PHONE},
        {"scan": ANNA_CARD},
        {"code": ANNA_CARD},
        {"code": "89161231234"},
        {"reference": "m-anna"},
        {"reference": ANNA_TAGS[0]},
    ],
)
def test_every_way_to_name_a_member_leads_to_the_same_answer(who: dict[str, str]) -> None:
    """Card, phone, scan, either, or a reference from before, the tag of a number included."""
    member = identify(FakeTill().know(anna()), **who)
    assert member == Member(
        reference="m-anna",
        known=True,
        status="active",
        balance_points=500,
        spendable_points=500,
        unconfirmed_points=0,
        spendable_reason="",
        as_of_ms=1_514_019_900_000,
        offline=False,
        tier="standard",
        name_masked="Анна К.",
        phone_masked="+7 *** ***-12-34",
        card_masked="**** 0018",
        tier_title="standard",
    )


def test_somebody_not_known_here_is_no_error() -> None:
    """Sales accrue to the tag; of the number only its mask is shown."""
    member = identify(FakeTill(), card=STRANGER_CARD)
    assert (member.reference, member.known, member.status) == (STRANGER_TAG, False, "unknown")
    assert (member.balance_points, member.spendable_points, member.spendable_reason) == (0, 0, "unknown_member")
    assert (member.card_masked, member.phone_masked) == ("**** 0025", "")
    assert codes(member) == ["member_unknown"]


def test_an_unknown_phone_shows_its_mask() -> None:
    """So that the cashier can compare it with what the buyer says."""
    member = identify(FakeTill(), phone="8 916 555-66-77")
    assert (member.reference, member.phone_masked) == (tag(KEY, "phone", "+79165556677"), "+7 *** ***-66-77")


def test_without_a_programme_phones_are_still_known_and_it_is_said() -> None:
    """A till that never pulled accepts what every chain has."""
    member = identify(FakeTill(programme=None), phone=ANNA_PHONE)
    assert member.reference == ANNA_TAGS[1]
    assert codes(member) == ["member_unknown", "no_programme"]


@pytest.mark.parametrize("who", [{"card": STRANGER_CARD}, {"scan": STRANGER_CARD}, {"code": "77-00-12-34"}])
def test_without_a_programme_digits_that_are_no_phone_are_a_card(who: dict[str, str]) -> None:
    """Nobody can tell the chain's ranges yet; the first sales earn, and the cloud sorts out whose it is."""
    (value,) = who.values()
    member = identify(FakeTill(programme=None), **who)
    assert member.reference == tag(KEY, "card", value.replace("-", ""))


@pytest.mark.parametrize(
    ("who", "code"),
    [
        ({"card": "4111111111111111"}, "bank_card"),
        ({"scan": "hello"}, "identifier_invalid"),
        ({"phone": "77001234"}, ""),
    ],
)
def test_without_a_programme_bank_cards_words_and_bad_phones_are_still_refused(who: dict[str, str], code: str) -> None:
    """What needs no programme to be told."""
    with pytest.raises(DeskProblem, match=code or "identifier_invalid"):
        identify(FakeTill(programme=None), **who)


def test_a_removed_member_is_as_good_as_never_seen() -> None:
    """The row stays in the cache for a while; nothing of it is shown."""
    till = FakeTill().know(anna(status="removed"))
    member = identify(till, card=ANNA_CARD)
    assert (member.known, member.reference, member.name_masked) == (False, ANNA_TAGS[0], "")


def test_digits_that_are_a_card_of_one_and_a_phone_of_another_ask_the_cashier() -> None:
    """When only one of them is a member, there is nothing to ask."""
    card = "79161231234"
    identifiers = msgspec.structs.replace(PROGRAMME.identifiers, cards=(CardRange(prefix="7", lengths=(11,)),))
    till = FakeTill(programme=msgspec.structs.replace(PROGRAMME, identifiers=identifiers)).know(anna())
    assert identify(till, code=card).reference == "m-anna"
    till.know(MemberRow(member_id="m-boris", tags=(tag(KEY, "card", card),)))
    with pytest.raises(DeskProblem, match="identifier_ambiguous"):
        identify(till, code=card)
    assert identify(till, card=card).reference == "m-boris"
    assert identify(till, phone=card).reference == "m-anna"


@pytest.mark.parametrize(
    ("change", "reason", "spendable"),
    [
        ({}, "", 500),
        ({"status": "blocked"}, "blocked", 0),
        ({"status": "provisional"}, "provisional", 0),
        ({"held": 120}, "held", 380),
        ({"held": 900}, "held", 0),
        ({"balance": -30}, "", 0),
    ],
)
def test_what_may_be_spent_and_why_not_all(change: dict[str, object], reason: str, spendable: int) -> None:
    """Never below 0, never more than the balance."""
    member = identify(FakeTill(programme=LENDS_NOTHING).know(anna(**change)), card=ANNA_CARD)
    assert (member.spendable_reason, member.spendable_points) == (reason, spendable)


def test_without_a_line_nothing_may_be_spent() -> None:
    """The default policy: earn always, redeem only with the cloud's word."""
    till = FakeTill().know(anna())
    till.gateway.online = False
    member = identify(till, card=ANNA_CARD)
    assert (member.offline, member.spendable_points, member.spendable_reason) == (True, 0, "offline")
    assert (member.balance_points, codes(member)) == (500, ["offline"])


def test_a_programme_without_redemption_says_so() -> None:
    """And so does a till that has no programme yet."""
    till = FakeTill(programme=msgspec.structs.replace(PROGRAMME, redemption=Redemption(enabled=False))).know(anna())
    assert identify(till, card=ANNA_CARD).spendable_reason == "disabled"
    assert identify(FakeTill(programme=None).know(anna()), phone=ANNA_PHONE).spendable_reason == "disabled"


def test_own_holds_are_taken_off_once_whether_the_cloud_shows_them_yet_or_not() -> None:
    """The cloud's figure of what is held may include this till's hold or not yet."""
    till = FakeTill(programme=LENDS_NOTHING).know(anna())
    till.run(till.desk.hold(HoldCreate(sale_uid="u1", member=Identify(card=ANNA_CARD), points=200)))
    assert identify(till, card=ANNA_CARD).spendable_points == 300
    till.know(anna(held=200))
    assert identify(till, card=ANNA_CARD).spendable_points == 300
    till.know(anna(held=260))
    assert identify(till, card=ANNA_CARD).spendable_points == 240


def test_ops_made_under_a_tag_count_for_the_member_once_known() -> None:
    """Two tags of one member and the member's own id: all of it is theirs, and nothing twice."""
    till = FakeTill()
    for uid, who in (("a", Identify(card=ANNA_CARD)), ("b", Identify(phone=ANNA_PHONE))):
        till.run(till.desk.sell(uid, SaleRequest(receipt=receipt(10_000), member=who)))
    assert identify(till, card=ANNA_CARD).balance_points == 5
    till.know(anna(balance=0))
    till.run(till.desk.sell("c", SaleRequest(receipt=receipt(10_000), member=Identify(reference="m-anna"))))
    member = identify(till, phone=ANNA_PHONE)
    assert (member.balance_points, member.unconfirmed_points) == (15, 15)
    till.know(anna(balance=10), included=(1, 2))
    member = identify(till, phone=ANNA_PHONE)
    assert (member.balance_points, member.unconfirmed_points) == (15, 5)
    till.cache.record(1, (OpResult(seq=3, status="applied", member_id="m-anna", balance=15),))
    member = identify(till, phone=ANNA_PHONE)
    assert (member.balance_points, member.unconfirmed_points) == (15, 0)


def test_an_old_balance_is_said_to_be_old() -> None:
    """By the newest page, since a row that no later page brought has not changed."""
    till = FakeTill().know(anna())
    till.clock.advance(DAY_MS + 1)
    assert codes(identify(till, card=ANNA_CARD)) == ["balance_stale"]
    till.know(MemberRow(member_id="m-other"))
    member = identify(till, card=ANNA_CARD)
    assert (codes(member), member.as_of_ms) == ([], till.clock.wall)


def test_points_that_expire_soon_are_named_with_the_stores_date() -> None:
    """Never more of them than the balance has."""
    till = FakeTill()
    at_ms = till.clock.wall + 3 * DAY_MS
    till.know(anna(expiring=ExpiringPoints(points=700, at_ms=at_ms)))
    member = identify(till, card=ANNA_CARD)
    assert member.messages[0].text == "Успейте потратить до 26.12.2017: 500 бонусов."
    till.know(anna(expiring=ExpiringPoints(points=700, at_ms=till.clock.wall + 31 * DAY_MS)))
    assert codes(identify(till, card=ANNA_CARD)) == []


def test_the_answer_speaks_the_language_asked_for() -> None:
    """The till's own where none is asked for."""
    till = FakeTill(language="kk")
    assert identify(till, card=STRANGER_CARD).messages[0].text.startswith("Мұндай карта немесе телефон тіркелмеген")
    member = till.run(till.desk.identify(Identify(card=STRANGER_CARD), "en"))
    assert member.messages[0].text.startswith("This card or phone is not registered")
