"""Two calls at once for one member's points, and holds that are named for what they are not."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from fakes.till import FakeTill, anna, receipt
from till_agent.api import Hold, HoldCreate, Identify, ReturnLineRequest, ReturnRequest, SaleRequest
from till_agent.exceptions import DeskProblem, HoldRefused
from till_loyalty.programme import Floor
from till_sync.asking import HoldAnswer, HoldRequest
from unit.desk.test_desk_offline_spending import ANNA, cut_off, hold, member, programme, released, sell, spend

T = TypeVar("T")

BORIS = Identify(reference="m-boris")
NEVER_MS = 10_000
"""Longer than any test: whoever waits for a turn gets it by the turn's end."""
TURNS_OF_THE_LOOP = 50
"""More than a hold that waits for nobody takes."""


def slow(till: FakeTill) -> FakeTill:
    """Its disk takes a while, so that calls overlap."""
    own, commit = till.holds.own, till.journal.commit

    async def remember(*values: Any) -> None:
        await asyncio.sleep(0)
        await own(*values)

    async def write(decide: Any) -> Any:
        await asyncio.sleep(0)
        return await commit(decide)

    till.holds.own = remember  # type: ignore[method-assign]  # the real one waits too
    till.journal.commit = write  # type: ignore[method-assign]  # as above
    return till


@pytest.mark.parametrize("policy", ["grant", "floor"])
def test_two_desks_never_hold_the_same_points(policy: str) -> None:
    """Ten receipts at once want 30 of 100 points: three have them, the others hear what is left."""
    terms = Floor(member_points=100, till_points=500, hours=10) if policy == "floor" else None
    rules = programme(offline=policy, floor=terms)
    till = slow(cut_off(100 if policy == "grant" else 0, rules))

    async def wish(number: int) -> int:
        try:
            return (await till.desk.hold(HoldCreate(sale_uid=f"u{number}", member=ANNA, points=30))).points
        except DeskProblem as problem:
            return -problem.extras["available_points"]

    async def all_at_once() -> list[int]:
        return await asyncio.gather(*[wish(number) for number in range(10)])

    assert sorted(till.run(all_at_once()))[-4:] == [-10, 30, 30, 30]
    assert member(till).spendable_points == 10


def test_a_hold_is_sold_once_however_often_it_is_named_at_once() -> None:
    """By its own receipt; the same receipt again has the same answer."""
    till = slow(cut_off(100))
    held = hold(till, 80).hold
    request = SaleRequest(receipt=receipt(100_000), member=ANNA, redeem_points=80, hold=held)

    async def twice() -> Any:
        return await asyncio.gather(till.desk.sell("u1", request), till.desk.sell("u1", request))

    first, second = till.run(twice())
    assert first.body == second.body
    assert (len(till.journal.entries), member(till).spendable_points) == (1, 20)
    with pytest.raises(DeskProblem, match="hold_mismatch"):
        sell(till, held, 80, "u2")


def test_a_hold_of_another_member_or_receipt_pays_nothing() -> None:
    """The points are those of the member who stands there."""
    till = cut_off(100).know(anna(), anna(member_id="m-boris", tags=()))
    till.gateway.online = False
    held = hold(till, 50).hold
    for uid, who in (("u1", BORIS), ("u2", ANNA)):
        with pytest.raises(DeskProblem, match="hold_mismatch"):
            sell(till, held, 50, uid, who)
    assert sell(till, held, 50).cover == "grant"


def test_without_a_hold_nothing_is_spent_however_much_lies_here() -> None:
    """Nor with one of fewer points."""
    till = cut_off(100)
    with pytest.raises(DeskProblem, match="redemption_needs_hold"):
        sell(till, "", 50)
    with pytest.raises(DeskProblem, match="hold_mismatch"):
        sell(till, hold(till, 50).hold, 60)


def test_goods_of_an_offline_redemption_come_back_in_parts_and_never_more_than_was_paid() -> None:
    """What points paid for goes to the balance, and the grant stays as it was spent."""
    till = cut_off(200)
    held = hold(till, 200).hold
    request = SaleRequest(receipt=receipt(30_000, 50_000), member=ANNA, redeem_points=200, hold=held)
    till.run(till.desk.sell("u1", request))
    after_sale = member(till).balance_points
    for number in (1, 2):
        lines = (ReturnLineRequest(number=number, quantity_thousandths=1000),)
        till.run(till.desk.give_back(f"r{number}", ReturnRequest(sale_uid="u1", lines=lines)))
        assert after_sale < member(till).balance_points <= 500 or number == 1
    assert (member(till).balance_points, member(till).spendable_points) == (500, 0)


