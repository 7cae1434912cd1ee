"""A till whose chain has slow tags of phones: it finds members by either kind, records what the chain says, and answers
a repeated request from before as then."""

import threading
from typing import Any

import pytest
from msgspec.structs import replace

from fakes.confirmations import CODE
from fakes.till import ANNA_CARD, ANNA_PHONE, ANNA_TAGS, KEY, FakeTill, anna, receipt
from till_agent.api import HoldCreate, Identify, SaleRequest
from till_agent.desk import slow_tags
from till_agent.exceptions import DeskProblem
from till_agent.member_api import MemberCreate
from till_loyalty.identifiers import slow_tag, tag
from till_sync.ops import decode_body, names_slow_phone
from till_sync.phone_tags import PhoneTags
from unit.desk.registration_cases import AGREED, to_spend

MAKING, ONLY = PhoneTags(cost=2), PhoneTags(cost=2, only=True)
CARD_TAG, FAST = ANNA_TAGS
SLOW = slow_tag(FAST, 2)
STRANGER = "+79165554433"
STRANGER_FAST = tag(KEY, "phone", STRANGER)
STRANGER_SLOW = slow_tag(STRANGER_FAST, 2)
WAYS = {
    "phone": Identify(phone="8 916 123-12-34"),
    "code": Identify(code=ANNA_PHONE),
    "scan": Identify(scan=ANNA_PHONE),
    "fast reference": Identify(reference=FAST),
    "slow reference": Identify(reference=SLOW),
}


def till_with(told: PhoneTags, *tags: str) -> FakeTill:
    till = FakeTill()
    till.phone_tags = told
    return till.know(anna(tags=(CARD_TAG, *tags))) if tags else till


def sell(till: FakeTill, uid: str, who: Identify) -> Any:
    return till.run(till.desk.sell(uid, SaleRequest(receipt=receipt(10_000), member=who)))


def subject(till: FakeTill) -> Any:
    return decode_body(till.journal.entries[-1].body).subject


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("told", [MAKING, ONLY])
@pytest.mark.parametrize("kept", [FAST, SLOW])
def test_a_member_is_found_by_whichever_tag_the_cache_has(name: str, told: PhoneTags, kept: str) -> None:
    till = till_with(told, kept)
    if name == "slow reference":
        till.run(till.desk.identify(Identify(phone=ANNA_PHONE)))  # which gave it
    member = till.run(till.desk.identify(WAYS[name]))
    assert (member.reference, member.balance_points) == ("m-anna", 500)
    assert till.run(till.desk.identify(Identify(card=ANNA_CARD))).reference == "m-anna"


@pytest.mark.parametrize(
    ("told", "recorded"), [(PhoneTags(), STRANGER_FAST), (MAKING, STRANGER_FAST), (ONLY, STRANGER_SLOW)]
)
def test_what_is_recorded_of_an_unknown_phone_is_as_the_chain_says(told: PhoneTags, recorded: str) -> None:
    """Also where an earlier answer gave the fast tag as reference; and the journal has no other tag of it then."""
    till = till_with(told)
    assert till.run(till.desk.identify(Identify(phone=STRANGER))).reference == recorded
    for uid, who in (("u1", Identify(phone=STRANGER)), ("u2", Identify(reference=STRANGER_FAST))):
        sell(till, uid, who)
        assert subject(till).tag == recorded
        entry = till.journal.entries[-1]
        assert (STRANGER_FAST[6:].encode() in entry.body + entry.answer) is (told is not ONLY)
        assert names_slow_phone(entry.body) is (told is ONLY)
    # Own sales count for whoever is named by the other tag.
    assert till.run(till.desk.identify(Identify(phone=STRANGER))).balance_points == 10


def test_sales_from_before_the_switch_count_for_the_same_stranger_after_it() -> None:
    till = till_with(PhoneTags())
    sell(till, "u1", Identify(phone=STRANGER))
    till.phone_tags = ONLY
    sell(till, "u2", Identify(phone=STRANGER))
    assert till.run(till.desk.identify(Identify(phone=STRANGER))).balance_points == 10
    till.know(anna(tags=(STRANGER_SLOW,)))
    assert till.run(till.desk.identify(Identify(phone=STRANGER))).balance_points == 510


@pytest.mark.parametrize("before", [PhoneTags(), MAKING, ONLY])
@pytest.mark.parametrize("after", [MAKING, ONLY])
@pytest.mark.parametrize("name", WAYS)
def test_a_sale_is_answered_as_then_across_a_switch(before: PhoneTags, after: PhoneTags, name: str) -> None:
    till = till_with(before, FAST, SLOW)
    first = sell(till, "u1", WAYS[name])
    till.phone_tags = after
    again = sell(till, "u1", WAYS[name])
    assert (again.body, again.replayed, len(till.journal.entries)) == (first.body, True, 1)
    with pytest.raises(DeskProblem) as caught:
        sell(till, "u1", Identify(phone=STRANGER))
    assert caught.value.code == "uid_conflict"


def test_a_registration_holds_the_slow_tag_and_who_registered_is_known_at_once() -> None:
    till = till_with(ONLY)
    request = MemberCreate(uid="r-1", phone=STRANGER, consent=AGREED, without_code=True, name="Ольга Орлова")
    first = till.run(till.desk.register(request))
    assert subject(till).tag == STRANGER_SLOW
    assert till.run(till.desk.register(request)).body == first.body
    assert till.run(till.desk.identify(Identify(phone=STRANGER))).name_masked == "Ольга О."


@pytest.mark.parametrize("kept", [FAST, SLOW])
def test_a_code_for_spending_goes_to_the_members_own_phone(kept: str) -> None:
    till = till_with(ONLY, kept)
    till.run(till.desk.confirm(to_spend()))
    assert till.codes.asked[-1].tag == SLOW
    assert till.run(till.desk.confirm(to_spend(code=CODE))).confirmation.state == "confirmed"
    with pytest.raises(DeskProblem) as caught:
        till.run(till.desk.confirm(replace(to_spend(phone=STRANGER), uid="c-2")))
    assert caught.value.code == "phone_mismatch"


def test_the_loop_waits_for_no_slow_tag_and_one_receipt_makes_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def watched(fast: str, cost: int) -> str:
        made.append(threading.get_ident())
        return slow_tag(fast, cost)

    monkeypatch.setattr(slow_tags, "slow_tag", watched)
    till = till_with(ONLY, SLOW)
    who = Identify(phone=ANNA_PHONE)
    till.run(till.desk.identify(who))
    till.run(till.desk.hold(HoldCreate(sale_uid="u1", member=who, points=1)))
    sell(till, "u1", who)
    assert len(made) == 1
    assert threading.get_ident() not in made
    till.clock.mono += slow_tags.KEPT_MS
    for number in range(slow_tags.KEPT + 1):
        till.run(till.desk.identify(Identify(phone=f"+7916555{number:04}")))
    till.run(till.desk.identify(who))
    assert len(made) == slow_tags.KEPT + 3
    assert threading.get_ident() not in made
