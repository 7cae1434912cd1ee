"""Members and receipts of the benchmark: made up, the same in every run, no one real."""

import json
from typing import Any

from till_installer.demo.people import ean13
from till_loyalty.identifiers import tag
from till_sync.wire import MemberRow

TIERS = ("standard", "standard", "standard", "silver", "gold")
GOODS = (
    ("PRODUCE", "TROPICAL FRUIT", "BANANAS"),
    ("GROCERY", "FLUID MILK PRODUCTS", "FLUID MILK WHITE ONLY"),
    ("GROCERY", "BAKED BREAD/BUNS/ROLLS", "MAINSTREAM WHITE BREAD"),
    ("MEAT", "BEEF", "PRIMAL"),
    ("DRUG GM", "CIGARETTES", "CIGARETTES"),
)
LINES = 10


def member_id(number: int) -> str:
    """The id of the `number`-th member."""
    return f"m-{number:08d}"


def card(number: int) -> str:
    """The card of the `number`-th member: 13 digits, as the packaged supermarket programme wants them."""
    return ean13(f"29{number:010d}")


def phone(number: int) -> str:
    """As mobile numbers of Kazakhstan are: those set aside for fiction are refused. None is called."""
    return f"+7700{number:07d}"


def row(key: bytes, number: int) -> MemberRow:
    """The member as the cloud would send it."""
    return MemberRow(
        member_id=member_id(number),
        tier=TIERS[number % len(TIERS)],
        name_masked="Anna B.",
        phone_masked=f"+7 *** ***-{number % 10_000:04d}",
        card_masked=f"29******{number % 100_000:05d}",
        language="ru",
        tags=(tag(key, "card", card(number)), tag(key, "phone", phone(number))),
        balance=number * 37 % 2_500,
        position=number,
    )


def receipt(number: int) -> dict[str, Any]:
    """A receipt of ten lines, a little different each time."""
    lines = []
    for index in range(LINES):
        category = GOODS[(index + number) % len(GOODS)]
        lines.append(
            {
                "number": index + 1,
                "sku": str(820_000 + index * 97 + number % 89),
                "name": category[-1].title(),
                "category": list(category),
                "amount_minor": 99 + (number * 31 + index * 173) % 1_400,
                "quantity_thousandths": 1000,
            }
        )
    return {"lines": lines}


def identify_body(number: int) -> bytes:
    """A scanned card."""
    return _json({"scan": card(number)})


def quote_body(number: int | None, receipt_number: int) -> bytes:
    """What would this receipt give to that member, or to nobody?"""
    who = {} if number is None else {"member": {"reference": member_id(number)}}
    return _json({"receipt": receipt(receipt_number), **who})


def sale_body(number: int, receipt_number: int) -> bytes:
    """The receipt as it was paid."""
    goods = receipt(receipt_number)
    paid = sum(line["amount_minor"] for line in goods["lines"])
    return _json(
        {
            "receipt": goods,
            "member": {"reference": member_id(number)},
            "payments": [{"kind": "card", "amount_minor": paid}],
            "local_time": "2026-01-15T12:30:00",
            "number": str(receipt_number),
            "shift": "17",
            "cashier": "bench",
        }
    )


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
