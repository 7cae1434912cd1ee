"""Receipts of Frontol: discounts, points, and sales that are committed whatever else is wrong with them."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from fakes.till import ANNA_CARD, ANNA_PHONE, PROGRAMME, anna
from kit.frontol_documents import UID, document, position
from till_agent.frontol.drafts import Draft, Drafts, SeenLine
from till_loyalty.programme import Redemption, Rule
from till_loyalty.rule_parts import Discount
from unit.frontol_api.frontol_api_till import SALE, FrontolTill, bonus, cash

ANNA = {"mobilePhone": ANNA_PHONE}
TEN_PERCENT = Rule(id="ten", discount=Discount(percent_basis_points=1000))
DISCOUNTED = replace(PROGRAMME, rules=(*PROGRAMME.rules, TEN_PERCENT))
DAY_MS = 86_400_000
HOUR_MS = 3_600_000


def column(answer: Any, name: str) -> list[Decimal]:
    return [row[name] for row in answer["document"]["positions"]]


def windows(answer: Any) -> list[str]:
    return [each["text"] for each in answer.get("cashierInformation", [])]


def spend(till: FrontolTill, amount: Any, *positions: Any, **fields: Any) -> Any:
    payment = {"mode": "nonFiscal", "amount": amount}
    return till.document("payByBonus", *positions, client=ANNA, payment=payment, **fields)


def test_calculate_tells_each_position_its_discount_and_what_points_may_pay() -> None:
    till = FrontolTill(programme=DISCOUNTED)
    answer = till.good("calculate", position(1, 100.5), position(4, "49,50"), client=ANNA)
    assert answer["document"]["positions"] == [
        {"index": 1, "discountAmount": Decimal("10.05")},
        {"index": 4, "discountAmount": Decimal("4.95")},
    ]
    # Half of what is left may be paid by points, whole points only.
    assert answer["client"] == {"mobilePhone": ANNA_PHONE, "availableAmount": Decimal("67.00")}
    assert till.journal.reader.recent(9) == []


def test_a_receipt_of_nobody_is_calculated_too() -> None:
    """With the discounts that all have, and no client in the answer."""
    till = FrontolTill(programme=DISCOUNTED)
    answer = till.good("calculate", position(1, 100))
    assert answer == {"code": 0, "document": {"positions": [{"index": 1, "discountAmount": Decimal("10.00")}]}}


def test_a_recalculation_does_not_take_a_discount_off_twice() -> None:
    """Whether Frontol sends a position at its price before our discount or after it."""
    till = FrontolTill(programme=DISCOUNTED)
    first = till.good("calculate", position(1, 100), client=ANNA)
    again = till.good("calculate", position(1, 100, totalAmount=90), position(2, 50), client=ANNA)
    assert column(first, "discountAmount") == [Decimal("10.00")]
    assert column(again, "discountAmount") == [Decimal("10.00"), Decimal("5.00")]


def test_nothing_is_told_twice_about_one_receipt() -> None:
    """Each window has to be closed by the cashier."""
    till = FrontolTill()
    till.gateway.online = False
    assert len(windows(till.good("calculate", position(1, 100), client=ANNA))) == 1
    assert windows(till.good("calculate", position(1, 100), position(2, 5), client=ANNA)) == []


def test_points_are_split_over_the_positions_to_the_kopeck() -> None:
    till = FrontolTill()
    lines = (position(1, "33.33"), position(2, "33.33"), position(3, "33.34"))
    till.good("calculate", *lines, client=ANNA)
    answer = spend(till, 50, *lines)
    assert sum(column(answer, "paidAmount")) == 50
    assert [stored.points for stored in till.holds.unresolved()] == [50]
    assert till.holds.unresolved()[0].sale_uid == SALE


def test_a_position_is_not_paid_below_its_minimum_price() -> None:
    """The minimum is of one piece; two pieces may not cost less than twice that."""
    till = FrontolTill()
    lines = (position(1, 100, price=50, quantity=2, minimumPrice="49.99"), position(2, 100))
    answer = spend(till, 50, *lines)
    paid = column(answer, "paidAmount")
    assert sum(paid) == 50
    assert paid[0] <= Decimal("0.02")


def test_more_than_the_receipt_bears_is_refused_with_what_it_bears() -> None:
    till = FrontolTill()
    answer = spend(till, 51, position(1, 100))
    assert (answer["code"], answer["error"]) == (702, "Столько списать нельзя. Можно списать: 50 бонусов.")
    assert spend(till, 1000, position(1, 100)) == answer  # more than she has, but the receipt bears still less
    assert spend(till, 501, position(1, 5000))["code"] == 708
    assert till.holds.unresolved() == []


@pytest.mark.parametrize("wish", [0.5, "10,01", 500.000001])
def test_points_that_are_no_whole_ones_are_refused(wish: Any) -> None:
    till = FrontolTill()
    assert spend(till, wish, position(1, 100))["code"] == 702
    assert till.holds.unresolved() == []


def test_paying_by_points_again_changes_nothing() -> None:
    """The same call after a lost answer, and a second payment that the document lists beside the first."""
    till = FrontolTill()
    first = spend(till, 20, position(1, 100))
    assert spend(till, 20, position(1, 100)) == first
    assert [stored.points for stored in till.holds.unresolved()] == [20]
    more = spend(till, 10, position(1, 100), payments=[bonus(20)])
    assert sum(column(more, "paidAmount")) == 30
    assert [stored.points for stored in till.holds.unresolved()] == [30]


def test_cancelling_gives_the_points_back_and_may_be_repeated() -> None:
    till = FrontolTill()
    spend(till, 20, position(1, 100))
    for _ in range(2):
        assert till.document("cancelBonusPayment", position(1, 100), client=ANNA, payments=[bonus(20)]) == {"code": 0}
    assert till.holds.unresolved() == []
    assert till.good("calculate", position(1, 100), client=ANNA)["client"]["availableAmount"] == 50


def test_nobody_can_pay_by_points() -> None:
    answer = FrontolTill().document("payByBonus", position(1, 100), payment={"amount": 10})
    assert (answer["code"], answer["error"]) == (308, "Введите телефон или карту покупателя.")


def test_without_a_line_only_what_was_granted_is_spent() -> None:
    till = FrontolTill(
        programme=replace(PROGRAMME, redemption=Redemption(max_share_basis_points=5000, offline="grant"))
    )
    till.gateway.online = False
    assert spend(till, 20, position(1, 100))["code"] == 203
    till.lend(30)
    assert till.good("calculate", position(1, 100), client=ANNA)["client"]["availableAmount"] == 30
    assert spend(till, 40, position(1, 100))["code"] == 710
    assert sum(column(spend(till, 20, position(1, 100)), "paidAmount")) == 20
    till.good("confirm", position(1, 100), client=ANNA, payments=[bonus(20), cash(80)])
    assert (till.sale().result.redeemed_points, till.sale().cover) == (20, "grant")


def test_a_receipt_is_sold_with_discount_and_points() -> None:
    """Positions at their prices after our discount, points as a payment: all figures are as they were told."""
    till = FrontolTill(programme=DISCOUNTED)
    till.good("calculate", position(1, 100), position(2, 50), client=ANNA)
    spend(till, 20, position(1, 100, totalAmount=90), position(2, 50, totalAmount=45))
    after = (position(1, 100, totalAmount=90), position(2, 50, totalAmount=45))
    answer = till.good(
        "confirm", *after, client=ANNA, payments=[bonus(20), cash(100), {"type": "creditCard", "amount": 15}]
    )
    sale = till.sale()
    assert [line.amount_minor for line in sale.receipt.lines] == [10_000, 5_000]
    assert (sale.result.discount_minor, sale.result.redeemed_points, sale.result.payable_minor) == (1_500, 20, 11_500)
    assert [(each.kind, each.amount_minor) for each in sale.payments] == [("cash", 10_000), ("card", 1_500)]
    assert (sale.number, sale.shift, sale.cashier) == ("345", "12", "Иванова")
    assert sale.clock.local_time == "2017-12-23T14:05:00"
    assert till.holds.unresolved() == []
    assert answer["printingInformation"] != ["Иванова"]
    assert till.slips.enqueued == []  # Frontol has the printer


def test_positions_may_lack_the_points_too() -> None:
    """Some tills take what points paid off the positions; the money is the same."""
    till = FrontolTill(programme=DISCOUNTED)
    till.good("calculate", position(1, 100), position(2, 50), client=ANNA)
    paid = column(spend(till, 20, position(1, 100), position(2, 50)), "paidAmount")
    left = (position(1, 100, totalAmount=90 - paid[0]), position(2, 50, totalAmount=45 - paid[1]))
    shown = [each | {"totalAmount": str(each["totalAmount"])} for each in left]
    till.good("confirm", *shown, client=ANNA, payments=[bonus(20), cash(115)])
    sale = till.sale()
    assert [line.amount_minor for line in sale.receipt.lines] == [10_000, 5_000]
    assert (sale.result.discount_minor, sale.result.payable_minor) == (1_500, 11_500)


@pytest.mark.parametrize(("total", "rounded"), [("80.75", "80"), (100.75, "80")])
def test_without_a_draft_the_money_tells_whether_positions_lack_the_points(total: Any, rounded: str) -> None:
    """Also where the till rounds the receipt down."""
    till = FrontolTill()
    paid = [bonus(20), cash(rounded)]
    till.good("confirm", position(1, total, price=total, discardedAmount="0.75"), client=ANNA, payments=paid)
    assert (till.sale().receipt.total_minor, till.sale().result.redeemed_points) == (10_075, 20)


def test_a_discount_that_frontol_did_not_take_is_none() -> None:
    till = FrontolTill(programme=DISCOUNTED)
    till.good("calculate", position(1, 100), position(2, 50), client=ANNA)
    till.good("confirm", position(1, 100), position(2, 50, totalAmount="45.01"), client=ANNA, payments=[cash("145.01")])
    sale = till.sale()
    assert [line.discount_minor for line in sale.result.lines] == [0, 499]
    assert sale.result.payable_minor == 14_501


def test_payments_outside_the_fiscal_receipt_are_no_money() -> None:
    till = FrontolTill()
    paid = [
        cash(60),
        {"type": "other", "mode": "nonFiscal", "amount": 40},
        {"type": "other", "mode": "fiscal", "amount": 1},
    ]
    till.good("confirm", position(1, 101), payments=paid)
    assert [(each.kind, each.amount_minor) for each in till.sale().payments] == [("cash", 6_000), ("other", 100)]


def test_the_agent_restarted_in_mid_receipt_finds_what_it_held() -> None:
    """Drafts are gone; hold and discounts are found again, and the next calls go on."""
    till = FrontolTill(programme=DISCOUNTED)
    till.good("calculate", position(1, 100), client=ANNA)
    spend(till, 20, position(1, 100, totalAmount=90))
    till.restart()
    till.good("confirm", position(1, 100, totalAmount=90), client=ANNA, payments=[bonus(20), cash(70)])
    sale = till.sale()
    assert (sale.result.redeemed_points, sale.result.discount_minor, sale.result.payable_minor) == (20, 1_000, 7_000)
    assert till.holds.unresolved() == []


def test_the_agent_restarted_before_points_are_paid_takes_no_discount_twice() -> None:
    till = FrontolTill(programme=DISCOUNTED)
    till.good("calculate", position(1, 100), client=ANNA)
    till.restart()
    assert sum(column(spend(till, 45, position(1, 100, totalAmount=90)), "paidAmount")) == 45


def test_a_hold_that_ran_out_is_had_again_at_the_end() -> None:
    till = FrontolTill()
    spend(till, 20, position(1, 100))
    till.clock.advance(2 * HOUR_MS)
    till.run(till.desk.release_abandoned())
    till.gateway.reserved.clear()
    answer = till.good("confirm", position(1, 100), client=ANNA, payments=[bonus(20), cash(80)])
    assert till.sale().result.redeemed_points == 20
    assert windows(answer) == []


def test_a_receipt_whose_points_can_no_more_be_taken_is_sold_all_the_same() -> None:
    """The customer has gone: nothing of it is lost, the cashier is told, and so is store IT."""
    till = FrontolTill()
    spend(till, 20, position(1, 100))
    till.clock.advance(2 * HOUR_MS)
    till.run(till.desk.release_abandoned())
    till.gateway.online = False
    answer = till.good("confirm", position(1, 100), client=ANNA, payments=[bonus(20), cash(80)])
    assert windows(answer) == [
        "Оплата бонусами на 20,00 в чеке есть, а со счёта они не сняты. Сообщите администратору."
    ]
    sale = till.sale()
    assert (sale.result.redeemed_points, sale.subject.member_id, sale.receipt.total_minor) == (0, "m-anna", 10_000)


def test_a_receipt_that_shrank_after_it_was_paid_gives_what_it_bears() -> None:
    """Half of 60 at most: the other 20 are told."""
    till = FrontolTill()
    spend(till, 50, position(1, 100))
    answer = till.good("confirm", position(1, 60), client=ANNA, payments=[bonus(50), cash(10)])
    assert till.sale().result.redeemed_points == 30
    assert windows(answer) == [
        "Оплата бонусами на 20,00 в чеке есть, а со счёта они не сняты. Сообщите администратору."
    ]
    assert till.holds.unresolved() == []


def test_points_that_frontol_spent_without_asking_are_taken_if_they_can_be() -> None:
    till = FrontolTill()
    till.good("confirm", position(1, 100), client=ANNA, payments=[bonus(30), cash(70)])
    assert till.sale().result.redeemed_points == 30


def test_abandoned_receipts_give_their_points_back() -> None:
    """Nothing follows a calculate or payByBonus: after the receipt's life the points are free."""
    till = FrontolTill(life_s=600)
    spend(till, 20, position(1, 100))
    till.clock.advance(601_000)
    till.run(till.desk.release_abandoned())
    assert till.holds.unresolved() == []
    later = till.good("calculate", position(1, 50), uid="other")
    assert later["code"] == 0


