"""A day at a till of fakes, with a cloud that agrees with it: what the desk's promises are checked on, step by step."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from fakes.till import ANNA_CARD, PROGRAMME, STRANGER_CARD, STRANGER_TAG, FakeTill, anna
from till_agent.api import (
    HoldCreate,
    Identify,
    Member,
    ReturnLineRequest,
    ReturnRequest,
    Reversed,
    Sale,
    SaleRequest,
)
from till_agent.exceptions import DeskProblem
from till_loyalty.receipt import Line, Receipt
from till_sync.ops import HoldReleaseBody, ReturnBody, SaleBody, VoidBody, decode_body
from till_sync.wire import MemberRow, OpResult

START_POINTS = 500
PEOPLE = {"anna": ANNA_CARD, "stranger": STRANGER_CARD}
RULES = msgspec.structs.replace(
    PROGRAMME,
    redemption=msgspec.structs.replace(PROGRAMME.redemption, max_share_basis_points=9_000),
)

REVERSAL_REFUSALS = {
    "sale_voided",
    "sale_has_returns",
    "return_line_unknown",
    "return_quantity_exceeds",
    "return_nothing_left",
}
T = TypeVar("T")


async def attempt(call: Coroutine[Any, Any, T]) -> T | DeskProblem:
    """What a call gives, or the problem that it raises."""
    try:
        return await call
    except DeskProblem as exc:
        return exc


class FakeCloud:
    """Applies a till's ops in order and believes its figures. `applied` is how many it holds."""

    def __init__(self, till: FakeTill) -> None:
        self.till = till
        self.balances = {"m-anna": START_POINTS}
        self.applied = 0
        self.knows_stranger = False
        till.gateway.points = self.balances

    def apply(self, count: int) -> tuple[OpResult, ...]:
        """Take the next `count` ops; the verdicts."""
        results = []
        for entry in self.till.journal.entries[self.applied : self.applied + count]:
            body = decode_body(entry.body)
            member, effect = self._effect(body)
            if member:
                self.balances[member] = self.balances.get(member, 0) + effect
            self.applied += 1
            results.append(
                OpResult(
                    seq=self.applied,
                    status="applied",
                    member_id=member,
                    balance=self.balances.get(member, 0),
                    held=self._held(member),
                    effect_points=effect,
                    position=self.applied,
                )
            )
        return tuple(results)

    def page(self) -> None:
        """The till pulls: every row stands for all ops applied so far."""
        rows = [anna(balance=self.balances["m-anna"], held=self._held("m-anna"), position=self.applied + 1)]
        if self.knows_stranger:
            rows.append(
                MemberRow(
                    member_id="m-stranger",
                    tier="standard",
                    tags=(STRANGER_TAG,),
                    balance=self.balances.get("m-stranger", 0),
                    position=self.applied + 1,
                )
            )
        self.till.cache.store(*rows, as_of_ms=self.till.clock.wall, included=(1, self.applied))

    def _held(self, member: str) -> int:
        return sum(each.points for each in self.till.gateway.reserved.values() if each.member_id == member)

    def _effect(self, body: Any) -> tuple[str, int]:
        match body:
            case SaleBody():
                self.till.gateway.reserved.pop(body.hold, None)
                return self._whose(body.subject), body.result.earned_points - body.result.redeemed_points
            case VoidBody() | ReturnBody():
                return self._whose(body.subject), body.reversal.effect_points
            case HoldReleaseBody():
                self.till.gateway.reserved.pop(body.hold, None)
        return "", 0

    def _whose(self, subject: Any) -> str:
        if subject.member_id:
            return str(subject.member_id)
        return "m-stranger" if subject.tag == STRANGER_TAG else ""


class Call(Struct, frozen=True):
    """A document as it was first sent, and the bytes that it got."""

    kind: str
    uid: str
    request: Any
    body: bytes


