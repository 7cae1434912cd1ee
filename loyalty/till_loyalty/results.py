"""What the rules give back. Frozen, whole numbers only, and the same bytes at till and cloud for the same inputs."""

import msgspec
from msgspec import Struct


class Reason(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a figure is what it is: a stable `code`, the rule it speaks of, and the numbers that fill its sentence."""

    code: str
    rule: str = ""
    line: int = 0
    numbers: dict[str, int] = {}


class Accrual(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Points that one rule gave to one line, from which base; until when they live, and who pays for which share.

    `active_from` and `expires_on` are dates of the store, both days included; empty: at once, never.
    """

    rule: str
    line: int
    base_minor: int
    points: int
    active_from: str = ""
    expires_on: str = ""
    supplier: str = ""
    supplier_share_basis_points: int = 0


class DiscountGiven(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Money that one rule took off one line, from which price, and who pays for which share."""

    rule: str
    line: int
    base_minor: int
    amount_minor: int
    supplier: str = ""
    supplier_share_basis_points: int = 0


class LineResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line after the rules: money, but for earned_points and redeemed_points.

    payable_minor = amount_minor - discount_minor - paid_by_points_minor.
    """

    number: int
    amount_minor: int
    quantity_thousandths: int
    payable_minor: int
    paid_by_points_minor: int = 0
    redeemed_points: int = 0
    earned_points: int = 0
    discount_minor: int = 0


class Calculation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The outcome of a programme on a receipt. Every total is the exact sum of its lines.

    `redeemable_points` is the most that may be spent on this receipt; `redeemed_points` is what is being spent.
    `coupons` are ids of the coupons that gave something, and so are used up by this sale.
    """

    programme_id: str
    programme_version: int
    total_minor: int
    payable_minor: int
    lines: tuple[LineResult, ...]
    redeemable_points: int = 0
    redeemed_points: int = 0
    redeemed_minor: int = 0
    earned_points: int = 0
    accruals: tuple[Accrual, ...] = ()
    reasons: tuple[Reason, ...] = ()
    discount_minor: int = 0
    discounts: tuple[DiscountGiven, ...] = ()
    coupons: tuple[str, ...] = ()


class ReturnLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Part of a sold line that comes back: its number, how much of it, and for how much of its `amount_minor`."""

    number: int
    quantity_thousandths: int
    amount_minor: int


class ReversalLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One returned line: goods value, the money and the points given back, the earned points taken back."""

    number: int
    quantity_thousandths: int
    amount_minor: int
    money_back_minor: int
    points_back: int
    points_taken: int


class Reversal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a return or a void changes: the member gets `points_back` and loses `points_taken`."""

    lines: tuple[ReversalLine, ...]
    money_back_minor: int
    points_back: int
    points_taken: int

    @property
    def effect_points(self) -> int:
        """Change of the member's balance."""
        return self.points_back - self.points_taken


_encoder = msgspec.json.Encoder(order="deterministic")


def canonical_bytes(value: Struct) -> bytes:
    """The one encoding of a result: JSON, fields in order of definition, mapping keys sorted, no spaces."""
    return _encoder.encode(value)
