"""Goods of another till's sale: worked out from the cloud's word and this till's own journal, each return once."""

import asyncio
import dataclasses
from typing import Any

import msgspec
import pytest

from fakes.till import ANNA_CARD, IDENTITY, PROGRAMME, FakeTill, anna, receipt
from till_agent.api import Identify, ReturnLineRequest, ReturnRequest, Reversed, SaleRequest, SoldAt
from till_agent.desk import Answered, Desk
from till_agent.exceptions import DeskProblem
from till_agent.slips.compose import compose_entry
from till_agent.texts import Words, local_datetime
from till_drivers.blocks import Pair
from till_loyalty.engine import calculate
from till_loyalty.receipt import MemberState, StoreClock
from till_loyalty.results import Calculation, Reversal, ReversalLine
from till_sync.asking import SaleReversal
from till_sync.ops import OpId, ReturnBody, SaleBody, Subject, decode_body
from till_sync.wire import OpResult

ANNA = Identify(card=ANNA_CARD)
CLOCK = StoreClock(local_time="2026-01-15T12:00:00", business_date="2026-01-15")


def counted(*amounts: int) -> Calculation:
    """Anna's receipt: 5 % and nothing spent."""
    return calculate(PROGRAMME, MemberState(tier="standard"), receipt(*amounts), CLOCK)


def a_till(*amounts: int, uid: str = "x1") -> FakeTill:
    """A till that knows Anna; another one sold her that."""
    till = FakeTill().know(anna())
    till.sales.know(uid, counted(*amounts), member="m-anna")
    return till


def line(number: int, quantity: int) -> ReturnLineRequest:
    return ReturnLineRequest(number=number, quantity_thousandths=quantity)


def request(*lines: ReturnLineRequest, of: str = "x1", sold_at: SoldAt | None = None) -> ReturnRequest:
    return ReturnRequest(sale_uid=of, lines=lines, sold_at=sold_at)


def give_back(till: FakeTill, uid: str, *lines: ReturnLineRequest, **more: Any) -> Reversed:
    answered = till.run(till.desk.give_back(uid, request(*lines, **more)))
    return msgspec.json.decode(answered.body, type=Reversed)


def refusal(till: FakeTill, uid: str, *lines: ReturnLineRequest, **more: Any) -> DeskProblem:
    with pytest.raises(DeskProblem) as caught:
        give_back(till, uid, *lines, **more)
    return caught.value


def last_body(till: FakeTill) -> ReturnBody:
    body = decode_body(till.journal.entries[-1].body)
    assert isinstance(body, ReturnBody)
    return body


def balance(till: FakeTill) -> int:
    return till.run(till.desk.identify(ANNA)).balance_points


def test_goods_of_another_tills_sale_come_back_with_their_points() -> None:
    """The op names the other till's op and the member; the balance shown is the member's own; a slip is made."""
    till = a_till(10_000, 6_000)
    answer = give_back(till, "r1", line(1, 1000))
    body = last_body(till)
    assert (body.sale_uid, body.sale_op, body.subject) == ("x1", "t2:1:1", Subject(member_id="m-anna"))
    assert (answer.sale_op, answer.op, answer.reversal.points_taken) == ("t2:1:1", "t1:1:1", 5)
    assert (answer.balance_after_points, balance(till)) == (495, 495)
    assert answer.member is not None
    assert answer.member.reference == "m-anna"
    assert [message.code for message in answer.messages] == ["points_taken"]
    assert till.slips.enqueued == [("return", "r1", "ru", False)]
    assert till.sales.budgets_ms == [till.settings.cloud_budget_ms]


