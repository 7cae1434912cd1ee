"""Voids and returns: what comes back, once, and what the desk refuses. The arithmetic itself is `till_loyalty`'s."""

import asyncio

import msgspec
import pytest

from fakes.till import ANNA_CARD, STRANGER_CARD, STRANGER_TAG, FakeTill, anna, receipt
from till_agent.api import HoldCreate, Identify, ReturnLineRequest, ReturnRequest, Reversed, SaleRequest
from till_agent.desk import Answered
from till_agent.exceptions import DeskProblem
from till_loyalty.receipt import Line, Receipt
from till_sync.ops import ReturnBody, Subject, VoidBody, decode_body

ANNA = Identify(card=ANNA_CARD)


def sold_till(*amounts: int, who: Identify = ANNA) -> FakeTill:
    till = FakeTill().know(anna())
    till.run(till.desk.sell("u1", SaleRequest(receipt=receipt(*amounts), member=who)))
    return till


def line(number: int, quantity: int, amount: int | None = None) -> ReturnLineRequest:
    return ReturnLineRequest(number=number, quantity_thousandths=quantity, amount_minor=amount)


def give_back(till: FakeTill, uid: str, *lines: ReturnLineRequest, language: str | None = None) -> Reversed:
    answered = till.run(till.desk.give_back(uid, ReturnRequest(sale_uid="u1", lines=lines), language))
    return msgspec.json.decode(answered.body, type=Reversed)


def void(till: FakeTill) -> Reversed:
    return msgspec.json.decode(till.run(till.desk.void("u1")).body, type=Reversed)


def balance(till: FakeTill) -> int:
    return till.run(till.desk.identify(ANNA)).balance_points


def test_a_void_takes_everything_back_and_names_the_sale() -> None:
    """The op carries the sale's op and subject; balances are as before the sale."""
    till = sold_till(10_000, 5_000)
    answer = void(till)
    body = decode_body(till.journal.entries[1].body)
    assert isinstance(body, VoidBody)
    assert (body.sale_uid, body.sale_op, body.subject) == ("u1", "t1:1:1", Subject(member_id="m-anna"))
    assert (answer.uid, answer.sale_uid, answer.op) == ("u1", "u1", "t1:1:2")
    assert (answer.reversal.points_taken, answer.balance_after_points, balance(till)) == (7, 500, 500)
    assert till.run(till.desk.sale("u1")).state == "voided"


def test_a_void_gives_spent_points_back() -> None:
    """The hold of the sale stays used: the points come back as points."""
    till = FakeTill().know(anna())
    hold = till.run(till.desk.hold(HoldCreate(sale_uid="u1", member=ANNA, points=40))).hold
    request = SaleRequest(receipt=receipt(10_000), member=ANNA, redeem_points=40, hold=hold)
    till.run(till.desk.sell("u1", request))
    answer = void(till)
    assert (answer.reversal.points_back, answer.reversal.points_taken) == (40, 3)
    assert [message.text for message in answer.messages] == [
        "Снято начисленных: 3 бонуса.",
        "Вернулось списанных: 40 бонусов.",
    ]
    assert balance(till) == 500


def test_a_repeated_void_gets_the_same_bytes() -> None:
    """Also after a restart; also two at once."""
    till = sold_till(10_000)
    first = till.run(till.desk.void("u1"))
    till.desk = till.new_desk()

    async def both() -> list[Answered]:
        return list(await asyncio.gather(till.desk.void("u1"), till.desk.void("u1", "en")))

    again = till.run(both())
    assert [(each.body, each.replayed) for each in again] == [(first.body, True)] * 2
    assert (len(till.journal.entries), first.replayed) == (2, False)


def test_a_voided_sale_sent_again_still_gets_its_first_answer() -> None:
    """The sale was made; that it was cancelled is another document."""
    till = sold_till(10_000)
    void(till)
    assert till.run(till.desk.sell("u1", SaleRequest(receipt=receipt(10_000), member=ANNA))).replayed


def test_a_return_in_parts_adds_up_to_the_whole() -> None:
    """No lines means everything that is left."""
    till = sold_till(10_000, 5_555)
    parts = [
        give_back(till, "r1", line(1, 333)),
        give_back(till, "r2", line(1, 100), line(2, 500)),
        give_back(till, "r3"),
    ]
    assert sum(part.reversal.money_back_minor for part in parts) == 15_555
    assert sum(part.reversal.points_taken for part in parts) == 7
    view = till.run(till.desk.sale("u1"))
    assert (view.state, len(view.returned), balance(till)) == ("returned", 3, 500)


def test_a_sale_returned_in_part_says_so() -> None:
    """Until quantity and sum of every line are back."""
    till = sold_till(10_000)
    give_back(till, "r1", line(1, 1000, 9_999))
    assert till.run(till.desk.sale("u1")).state == "returned_in_part"
    give_back(till, "r2")
    assert till.run(till.desk.sale("u1")).state == "returned"


def test_a_return_is_journalled_for_the_sales_subject() -> None:
    """Whose sale it was then, even if the till has learnt since who that is."""
    till = sold_till(10_000, who=Identify(card=STRANGER_CARD))
    till.know(anna(member_id="m-stranger", tags=(STRANGER_TAG,), balance=5), included=(1, 1))
    answer = give_back(till, "r1")
    body = decode_body(till.journal.entries[1].body)
    assert isinstance(body, ReturnBody)
    assert (body.uid, body.sale_uid, body.subject) == ("r1", "u1", Subject(tag=STRANGER_TAG))
    assert answer.member is not None
    assert (answer.member.reference, answer.balance_after_points) == ("m-stranger", 0)


