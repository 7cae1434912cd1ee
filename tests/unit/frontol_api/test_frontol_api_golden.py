"""Recorded exchanges: what Frontol sends and what it gets, byte for byte. TILLSIDE_GOLDEN=write writes them anew.

One file a story, in tests/golden/frontol: calls in order, with the answer's status and JSON.
"""

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fakes.confirmations import CODE
from fakes.till import ANNA_CARD, ANNA_PHONE, PROGRAMME
from kit.frontol_documents import UID, document, position
from till_loyalty.programme import Programme, Registration, Rule
from till_loyalty.rule_parts import Coupon, Discount, Who
from unit.frontol_api.frontol_api_till import FrontolTill, bonus, cash

FOLDER = Path(__file__).resolve().parents[2] / "golden" / "frontol"
WRITE = os.environ.get("TILLSIDE_GOLDEN") == "write"
ANNA = {"mobilePhone": ANNA_PHONE}
BACK = "{AAAAAAAA-0000-0000-0000-000000000001}"
NEW = "+79160000077"
MILK = Rule(id="milk", discount=Discount(percent_basis_points=2500), who=Who(coupon="milk-25"))
RULES: Programme = replace(
    PROGRAMME,
    rules=(*PROGRAMME.rules, MILK),
    coupons=(Coupon(id="milk-25", codes=("MILK25",)),),
    registration=Registration(consent_version="2", consent={"ru": "Согласие на обработку данных"}, ask=("name", "sex")),
)
LINES = (position(1, 100.5, coupons=["MILK25"]), position(2, "49,50", quantity="1.000", minimumPrice=40))
SOLD = (
    position(1, 100.5, totalAmount="75.37"),
    position(2, "49.50", totalAmount=40, quantity="1.000", minimumPrice=40),
)
FORM = {"name": "Олег", "sex": "male", "consent": "yes", "way": "code", "code": ""}

Call = tuple[str, Any]


def doc(action: str, *positions: Any, **fields: Any) -> Call:
    return "/document", document(action, *positions, **fields)


def extra(action: str, values: dict[str, str]) -> Call:
    rows = [{"name": name, "value": value} for name, value in values.items()]
    return "/extra/client", {"action": action, "client": {"mobilePhone": NEW}, "values": rows}


STORIES: dict[str, list[Call | str]] = {
    "receipt": [
        doc("calculate", *LINES, client=ANNA),
        doc("payByBonus", *SOLD, client=ANNA, payment={"mode": "nonFiscal", "amount": 20}),
        doc("confirm", *SOLD, client=ANNA, payments=[bonus(20), cash("95.37")]),
        doc("confirm", *SOLD, client=ANNA, payments=[bonus(20), cash("95.37")]),
        doc("confirm", *LINES, client=ANNA, payments=[cash("150.00")]),
    ],
    "cancelled-payment": [
        doc("payByBonus", *LINES, client=ANNA, payment={"amount": "10.00"}),
        doc("cancelBonusPayment", *LINES, client=ANNA, payment={"amount": "10.00"}, payments=[bonus(10)]),
        doc("payByBonus", *LINES, client=ANNA, payment={"amount": 1000}),
        doc("payByBonus", *LINES, payment={"amount": 1}),
    ],
    "restart": [
        doc("calculate", *LINES, client=ANNA),
        doc("payByBonus", *LINES, client=ANNA, payment={"amount": 20}),
        "restart",
        doc(
            "confirm",
            *SOLD,
            uid=UID.strip("{}").lower(),
            coupons=["MILK25"],
            client=ANNA,
            payments=[bonus(20), cash("95.37")],
        ),
    ],
    "offline": [
        "offline",
        doc("calculate", *LINES, client={"card": ANNA_CARD}),
        doc("payByBonus", *LINES, client={"card": ANNA_CARD}, payment={"amount": 10}),
        doc("confirm", *LINES, client={"card": ANNA_CARD}, payments=[cash(150)]),
        ("/client", {"client": {"card": ANNA_CARD}}),
        ("/client", {"client": {"mobilePhone": NEW}}),
        doc("payByBonus", *LINES, client={"mobilePhone": NEW}, payment={"amount": 10}),
    ],
    "refund": [
        doc("confirm", *LINES, client=ANNA, payments=[cash(150)]),
        doc("calculate", position(1, 49.5), type="refundReceipt", uid=BACK, referenceUid=UID, client=ANNA),
        doc("confirm", position(1, 49.5, referenceIndex=2), type="refundReceipt", uid=BACK, referenceUid=UID),
        doc("confirm", position(1, 49.5, referenceIndex=2), type="refundReceipt", uid="r2", referenceUid=UID),
        doc("confirm", position(1, 49.5), type="refundReceipt", uid="r3"),
    ],
    "nobody": [doc("calculate", *LINES), doc("confirm", *LINES, payments=[cash(150)]), doc("confirm", uid="")],
    "client": [
        ("/client", {"client": ANNA}),
        ("/client/", {"client": {"card": "4276123412341234"}}),
        ("/client", {"client": {}}),
        ("/ascii/client", {"client": {"mobilePhone": NEW}}),
        doc("payByBonus", *LINES, client={"mobilePhone": NEW}, payment={"amount": 10}),
    ],
    "registration": [
        ("/extra/client", {"action": "describe", "client": {"mobilePhone": NEW}}),
        extra("check", FORM | {"consent": "no"}),
        extra("check", FORM),
        extra("check", FORM | {"code": "000000"}),
        extra("check", FORM | {"code": CODE}),
        extra("execute", FORM | {"code": CODE}),
        ("/extra/client", {"action": "describe", "client": ANNA}),
    ],
    "bad": [
        ("/document", {"action": "calculate", "positions": [{"index": 1, "totalAmount": -1}]}),
        ("/document", {"action": "explode", "uid": UID}),
        ("/document", [1]),
        ("/elsewhere", {}),
    ],
}


def played(story: str) -> list[dict[str, Any]]:
    till = FrontolTill(programme=RULES)
    rows: list[dict[str, Any]] = []
    for step in STORIES[story]:
        if step == "restart":
            till.restart()
        elif step == "offline":
            till.gateway.online = till.codes.online = till.sales.online = False
        else:
            path, body = step
            status, answer = till.raw(f"/frontol{path}", json.dumps(body, ensure_ascii=False).encode())
            rows.append({"path": path, "request": body, "status": status, "answer": answer.decode()})
    return rows


@pytest.mark.parametrize("story", STORIES)
def test_an_exchange_is_as_it_was_recorded(story: str) -> None:
    path = FOLDER / f"{story}.json"
    rows = played(story)
    if WRITE:
        FOLDER.mkdir(parents=True, exist_ok=True)
        text = json.dumps(rows, ensure_ascii=False, indent=1)
        path.write_text(text + "\n", encoding="utf-8")
    assert rows == json.loads(path.read_text(encoding="utf-8"))


def test_every_recorded_exchange_is_played() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(STORIES)


def test_recorded_points_come_to_what_was_asked() -> None:
    """A look at the files themselves, so that they are not just whatever the code gave."""
    told, paid, sold, again, _ = json.loads((FOLDER / "receipt.json").read_text(encoding="utf-8"))
    answer = json.loads(paid["answer"], parse_float=Decimal)
    assert sum(row["paidAmount"] for row in answer["document"]["positions"]) == 20
    assert sum(
        row["discountAmount"] for row in json.loads(told["answer"], parse_float=Decimal)["document"]["positions"]
    ) == (Decimal("34.63"))
    assert sold["answer"] == again["answer"]
