"""A receipt that is confirmed while the cloud says nothing: it is sold within one budget, whoever else is waiting."""

import asyncio
import json
import threading
from decimal import Decimal
from typing import Any

import pytest

from fakes.till import ANNA_PHONE, STRANGER_CARD, FakeTill
from kit.frontol_documents import document, position
from till_agent.api import HoldCreate, Identify
from till_agent.desk import slow_tags
from till_agent.exceptions import CloudUnreachable
from till_loyalty.identifiers import slow_tag
from till_sync.asking import HoldAnswer, HoldRequest, MemberAnswer, MemberQuestion
from till_sync.phone_tags import PhoneTags
from unit.frontol_api.frontol_api_till import SALE, FrontolTill, bonus, cash
from unit.frontol_api.test_frontol_api_receipts import ANNA, DISCOUNTED, windows

BUDGET_MS = 30
"""Of a call, where a test has to wait for its end."""
NEVER_S = 60.0
GIVE_UP_S = 10.0
NOT_TAKEN = ["Оплата бонусами на 20,00 в чеке есть, а со счёта они не сняты. Сообщите администратору."]


class Silence:
    """A cloud that takes all of the time it is given, and says nothing."""

    online = True

    def __init__(self, till: FakeTill) -> None:
        self.till = till
        self.asked: list[str] = []

    async def find(self, question: MemberQuestion, *, budget_ms: int) -> MemberAnswer:
        self.asked.append(question.tags[0])
        raise self._waited(budget_ms)

    async def reserve(self, request: HoldRequest, *, budget_ms: int) -> HoldAnswer:
        self.asked.append(request.sale_uid)
        raise self._waited(budget_ms)

    def _waited(self, budget_ms: int) -> CloudUnreachable:
        self.till.clock.advance(budget_ms)
        return CloudUnreachable("no answer in time")


def silent_till() -> tuple[FrontolTill, Silence]:
    """A till that holds whom its store has seen, and takes its line for a good one."""
    till = FrontolTill(programme=DISCOUNTED)
    till.cache.window_days = 90
    till.members = silence = Silence(till)
    till.gateway.reserve = silence.reserve  # type: ignore[method-assign]  # a cloud of this test's own
    till.restart()
    return till, silence


def test_points_that_are_reserved_no_more_are_asked_for_once_and_the_receipt_is_sold() -> None:
    till, silence = silent_till()
    before_ms = till.clock.mono_ms()
    answer = till.good("confirm", position(1, 100), client=ANNA, payments=[bonus(20), cash(80)])
    assert windows(answer) == NOT_TAKEN
    assert (till.sale().result.redeemed_points, till.sale().subject.member_id) == (0, "m-anna")
    assert silence.asked == [SALE]
    assert till.clock.mono_ms() - before_ms == till.settings.cloud_budget_ms


def test_nobody_is_asked_who_a_stranger_is_that_has_paid() -> None:
    """Also by an agent that was started in mid-receipt, and looks for the discounts that it told of before."""
    till, silence = silent_till()
    stranger = {"card": STRANGER_CARD}
    till.good("confirm", position(1, 100, totalAmount=90), client=stranger, payments=[cash(90)])
    assert (till.sale().result.discount_minor, till.sale().subject.tag != "") == (1_000, True)
    assert silence.asked == []


def test_a_receipt_waits_for_no_other_call_that_is_at_the_cloud() -> None:
    """Whoever reserves points has a turn; in a hub ten receipts may be under way."""
    till = FrontolTill(cloud_budget_ms=BUDGET_MS)
    at_the_cloud: list[str] = []

    async def reserve(request: HoldRequest, *, budget_ms: int) -> HoldAnswer:
        assert budget_ms == BUDGET_MS
        at_the_cloud.append(request.sale_uid)
        await asyncio.sleep(NEVER_S)
        raise CloudUnreachable("no answer in time")

    till.gateway.reserve = reserve  # type: ignore[method-assign]  # a cloud of this test's own
    receipt = document("confirm", position(1, 100), client=ANNA, payments=[bonus(20), cash(80)])

    async def case() -> Any:
        other = HoldCreate(sale_uid="other", member=Identify(phone=ANNA_PHONE), points=10)
        waiting = asyncio.create_task(till.desk.hold(other))
        try:
            while not at_the_cloud:
                await asyncio.sleep(0)
            async with asyncio.timeout(GIVE_UP_S):
                _, answer = await till.ask("/frontol/document", json.dumps(receipt).encode())
            assert not waiting.done()
        finally:
            waiting.cancel()
        return json.loads(answer, parse_float=Decimal)

    answer = asyncio.run(case())
    assert (answer["code"], windows(answer), at_the_cloud) == (0, NOT_TAKEN, ["other"])


def test_a_receipt_waits_for_nobody_who_only_looks_a_phone_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a restarted agent too: a look-up that is under way keeps its turn for as long as this test likes."""
    gate, begun = threading.Event(), threading.Event()

    def made(fast: str, cost: int) -> str:
        if not begun.is_set():
            begun.set()
            gate.wait(NEVER_S)
        return slow_tag(fast, cost)

    monkeypatch.setattr(slow_tags, "slow_tag", made)
    monkeypatch.setattr(slow_tags, "TURN_MS", int(NEVER_S * 1000))
    till = FrontolTill(programme=DISCOUNTED)
    till.phone_tags = PhoneTags(cost=2)
    till.restart()
    receipt = document("confirm", position(1, 100, totalAmount=90), client=ANNA, payments=[cash(90)])

    async def case() -> Any:
        looking = asyncio.create_task(till.desk.identify(Identify(phone="+79165550001")))
        try:
            while not begun.is_set():
                await asyncio.sleep(0.001)
            async with asyncio.timeout(GIVE_UP_S):
                _, answer = await till.ask("/frontol/document", json.dumps(receipt).encode())
            assert not looking.done()
        finally:
            gate.set()
        await looking
        return json.loads(answer)

    assert asyncio.run(case())["code"] == 0
    assert till.sale().result.discount_minor == 1_000
