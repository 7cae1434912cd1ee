"""The scenario at a real agent: members, lines that change, points as a payment, returns, voids, and the slip."""

from typing import Any

import pytest

from integration.frontol_script.frontol_script_kit import DISCOUNT, MARKETING, PAYMENT, POINTS, Answer, Host
from kit.chain import ANNA, BORIS, CLARA, DINA, STRANGER_CARD
from kit.waiting import wait_for
from kit.world import Till

BREAD = {"code": 11, "name": "Хлеб «Бородинский»", "price": 19.99, "quantity": 3}
MILK = {"code": 12, "name": "Milk", "price": 40.1, "quantity": 1.255}
COFFEE = {"code": 13, "price": 60, "groups": [{"code": 5, "name": "COFFEE"}, {"code": 2, "name": "GROCERY"}]}


@pytest.fixture
def frontol(host: Host, till: Till) -> Host:
    """A Frontol whose scenario talks to the till; points are a payment."""
    return fresh(host, till, PAYMENT)


def fresh(host: Host, till: Till, settings: Answer, **options: Any) -> Host:
    mine = {"port": till.port, "token": till.pos.token, **settings}
    return host.new(mine, http={"mode": "real"}, **options)


def balance(till: Till, card: str) -> int:
    points: int = till.pos.identify(card=card)["balance_points"]
    return points


def spendable(till: Till, card: str, points: int) -> bool:
    """Whether so many may be spent, once the cloud has heard of holds that were made and given back."""

    def found() -> bool:
        till.admin.ask("POST", "/v1/sync")
        return bool(till.pos.identify(card=card)["spendable_points"] == points)

    return wait_for(found, f"{points} points to be spendable")


def rested(till: Till, card: str) -> int:
    """What may be spent while nothing is held."""
    found: dict[str, Any] = till.pos.identify(card=card)
    spendable(till, card, found["balance_points"])
    return int(found["balance_points"])


def sold(frontol: Host, till: Till) -> Answer:
    """The sale of the receipt that was closed last, as the agent has it."""
    found: Answer = till.pos.ask("GET", f"/v1/sales/{frontol.seen['closedValues']['tillsideUid']}")
    return found


def test_a_card_and_lines_that_change_end_as_the_sale_that_frontol_closed(frontol: Host, till: Till) -> None:
    """Storno lines are nobody's; fractions come to the kopeck; the cashier reads who it is."""
    frontol.open(card=ANNA.card)
    assert "may be spent" in frontol.seen["said"][0]
    assert frontol.seen["values"]["tillsideBalance"] == f"{balance(till, ANNA.card) / 100:.2f}"
    frontol.tell("addPosition", **BREAD)
    frontol.tell("addPosition", **MILK)
    frontol.tell("addPosition", code=14, price=5, storno=1)
    frontol.tell("changePosition", index=1, quantity=2)
    frontol.close()
    (body,) = frontol.bodies("PUT", "/v1/sales/")
    assert [(row["number"], row["sku"], row["amount_minor"]) for row in body["receipt"]["lines"]] == [
        (1, "11", 3998),
        (2, "12", 5033),
    ]
    assert body["receipt"]["lines"][0]["name"] == BREAD["name"]
    assert body["receipt"]["lines"][1]["quantity_thousandths"] == 1255
    assert body["receipt"]["lines"][0]["category"] == ["2", "21"]
    assert body["payments"] == [{"kind": "cash", "amount_minor": 9031}]
    assert body["cashier"] == "7"
    sale = sold(frontol, till)["sale"]
    assert sale["calculation"]["total_minor"] == 9031
    assert sale["member"]["reference"] == ANNA.member_id
    assert sale["calculation"]["earned_points"] > 0


def test_a_receipt_without_a_card_is_counted_too(frontol: Host, till: Till) -> None:
    """A return needs it; nobody is asked or told anything."""
    frontol.open(MILK)
    seen = frontol.close()
    assert seen["said"] == []
    assert [call["status"] for call in seen["calls"] if call["method"] == "PUT"] == [200]
    assert "member" not in sold(frontol, till)["sale"] or sold(frontol, till)["sale"]["member"] is None


