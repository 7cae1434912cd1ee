"""A registration at the desk of a till that has the cloud's key: nothing of the journal says who it was."""

from typing import Any

import msgspec
import pytest

from fakes.till import FakeTill
from till_agent.member_api import MemberCreate
from till_agent.registrations import Registrations
from till_sync.ops import RegisterBody, decode_body
from till_sync.sealing import open_sealed, public_key_of
from unit.desk.registration_cases import AGREED

KEY = "42" * 32
FULL = {"name": "Фарида Фоминична", "birth_date": "1990-04-17", "sex": "female"}


def register(till: FakeTill, **changes: Any) -> Any:
    request = MemberCreate(uid="r-1", phone="+7 916 555-44-33", consent=AGREED, without_code=True, **(FULL | changes))
    return msgspec.json.decode(till.run(till.desk.register(request)).body)


def rows(till: FakeTill) -> list[Any]:
    return list(till.journal.entries)


def test_name_birth_date_and_sex_are_in_the_box_only() -> None:
    """The row has the masked name and the day of the year, which rules on birthdays need; the cloud reads the rest."""
    till = FakeTill()
    till.seal_key = public_key_of(KEY)
    answer = register(till)
    assert (answer["member"]["name_masked"], answer["member"]["phone_masked"]) == ("Фарида Ф.", "+7 *** ***-44-33")
    (entry,) = rows(till)
    for said in ("Фоминична", "1990-", "female", "9165554433"):
        assert said.encode() not in entry.body + entry.answer
    body = decode_body(entry.body)
    assert isinstance(body, RegisterBody)
    assert (body.name, body.birth_date, body.sex) == ("", "", "")
    assert (body.name_masked, body.birthday) == ("Фарида Ф.", "04-17")
    person = open_sealed((KEY,), body.sealed, uid="r-1")
    assert (person.name, person.birth_date, person.sex) == ("Фарида Фоминична", "1990-04-17", "female")


def test_after_a_restart_the_till_knows_as_much_of_them() -> None:
    """From what it may keep: the book that is made of the journal anew is the one from before."""
    till = FakeTill()
    till.seal_key = public_key_of(KEY)
    register(till)
    again = Registrations()
    again.load(rows(till))
    assert again.people() == till.registrations.people()
    (person,) = again.people()
    assert (person.name_masked, person.birthday) == ("Фарида Ф.", "04-17")


@pytest.mark.parametrize("key", ["", public_key_of(KEY)])
def test_the_answer_and_its_repetition_are_the_same_with_and_without_a_key(key: str) -> None:
    """A till whose cloud has no key yet registers as before; and the same request is never two registrations."""
    till = FakeTill()
    till.seal_key = key
    assert register(till) == register(till)
    (entry,) = rows(till)
    body = decode_body(entry.body)
    assert isinstance(body, RegisterBody)
    assert bool(body.sealed) == bool(key)
    assert bool(body.name) != bool(key)