def test_the_slip_names_the_sale_as_people_do() -> None:
    """By its receipt's number where the other till's cash software told one, else by its time in this store; a return
    that was written down by an agent of a former release has the uid alone."""
    uid = "0c1d3f6a-9b7e-4f52-8d1a-3e5b7c9d0f42"
    till = FakeTill().know(anna())
    told = till.sales.know(uid, counted(10_000), member="m-anna", date=local_time(till.clock.wall)[:10])
    answer = give_back(till, "r1", line(1, 400), of=uid)
    assert (answer.sale_number, answer.sale_time) == (told.number, local_time(told.at_wall_ms))
    slips = []
    for number, time in (
        (told.number, answer.sale_time),
        ("", "2026-01-15T11:58:20"),
        ("", "2026-01-15"),
        ("", ""),
    ):
        changed = msgspec.structs.replace(answer, sale_number=number, sale_time=time)
        entry = msgspec.structs.replace(till.journal.entries[-1], answer=msgspec.json.encode(changed))
        blocks = compose_entry(entry, Words("ru", PROGRAMME), store_name="", time_zone=IDENTITY.time_zone)
        slips.append(next(each.right for each in blocks if isinstance(each, Pair) and each.left == "По чеку"))
    assert slips == ["77", "15.01.2026 11:58, 9d0f42", "15.01.2026, 9d0f42", uid]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"store": "s9"}, id="another store"),
        pytest.param({"store": "s9", "date": "2017-12-24"}, id="another store, past midnight there"),
        pytest.param({"date": "2017-12-22"}, id="written down a day later"),
    ],
)
def test_of_a_sale_by_another_clock_its_date_alone_is_told(changes: dict[str, str]) -> None:
    """The receipt's own date, which is its store's; the hour of this store would be on no receipt."""
    till = FakeTill().know(anna())
    today = {"date": local_time(till.clock.wall)[:10]}
    told = till.sales.know("x1", counted(10_000), member="m-anna", **(today | changes))
    assert give_back(till, "r1", line(1, 400)).sale_time == told.date


def local_time(at_wall_ms: int) -> str:
    return local_datetime(at_wall_ms, IDENTITY.time_zone).replace(tzinfo=None).isoformat(timespec="seconds")


def test_a_repeated_return_gets_the_same_bytes_without_a_line() -> None:
    """The journal answers; another request under the uid is a conflict, also without a line."""
    till = a_till(10_000)
    first = till.run(till.desk.give_back("r1", request(line(1, 400))))
    till.sales.online = False
    till.desk = till.new_desk()
    again = till.run(till.desk.give_back("r1", request(line(1, 400)), "en"))
    assert (again.body, again.replayed, len(till.sales.asked)) == (first.body, True, 1)
    assert refusal(till, "r1", line(1, 401)).code == "uid_conflict"
    assert len(till.journal.entries) == 1


def test_two_requests_at_once_are_counted_after_each_other() -> None:
    """Both ask the cloud before either is committed: the second is still worked out after the first."""
    till = a_till(333, 777)

    async def both() -> list[Answered | BaseException]:
        calls = (till.desk.give_back("r1", request()), till.desk.give_back("r2", request()))
        return await asyncio.gather(*calls, return_exceptions=True)

    first, second = till.run(both())
    assert isinstance(first, Answered)
    assert isinstance(second, DeskProblem)
    assert second.code == "return_nothing_left"
    assert balance(till) == 500 - counted(333, 777).earned_points


def test_the_same_uid_twice_at_once_is_one_return() -> None:
    till = a_till(10_000)

    async def both() -> list[Answered]:
        return list(await asyncio.gather(*(till.desk.give_back("r1", request()) for _ in range(2))))

    answers = till.run(both())
    assert answers[0].body == answers[1].body
    assert sorted(each.replayed for each in answers) == [False, True]


@pytest.mark.parametrize("pushed", [(), (0,), (0, 1), (1,)])
def test_returns_that_wait_and_those_that_arrived_count_once_each(pushed: tuple[int, ...]) -> None:
    """Whatever of this till's own the cloud has by now: three pieces are the whole, and nothing is left."""
    till = a_till(3_333, 7_777)
    pieces = [give_back(till, "r1", line(1, 700)), give_back(till, "r2", line(2, 1000), line(1, 299))]
    for number in pushed:
        assert till.sales.take(till.journal.entries[number])
    pieces.append(give_back(till, "r3"))
    whole = counted(3_333, 7_777)
    assert sum(each.reversal.points_taken for each in pieces) == whole.earned_points
    assert sum(each.reversal.money_back_minor for each in pieces) == whole.payable_minor
    assert refusal(till, "r4").code == "return_nothing_left"


def test_what_other_tills_took_back_counts() -> None:
    """The cloud tells of it."""
    till, other = a_till(10_000, 6_000), a_till(10_000, 6_000)
    other.journal.reader.till = "t3"
    give_back(other, "r1", line(1, 600))
    till.sales.take(other.journal.entries[0])
    error = refusal(till, "r1", line(1, 401))
    assert (error.code, error.extras) == ("return_quantity_exceeds", {"line": 1, "left_thousandths": 400})
    assert give_back(till, "r1").reversal.points_taken == 8 - 3


