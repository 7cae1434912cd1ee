"""Registration at the desk, step by step: what is needed, what is journalled, who is known at once."""

import re
from typing import Any

import msgspec
import pytest

from fakes.confirmations import CODE
from fakes.till import ANNA_PHONE, KEY, PROGRAMME, STRANGER_CARD, FakeTill, anna, receipt
from till_agent.api import Identify, SaleRequest
from till_agent.exceptions import DeskProblem
from till_agent.member_api import CardAttach, CardAttached, ConsentGiven, MemberCreate, MemberCreated
from till_agent.texts import LANGUAGES
from till_loyalty.identifiers import tag
from till_loyalty.programme import Registration
from till_sync.ops import RegisterBody, decode_body
from till_sync.wire import MemberFacts, MemberRow
from unit.desk.registration_cases import AGREED, NEW_PHONE, person, to_spend

NEW_TAG = tag(KEY, "phone", "+79165554433")


def register(till: FakeTill, request: MemberCreate | None = None, **changes: Any) -> MemberCreated:
    wanted = request or person(**changes)
    return msgspec.json.decode(till.run(till.desk.register(wanted)).body, type=MemberCreated)


def without_code(**changes: Any) -> FakeTill:
    rules = Registration(code=False, **changes)
    return FakeTill(programme=msgspec.structs.replace(PROGRAMME, registration=rules))


def registered(till: FakeTill) -> RegisterBody:
    body = decode_body(till.journal.entries[-1].body)
    assert isinstance(body, RegisterBody)
    return body


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_needed_is_said_in_the_cashiers_language(language: str) -> None:
    """The consent's text too, where the chain has it in that language."""
    consent = {language: "texte", "en": "text"}
    till = without_code(consent=consent, consent_version="7", ask=("name",))
    answer = register(till, MemberCreate(uid="p-1", language=language))  # type: ignore[arg-type]  # one of the five
    assert (answer.state, answer.needs, answer.ask) == ("needs", ("phone", "consent"), ("name",))
    assert answer.consent is not None
    assert (answer.consent.version, answer.consent.text) == ("7", consent[language])
    assert len({message.text for message in answer.messages}) == 2
    assert till.journal.entries == []


def test_consent_to_another_version_of_the_text_is_none() -> None:
    till = without_code(consent_version="7")
    for consent in (None, ConsentGiven(version="6", given=True), ConsentGiven(version="7", given=False)):
        assert register(till, consent=consent).needs == ("consent",)


def test_no_code_is_sent_before_the_consent_and_one_for_the_same_step() -> None:
    till = FakeTill()
    assert register(till, consent=None).needs == ("consent",)
    assert till.codes.asked == []
    first, second = register(till), register(till)
    assert first.needs == ("code",)
    assert first.confirmation == second.confirmation
    assert [(each.purpose, each.phone, each.tag) for each in till.codes.asked] == [
        ("register", "+79165554433", NEW_TAG)
    ]
    assert set(till.codes.budgets_ms) == {3000}
    register(till, attempt=2)
    assert len(till.codes.asked) == 2


def test_a_right_code_registers_and_the_op_holds_no_number() -> None:
    till = FakeTill()
    register(till)
    answer = register(till, code=CODE, name=" Ольга  Орлова ", card=STRANGER_CARD, birth_date="1988-03-08")
    assert (answer.state, [message.code for message in answer.messages]) == (
        "registered",
        ["registered", "code_confirmed"],
    )
    assert answer.member is not None
    assert (answer.member.reference, answer.member.known, answer.member.status) == (NEW_TAG, True, "active")
    assert (answer.member.spendable_points, answer.member.spendable_reason) == (0, "unknown_member")
    body = registered(till)
    assert (body.subject.tag, body.confirmation) == (NEW_TAG, answer_id(till))
    assert (body.name, body.phone_masked, body.consent_version) == ("Ольга Орлова", "+7 *** ***-44-33", "1")
    entry = till.journal.entries[-1]
    for kept in (entry.body, entry.answer, entry.request_digest):
        assert b"9165554433" not in kept
        assert STRANGER_CARD.encode() not in kept


def answer_id(till: FakeTill) -> str:
    return till.codes.asked[-1].confirmation


def test_a_code_before_any_was_sent_has_one_sent() -> None:
    till = FakeTill()
    answer = register(till, code="000000")
    assert (answer.needs, len(till.codes.asked)) == (("code",), 1)


@pytest.mark.parametrize("why", ["offline", "silent", "codes_not_sent", "asked_for"])
def test_without_a_code_the_member_is_provisional_and_known_at_once(why: str) -> None:
    """With no line, no answer, no program that sends, or because the cashier says so."""
    till = FakeTill()
    till.codes.online = why != "offline"
    till.codes.silent = why == "silent"
    till.codes.refusal = why if why == "codes_not_sent" else ""
    answer = register(till, name="Ольга Орлова", card=STRANGER_CARD, without_code=why == "asked_for")
    assert answer.state == "registered"
    assert "registered_unproven" in [message.code for message in answer.messages]
    assert registered(till).confirmation == ""
    for who in (Identify(phone="89165554433"), Identify(card=STRANGER_CARD), Identify(reference=NEW_TAG)):
        member = till.run(till.desk.identify(who))
        assert (member.known, member.status, member.name_masked) == (True, "provisional", "Ольга О.")
    sale = SaleRequest(receipt=receipt(10_000), member=Identify(card=STRANGER_CARD))
    till.run(till.desk.sell("u1", sale))
    assert till.run(till.desk.identify(Identify(phone=NEW_PHONE))).balance_points == 5


