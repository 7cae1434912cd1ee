"""The bridge's JSON, version 1, as msgspec types: what cash software sends and gets. OpenAPI is made from these.

Amounts are whole minor units of money, points are whole minor points, times are UTC milliseconds unless named local.
Unknown fields are ignored on input.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from till_agent.told_api import Happened, Health, Message, QueuedOp, Status, SyncStatus
from till_loyalty.conduct import Entry
from till_loyalty.explain_result import Explained
from till_loyalty.receipt import AmountMinor, QuantityThousandths, Receipt
from till_loyalty.results import Calculation, DiscountGiven, Reversal
from till_sync.asking import Pin
from till_sync.ops import Payment

__all__ = ["Happened", "Health", "Message", "QueuedOp", "Status", "SyncStatus"]
"""Beside what is defined here."""

UID_PATTERN = r"^[A-Za-z0-9._-]{1,64}$"
Uid = Annotated[str, Meta(pattern=UID_PATTERN, description="The client's own id of the document: the idempotency key.")]
IdentifierText = Annotated[str, Meta(min_length=1, max_length=2000)]
CodeText = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\S")]
Codes = Annotated[tuple[CodeText, ...], Meta(max_length=50, description="Coupon and promo codes of the receipt.")]
Language = Literal["ru", "kk", "ky", "uk", "en"]


class Identify(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Exactly one of these: a `reference` from an earlier answer, or what was scanned or keyed."""

    reference: IdentifierText | None = None
    card: IdentifierText | None = None
    phone: IdentifierText | None = None
    scan: IdentifierText | None = None
    code: IdentifierText | None = None
    """Card or phone, whichever it turns out to be."""


class Expiring(Struct, frozen=True, kw_only=True):
    points: int
    at_ms: int


