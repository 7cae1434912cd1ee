"""The bridge's JSON that its own pages are made of: recent sales, members found by what a
person remembers, the log's tail, and how a browser is made known (see `till_agent.api`).
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from till_agent.api import Language

SaleState = Literal["committed", "voided", "returned_in_part", "returned"]
SyncState = Literal["waiting", "applied", "adjusted", "rejected"]


class PageFacts(Struct, frozen=True, kw_only=True):
    """What a page must know before it shows anything; nothing personal.

    `currency_exponent`, `points_exponent`: digits after the point in amounts and points. `sell`: sales by a receipt's
    total may be made here. `scopes`: of the caller.
    """

    version: str
    language: Language
    till: str
    store: str
    store_name: str
    time_zone: str
    currency: str
    currency_exponent: int
    points_exponent: int
    point_value_minor: int
    programme: str
    country: str
    """ISO code of the country whose numbers are keyed without a prefix; "" when no programme is here yet."""
    sell: bool
    scopes: tuple[str, ...]


class SaleRow(Struct, frozen=True, kw_only=True):
    """A sale of this till in a few words. `cursor` is its place: `before` of the next page.

    `total_minor` is before the programme's discounts; less `discount_minor` it is what the receipt says.
    """

    uid: str
    cursor: int
    at_ms: int
    local_time: str
    number: str
    cashier: str
    total_minor: int
    redeemed_points: int
    earned_points: int
    state: SaleState
    sync: SyncState
    slip: str
    """As `SlipState.state`."""
    member: bool
    name_masked: str = ""
    phone_masked: str = ""
    card_masked: str = ""
    discount_minor: int = 0


class Sales(Struct, frozen=True, kw_only=True):
    """Newest first; `before` asks for the next page, 0 when this was the last."""

    sales: tuple[SaleRow, ...]
    before: int = 0


class SoldLine(Struct, frozen=True, kw_only=True):
    """A line of a sale and what of it may still come back."""

    number: int
    code: str
    name: str
    quantity_thousandths: int
    amount_minor: int
    left_thousandths: int
    left_minor: int


class SoldLines(Struct, frozen=True, kw_only=True):
    """The lines of a sale in its own order. `state`: as of `SaleView`."""

    uid: str
    lines: tuple[SoldLine, ...]
    state: SaleState


class FoundMember(Struct, frozen=True, kw_only=True):
    """Somebody whom the cashier may mean; `reference` is for `POST /v1/identify`."""

    reference: str
    status: str
    balance_points: int
    tier: str = ""
    tier_title: str = ""
    name_masked: str = ""
    phone_masked: str = ""
    card_masked: str = ""


class MembersFound(Struct, frozen=True, kw_only=True):
    """At most as many as were asked for; `more`: there are others, so a longer query helps.

    `partial`: the till is still making its index of members, so there may be others: ask again in a minute.
    """

    members: tuple[FoundMember, ...]
    more: bool = False
    partial: bool = False


class LogLine(Struct, frozen=True, kw_only=True):
    """One record of the agent's log, cleaned of numbers and tokens as the log itself is."""

    seq: int
    at_ms: int
    level: Literal["debug", "info", "warning", "error"]
    logger: str
    message: str
    fields: dict[str, str] = {}


class LogTail(Struct, frozen=True, kw_only=True):
    """Oldest first. `dropped`: lines since `after` that are kept no more."""

    lines: tuple[LogLine, ...]
    dropped: int = 0


class FlagSignal(Struct, frozen=True, kw_only=True):
    """One mark: `count` of it, `of` what it is a part of (0: of nothing); `text` says it in words."""

    code: Literal[
        "many_a_day", "mostly_one_cashier", "close_together", "typed_cards", "late_member", "return_after_earn"
    ]
    count: int
    of: int
    text: str


class Flag(Struct, frozen=True, kw_only=True):
    """What in a cashier's receipts with one member's card a person should look at. It blocks and accuses nobody.

    `sales`: uids of the newest of these `receipts`, newest first; `first_ms` and `last_ms` are when they were made.
    """

    cashier: str
    reference: str
    signals: tuple[FlagSignal, ...]
    receipts: int
    sales: tuple[str, ...]
    first_ms: int
    last_ms: int


class Flags(Struct, frozen=True, kw_only=True):
    """Of the last `days`, at this till; the newest first. `count`: of all, when not all are here."""

    flags: tuple[Flag, ...]
    count: int
    days: int


PageName = Literal["panel", "status"]
PairingDigits = Annotated[
    str, Meta(pattern=r"^[0-9]{8}$", description="Eight digits, good once, for five minutes, five tries.")
]


class PairingCodeRequest(Struct, frozen=True, kw_only=True):
    """A code by which a browser of this machine is made known, for one of the pages."""

    page: PageName


class PairingCode(Struct, frozen=True, kw_only=True):
    """`url` opens the page and hands the code over behind `#`, which no browser sends anywhere."""

    page: PageName
    code: str
    url: str
    expires_in_ms: int


class PairingRequest(Struct, frozen=True, kw_only=True):
    """What the page has been given by the person or by its address."""

    code: PairingDigits


class Paired(Struct, frozen=True, kw_only=True):
    """The token of this browser, told once; the agent keeps its hash."""

    client: str
    token: str
    page: PageName
    scopes: tuple[str, ...]
