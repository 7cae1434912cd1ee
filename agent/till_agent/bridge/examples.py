"""Examples that the OpenAPI shows: real values of the real types, so that they can't drift from them."""

from msgspec import Struct

from till_agent.api import (
    Coupon,
    DiscountTaken,
    Hold,
    HoldCreate,
    Identify,
    Member,
    Message,
    QuoteRequest,
    ReturnLineRequest,
    ReturnRequest,
    SaleRequest,
)
from till_agent.member_api import CardAttach, CodeRequest, ConsentGiven, ConsentText, MemberCreate, MemberCreated
from till_loyalty.receipt import Line, Receipt
from till_sync.ops import Payment

_RECEIPT = Receipt(
    lines=(
        Line(number=1, sku="4601234567893", name="Молоко 3,2 %", amount_minor=8990, category=("food", "dairy")),
        Line(number=2, sku="1047", name="Яблоки", amount_minor=12345, quantity_thousandths=823),
    )
)
_MEMBER = Member(
    reference="m-7Q2K",
    known=True,
    status="active",
    balance_points=412,
    spendable_points=0,
    unconfirmed_points=12,
    spendable_reason="offline",
    as_of_ms=1_763_700_000_000,
    offline=True,
    tier="standard",
    name_masked="Мария К.",
    phone_masked="+7 *** ***-45-67",
    messages=(Message(code="offline", text="Нет связи: баллы можно копить, списать нельзя", level="warning"),),
)

EXAMPLES: dict[tuple[str, str], Struct] = {
    ("identify", "request"): Identify(code="4276000011112222"),
    ("identify", "answer"): _MEMBER,
    ("quote", "request"): QuoteRequest(
        receipt=_RECEIPT, member=Identify(reference="m-7Q2K"), redeem_points=-1, codes=("MILK10",)
    ),
    ("coupon", "answer"): Coupon(
        code="MILK10",
        usable=True,
        reason="",
        checked=True,
        offline=False,
        coupon="milk-week",
        title="Неделя молока",
        valid_to="2025-12-01",
    ),
    ("hold", "request"): HoldCreate(sale_uid="2025-11-21-K3-118", member=Identify(reference="m-7Q2K"), points=100),
    ("hold", "answer"): Hold(hold="h-till3-9f2c61d0", points=100, expires_in_ms=595_000),
    ("sell", "request"): SaleRequest(
        receipt=_RECEIPT,
        member=Identify(reference="m-7Q2K"),
        payments=(Payment(kind="card", amount_minor=20436),),
        discounts=(DiscountTaken(rule="milk-week", line=1, amount_minor=899),),
        codes=("MILK10",),
        number="118",
        shift="42",
        local_time="2025-11-21T18:42:07",
    ),
    ("register", "request"): MemberCreate(
        uid="2025-11-21-K3-m7",
        phone="+7 701 000 01 23",
        name="Мария Ким",
        consent=ConsentGiven(version="2026-11", given=True),
        code="493027",
    ),
    ("register", "answer"): MemberCreated(
        uid="2025-11-21-K3-m7",
        state="needs",
        needs=("consent",),
        ask=("name", "birth_date"),
        consent=ConsentText(version="2026-11", text="Я согласен на обработку..."),
        messages=(
            Message(code="consent_needed", text="Дайте покупателю прочитать условия и спросите, согласен ли он."),
        ),
    ),
    ("attach", "request"): CardAttach(uid="2025-11-21-K3-c2", card="2900000000018"),
    ("confirm", "request"): CodeRequest(
        uid="2025-11-21-K3-k1", member=Identify(reference="m-7Q2K"), phone="+7 701 000 01 23"
    ),
    ("return", "request"): ReturnRequest(
        sale_uid="2025-11-21-K3-118", lines=(ReturnLineRequest(number=2, quantity_thousandths=823),)
    ),
}
"""By operation and side."""