class Offered(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A coupon that the member holds and may use; `valid_to` is the first day that it is good no more, "" for none."""

    coupon: str
    title: str
    valid_to: str = ""


class Member(Struct, frozen=True, kw_only=True):
    """A member as this till may show them. `unconfirmed_points` is the part of the balance the cloud has not confirmed.

    `known` is false when only an identifier is known: sales accrue to it, and the cloud sorts out whose it is.
    """

    reference: str
    known: bool
    status: Literal["active", "blocked", "provisional", "unknown"]
    balance_points: int
    spendable_points: int
    unconfirmed_points: int
    spendable_reason: str
    """"" when everything may be spent; else a stable code: unknown_member, not_here, blocked, provisional, held,
    inactive, disabled; without a line to the cloud: offline, offline_grant, offline_floor, floor_till_limit,
    floor_hours, offline_proof; voucher."""
    as_of_ms: int
    """Cloud's time that the confirmed part stands for; 0: never confirmed."""
    offline: bool
    tier: str = ""
    name_masked: str = ""
    phone_masked: str = ""
    card_masked: str = ""
    language: str = ""
    expiring: Expiring | None = None
    messages: tuple[Message, ...] = ()
    inactive_points: int = 0
    """Part of the balance that can't be spent yet."""
    offers: tuple[Offered, ...] = ()
    """Coupons that the member holds, the first to end first."""
    tier_title: str = ""
    """The tier's name in the language of the answer."""
    spendable_text: str = ""
    """Why not all of the balance may be spent now, as a sentence; "" when it may."""


class QuoteRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`redeem_points`: how many the member wishes to spend; -1 means as many as allowed.

    Lines are at their prices before the discounts that this programme gives. `explain` asks for every figure in words.
    """

    receipt: Receipt
    member: Identify | None = None
    redeem_points: Annotated[int, Meta(ge=-1, le=10**13)] = 0
    language: Language | None = None
    local_time: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$")] | None = None
    """The cash software's clock, as in the sale to come; left out, this machine's."""
    slip_preview: bool = True
    """False saves the time of a preview that nobody shows."""
    codes: Codes = ()
    explain: bool = False
    sale_uid: Uid | None = None
    """Of the receipt, when points are held for it already: those may be spent on it."""


class Redeemable(Struct, frozen=True, kw_only=True):
    """The most that may be spent on the receipt, the money that it pays, and why it is not more.

    `proof`: above `proof_above_points` the member proves who they are, in one of these ways.
    """

    points: int
    amount_minor: int
    reason: str = ""
    proof: tuple[str, ...] = ()
    proof_above_points: int = 0


class Quote(Struct, frozen=True, kw_only=True):
    """What the receipt would give; nothing is changed by asking.

    `calculation.discounts` are for the cash software to take off and to name in the sale (`SaleRequest.discounts`).
    """

    calculation: Calculation
    offline: bool
    as_of_ms: int
    slip_preview: str
    member: Member | None = None
    messages: tuple[Message, ...] = ()
    redeemable: Redeemable | None = None
    explain: tuple[Explained, ...] = ()


class Coupon(Struct, frozen=True, kw_only=True):
    """Whether a code is good here and now, and for this member; `reason` "" when it is, else a stable code.

    `checked`: the cloud was asked how often a code of limited use was used already.
    """

    code: str
    usable: bool
    reason: str
    checked: bool
    offline: bool
    coupon: str = ""
    title: str = ""
    valid_to: str = ""
    messages: tuple[Message, ...] = ()


class HoldCreate(Struct, frozen=True, kw_only=True):
    """Reserve points for one receipt; `ttl_ms` by the cloud's clock, or by this till's when it can do so itself."""

    sale_uid: Uid
    member: Identify
    points: Annotated[int, Meta(ge=1, le=10**13)]
    ttl_ms: Annotated[int, Meta(ge=1000, le=3_600_000)] = 600_000
    confirmation: Annotated[str, Meta(max_length=80)] = ""
    """Of a code that the member gave back (`POST /v1/confirmations`), where the programme asks for proof."""
    pin: Pin = ""
    """What the member keyed, where the programme takes a PIN for proof. It is kept nowhere and logged nowhere."""
    language: Language | None = None
    """Of a refusal's sentence for the cashier."""

    def __repr__(self) -> str:
        """Without the PIN and who the member is: reprs end up in logs."""
        return f"HoldCreate(sale_uid={self.sale_uid!r}, points={self.points})"


class Hold(Struct, frozen=True, kw_only=True):
    hold: str
    points: int
    expires_in_ms: int


class DiscountTaken(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A discount of the quote that the cash software took off a line; a row of `calculation.discounts` will do."""

    rule: Annotated[str, Meta(min_length=1, max_length=60)]
    line: Annotated[int, Meta(ge=1, le=10**6)]
    amount_minor: AmountMinor
    supplier: Annotated[str, Meta(max_length=100)] = ""
    supplier_share_basis_points: Annotated[int, Meta(ge=0, le=10_000)] = 0

    @classmethod
    def whole(cls, row: DiscountGiven) -> "DiscountTaken":
        """A row of the quote, taken as it was handed out."""
        return cls(
            rule=row.rule,
            line=row.line,
            amount_minor=row.amount_minor,
            supplier=row.supplier,
            supplier_share_basis_points=row.supplier_share_basis_points,
        )


class SaleRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Final lines and payments from the cash software: the truth. `redeem_points` needs the `hold` that covers it.

    Lines are at their prices before the discounts that this programme gave; `discounts` names those that were taken
    off: absent, none was. The part of a payment that points made is not in `payments`.
    """

    receipt: Receipt
    member: Identify | None = None
    redeem_points: Annotated[int, Meta(ge=0, le=10**13)] = 0
    hold: Annotated[str, Meta(max_length=80)] = ""
    payments: Annotated[tuple[Payment, ...], Meta(max_length=50)] = ()
    number: Annotated[str, Meta(max_length=64)] = ""
    shift: Annotated[str, Meta(max_length=64)] = ""
    cashier: Annotated[str, Meta(max_length=64)] = ""
    local_time: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$")] | None = None
    print_slip: bool = True
    language: Language | None = None
    discounts: Annotated[tuple[DiscountTaken, ...], Meta(max_length=50_000)] = ()
    codes: Codes = ()
    entry: Entry = ""
    """How the member was named; "" is worked out as far as the request tells."""
    late: bool = False
    """The member was added after the total was on the screen."""


class SlipState(Struct, frozen=True, kw_only=True):
    """`state`: none (no printer or not asked for), queued, printed, accepted, refused, unknown."""

    state: Literal["none", "queued", "printing", "printed", "accepted", "refused", "unknown"]
    printer: str = ""


class Sale(Struct, frozen=True, kw_only=True):
    """A committed sale: durable on this till before this answer left it.

    `kept` false: the disk takes nothing, and nothing of this sale was written. Only a sale that is nobody's, takes
    nothing off and spends nothing is answered so: it can go on, and sent again it is written once there is room.
    """

    uid: str
    op: str
    calculation: Calculation
    offline: bool
    member: Member | None = None
    balance_before_points: int = 0
    balance_after_points: int = 0
    messages: tuple[Message, ...] = ()
    kept: bool = True


class SaleView(Struct, frozen=True, kw_only=True):
    """A sale as it stands: its first answer, what happened to it since, and what the cloud said."""

    sale: Sale
    state: Literal["committed", "voided", "returned_in_part", "returned"]
    sync: Literal["waiting", "applied", "adjusted", "rejected"]
    sync_code: str
    returned: tuple[Reversal, ...]
    slip: SlipState


class ReturnLineRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`amount_minor` may be left out: then it is the quantity's share of the sold line."""

    number: Annotated[int, Meta(ge=1, le=10**6)]
    quantity_thousandths: QuantityThousandths
    amount_minor: AmountMinor | None = None


class SoldAt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where and when the goods were sold, as far as it stands on the receipt; "" for what is not known.

    `number` is the receipt's as the sale named it, `date` its business date. With another till's `till`, its sale is
    meant even where this till has one of the same uid.
    """

    till: Annotated[str, Meta(max_length=40)] = ""
    store: Annotated[str, Meta(max_length=40)] = ""
    number: Annotated[str, Meta(max_length=64)] = ""
    date: Annotated[str, Meta(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")] = ""


class ReturnRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Goods of sale `sale_uid` brought back; no `lines` means everything that is still there.

    The sale may be another till's: then the cloud is asked for it, and `sold_at` tells apart tills of one uid.
    """

    sale_uid: Uid
    lines: Annotated[tuple[ReturnLineRequest, ...], Meta(max_length=10_000)] = ()
    number: Annotated[str, Meta(max_length=64)] = ""
    cashier: Annotated[str, Meta(max_length=64)] = ""
    sold_at: SoldAt | None = None
    print_slip: bool = True


class Reversed(Struct, frozen=True, kw_only=True):
    """A committed void or return. `sale_op` is the sale's op at the cloud, `TILL:EPOCH:NUMBER`.

    `sale_number` is the sale's receipt number as the cash software told it, `sale_time` its time by the clock of the
    store that sold (`YYYY-MM-DDTHH:MM:SS`; of another store's sale its date alone): people know the sale by these.
    """

    uid: str
    sale_uid: str
    op: str
    reversal: Reversal
    member: Member | None = None
    balance_after_points: int = 0
    messages: tuple[Message, ...] = ()
    sale_op: str = ""
    sale_number: str = ""
    sale_time: str = ""


class ScanEvent(Struct, frozen=True, kw_only=True):
    """A scan as told to the cash software: what it resolved to, never the raw payload in logs.

    `gs1`: its GS1 element strings by application identifier (`{"01": "04600000000015", "3103": "001250"}`), if it has
    any; `text` is all of it, as scanned.
    """

    device: str
    seq: int
    text: str
    symbology: str
    kind: Literal["card", "phone", "voucher", "goods", "unknown"]
    member: Member | None = None
    gs1: dict[str, str] | None = None