def test_a_repeated_return_gets_the_same_bytes_and_another_one_under_its_uid_is_refused() -> None:
    """As for sales."""
    till = sold_till(10_000)
    request = ReturnRequest(sale_uid="u1", lines=(line(1, 100),))
    first = till.run(till.desk.give_back("r1", request))
    give_back(till, "r2", line(1, 100))
    again = till.run(till.desk.give_back("r1", request))
    assert (again.body, again.replayed) == (first.body, True)
    with pytest.raises(DeskProblem, match="uid_conflict"):
        give_back(till, "r1", line(1, 101))
    assert len(till.journal.entries) == 3


def test_two_returns_at_once_do_not_both_get_the_last_piece() -> None:
    """The journal's turn decides which is the first."""
    till = sold_till(10_000)

    async def both() -> list[object]:
        calls = (till.desk.give_back(uid, ReturnRequest(sale_uid="u1", lines=(line(1, 600),))) for uid in ("r1", "r2"))
        return list(await asyncio.gather(*calls, return_exceptions=True))

    one, two = till.run(both())
    assert not isinstance(one, Exception)
    assert isinstance(two, DeskProblem)
    assert (two.code, two.extras["left_thousandths"]) == ("return_quantity_exceeds", 400)


def test_a_void_and_a_return_at_once_are_not_both_done() -> None:
    """Whichever comes first, the other is refused."""
    till = sold_till(10_000)

    async def both() -> list[object]:
        calls = (till.desk.void("u1"), till.desk.give_back("r1", ReturnRequest(sale_uid="u1")))
        return list(await asyncio.gather(*calls, return_exceptions=True))

    one, two = till.run(both())
    assert not isinstance(one, Exception)
    assert isinstance(two, DeskProblem)
    assert two.code == "sale_voided"


def test_a_balance_below_zero_is_named() -> None:
    """The points are spent already; the next ones cover it."""
    till = sold_till(1_000_000)
    till.know(anna(balance=100), included=(1, 1))
    answer = give_back(till, "r1")
    assert answer.balance_after_points == 100 - 500
    assert answer.messages[-1].text == "Баланс стал меньше нуля: -400 бонусов. Долг погасится следующими начислениями."


def test_a_sale_without_a_member_can_be_given_back() -> None:
    """No points, no member, and the op is kept all the same."""
    till = FakeTill()
    till.run(till.desk.sell("u1", SaleRequest(receipt=receipt(10_000))))
    answer = give_back(till, "r1")
    assert (answer.member, answer.messages, answer.reversal.money_back_minor) == (None, (), 10_000)


def test_a_return_needs_neither_the_programme_nor_the_member() -> None:
    """Years later, on a cache that was begun anew."""
    till = sold_till(10_000)
    till.cache.members.clear()
    till.cache.active = None
    answer = give_back(till, "r1")
    assert answer.member is not None
    assert (answer.reversal.points_taken, answer.member.known) == (5, False)


def test_a_slip_is_handed_over_for_voids_and_returns() -> None:
    """Once each."""
    till = sold_till(10_000)
    give_back(till, "r1", line(1, 1))
    give_back(till, "r1", line(1, 1))
    assert ("return", "r1", "ru", False) in till.slips.enqueued
    other = sold_till(10_000)
    void(other)
    assert other.slips.enqueued[-1] == ("void", "u1", "ru", False)


def test_no_slip_of_a_void_or_return_is_handed_over_where_the_cash_software_prints_it() -> None:
    """Nor of the same request once more; one that says it otherwise is another."""
    till = sold_till(10_000)
    till.slips.enqueued.clear()
    quiet = ReturnRequest(sale_uid="u1", print_slip=False)
    for _ in range(2):
        till.run(till.desk.give_back("r1", quiet))
    with pytest.raises(DeskProblem, match="uid_conflict"):
        till.run(till.desk.give_back("r1", ReturnRequest(sale_uid="u1")))
    assert not till.slips.enqueued
    other = sold_till(10_000)
    other.slips.enqueued.clear()
    for _ in range(2):
        other.run(other.desk.void("u1", print_slip=False))
    assert not other.slips.enqueued


def test_ten_thousand_lines_come_back() -> None:
    """In two halves, to the point."""
    till = FakeTill().know(anna())
    lines = tuple(Line(number=number, sku=f"s{number}", amount_minor=number) for number in range(1, 10_001))
    till.run(till.desk.sell("u1", SaleRequest(receipt=Receipt(lines=lines), member=ANNA)))
    first = give_back(till, "r1", *(line(number, 1000) for number in range(1, 5_001)))
    second = give_back(till, "r2")
    assert len(first.reversal.lines) == len(second.reversal.lines) == 5_000
    assert balance(till) == 500


def test_the_answer_speaks_the_language_asked_for() -> None:
    """Return and void have no language in their body; the bridge passes it."""
    till = sold_till(10_000)
    assert give_back(till, "r1", language="en").messages[0].text == "Earned points taken back: 5 points."