def test_a_receipt_of_nobody_is_counted() -> None:
    till = FrontolTill()
    assert till.good("confirm", position(1, 100), client={}, payments=[cash(100)]) == {"code": 0}
    assert till.sale().subject.key == ""


@pytest.mark.parametrize("client", [{"card": "4276123412341234"}, {"mobilePhone": "12"}, {"card": "29000000000181"}])
def test_a_card_that_can_not_be_read_does_not_stop_a_sale(client: Any) -> None:
    """At calculate it is refused in words; at the end the receipt is sold as nobody's, and the cashier is told."""
    till = FrontolTill()
    refused = till.document("calculate", position(1, 100), client=client)
    assert refused["code"] in (300, 302)
    answer = till.good("confirm", position(1, 100), client=client, payments=[cash(100)])
    assert windows(answer) == ["Карта в чеке не учтена: номер не подошёл. Бонусы не начислены."]
    assert till.sale().subject.key == ""


def test_a_phone_in_the_cards_field_is_a_phone() -> None:
    """Cashiers key what they are told into the window that is open."""
    till = FrontolTill()
    assert till.good("confirm", position(1, 100), client={"card": "89161231234"}, payments=[cash(100)])["code"] == 0
    assert till.sale().subject.member_id == "m-anna"


def test_the_same_receipt_again_gets_the_same_answer() -> None:
    """For as long as the journal lives; also after a restart, and in another spelling of its uid."""
    till = FrontolTill()
    raw = json.dumps(document("confirm", position(1, 100), client=ANNA, payments=[cash(100)])).encode()
    first = till.raw("/frontol/document", raw)
    assert till.raw("/frontol/document", raw) == first
    till.restart()
    till.clock.advance(30 * DAY_MS)
    assert till.raw("/frontol/document", raw) == first
    assert till.raw("/frontol/document/", raw.replace(UID.encode(), SALE.encode())) == first
    assert len(till.journal.reader.recent(9)) == 1
    assert first[0] == 200


