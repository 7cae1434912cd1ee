"""Digests of requests: a repeated request is known by them, and no number or person can be got out of them any faster
than out of the tags that lie beside them."""

import hmac
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from fakes.till import ANNA_CARD, ANNA_PHONE, KEY, STRANGER_CARD, FakeTill, anna, receipt
from till_agent.api import Identify, SaleRequest
from till_agent.desk.answers import encode
from till_agent.exceptions import DeskProblem
from till_agent.member_api import CardAttach
from till_loyalty.identifiers import tag
from unit.desk.registration_cases import person

CARD_TAG, PHONE_TAG = tag(KEY, "card", ANNA_CARD), tag(KEY, "phone", ANNA_PHONE)
NAMED = {
    "phone": (Identify(phone="8 916 123-12-34"), Identify(phone=PHONE_TAG)),
    "card": (Identify(card=ANNA_CARD), Identify(card=CARD_TAG)),
    "scan of a card": (Identify(scan=ANNA_CARD), Identify(scan=CARD_TAG)),
    "code that is a phone": (Identify(code="+79161231234"), Identify(code=PHONE_TAG)),
}


def hashed(kind: str, uid: str, request: Struct) -> bytes:
    """As releases up to 0.1.0 made a digest of what was keyed; and as one is made now, of what may be kept."""
    return hmac.new(KEY, b"\n".join((kind.encode(), uid.encode(), encode(request))), sha256).digest()


def sale(who: Identify, amount_minor: int = 10_000) -> SaleRequest:
    return SaleRequest(receipt=receipt(amount_minor), member=who)


def written_as(till: FakeTill, digest: bytes) -> None:
    """The newest row is one of a former release."""
    till.journal.entries[-1] = replace(till.journal.entries[-1], request_digest=digest)


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(DeskProblem) as caught:
        call()
    return caught.value.code


@pytest.mark.parametrize("name", NAMED)
def test_a_sales_digest_is_of_the_tag_and_not_of_the_number(name: str) -> None:
    who, unnamed = NAMED[name]
    till = FakeTill().know(anna())
    till.run(till.desk.sell("u1", sale(who)))
    assert till.journal.entries[0].request_digest == hashed("sale", "u1", sale(unnamed))


def test_a_sale_by_reference_has_the_digest_that_it_always_had() -> None:
    """So a till that goes back to a former release still knows it."""
    till = FakeTill().know(anna())
    request = sale(Identify(reference="m-anna"))
    till.run(till.desk.sell("u1", request))
    assert till.journal.entries[0].request_digest == hashed("sale", "u1", request)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("former", [False, True])
def test_a_repeated_sale_is_answered_as_then_also_one_of_a_former_release(name: str, *, former: bool) -> None:
    till = FakeTill().know(anna())
    request = sale(NAMED[name][0])
    first = till.run(till.desk.sell("u1", request))
    if former:
        written_as(till, hashed("sale", "u1", request))
    again = till.run(till.desk.sell("u1", request))
    assert (again.body, again.replayed, len(till.journal.entries)) == (first.body, True, 1)
    other = replace(request, member=replace(request.member, **{name.split(maxsplit=1)[0]: STRANGER_CARD}))
    if name != "phone":
        assert refused(lambda: till.run(till.desk.sell("u1", other))) == "uid_conflict"
    assert refused(lambda: till.run(till.desk.sell("u1", sale(request.member or Identify(), 9_000)))) == "uid_conflict"


def test_a_sale_of_a_former_release_is_answered_as_then_though_its_number_would_be_refused_today() -> None:
    till = FakeTill().know(anna())
    request = sale(Identify(card=ANNA_CARD))
    first = till.run(till.desk.sell("u1", request))
    written_as(till, hashed("sale", "u1", request))
    programme = till.cache.active
    assert programme is not None
    till.cache.sell_by(replace(programme.programme, identifiers=replace(programme.programme.identifiers, cards=())))
    assert till.run(till.desk.sell("u1", request)).body == first.body


def test_a_registrations_digest_says_no_more_of_a_person_than_its_row() -> None:
    """No surname and no year to be tried on it; who spells them otherwise in a repetition gets the first answer."""
    till = FakeTill()
    asked = person(phone=ANNA_PHONE, name="Ольга Орлова", birth_date="1988-03-08", sex="female", without_code=True)
    first = till.run(till.desk.register(asked))
    bare = replace(asked, phone=PHONE_TAG, name="Ольга О.", birth_date="03-08", sex="", without_code=False)
    assert till.journal.entries[0].request_digest == hashed("register", "p-1", bare)
    for other in ({"birth_date": "1977-03-08"}, {"name": "Ольга Осина"}, {"sex": ""}):
        assert till.run(till.desk.register(replace(asked, **other))).body == first.body
    for another in ({"birth_date": "1988-03-09"}, {"name": "Анна К"}, {"phone": "+79165554433"}):
        changed = replace(asked, **another)
        assert refused(lambda changed=changed: till.run(till.desk.register(changed))) == "uid_conflict"  # type: ignore[misc]  # mypy can't infer a lambda's default


def test_registrations_and_cards_of_a_former_release_are_answered_as_then() -> None:
    till = FakeTill().know(anna())
    asked = person(name="Ольга Орлова", without_code=True)
    first = till.run(till.desk.register(asked))
    written_as(till, hashed("register", "p-1", replace(asked, without_code=False)))
    assert till.run(till.desk.register(asked)).body == first.body
    card = CardAttach(uid="a-1", card=STRANGER_CARD, language="en")
    given = till.run(till.desk.attach_card("m-anna", card))
    bare = replace(card, language=None, card=tag(KEY, "card", STRANGER_CARD))
    assert till.journal.entries[-1].request_digest == hashed("attach-card m-anna", "a-1", bare)
    written_as(till, hashed("attach-card m-anna", "a-1", replace(card, language=None)))
    assert till.run(till.desk.attach_card("m-anna", card)).body == given.body