class Play:
    """Steps of a day. Each checks what must hold after it; `finish` checks the whole day."""

    def __init__(self) -> None:
        self.till = FakeTill(programme=RULES)
        self.cloud = FakeCloud(self.till)
        self.cloud.page()
        self.calls: list[Call] = []
        self.sales: list[str] = []

    async def sell(self, who: str, prices: list[int], spend: int) -> None:
        """A sale; with `spend` above 0 points are reserved and spent as far as the rules and the line allow."""
        uid = f"sale-{len(self.sales)}"
        receipt = Receipt(
            lines=tuple(
                Line(number=number, sku=f"sku-{number}", amount_minor=price, quantity_thousandths=3000)
                for number, price in enumerate(prices, 1)
            )
        )
        who_sent = Identify(card=PEOPLE[who])
        request = SaleRequest(receipt=receipt, member=who_sent, number=uid)
        if spend:
            hold = await attempt(self.till.desk.hold(HoldCreate(sale_uid=uid, member=who_sent, points=spend)))
            if isinstance(hold, DeskProblem):
                assert self.may_refuse_a_hold(hold, who)
                await self.try_to_spend_unheld(uid, request, spend)
            else:
                assert self.till.gateway.online, "points were reserved without a line"
                request = msgspec.structs.replace(request, hold=hold.hold, redeem_points=spend)
        before = await self.shown(who)
        answer = await self.sold(uid, request)
        assert answer.balance_before_points == before.balance_points
        assert answer.balance_after_points == (await self.shown(who)).balance_points
        effect = answer.calculation.earned_points - answer.calculation.redeemed_points
        assert answer.balance_after_points - before.balance_points == effect
        assert answer.calculation.redeemed_points == self.calls[-1].request.redeem_points
        self.sales.append(uid)

    async def sold(self, uid: str, request: SaleRequest) -> Sale:
        """The sale's answer; where the receipt bears less than was reserved, it is sold for what it bears."""
        answered = await attempt(self.till.desk.sell(uid, request))
        if isinstance(answered, DeskProblem):
            assert answered.code == "redemption_exceeds"
            request = msgspec.structs.replace(request, redeem_points=answered.extras["allowed_points"])
            answered = await self.till.desk.sell(uid, request)
        assert not answered.replayed
        self.calls.append(Call("sale", uid, request, answered.body))
        return msgspec.json.decode(answered.body, type=Sale)

    async def try_to_spend_unheld(self, uid: str, request: SaleRequest, spend: int) -> None:
        """Cash software that spends although nothing was reserved is refused, and nothing is written."""
        count = len(self.till.journal.entries)
        unheld = msgspec.structs.replace(request, redeem_points=spend)
        refusal = await attempt(self.till.desk.sell(uid, unheld))
        assert isinstance(refusal, DeskProblem), "points were spent that nobody reserved"
        assert refusal.code == "redemption_needs_hold"
        assert len(self.till.journal.entries) == count

    def may_refuse_a_hold(self, exc: DeskProblem, who: str) -> bool:
        """Only for the reasons there are."""
        known = self.till.cache.by_tag(STRANGER_TAG) is not None or who == "anna"
        if not known:
            return exc.code == "member_unknown"
        return exc.code == ("insufficient_points" if self.till.gateway.online else "cloud_unreachable")

    async def give_back(self, sale: int, quantities: list[int]) -> None:
        """A part of an earlier sale comes back."""
        if not self.sales:
            return
        sale_uid = self.sales[sale % len(self.sales)]
        lines = tuple(
            ReturnLineRequest(number=number, quantity_thousandths=quantity)
            for number, quantity in enumerate(quantities, 1)
            if quantity
        )
        uid = f"return-{len(self.calls)}"
        await self.reversed("return", uid, ReturnRequest(sale_uid=sale_uid, lines=lines))

    async def void(self, sale: int) -> None:
        """A whole sale is cancelled."""
        if self.sales:
            uid = self.sales[sale % len(self.sales)]
            if not any(call.kind == "void" and call.uid == uid for call in self.calls):
                await self.reversed("void", uid, None)

    async def reversed(self, kind: str, uid: str, request: ReturnRequest | None) -> None:
        """Send it; refused only for the reasons there are, and then nothing changes."""
        count = len(self.till.journal.entries)
        answered = await attempt(self.send(kind, uid, request))
        if isinstance(answered, DeskProblem):
            assert answered.code in REVERSAL_REFUSALS
            assert len(self.till.journal.entries) == count
            return
        body = answered.body
        self.calls.append(Call(kind, uid, request, body))
        reversal = msgspec.json.decode(body, type=Reversed)
        assert reversal.member is not None
        assert reversal.balance_after_points == reversal.member.balance_points

    async def send(self, kind: str, uid: str, request: Any) -> Any:
        """One document to the desk."""
        calls: dict[str, Callable[[], Any]] = {
            "sale": lambda: self.till.desk.sell(uid, request),
            "void": lambda: self.till.desk.void(uid),
            "return": lambda: self.till.desk.give_back(uid, request),
        }
        return await calls[kind]()

    async def repeat(self, call: int) -> None:
        """An earlier document is sent again: the same bytes, and nothing else happens."""
        if not self.calls:
            return
        first = self.calls[call % len(self.calls)]
        count = len(self.till.journal.entries)
        answered = await self.send(first.kind, first.uid, first.request)
        assert answered.replayed
        assert answered.body == first.body
        assert len(self.till.journal.entries) == count

    async def push(self, count: int, *, lose_answer: bool = False) -> None:
        """The cloud takes ops; its answer may be lost. Nothing that is shown may move."""

        def change() -> None:
            results = self.cloud.apply(count)
            if not lose_answer:
                self.till.cache.record(1, results)
                for result in results:
                    self.till.journal.reader.verdicts[self.till.journal.entries[result.seq - 1].op_id] = result

        await self.unmoved(change)

    async def pull(self) -> None:
        """A page comes. Nothing that is shown may move."""
        await self.unmoved(self.cloud.page)

    async def meet_stranger(self) -> None:
        """The cloud tells whose the stranger's card is."""
        self.cloud.knows_stranger = True
        await self.pull()

    async def cut(self) -> None:
        """The line goes, or comes back."""
        self.till.gateway.online = not self.till.gateway.online

    async def wait(self, minutes: int) -> None:
        """Time goes by; what was reserved and not used is given back."""
        self.till.clock.advance(minutes * 60_000)
        await self.till.desk.release_abandoned()

    async def restart(self) -> None:
        """The agent starts anew on the same machine."""
        self.till.desk = self.till.new_desk()

    async def unmoved(self, change: Callable[[], None]) -> None:
        """Nothing that cashiers see changes when cloud and till agree."""
        before = [(await self.shown(who)).balance_points for who in PEOPLE]
        change()
        assert [(await self.shown(who)).balance_points for who in PEOPLE] == before, "a shown balance moved"

    async def shown(self, who: str) -> Member:
        """What a cashier sees."""
        member = await self.till.desk.identify(Identify(card=PEOPLE[who]))
        assert 0 <= member.spendable_points <= max(0, member.balance_points)
        if member.offline:
            assert member.spendable_points == 0, "points may be spent without a line"
        return member

    async def finish(self) -> None:
        """Everything still sold comes back: nobody has gained or lost a point. Then every document is sent again."""
        for index, uid in enumerate(self.sales):
            if (await self.till.desk.sale(uid)).state in ("committed", "returned_in_part"):
                await self.reversed("return", f"last-{index}", ReturnRequest(sale_uid=uid))
            assert (await self.till.desk.sale(uid)).state in ("voided", "returned")
        assert (await self.shown("anna")).balance_points == START_POINTS, "a loop of buying and returning moved points"
        assert (await self.shown("stranger")).balance_points == 0, "a loop of buying and returning moved points"
        await self.push(len(self.till.journal.entries))
        await self.pull()
        assert (await self.shown("anna")).unconfirmed_points == 0
        for index in range(len(self.calls)):
            await self.repeat(index)