def test_another_body_under_the_same_uid_changes_nothing() -> None:
    """The first counts; the cashier is told; Frontol has its success and stops asking."""
    till = FrontolTill()
    till.good("confirm", position(1, 100), client=ANNA, payments=[cash(100)])
    stored = till.sale()
    answer = till.good("confirm", position(1, 200), client=ANNA, payments=[cash(200)])
    assert windows(answer) == ["Этот чек уже проведён. В бонусной программе он остался прежним."]
    assert till.sale() == stored
    assert len(till.journal.reader.recent(9)) == 1


def test_a_receipt_without_a_uid_is_known_by_its_numbers() -> None:
    till = FrontolTill()
    for _ in range(2):
        till.good("confirm", position(1, 100), uid="", payments=[cash(100)])
    assert till.sale("f-1-12-345").receipt.total_minor == 10_000
    assert len(till.journal.reader.recent(9)) == 1


def test_a_full_disk_stops_receipts_of_members_only() -> None:
    """Nobody's goes on, and is not kept; a member's is to be sent again."""
    till = FrontolTill()
    till.journal.broken = True
    nobodys = till.good("confirm", position(1, 100), payments=[cash(100)])
    assert windows(nobodys) == [
        "Покупку не удалось записать в бонусную программу. Продолжайте и сообщите администратору."
    ]
    assert till.document("confirm", position(1, 100), client=ANNA, payments=[cash(100)])["code"] == 201
    till.journal.broken = False
    till.good("confirm", position(1, 100), client=ANNA, payments=[cash(100)])
    assert till.sale().subject.member_id == "m-anna"