def test_a_return_that_the_cloud_rejected_is_none() -> None:
    """Another till was first; what was refused here does not take from what is left."""
    till, other = a_till(10_000), a_till(10_000)
    other.journal.reader.till = "t3"
    give_back(other, "r1", line(1, 600))
    give_back(till, "r1", line(1, 500))
    assert till.sales.take(other.journal.entries[0])
    assert not till.sales.take(till.journal.entries[0])
    assert refusal(till, "r2", line(1, 400)).code == "return_quantity_exceeds"
    till.journal.reader.verdicts[OpId("t1", 1, 1)] = OpResult(seq=1, status="rejected", code="quantity_exceeds")
    assert give_back(till, "r2", line(1, 400)).reversal.lines[0].quantity_thousandths == 400
    assert refusal(till, "r3").code == "return_nothing_left"


@pytest.mark.parametrize("how", ["offline", "silent"])
def test_without_a_line_the_cashier_is_told_what_to_do(how: str) -> None:
    """At once when the line is known to be down, else after the budget; nothing is written."""
    till = a_till(10_000)
    till.sales.online, till.sales.silent = how != "offline", how == "silent"
    error = refusal(till, "r1")
    assert (error.code, error.status, error.retryable) == ("sale_elsewhere", 409, True)
    assert len(till.sales.asked) == (how == "silent")
    assert till.journal.entries == []
    assert till.desk.sentence("sale_elsewhere", language="ru").startswith("Чек не этой кассы, а связи нет")


def test_a_sale_that_nobody_knows_is_unknown() -> None:
    till = a_till(10_000)
    assert (refusal(till, "r1", of="x9").code, refusal(till, "r1", of="x9").status) == ("sale_unknown", 404)


def test_a_sale_that_was_voided_at_its_till_stays_voided() -> None:
    till = FakeTill().know(anna())
    till.sales.know("x1", counted(10_000), member="m-anna", voided=True)
    assert refusal(till, "r1").code == "sale_voided"


def test_several_tills_with_the_uid_are_told_and_one_is_named() -> None:
    """The choices are what stands on receipts."""
    till = a_till(10_000)
    till.sales.know("x1", counted(20_000), member="m-anna", till="t3", number="78")
    error = refusal(till, "r1")
    assert (error.code, error.pointer) == ("sale_ambiguous", "/sold_at")
    assert [(each["till"], each["number"], each["total_minor"]) for each in error.extras["choices"]] == [
        ("t2", "77", 10_000),
        ("t3", "78", 20_000),
    ]
    assert give_back(till, "r1", sold_at=SoldAt(till="t3")).sale_op == "t3:1:2"
    assert give_back(till, "r2", sold_at=SoldAt(number="77", date="2026-01-15", store="s1")).sale_op == "t2:1:1"


def test_one_uid_of_two_tills_is_two_sales() -> None:
    """This till's own is meant unless another is named; what came back of one is not of the other."""
    till = a_till(20_000, uid="u1")
    till.run(till.desk.sell("u1", SaleRequest(receipt=receipt(10_000), member=ANNA, number="5")))
    assert give_back(till, "r1", line(1, 500), of="u1").sale_op == "t1:1:1"
    assert give_back(till, "r2", of="u1", sold_at=SoldAt(till="t2")).reversal.points_taken == 10
    assert till.run(till.desk.sale("u1")).state == "returned_in_part"
    assert give_back(till, "r3", of="u1", sold_at=SoldAt(till="t1", number="5")).reversal.points_taken == 2
    assert till.run(till.desk.sale("u1")).state == "returned"
    assert refusal(till, "r4", of="u1").code == "return_nothing_left"


def test_a_return_of_another_tills_sale_does_not_keep_an_own_one_from_being_voided() -> None:
    till = a_till(20_000, uid="u1")
    till.run(till.desk.sell("u1", SaleRequest(receipt=receipt(10_000), member=ANNA)))
    give_back(till, "r1", of="u1", sold_at=SoldAt(till="t2"))
    till.run(till.desk.void("u1"))
    assert till.run(till.desk.sale("u1")).state == "voided"


def test_a_void_stays_with_its_till() -> None:
    till = a_till(10_000)
    with pytest.raises(DeskProblem) as caught:
        till.run(till.desk.void("x1"))
    assert (caught.value.code, till.sales.asked) == ("sale_unknown", [])