def test_what_was_spent_within_the_floor_limit_counts_over_a_restart_and_a_void() -> None:
    """A void gives nothing back of the risk that was taken."""
    terms = Floor(member_points=200, till_points=500, hours=10)
    till = cut_off(rules=programme(offline="floor", floor=terms))
    spend(till, 150)
    till.run(till.desk.void("u1"))
    till.desk = till.new_desk()
    assert member(till).spendable_points == 50


class Hanging:
    """A cloud that says nothing about holds until it is told to; then its own answer comes."""

    def __init__(self, till: FakeTill) -> None:
        self._answer = till.gateway.reserve
        self.reached, self.free = asyncio.Event(), asyncio.Event()
        till.gateway.reserve = self.reserve  # type: ignore[method-assign]  # a cloud of this test's own

    async def reserve(self, request: HoldRequest, *, budget_ms: int) -> HoldAnswer:
        self.reached.set()
        await self.free.wait()
        return await self._answer(request, budget_ms=budget_ms)


async def at_once(work: Coroutine[Any, Any, T]) -> T:
    """What it gives, for it waits for nobody."""
    doing = asyncio.create_task(work)
    for _ in range(TURNS_OF_THE_LOOP):
        await asyncio.sleep(0)
    assert doing.done(), "it waits"
    return doing.result()


def wish(sale_uid: str, points: int, who: Identify = ANNA) -> HoldCreate:
    return HoldCreate(sale_uid=sale_uid, member=who, points=points)


def test_what_the_till_was_granted_waits_for_no_other_receipt_at_the_cloud() -> None:
    """A slow line: one receipt waits for it, the next has all it needs here, and so has what is to be given back."""
    till = slow(FakeTill(cloud_budget_ms=NEVER_MS).know(anna()).lend(100, recall=10))

    async def both() -> tuple[Hold, Hold, int]:
        cloud = Hanging(till)
        first = asyncio.create_task(till.desk.hold(wish("u1", 300)))
        await cloud.reached.wait()
        second = await at_once(till.desk.hold(wish("u2", 60)))
        given_back = await at_once(till.desk.give_back_grants())
        cloud.free.set()
        return await first, second, given_back

    first, second, given_back = till.run(both())
    assert (first.hold[:5], second.hold[:7], second.points, given_back) == ("h-t1-", "g-t1-1-", 60, 1)
    assert released(till) == [("m-anna", 10)]


def test_a_receipt_that_asks_again_waits_for_what_it_asked_before() -> None:
    """Its grant would cover the second wish: but the first is reserved for it already, and serves."""
    till = slow(FakeTill(cloud_budget_ms=NEVER_MS).know(anna()).lend(100))

    async def both() -> tuple[Hold, Hold]:
        cloud = Hanging(till)
        first = asyncio.create_task(till.desk.hold(wish("u1", 300)))
        await cloud.reached.wait()
        second = asyncio.create_task(till.desk.hold(wish("u1", 60)))
        for _ in range(TURNS_OF_THE_LOOP):
            await asyncio.sleep(0)
        assert not second.done()
        cloud.free.set()
        return await first, await second

    first, second = till.run(both())
    assert (first.hold, len(till.gateway.asked), till.journal.entries) == (second.hold, 1, [])


def test_a_receipt_that_asks_again_waits_also_while_its_first_wish_waits_for_another_receipt() -> None:
    """Else the first would take back what the second was given, and its sale be refused."""
    till = slow(FakeTill(cloud_budget_ms=NEVER_MS).know(anna()).lend(100))

    async def all_of_them() -> list[Hold]:
        cloud = Hanging(till)
        calls = [asyncio.create_task(till.desk.hold(wish("u1", 150)))]
        await cloud.reached.wait()
        for points in (300, 30):
            calls.append(asyncio.create_task(till.desk.hold(wish("u2", points))))
            for _ in range(TURNS_OF_THE_LOOP):
                await asyncio.sleep(0)
        cloud.free.set()
        return await asyncio.gather(*calls)

    _, first, second = till.run(all_of_them())
    assert (second.hold, second.points) == (first.hold, 300)
    assert sell(till, second.hold, 30, "u2").result.redeemed_points == 30


def test_a_grant_that_a_page_called_in_before_the_refusal_came_is_asked_for_all_the_same() -> None:
    """The cloud recalls it by both at once: whichever is first here, the cashier hears of none."""
    till = FakeTill(cloud_budget_ms=NEVER_MS).know(anna()).lend(100)
    reserve = till.gateway.reserve

    async def recalls(request: HoldRequest, *, budget_ms: int) -> HoldAnswer:
        if request.own_grant:
            till.lend(100, recall=100)
            assert await till.desk.give_back_grants() == 1
            raise HoldRefused("points_lent", "lent", available_points=100)
        return await reserve(request, budget_ms=budget_ms)

    till.gateway.reserve = recalls  # type: ignore[method-assign]  # a cloud of this test's own
    assert hold(till, 500).points == 500
    assert released(till) == [("m-anna", 100)]