def test_before_the_enrolment_nobodys_receipts_go_on() -> None:
    till = FrontolTill(enrolled=False)
    assert till.good("confirm", position(1, 100), payments=[cash(100)]) == {"code": 0}
    for action in ("calculate", "payByBonus", "confirm"):
        assert till.document(action, position(1, 100), client=ANNA, payment={"amount": 1})["code"] == 200


def test_before_the_first_programme_sales_are_counted() -> None:
    till = FrontolTill(programme=None)
    assert till.good("calculate", position(1, 100), client={"card": ANNA_CARD})["client"]["availableAmount"] == 0
    till.good("confirm", position(1, 100), client={"card": ANNA_CARD}, payments=[cash(100)])
    assert till.sale().result.programme_id == ""


def test_a_blocked_member_is_sold_to_without_points() -> None:
    till = FrontolTill()
    till.know(anna(status="blocked", position=2))
    assert spend(till, 10, position(1, 100))["code"] == 306
    till.good("confirm", position(1, 100), client=ANNA, payments=[bonus(10), cash(90)])
    assert till.sale().result.redeemed_points == 0


def test_turns_are_taken_by_uid() -> None:
    """One call at a time for a receipt, others beside it; nothing is kept of those that are done."""
    drafts = Drafts(1000)
    seen: list[str] = []

    async def call(uid: str, name: str) -> None:
        async with drafts.turn(uid):
            seen.append(f"{name} in")
            for _ in range(3):
                await asyncio.sleep(0)
            seen.append(f"{name} out")

    async def all_at_once() -> None:
        await asyncio.gather(call("a", "first"), call("a", "second"), call("b", "other"))

    asyncio.run(all_at_once())
    assert seen.index("first out") < seen.index("second in")
    assert seen.index("other in") < seen.index("first out")
    assert drafts.turns == 0


def test_drafts_are_bounded() -> None:
    """By number and by their lines; the newest stays, whatever its size."""
    drafts = Drafts(1000)
    for number in range(200):
        drafts.put(str(number), Draft(), number)
    assert len(drafts) == 64
    lines = {number: SeenLine(1000, 1) for number in range(15_000)}
    drafts.put("large", Draft(lines=lines), 200)
    drafts.put("larger", Draft(lines=lines), 201)
    assert drafts.get("large", 201) is None
    assert drafts.get("larger", 1200) is not None
    assert drafts.get("larger", 1201) is None
