"""What the rules look at: a receipt, its lines, the store's clock, and the member as known here and now.

Money is whole minor units (kopecks, tiyn, cents), quantity is whole thousandths, points are whole minor points.
"""

from typing import Annotated

from msgspec import Meta, Struct

from till_loyalty.exceptions import ReceiptError

LARGEST_AMOUNT_MINOR = 10**13
"""No receipt is larger: 100 thousand million roubles. Keeps every product below 2**63 with room to spare."""
LARGEST_QUANTITY_THOUSANDTHS = 10**12
LINE_LIMIT = 10_000
TEXT_LIMIT = 500
LABEL_LIMIT = 100
"""Labels of one line: more would be a catalogue, not a receipt."""

AmountMinor = Annotated[int, Meta(ge=0, le=LARGEST_AMOUNT_MINOR)]
QuantityThousandths = Annotated[int, Meta(ge=0, le=LARGEST_QUANTITY_THOUSANDTHS)]
Points = Annotated[int, Meta(ge=0, le=LARGEST_AMOUNT_MINOR)]
ShortText = Annotated[str, Meta(max_length=TEXT_LIMIT)]
Sku = Annotated[str, Meta(min_length=1, max_length=100)]


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One position. `amount_minor` is the line's total after the cash software's own discounts, before points.

    `minimum_price_minor` is the least the whole line may cost after points (0: the programme's own minimum holds).
    """

    number: Annotated[int, Meta(ge=1, le=10**6)]
    sku: Sku
    amount_minor: AmountMinor
    quantity_thousandths: QuantityThousandths = 1000
    name: ShortText = ""
    category: tuple[ShortText, ...] = ()
    minimum_price_minor: AmountMinor = 0
    brand: ShortText = ""
    labels: Annotated[tuple[ShortText, ...], Meta(max_length=LABEL_LIMIT)] = ()
    supplier: ShortText = ""


class Receipt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Lines in the order of the receipt; line numbers are unique but need not be gapless."""

    lines: Annotated[tuple[Line, ...], Meta(max_length=LINE_LIMIT)]

    @property
    def total_minor(self) -> int:
        """Sum of the lines before points."""
        return sum([line.amount_minor for line in self.lines])


class StoreClock(Struct, frozen=True, kw_only=True):
    """The store's own wall clock: `local_time` is `YYYY-MM-DDTHH:MM:SS`, `business_date` is `YYYY-MM-DD`. Never UTC."""

    local_time: str
    business_date: str


class Place(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the sale happens: the store, its region and groups, and the channel (till, web, app)."""

    store: str = ""
    region: str = ""
    groups: tuple[str, ...] = ()
    channel: str = ""


class Usage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a member has had from a rule (or a coupon, by its id) in one period; `key` as `limits.period_key` has it.

    `per` "code": what all members together have used of a coupon's code, which is the `key` then.
    """

    rule: str
    per: str
    key: str = ""
    amount: int = 0
    uses: int = 0


class MemberState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the rules may know of a member. `spendable_points` is what may be redeemed now, holds already taken off.

    Facts left out are not known here: `birth_date` is `YYYY-MM-DD` or `MM-DD`, `member_since` and `last_purchase` are
    `YYYY-MM-DD`, `purchases` is the number of purchases before this one (-1: unknown). `coupons` are ids of coupons
    that the member holds.
    """

    tier: str = ""
    spendable_points: int = 0
    blocked: bool = False
    segments: tuple[str, ...] = ()
    birth_date: str = ""
    member_since: str = ""
    purchases: int = -1
    last_purchase: str = ""
    usage: tuple[Usage, ...] = ()
    coupons: tuple[str, ...] = ()


def check_receipt(receipt: Receipt) -> None:
    """Refuse a receipt that contradicts itself: no line, a line number twice, a total past the largest amount."""
    if not receipt.lines:
        raise ReceiptError(
            "expected at least one line, not an empty receipt", pointer="/receipt/lines", code="receipt_empty"
        )
    lines = receipt.lines
    if len({line.number for line in lines}) != len(lines) or any(
        [line.minimum_price_minor > line.amount_minor for line in lines]  # noqa: C419 - a list is faster, on each sale
    ):
        _refuse_lines(receipt)
    if receipt.total_minor > LARGEST_AMOUNT_MINOR:
        raise ReceiptError(
            f"expected a total of at most {LARGEST_AMOUNT_MINOR}, not {receipt.total_minor}",
            pointer="/receipt/lines",
            code="receipt_too_large",
        )


def _refuse_lines(receipt: Receipt) -> None:
    """Say which line it is."""
    seen: set[int] = set()
    for index, line in enumerate(receipt.lines):
        if line.number in seen:
            raise ReceiptError(
                f"expected each line number once, not {line.number} twice",
                pointer=f"/receipt/lines/{index}/number",
                code="line_number_repeated",
            )
        seen.add(line.number)
        if line.minimum_price_minor > line.amount_minor:
            raise ReceiptError(
                f"expected a minimum price within the amount {line.amount_minor}, not {line.minimum_price_minor}",
                pointer=f"/receipt/lines/{index}/minimum_price_minor",
                code="minimum_price_too_high",
            )
