"""Members by Frontol: who somebody is, and a new one by describe, check and execute."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fakes.confirmations import CODE
from fakes.till import ANNA_CARD, ANNA_PHONE, PROGRAMME
from kit.frontol_documents import position
from till_agent.desk.patience import LEAST_MS
from till_agent.desk.problems import PROBLEMS
from till_agent.exceptions import CloudUnreachable
from till_agent.frontol.codes import NUMBERS, OTHER, number_of
from till_agent.texts import LANGUAGES, catalogue
from till_loyalty.programme import Registration
from till_sync.asking import MemberAnswer, MemberQuestion
from unit.desk.test_desk_texts import ALPHABETS, placeholders
from unit.frontol_api.frontol_api_till import FrontolTill, cash

PHONE = "+79160000077"
CARD = "2900000000025"
TERMS = Registration(
    consent_version="2", consent={"ru": "Согласие"}, ask=("name", "birth_date", "sex", "referrer", "card")
)
AGREED = {"name": "Олег", "birthDate": "31.01.1990", "sex": "male", "consent": "yes", "way": "code", "code": ""}
REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "frontol.md"


@pytest.fixture
def till() -> FrontolTill:
    return FrontolTill(programme=replace(PROGRAMME, registration=TERMS))


def elements(answer: Any) -> dict[str, Any]:
    return {each["name"]: each for each in answer["form"]["elements"] if "name" in each}


def test_who_somebody_is_and_what_they_have() -> None:
    answer = FrontolTill().post("/client", {"client": {"card": ANNA_CARD}})
    assert answer == {
        "code": 0,
        "client": {"availableAmount": 500},
        "cashierInformation": [{"text": "Анна К.: на счёте 500 бонусов."}],
    }


def test_somebody_unknown_is_said_to_be() -> None:
    answer = FrontolTill().post("/client", {"client": {"mobilePhone": PHONE}})
    assert answer["code"] == 0
    assert answer["cashierInformation"][0]["text"].startswith("Такая карта или телефон не зарегистрированы")


def test_a_call_of_frontol_waits_for_the_cloud_within_one_budget() -> None:
    """A card is asked about twice within the call when the first question, which took nearly all of the time, was not
    answered."""
    till = FrontolTill()
    asked: list[MemberQuestion] = []

    class Members:
        online = True

        async def find(self, question: MemberQuestion, *, budget_ms: int) -> MemberAnswer:
            asked.append(question)
            if len(asked) > 1:
                await asyncio.sleep(60)
            till.clock.advance(budget_ms - LEAST_MS)
            raise CloudUnreachable("too busy")

    till.cache.window_days = 90
    till.members = Members()
    till.restart()
    answer = till.post("/client", {"client": {"card": CARD}})
    assert (answer["code"], len(asked)) == (0, 2)


def test_the_form_asks_what_the_programme_asks(till: FrontolTill) -> None:
    found = elements(till.extra("describe", mobilePhone=PHONE))
    assert list(found) == ["name", "birthDate", "sex", "referrer", "card", "consent", "way", "code"]
    assert [each["value"] for each in found["sex"]["items"]] == ["unknown", "female", "male"]
    by_card = elements(till.extra("describe", card=CARD))
    assert "phone" in by_card
    assert "card" not in by_card


def test_somebody_is_registered_with_a_code(till: FrontolTill) -> None:
    """The first check sends it, the next one compares it, execute registers; each of them may come twice."""
    assert till.extra("check", AGREED, mobilePhone=PHONE)["code"] == 410
    assert till.extra("check", AGREED, mobilePhone=PHONE)["code"] == 410
    assert len(till.codes.asked) == 1
    wrong = till.extra("check", AGREED | {"code": "000000"}, mobilePhone=PHONE)
    assert (wrong["code"], wrong["error"]) == (411, "Код неверный. Осталось попыток: 4.")
    right = AGREED | {"code": CODE}
    assert till.extra("check", right, mobilePhone=PHONE) == {"code": 0}
    assert till.journal.reader.recent(9) == []
    first = till.extra("execute", right, mobilePhone=PHONE)
    assert first["cashierInformation"] == [{"text": "Покупатель зарегистрирован."}, {"text": "Телефон подтверждён."}]
    till.restart()
    assert till.extra("execute", right, mobilePhone=PHONE) == first
    assert len(till.journal.reader.recent(9)) == 1
    assert till.extra("describe", mobilePhone=PHONE)["code"] in (0, 402)


def test_frontols_own_field_for_the_code_will_do(till: FrontolTill) -> None:
    till.extra("check", AGREED, mobilePhone=PHONE)
    assert till.extra("check", AGREED, mobilePhone=PHONE, validationCode=CODE)["code"] == 0


def test_another_code_is_sent_when_it_is_asked_for_or_spent(till: FrontolTill) -> None:
    till.extra("check", AGREED, mobilePhone=PHONE)
    assert till.extra("check", AGREED | {"way": "again"}, mobilePhone=PHONE)["code"] == 410
    assert len(till.codes.asked) == 2
    wrong = [till.extra("check", AGREED | {"code": "000000"}, mobilePhone=PHONE)["code"] for _ in range(5)]
    assert wrong == [411, 411, 411, 411, 410]
    assert len(till.codes.asked) == 3


def test_without_a_code_points_are_spent_later(till: FrontolTill) -> None:
    without = AGREED | {"way": "none"}
    assert till.extra("check", without, mobilePhone=PHONE)["code"] == 0
    told = till.extra("execute", without, mobilePhone=PHONE)["cashierInformation"]
    assert told[1]["text"].startswith("Телефон пока не подтверждён")


def test_without_a_line_no_code_is_asked_for(till: FrontolTill) -> None:
    till.codes.online = False
    assert "code" not in elements(till.extra("describe", mobilePhone=PHONE))
    assert till.extra("execute", AGREED, mobilePhone=PHONE)["code"] == 0


def test_where_the_chain_sends_none_no_code_is_waited_for_twice(till: FrontolTill) -> None:
    """Only the cloud knows that it has nothing to send by: it said so to the first, and may say otherwise later."""
    till.codes.refusal = "codes_not_sent"
    assert "code" in elements(till.extra("describe", mobilePhone=PHONE))
    assert till.extra("check", AGREED, mobilePhone=PHONE) == {"code": 0}
    assert not {"way", "code"} & set(elements(till.extra("describe", mobilePhone=PHONE)))
    till.codes.refusal = ""
    assert till.extra("check", AGREED, mobilePhone=PHONE)["code"] == 410
    assert "code" in elements(till.extra("describe", mobilePhone=PHONE))


@pytest.mark.parametrize(
    ("values", "code"),
    [({"consent": "no"}, 404), ({"birthDate": "31.02.1990"}, 405), ({"birthDate": "1"}, 405), ({}, 410)],
)
def test_what_is_missing_is_asked_for(till: FrontolTill, values: dict[str, str], code: int) -> None:
    assert till.extra("check", AGREED | values, mobilePhone=PHONE)["code"] == code
    assert till.journal.reader.recent(9) == []


def test_a_card_is_given_with_the_registration(till: FrontolTill) -> None:
    till.codes.online = False
    assert till.extra("execute", AGREED | {"phone": PHONE}, card=CARD)["code"] == 0
    known = till.post("/client", {"client": {"card": CARD}})
    assert known["cashierInformation"][0]["text"] == "Олег: на счёте 0 бонусов."


def test_a_member_needs_no_form(till: FrontolTill) -> None:
    assert till.extra("describe", mobilePhone=ANNA_PHONE)["code"] == 402
    assert till.extra("execute", AGREED, mobilePhone=ANNA_PHONE)["cashierInformation"] == [
        {"text": "Этот покупатель уже зарегистрирован."}
    ]


def test_a_chain_that_registers_nobody_here_says_so() -> None:
    till = FrontolTill(programme=replace(PROGRAMME, registration=replace(TERMS, enabled=False)))
    assert till.extra("describe", mobilePhone=PHONE)["code"] == 400
    assert FrontolTill(programme=None).extra("describe", mobilePhone=PHONE)["code"] == 401


def test_no_number_is_kept_or_logged_in_clear(till: FrontolTill, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    till.extra("check", AGREED, mobilePhone=PHONE)
    till.extra("execute", AGREED | {"code": CODE}, mobilePhone=PHONE)
    till.good("confirm", position(1, 100), client={"card": ANNA_CARD}, payments=[cash(100)])
    till.document("calculate", position(1, "oops"), client={"mobilePhone": PHONE})
    kept = b"".join(entry.body + entry.answer for entry in till.journal.reader.recent(9))
    for number in ("9160000077", ANNA_CARD):
        assert number.encode() not in kept
        assert number not in caplog.text


def test_every_problem_has_a_number_and_none_has_two() -> None:
    """Numbers once given stay: a chain's instructions name them."""
    assert set(PROBLEMS) <= set(NUMBERS)
    assert len(set(NUMBERS.values())) == len(NUMBERS)
    assert OTHER not in NUMBERS.values()
    assert number_of("of a later release") == OTHER


def test_the_reference_has_the_table() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    for code, number in NUMBERS.items():
        assert f"| {number} | `{code}` |" in text, code


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_for_frontol_are_there_in_every_language(language: str) -> None:
    russian, words = catalogue("ru")["frontol"], catalogue(language)["frontol"]
    assert {name: placeholders(text) for name, text in words.items()} == {
        name: placeholders(text) for name, text in russian.items()
    }
    letters = ALPHABETS[language] + ALPHABETS[language].upper() + " .,:'"
    for name, text in words.items():
        assert len(text) <= 150, name
        assert set(text) - set("{}_abcdefghijklmnopqrstuvwxyz") <= set(letters), name
