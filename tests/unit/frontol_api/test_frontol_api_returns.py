"""Goods that come back by Frontol: by the original's uid and positions, from this till or another, with or without."""

from typing import Any

import pytest

from fakes.till import ANNA_PHONE
from kit.frontol_documents import UID, position
from unit.frontol_api.frontol_api_till import SALE, FrontolTill, bonus, cash

ANNA = {"mobilePhone": ANNA_PHONE}
BACK = "{AAAAAAAA-0000-0000-0000-000000000001}"
ELSEWHERE = "{CCCCCCCC-0000-0000-0000-000000000001}"
BACK_UID = "aaaaaaaa-0000-0000-0000-000000000001"


@pytest.fixture
def till() -> FrontolTill:
    """A till that sold two lines, 20 of the points."""
    made = FrontolTill()
    lines = (position(1, 100), position(2, 60, quantity=3))
    made.good("payByBonus", *lines, client=ANNA, payment={"amount": 20})
    made.good("confirm", *lines, client=ANNA, payments=[bonus(20), cash(140)])
    return made


def refund(till: FrontolTill, *positions: Any, **fields: Any) -> Any:
    more = {"uid": BACK, "type": "refundReceipt", "referenceUid": UID, "client": ANNA} | fields
    return till.document("confirm", *positions, **more)


def test_a_part_comes_back_by_the_originals_positions(till: FrontolTill) -> None:
    answer = refund(till, position(1, 20, referenceIndex=2, quantity=1))
    assert answer["code"] == 0
    body = till.back(BACK_UID)
    assert body.sale_uid == SALE
    assert [(row.number, row.quantity_thousandths, row.amount_minor) for row in body.reversal.lines] == [
        (2, 1000, 2000)
    ]
    assert answer["printingInformation"]
    assert till.slips.enqueued == []


def test_the_same_refund_again_is_a_success_again(till: FrontolTill) -> None:
    """Also after a restart; nothing comes back twice."""
    first = refund(till, position(1, 100, referenceIndex=1))
    till.restart()
    assert refund(till, position(1, 100, referenceIndex=1)) == first
    assert len([each for each in till.journal.reader.recent(9) if each.kind == "return"]) == 1


def test_amounts_with_a_minus_are_the_same_goods(till: FrontolTill) -> None:
    refund(till, position(1, -20, referenceIndex=2, quantity=-1, price=20), payments=[cash(-20)])
    assert till.back(BACK_UID).reversal.lines[0].quantity_thousandths == 1000


def test_positions_without_a_reference_are_known_by_their_goods(till: FrontolTill) -> None:
    refund(till, position(1, 20, id="sku-2", quantity=1))
    assert till.back(BACK_UID).reversal.lines[0].number == 2


def test_all_comes_back_when_no_position_is_named(till: FrontolTill) -> None:
    refund(till)
    assert sum(row.amount_minor for row in till.back(BACK_UID).reversal.lines) == 16_000


def test_two_positions_of_one_line_are_added(till: FrontolTill) -> None:
    refund(till, position(1, 20, referenceIndex=2), position(2, 20, referenceIndex=2))
    assert till.back(BACK_UID).reversal.lines[0].quantity_thousandths == 2000


@pytest.mark.parametrize(
    ("reference", "line", "says"),
    [
        (UID, 9, "Такого товара нет в этом чеке. Проверьте чек."),
        ("{BBBBBBBB-0000-0000-0000-000000000009}", 1, "Чек не найден."),
        ("", 1, "Возврат без чека: бонусы не изменились."),
    ],
)
def test_what_can_not_be_counted_does_not_stop_a_refund(
    till: FrontolTill, reference: str, line: int, says: str
) -> None:
    """The money is with the customer already."""
    answer = refund(till, position(1, 20, referenceIndex=line), referenceUid=reference)
    assert answer["code"] == 0
    assert answer["cashierInformation"][0]["text"].startswith(says)
    assert till.entry("return", BACK_UID) is None


def test_more_than_was_sold_does_not_come_back(till: FrontolTill) -> None:
    answer = refund(till, position(1, 100, referenceIndex=2, quantity=4))
    assert [each["text"] for each in answer["cashierInformation"]] == [
        "Нельзя вернуть больше, чем продано. Можно вернуть: 3."
    ]


def test_another_tills_sale_without_a_line_is_to_be_sent_again(till: FrontolTill) -> None:
    """The same call succeeds once the line is back: so it is an error, and Frontol keeps it."""
    till.sales.online = False
    answer = refund(till, position(1, 20, referenceIndex=1), referenceUid=ELSEWHERE)
    assert answer["code"] == 603
    assert till.entry("return", BACK_UID) is None


def test_another_tills_sale_comes_back_here(till: FrontolTill) -> None:
    """The cloud tells what was sold there."""
    sold = FrontolTill()
    sold.good("confirm", position(1, 100), uid=ELSEWHERE, client=ANNA, payments=[cash(100)])
    body = sold.sale(ELSEWHERE.strip("{}").lower())
    till.sales.know(body.uid, body.result, member="m-anna")
    answer = refund(till, position(1, 100, referenceIndex=1), referenceUid=ELSEWHERE)
    assert answer["code"] == 0
    assert till.back(BACK_UID).reversal.points_taken == 5


def test_calculating_a_refund_discounts_nothing(till: FrontolTill) -> None:
    answer = till.good("calculate", position(1, 20), type="refundReceipt", referenceUid=UID, uid=BACK, client=ANNA)
    assert "document" not in answer
    more = {"type": "refundReceipt", "uid": BACK, "client": ANNA, "payment": {"amount": 1}}
    refused = till.document("payByBonus", position(1, 20), **more)
    assert refused["code"] == 100


def test_the_same_goods_on_two_lines_come_back_one_by_one() -> None:
    """Without a reference: what came back before is taken into account, and so is a line that another one names."""
    till = FrontolTill()
    lines = [position(number, 100, id="tea") for number in (1, 2, 3)]
    till.good("confirm", *lines, client=ANNA, payments=[cash(300)])
    answers = [refund(till, position(1, 100, id="tea"), uid=f"back-{number}") for number in (1, 2)]
    assert [each.get("cashierInformation") for each in answers] == [None, None]
    assert [till.back(f"back-{number}").reversal.lines[0].number for number in (1, 2)] == [1, 2]


def test_pieces_of_several_lines_come_back_in_one_position() -> None:
    till = FrontolTill()
    lines = [position(1, 100, id="tea"), position(2, 200, id="tea", quantity=2), position(3, 100, id="tea")]
    till.good("confirm", *lines, client=ANNA, payments=[cash(400)])
    refund(till, position(1, 100, id="tea", referenceIndex=1), position(2, 300, id="tea", quantity=3))
    rows = till.back(BACK_UID).reversal.lines
    assert [(row.number, row.quantity_thousandths) for row in rows] == [(1, 1000), (2, 2000), (3, 1000)]


def test_positions_of_no_quantity_bring_nothing_back(till: FrontolTill) -> None:
    """To name no line means all of them; that is not what was asked for."""
    answer = refund(till, position(1, 10, referenceIndex=1, quantity=0))
    assert answer["code"] == 0
    assert answer["cashierInformation"]
    assert till.entry("return", BACK_UID) is None