def test_a_payment_by_points_is_reserved_first_and_spent_by_the_sale(frontol: Host, till: Till) -> None:
    """The rest is cash, given in a larger note; its change is no payment."""
    before = rested(till, ANNA.card)
    frontol.open(BREAD, card=ANNA.card)
    assert frontol.does("addPayment", code=POINTS, amount=12.34)
    assert [payment["amount"] for payment in frontol.seen["payments"]] == [12.34]
    assert spendable(till, ANNA.card, before - 1234)
    frontol.tell("payRest", given=100)
    assert frontol.does("close")
    (body,) = frontol.bodies("PUT", "/v1/sales/")
    assert (body["redeem_points"], body["payments"]) == (1234, [{"kind": "cash", "amount_minor": 4763}])
    sale = sold(frontol, till)["sale"]
    assert sale["calculation"]["redeemed_minor"] == 1234
    assert balance(till, ANNA.card) == before - 1234 + sale["calculation"]["earned_points"]


def test_a_wish_above_the_limit_becomes_what_points_may_pay(frontol: Host, till: Till) -> None:
    """Half a receipt: the cashier's payment is taken back, the scenario's stands, and the cashier reads the sum."""
    frontol.open(BREAD, card=ANNA.card)
    assert not frontol.does("addPayment", code=POINTS, amount=59.97)
    (payment,) = frontol.seen["payments"]
    assert payment["amount"] == pytest.approx(29.98)
    assert frontol.seen["said"] == ["Points can pay only 29.98."]
    frontol.close()
    assert sold(frontol, till)["sale"]["calculation"]["redeemed_minor"] == 2998


def test_points_are_asked_for_by_a_key(frontol: Host, till: Till) -> None:
    """The question names the most; nonsense is told; what was keyed is paid."""
    frontol.open(BREAD, card=ANNA.card)
    frontol.tell("key", name="tillsideRedeem", inputs=["ten"])
    assert (frontol.seen["payments"], len(frontol.seen["said"])) == ([], 1)
    assert "29.98" in frontol.seen["asked"][0]
    frontol.tell("key", name="tillsideRedeem", inputs=["10,5"])
    assert [payment["amount"] for payment in frontol.seen["payments"]] == [10.5]
    frontol.close()
    assert sold(frontol, till)["sale"]["calculation"]["redeemed_minor"] == 1050


def test_a_payment_by_points_that_is_taken_back_gives_the_points_back(frontol: Host, till: Till) -> None:
    """And the receipt is sold for money."""
    before = rested(till, ANNA.card)
    frontol.open(BREAD, card=ANNA.card)
    frontol.tell("addPayment", code=POINTS, amount=10)
    assert frontol.does("stornoPayment", code=POINTS)
    assert spendable(till, ANNA.card, before)
    frontol.close()
    assert "hold" not in frontol.bodies("PUT", "/v1/sales/")[0]


@pytest.mark.parametrize("has_document", [True, False])
def test_a_cancelled_receipt_gives_the_points_back(frontol: Host, till: Till, has_document: bool) -> None:
    """Whether Frontol still has the document afterwards or not."""
    before = rested(till, ANNA.card)
    frontol.open(BREAD, card=ANNA.card)
    frontol.tell("addPayment", code=POINTS, amount=10)
    assert spendable(till, ANNA.card, before - 1000)
    assert frontol.does("cancel", hasDocumentAfter=has_document)
    assert spendable(till, ANNA.card, before)


def test_a_closed_receipt_that_is_cancelled_is_voided(frontol: Host, till: Till) -> None:
    """Earned points go, spent ones come back."""
    before = balance(till, ANNA.card)
    frontol.open(BREAD, card=ANNA.card)
    frontol.tell("addPayment", code=POINTS, amount=10)
    frontol.close()
    assert balance(till, ANNA.card) != before
    assert frontol.does("cancelClosed")
    assert sold(frontol, till)["state"] == "voided"
    assert balance(till, ANNA.card) == before


def test_goods_come_back_by_the_base_document(frontol: Host, till: Till) -> None:
    """Part of a line, then the rest: together exactly the whole. The sale is found by the key in its values."""
    frontol.open(BREAD, MILK, card=CLARA.card)
    frontol.close()
    uid = frontol.seen["closedValues"]["tillsideUid"]
    frontol.open({**BREAD, "quantity": 1}, type=2, base="last")
    frontol.close()
    (body,) = frontol.bodies("PUT", "/v1/returns/")
    assert body["sale_uid"] == uid == frontol.seen["closedValues"]["tillsideBase"]
    assert body["lines"] == [{"number": 1, "quantity_thousandths": 1000}]
    assert till.pos.ask("GET", f"/v1/sales/{uid}")["state"] == "returned_in_part"
    assert frontol.seen["said"], "the agent says which points were taken back"