def test_the_same_uid_gives_the_same_answer_and_another_person_is_a_conflict() -> None:
    """What differs from step to step makes no difference."""
    till = FakeTill()
    first = till.run(till.desk.register(person(without_code=True)))
    again = till.run(till.desk.register(person(code=CODE, attempt=3, language="en")))
    assert (again.body, again.replayed, len(till.journal.entries)) == (first.body, True, 1)
    with pytest.raises(DeskProblem) as caught:
        till.run(till.desk.register(person(phone=ANNA_PHONE)))
    assert caught.value.code == "uid_conflict"


def test_a_member_of_the_cache_is_known_and_nothing_is_journalled() -> None:
    till = FakeTill().know(anna())
    answer = register(till, phone=ANNA_PHONE)
    assert (answer.state, answer.member and answer.member.reference) == ("known", "m-anna")
    assert till.journal.entries == []
    assert till.codes.asked == []


def test_a_provisional_member_confirms_the_phone_later() -> None:
    """Registered with no line: known as such then; with a line a code is asked for."""
    till = FakeTill()
    till.codes.online = False
    register(till, name="Ольга Орлова")
    assert register(till, uid="p-2").state == "known"
    till.codes.online = True
    assert register(till, uid="p-2").needs == ("code",)
    assert register(till, uid="p-2", code=CODE).state == "registered"
    assert till.run(till.desk.identify(Identify(phone=NEW_PHONE))).status == "active"


def test_what_sales_alone_made_known_gets_a_name_by_registration() -> None:
    """The cloud's provisional member, shown with the name at once and with the cloud's own balance."""
    row = MemberRow(member_id="m-p", status="provisional", tags=(NEW_TAG,), balance=70, position=3)
    till = without_code().know(row)
    assert register(till, name="Ольга Орлова").state == "registered"
    member = till.run(till.desk.identify(Identify(phone=NEW_PHONE)))
    assert (member.reference, member.name_masked, member.balance_points) == ("m-p", "Ольга О.", 70)


def test_the_caches_word_counts_once_it_includes_the_registration() -> None:
    till = without_code()
    register(till, name="Ольга Орлова")
    till.registrations.forget((1, 1))
    assert till.run(till.desk.identify(Identify(phone=NEW_PHONE))).known is False
    till.know(
        MemberRow(
            member_id="m-new", name_masked="Ольга О.", tags=(NEW_TAG,), facts=MemberFacts(member_since="2027-01-15")
        )
    )
    assert till.run(till.desk.identify(Identify(phone=NEW_PHONE))).reference == "m-new"


def test_the_journal_tells_after_a_restart_who_registered() -> None:
    till = FakeTill()
    register(till, without_code=True, name="Ольга Орлова")
    till.registrations = type(till.registrations)()
    till.registrations.load(till.journal.entries)
    till.desk = till.new_desk()
    assert till.run(till.desk.identify(Identify(phone=NEW_PHONE))).name_masked == "Ольга О."


def test_a_card_is_the_members_at_once_and_once() -> None:
    till = FakeTill().know(anna())

    def attach(uid: str, reference: str = "m-anna") -> CardAttached:
        request = CardAttach(uid=uid, card=STRANGER_CARD)
        return msgspec.json.decode(till.run(till.desk.attach_card(reference, request)).body, type=CardAttached)

    assert attach("a-1").state == "attached"
    assert attach("a-1").op == "t1:1:1"
    member = till.run(till.desk.identify(Identify(card=STRANGER_CARD)))
    assert (member.reference, member.balance_points) == ("m-anna", 500)
    assert attach("a-2").state == "known"
    with pytest.raises(DeskProblem) as caught:
        attach("a-1", NEW_TAG)
    assert caught.value.code == "uid_conflict"
    register(till, without_code=True)
    with pytest.raises(DeskProblem) as caught:
        attach("a-3", NEW_TAG)
    assert caught.value.code == "card_taken"
    assert len(till.journal.entries) == 2


def test_the_code_for_a_large_redemption_goes_to_the_members_own_phone() -> None:
    till = FakeTill().know(anna())
    asked = till.run(till.desk.confirm(to_spend()))
    assert (asked.confirmation.state, asked.messages[0].code) == ("sent", "code_sent")
    sent = till.codes.asked[0]
    assert (sent.purpose, sent.member_id, sent.phone) == ("spend", "m-anna", ANNA_PHONE)
    assert re.fullmatch(r"c-t1-[0-9a-f]{32}", sent.confirmation)
    wrong = till.run(till.desk.confirm(to_spend(code="000000")))
    assert (wrong.confirmation.tries_left, wrong.messages[0].code) == (4, "code_wrong")
    right = till.run(till.desk.confirm(to_spend(code=CODE)))
    assert (right.confirmation.state, right.confirmation.confirmation) == ("confirmed", sent.confirmation)


def test_consent_is_kept_with_its_version_and_time() -> None:
    till = without_code(consent_version="1")
    register(till, consent=AGREED)
    body = registered(till)
    assert (body.consent_version, body.consent_wall_ms) == ("1", till.clock.wall)
