"""A call waits for the cloud within one budget, whatever it asks."""

import asyncio
import dataclasses
from typing import Any

import msgspec
import pytest

from fakes.confirmations import FakeConfirmations
from fakes.till import ANNA_CARD, PROGRAMME, STRANGER_CARD, FakeTill, anna, receipt
from till_agent.api import HoldCreate, Identify, QuoteRequest
from till_agent.desk import Desk
from till_agent.desk.patience import LEAST_MS, Patience, ask, one_call
from till_agent.exceptions import CloudUnreachable, CodeRefused, DeskProblem, HoldRefused
from till_agent.member_api import ConsentGiven, MemberCreate
from till_loyalty.programme import Registration
from till_loyalty.rule_parts import Coupon
from till_sync.asking import (
    ConfirmationAnswer,
    ConfirmationRequest,
    CouponAnswer,
    CouponQuestion,
    HoldRequest,
    MemberAnswer,
    MemberQuestion,
)

BUDGET_MS = 800
CODE_BUDGET_MS = 3_000
NEVER_S = 60.0
"""Longer than any test: whoever waits so long was not cut short."""
NEW_PHONE = "+7 916 555-44-33"


class Members:
    """Answers after `ms` of the till's clock."""

    def __init__(self, till: FakeTill, ms: int) -> None:
        self.online = True
        self.till = till
        self.ms = ms
        self.asked = 0

    async def find(self, _question: MemberQuestion, *, budget_ms: int) -> MemberAnswer:
        assert budget_ms == BUDGET_MS
        self.asked += 1
        if self.asked > 1:
            await asyncio.sleep(NEVER_S)
        self.till.clock.advance(self.ms)
        return MemberAnswer(incarnation="i", epoch=1, acked_seq=0, server_time_ms=5, member=anna())


class Coupons:
    """Never answers."""

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self, _question: CouponQuestion, *, budget_ms: int) -> CouponAnswer:
        assert budget_ms == BUDGET_MS
        self.asked += 1
        await asyncio.sleep(NEVER_S)
        raise CloudUnreachable("no answer in time")


def slow_till(ms: int) -> tuple[FakeTill, Members, Coupons]:
    """A till whose cloud takes so long to say who somebody is, and for ever with coupons."""
    till = FakeTill()
    till.cache.sell_by(msgspec.structs.replace(PROGRAMME, coupons=(Coupon(id="c", codes=("ONCE",), uses_per_code=1),)))
    till.cache.window_days = 90
    till.members = members = Members(till, ms)
    coupons = Coupons()
    till.desk = Desk(dataclasses.replace(till.parts(), coupons=coupons))
    return till, members, coupons


@pytest.mark.parametrize(("took_ms", "asked"), [(BUDGET_MS - LEAST_MS, 1), (BUDGET_MS - LEAST_MS + 1, 0)])
def test_a_quote_of_a_stranger_with_a_code_waits_for_one_budget(took_ms: int, asked: int) -> None:
    """Who it is took nearly all of it: the code counts as not asked about, and with too little left it is not."""
    till, members, coupons = slow_till(took_ms)
    asking = QuoteRequest(receipt=receipt(10_000), member=Identify(card=ANNA_CARD), codes=("ONCE",))
    quote = till.run(till.desk.quote(asking))
    assert quote.member is not None
    assert (quote.member.reference, members.asked, coupons.asked) == ("m-anna", 1, asked)
    assert "coupon_refused_offline" in [message.code for message in quote.messages]
    assert not quote.offline


def test_the_next_call_has_a_budget_of_its_own() -> None:
    till, members, _ = slow_till(BUDGET_MS)
    for who in (ANNA_CARD, ANNA_CARD):
        till.run(till.desk.identify(Identify(card=who)))
    assert members.asked == 1
    members.asked = 0
    till.run(till.desk.identify(Identify(card=STRANGER_CARD)))
    assert members.asked == 1


def test_a_hold_that_asks_twice_waits_for_one_budget() -> None:
    """The cloud took its time to say that the till's own grant is wanted."""
    till = FakeTill().know(anna()).lend(100)
    asked: list[HoldRequest] = []

    async def reserve(request: HoldRequest, *, budget_ms: int) -> Any:
        assert budget_ms == BUDGET_MS
        asked.append(request)
        if len(asked) > 1:
            await asyncio.sleep(NEVER_S)
        till.clock.advance(BUDGET_MS - LEAST_MS)
        raise HoldRefused("points_lent", "lent", available_points=100)

    till.gateway.reserve = reserve  # type: ignore[method-assign]  # a cloud of this test's own
    with pytest.raises(DeskProblem, match="to reserve points") as refused:
        till.run(till.desk.hold(HoldCreate(sale_uid="u1", member=Identify(card=ANNA_CARD), points=200)))
    assert (refused.value.code, len(asked)) == ("cloud_unreachable", 2)


class SlowCodes(FakeConfirmations):
    """Knows nothing of a code that is handed in, and is long in saying so."""

    started = 0

    async def give(self, confirmation: str, code: str, *, budget_ms: int) -> ConfirmationAnswer:
        assert budget_ms == CODE_BUDGET_MS
        self.clock.advance(CODE_BUDGET_MS - LEAST_MS)
        raise CodeRefused("confirmation_unknown", "never asked for")

    async def start(self, request: ConfirmationRequest, *, budget_ms: int) -> ConfirmationAnswer:
        assert budget_ms == CODE_BUDGET_MS
        self.started += 1
        await asyncio.sleep(NEVER_S)
        raise CloudUnreachable("no answer in time")


def test_a_registration_waits_for_one_budget_of_codes_whoever_was_asked_about_before() -> None:
    """The message's provider has a budget of its own, which the question about the number takes nothing of."""
    till, members, _ = slow_till(BUDGET_MS)
    terms = Registration(consent_version="1", consent={"ru": "Согласие"}, code=True)
    till.cache.sell_by(msgspec.structs.replace(PROGRAMME, registration=terms))
    codes = SlowCodes(till.clock)
    till.desk = Desk(dataclasses.replace(till.parts(), confirmations=codes))
    agreed = ConsentGiven(version="1", given=True)
    with pytest.raises(DeskProblem) as refused:
        till.run(till.desk.register(MemberCreate(uid="p-1", phone=NEW_PHONE, consent=agreed, code="123456")))
    assert (refused.value.code, members.asked, codes.started) == ("code_unchecked", 1, 1)


def test_questions_beside_each_other_count_once_and_calls_within_a_call_are_that_call() -> None:
    till = FakeTill()
    patience = Patience(till.clock.mono_ms)
    with patience.waiting("cloud"):
        till.clock.advance(100)
        with patience.waiting("cloud"):
            till.clock.advance(100)
            assert patience.left_ms(BUDGET_MS, "cloud") == BUDGET_MS - 200
    assert patience.left_ms(BUDGET_MS, "cloud") == BUDGET_MS - 200
    assert patience.left_ms(CODE_BUDGET_MS, "code") == CODE_BUDGET_MS

    async def slow() -> str:
        till.clock.advance(BUDGET_MS)
        return "answer"

    async def work() -> None:
        with one_call(till.clock.mono_ms):
            with one_call(till.clock.mono_ms):
                assert await ask(BUDGET_MS, slow) == "answer"
            with pytest.raises(CloudUnreachable):
                await ask(BUDGET_MS, slow)
        assert await ask(BUDGET_MS, slow) == "answer"

    asyncio.run(work())