def test_all_goods_come_back_and_the_balance_is_what_it_was(frontol: Host, till: Till) -> None:
    """The same goods on two lines of the sale are told apart by what is left of each."""
    before = balance(till, CLARA.card)
    frontol.open(BREAD, BREAD, card=CLARA.card)
    frontol.tell("addPayment", code=POINTS, amount=3)
    frontol.close()
    uid = frontol.seen["closedValues"]["tillsideUid"]
    frontol.open({**BREAD, "quantity": 6}, type=2, base="last")
    frontol.close()
    assert frontol.bodies("PUT", "/v1/returns/")[0]["lines"] == [
        {"number": 1, "quantity_thousandths": 3000},
        {"number": 2, "quantity_thousandths": 3000},
    ]
    assert till.pos.ask("GET", f"/v1/sales/{uid}")["state"] == "returned"
    assert balance(till, CLARA.card) == before


def test_goods_that_the_sale_does_not_have_are_left_to_the_report(frontol: Host) -> None:
    """The return goes on; the cashier reads that store IT will find it. One without a receipt says nothing."""
    frontol.open(BREAD)
    frontol.close()
    frontol.open(COFFEE, type=2, base="last")
    seen = frontol.close()
    assert frontol.bodies("PUT", "/v1/returns/") == []
    assert "sales report" in seen["said"][0]
    frontol.open(COFFEE, type=2)
    assert frontol.close()["calls"] == []


def test_a_phone_is_keyed_and_kept_nowhere(frontol: Host, till: Till) -> None:
    """What the document keeps is the member's reference and masked name."""
    frontol.open(MILK)
    frontol.tell("key", name="tillsidePhone", inputs=[ANNA.phone])
    assert frontol.seen["values"]["tillsideWho"] == ANNA.member_id
    seen = frontol.close()
    assert ANNA.phone[-7:] not in str(seen["closedValues"])
    assert sold(frontol, till)["sale"]["member"]["reference"] == ANNA.member_id


@pytest.mark.parametrize(("card", "said"), [("4111111111111111", "bank card"), ("12", "not recognised")])
def test_a_card_that_is_none_is_told_in_the_agents_words(frontol: Host, till: Till, card: str, said: str) -> None:
    """And asked about once; the sale goes on without a member."""
    frontol.open(card=card)
    assert said in frontol.seen["said"][0]
    frontol.tell("addPosition", **MILK)
    frontol.close()
    assert frontol.bodies("POST", "/v1/identify") == []
    assert frontol.bodies("PUT", "/v1/sales/")[0].get("member") is None


def test_the_agents_words_come_in_the_scenarios_language_and_whole(host: Host, till: Till) -> None:
    """Whatever the till's language is, and by whatever encoding the engine reads answers: they are ASCII."""
    frontol = fresh(host, till, PAYMENT | {"language": "kk"})
    frontol.open(card="4111111111111111")
    assert frontol.seen["said"][0].startswith("Бұл банк картасы")
    frontol.tell("addPosition", **MILK)
    frontol.close()
    frontol.open(card=BORIS.card)
    assert "бұғатталған" in frontol.seen["said"][0]


def test_a_stranger_earns_and_a_blocked_member_pays_nothing_by_points(frontol: Host, till: Till) -> None:
    """Neither stops the sale; the agent says why points don't pay."""
    frontol.open(MILK, card=STRANGER_CARD)
    assert not frontol.does("addPayment", code=POINTS, amount=5)
    assert frontol.seen["said"]
    frontol.close()
    assert sold(frontol, till)["sale"]["member"]["known"] is False
    frontol.open(card=BORIS.card)
    assert "blocked" in frontol.seen["said"][0]
    frontol.tell("addPosition", **MILK)
    assert not frontol.does("addPayment", code=POINTS, amount=5)
    frontol.close()
    assert sold(frontol, till)["sale"]["calculation"].get("redeemed_points", 0) == 0


