"""What a slip's template knows as `slip`."""

from typing import Literal

from msgspec import Struct

SlipKind = Literal["sale", "quote", "return", "void"]
KINDS: tuple[SlipKind, ...] = ("sale", "return", "void", "quote")


class Row(Struct, frozen=True):
    """A rule's title and what it gave: minor money of a discount, or minor points."""

    title: str
    amount: int


class Later(Struct, frozen=True):
    """Points that can be spent from a date, written out in the slip's language."""

    date: str
    points: int


class Offer(Struct, frozen=True):
    """A coupon that the member holds; `until` is its last day, written out, "" for one without end."""

    title: str
    until: str


class SlipFacts(Struct, frozen=True, kw_only=True):
    """What a template knows as `slip`. Points are minor points; dates and times are written out in the language.

    `known` is false for somebody this till knows by a number only. `has_rules` is false when the cloud will work the
    points out. `discounts` and `earned_by` are rows of `title` and `amount` (minor money, minor points), the latter
    only when several rules gave; `later` are rows of `date` and `points` of this receipt that can be spent from then;
    `inactive` is what else of the balance can't be spent yet. `offers` are rows of `title` and `until`: coupons that
    the member holds. `number` is the receipt's as the cash software wrote it, `uid` its own id of the document.
    `original` names the sale that goods came back of as people do, `original_uid` is that sale's id.
    `note` and `qr` are the programme's (`slips.note`, `slips.qr`), filled in.

    `as_of` is "" for a balance that was never confirmed, `age` for one that is fresh.
    """

    kind: SlipKind
    store: str
    moment: str
    number: str = ""
    uid: str = ""
    original: str = ""
    original_uid: str = ""
    copy: bool = False
    has_member: bool = False
    known: bool = False
    status: str = ""
    name: str = ""
    card: str = ""
    phone: str = ""
    tier: str = ""
    before: int = 0
    earned: int = 0
    redeemed: int = 0
    taken: int = 0
    given_back: int = 0
    can_redeem: int = 0
    after: int = 0
    unconfirmed: int = 0
    as_of: str = ""
    age: str = ""
    expiring_points: int = 0
    expiring_date: str = ""
    offline: bool = False
    has_rules: bool = True
    tier_title: str = ""
    discounts: tuple[Row, ...] = ()
    discount_minor: int = 0
    coupons: tuple[str, ...] = ()
    earned_by: tuple[Row, ...] = ()
    later: tuple[Later, ...] = ()
    inactive: int = 0
    offers: tuple[Offer, ...] = ()
    note: str = ""
    qr: str = ""