def own_sale(till: FakeTill) -> None:
    """This till sold it, the cloud has it, and another till took 600 of it back."""
    till.run(till.desk.sell("u1", SaleRequest(receipt=receipt(10_000), member=ANNA)))
    rows = (
        ReversalLine(
            number=1,
            quantity_thousandths=600,
            amount_minor=6_000,
            money_back_minor=6_000,
            points_back=0,
            points_taken=3,
        ),
    )
    back = Reversal(lines=rows, money_back_minor=6_000, points_back=0, points_taken=3)
    there = SaleReversal(op="t2:1:9", kind="return", uid="r", reversal=back)
    till.sales.know("u1", counted(10_000), member="m-anna", till="t1", op="t1:1:1", reversals=(there,))


def test_goods_of_an_own_sale_that_came_back_elsewhere_are_not_taken_twice() -> None:
    """The cloud is asked about own sales too."""
    till = FakeTill().know(anna())
    own_sale(till)
    assert refusal(till, "r1", line(1, 500), of="u1").code == "return_quantity_exceeds"
    assert give_back(till, "r1", of="u1").reversal.points_taken == 2


@pytest.mark.parametrize("how", ["offline", "silent", "another_op"])
def test_an_own_sale_comes_back_without_the_clouds_word(how: str) -> None:
    """The journal knows it; the cloud counts again."""
    till = FakeTill().know(anna())
    own_sale(till)
    till.sales.online, till.sales.silent = how != "offline", how == "silent"
    if how == "another_op":
        till.sales.sales[0] = msgspec.structs.replace(till.sales.sales[0], op="t1:9:1")
    assert give_back(till, "r1", of="u1").reversal.points_taken == 5


def journalled_anew(till: FakeTill) -> None:
    """The cloud has the sale by the id of a journal that was put aside, and will have no other."""
    body = decode_body(till.journal.entries[0].body)
    assert isinstance(body, SaleBody)
    receipt_of = {"number": body.number, "date": body.clock.business_date, "at_wall_ms": body.at_wall_ms}
    till.sales.sales[0] = msgspec.structs.replace(till.sales.sales[0], op="t1:9:1", **receipt_of)


def test_goods_of_a_sale_that_was_journalled_anew_and_came_back_elsewhere_are_not_taken_twice() -> None:
    """Its id here is not the cloud's; it is the same sale of this till for all that."""
    till = FakeTill().know(anna())
    own_sale(till)
    journalled_anew(till)
    shown = till.run(till.desk.lines("u1")).lines[0]
    assert shown.left_thousandths == 400
    assert refusal(till, "r1", line(1, 500), of="u1").code == "return_quantity_exceeds"
    with pytest.raises(DeskProblem, match="sale_has_returns"):
        till.run(till.desk.void("u1"))
    assert give_back(till, "r1", of="u1").reversal.points_taken == 2


def test_a_return_that_was_journalled_anew_counts_once_beside_the_clouds_word_of_it() -> None:
    """Until its second copy is refused, the cloud has it by its former id alone."""
    till = FakeTill().know(anna())
    till.run(till.desk.sell("u1", SaleRequest(receipt=receipt(10_000), member=ANNA)))
    back = give_back(till, "r1", line(1, 600), of="u1").reversal
    there = SaleReversal(op="t1:9:2", kind="return", uid="r1", reversal=back)
    till.sales.know("u1", counted(10_000), member="m-anna", till="t1", reversals=(there,))
    journalled_anew(till)
    assert refusal(till, "r2", line(1, 401), of="u1").code == "return_quantity_exceeds"
    assert give_back(till, "r2", line(1, 400), of="u1").reversal.points_taken == 2
    assert refusal(till, "r3", of="u1").code == "return_nothing_left"


def test_a_till_without_a_cloud_knows_its_own_sales_only() -> None:
    till = a_till(10_000)
    till.desk = Desk(dataclasses.replace(till.parts(), sales=None))
    assert refusal(till, "r1").code == "sale_unknown"


def test_an_own_sale_is_not_voided_once_goods_came_back_elsewhere() -> None:
    """As far as the cloud is there to say so; a repetition of a void asks nobody."""
    till = FakeTill().know(anna())
    own_sale(till)
    with pytest.raises(DeskProblem) as caught:
        till.run(till.desk.void("u1"))
    assert caught.value.code == "sale_has_returns"
    till.sales.online = False
    first = till.run(till.desk.void("u1"))
    till.sales.online = True
    again = till.run(till.desk.void("u1"))
    assert (again.body, again.replayed, len(till.sales.asked)) == (first.body, True, 1)
