"""How cash software makes each problem of registration happen, and the calls that do it."""

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from fakes.till import ANNA_CARD, ANNA_PHONE, PROGRAMME, FakeTill
from till_agent.api import HoldCreate, Identify
from till_agent.exceptions import HoldRefused
from till_agent.member_api import CodeRequest, ConsentGiven, MemberCreate
from till_loyalty.programme import Redemption, Registration

NEW_PHONE = "+7 916 555-44-33"
Call = Coroutine[Any, Any, Any]
AGREED = ConsentGiven(version="1", given=True)


def person(uid: str = "p-1", **changes: Any) -> MemberCreate:
    fields: dict[str, Any] = {"phone": NEW_PHONE, "consent": AGREED}
    return MemberCreate(uid=uid, **(fields | changes))


def to_spend(**changes: Any) -> CodeRequest:
    fields: dict[str, Any] = {"member": Identify(card=ANNA_CARD), "phone": ANNA_PHONE}
    return CodeRequest(uid="c-1", **(fields | changes))


def large_hold(till: FakeTill) -> Call:
    rules = Redemption(proof=("code",), proof_above_points=100)
    till.cache.sell_by(msgspec.structs.replace(PROGRAMME, redemption=rules))
    return till.desk.hold(HoldCreate(sale_uid="u1", member=Identify(card=ANNA_CARD), points=101))


def registration_disabled(till: FakeTill) -> Call:
    till.cache.sell_by(msgspec.structs.replace(PROGRAMME, registration=Registration(enabled=False)))
    return till.desk.register(person())


def registration_unavailable(till: FakeTill) -> Call:
    till.cache.active = None
    return till.desk.register(person())


def birth_date_invalid(till: FakeTill) -> Call:
    return till.desk.register(person(birth_date="2001-02-29"))


def card_taken(till: FakeTill) -> Call:
    return till.desk.register(person(card=ANNA_CARD))


def phone_mismatch(till: FakeTill) -> Call:
    return till.desk.confirm(to_spend(phone=NEW_PHONE))


def code_unchecked(till: FakeTill) -> Call:
    till.codes.silent = True
    return till.desk.register(person(code="123456"))


def codes_not_sent(till: FakeTill) -> Call:
    return _refused(till, "codes_not_sent")


def code_not_sent(till: FakeTill) -> Call:
    return _refused(till, "code_not_sent")


def too_many_codes(till: FakeTill) -> Call:
    return _refused(till, "too_many_codes")


def _refused(till: FakeTill, code: str) -> Call:
    till.codes.refusal = code
    return till.desk.confirm(to_spend())


def proof_required(till: FakeTill) -> Call:
    return large_hold(till)


def proof_invalid(till: FakeTill) -> Call:
    till.gateway.refusal = HoldRefused("proof_invalid", "no")
    return till.desk.hold(HoldCreate(sale_uid="u1", member=Identify(card=ANNA_CARD), points=1, confirmation="c-old"))


def pin_wrong(till: FakeTill) -> Call:
    return _pin_refused(till, HoldRefused("pin_wrong", "no", tries_left=4))


def pin_locked(till: FakeTill) -> Call:
    return _pin_refused(till, HoldRefused("pin_locked", "no"))


def pin_not_set(till: FakeTill) -> Call:
    return _pin_refused(till, HoldRefused("pin_not_set", "no"))


def _pin_refused(till: FakeTill, refusal: HoldRefused) -> Call:
    till.gateway.refusal = refusal
    return till.desk.hold(HoldCreate(sale_uid="u1", member=Identify(card=ANNA_CARD), points=1, pin="2580"))


PROVOKERS: dict[str, Callable[[FakeTill], Call]] = {
    function.__name__: function
    for function in (
        registration_disabled,
        registration_unavailable,
        birth_date_invalid,
        card_taken,
        phone_mismatch,
        code_unchecked,
        codes_not_sent,
        code_not_sent,
        too_many_codes,
        proof_required,
        proof_invalid,
        pin_wrong,
        pin_locked,
        pin_not_set,
    )
}
POINTERS = {
    "birth_date_invalid": "/birth_date",
    "card_taken": "/card",
    "phone_mismatch": "/phone",
    "proof_required": "/confirmation",
    "proof_invalid": "/confirmation",
    "pin_wrong": "/pin",
    "pin_locked": "/pin",
    "pin_not_set": "/pin",
}
EXTRAS = {
    "proof_required": {
        "allowed_points": 100,
        "proof": ("code",),
        "cashier": "Чтобы списать столько, нужен код из СМС. Без этого можно: 100 бонусов.",
    },
    "pin_wrong": {"tries_left": 4},
}