def test_points_without_a_member_are_refused_and_money_is_not(frontol: Host) -> None:
    """The payment is cancelled, not the sale."""
    frontol.open(MILK)
    assert not frontol.does("addPayment", code=POINTS, amount=5)
    assert frontol.seen["said"] == ["Scan the customer's card or enter their phone first."]
    assert frontol.does("addPayment", code=4, amount=20)
    frontol.close()
    assert frontol.bodies("PUT", "/v1/sales/")[0]["payments"] == [
        {"kind": "card", "amount_minor": 2000},
        {"kind": "cash", "amount_minor": 3033},
    ]


def test_another_card_takes_the_points_of_the_first_off_the_receipt(frontol: Host, till: Till) -> None:
    """A hold is one member's; and a member can be taken off again."""
    before = rested(till, ANNA.card)
    frontol.open(BREAD, card=ANNA.card)
    frontol.tell("addPayment", code=POINTS, amount=10)
    frontol.tell("addCard", value=DINA.card)
    assert spendable(till, ANNA.card, before)
    assert not frontol.does("close"), "points of nobody's don't pay"
    frontol.tell("stornoPayment", code=POINTS)
    frontol.tell("key", name="tillsideForget")
    frontol.close()
    assert frontol.bodies("PUT", "/v1/sales/")[0].get("member") is None


def test_the_slip_is_printed_by_the_receipts_template(frontol: Host) -> None:
    """Its lines come from the agent before the receipt is closed; one without a member has none."""
    frontol.open(BREAD, card=ANNA.card)
    frontol.tell("addPayment", code=POINTS, amount=10)
    printed = frontol.close(print=True)["printed"]
    assert len(printed) > 4
    assert any("Test Shop" in line for line in printed)
    assert any("10" in line for line in printed), printed
    frontol.open(BREAD)
    assert frontol.close(print=True)["printed"] == []


def test_points_are_a_discount_that_frontol_rounds(host: Host, till: Till) -> None:
    """Whole roubles here: what was really taken off is what is spent."""
    frontol = fresh(host, till, DISCOUNT, marketing=MARKETING)
    before = balance(till, ANNA.card)
    frontol.open(BREAD, MILK, card=ANNA.card)
    frontol.tell("key", name="tillsideRedeem", inputs=["12,75"])
    assert frontol.seen["total"] == pytest.approx(110.30 - 12)
    frontol.close()
    (body,) = frontol.bodies("PUT", "/v1/sales/")
    assert body["redeem_points"] == 1200
    assert sum(row["amount_minor"] for row in body["receipt"]["lines"]) == 11030
    sale = sold(frontol, till)["sale"]
    assert sale["calculation"]["payable_minor"] == 9830
    assert balance(till, ANNA.card) == before - 1200 + sale["calculation"]["earned_points"]


def test_points_that_no_longer_fit_shrink_with_the_receipt(host: Host, till: Till) -> None:
    """A line is taken out after the points: half of what is left is the most."""
    frontol = fresh(host, till, DISCOUNT, marketing=MARKETING)
    frontol.open(BREAD, MILK, card=ANNA.card)
    frontol.tell("key", name="tillsideRedeem", inputs=["50"])
    frontol.tell("changePosition", index=1, storno=1)
    frontol.close()
    assert frontol.bodies("PUT", "/v1/sales/")[0]["redeem_points"] == 2500
    assert sold(frontol, till)["sale"]["calculation"]["redeemed_minor"] == 2500


def test_a_coupons_discount_is_taken_off_by_frontol_and_named_in_the_sale(host: Host, till: Till) -> None:
    """The line keeps its price before it; the coupon is used up."""
    frontol = fresh(host, till, DISCOUNT | {"categories": "name"}, marketing=MARKETING)
    frontol.open(COFFEE, MILK, card=CLARA.card)
    till.admin.ask("POST", "/v1/sync")
    frontol.tell("key", name="tillsideCoupon", inputs=["COFFEE"])
    seen = frontol.close()
    (body,) = frontol.bodies("PUT", "/v1/sales/")
    assert seen["closedValues"]["tillsideCodes"] == "COFFEE", seen
    assert body["discounts"] == [{"rule": "coffee", "line": 1, "amount_minor": 100}]
    assert body["receipt"]["lines"][0]["amount_minor"] == 6000
    assert sold(frontol, till)["sale"]["calculation"]["coupons"] == ["coffee-coupon"]
