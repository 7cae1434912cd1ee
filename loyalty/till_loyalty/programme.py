"""The programme document: one versioned set of rules of a chain, as typed by msgspec.

Format decision: docs/decisions/0003. TOML for people, JSON on the wire, the same structs for both.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from till_loyalty.receipt import AmountMinor, Points
from till_loyalty.rule_parts import (
    BasisPoints,
    Coupon,
    Days,
    Discount,
    Funding,
    Life,
    Limit,
    LocalDate,
    Match,
    Multiplier,
    NamedList,
    Need,
    PerMoney,
    PerUnit,
    RuleId,
    SomePoints,
    Step,
    When,
    Where,
    Who,
)
from till_loyalty.slips import Slips

__all__ = ["BasisPoints", "Match", "RuleId"]  # they were defined here; their home is rule_parts now
FORMAT = 1

Rounding = Literal["floor", "half_up", "half_even", "ceil"]
NO_PERCENT = -1
"""A rule that gives something else than a percent. Not 0: a rule of 0 % is written out, and keeps its digest."""


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is given on the matched lines: a percent of their base, or one of the other ways.

    `minimum_sum_minor` is compared with the matched lines' base. Rules of the same `group` with
    `stack = "best_of_group"` give only the best of them per line; `exclusive` takes its lines from all later rules.
    """

    id: RuleId
    percent_basis_points: BasisPoints = NO_PERCENT
    priority: int = 100
    stack: Literal["all", "best_of_group", "exclusive"] = "all"
    group: str = ""
    tiers: tuple[str, ...] = ()
    match: Match = Match()
    minimum_sum_minor: AmountMinor = 0
    title: dict[str, str] = {}
    when: When | None = None
    where: Where | None = None
    who: Who | None = None
    needs: tuple[Need, ...] = ()
    per_money: PerMoney | None = None
    per_unit: PerUnit | None = None
    points: Points = 0
    steps: tuple[Step, ...] = ()
    multiplier_basis_points: Multiplier | None = None
    multiplies: tuple[str, ...] = ()
    discount: Discount | None = None
    limits: tuple[Limit, ...] = ()
    life: Life | None = None
    funded_by: Funding | None = None


class Exclusion(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Lines that neither earn (`earn`), nor are paid by points (`redeem`). A legal one blocks both, always."""

    id: RuleId
    match: Match
    legal: bool = False
    earn: bool = True
    redeem: bool = True
    title: dict[str, str] = {}


class Lending(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How much of a balance is granted ahead to the tills of the stores where the member shops, for spending offline.

    `share_basis_points` of what is free is granted, in all; one till gets at most `maximum_points` of a member (0: no
    such limit) and never less than `minimum_points`. A store counts for `seen_days` after the member's last purchase.
    """

    share_basis_points: BasisPoints = 10_000
    maximum_points: Points = 0
    minimum_points: Points = 1
    seen_days: Annotated[int, Meta(ge=1, le=3650)] = 90


class Floor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a till may let members spend offline without a grant, at the retailer's risk; all limits hold together.

    A member spends at most `member_points` and what they have, one sale at most `sale_points` (0: no such limit), the
    till as a whole `till_points`, until the cloud has its operations; and only in the first `hours` without a line.
    The worst loss is the number of tills times `till_points`; of a member (tills cut off - 1) times `member_points`.
    """

    member_points: Annotated[int, Meta(ge=1, le=10**9)]
    till_points: Annotated[int, Meta(ge=1, le=10**12)]
    sale_points: Points = 0
    hours: Annotated[int, Meta(ge=1, le=720)] = 72


class Redemption(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How points pay. `step_points` is the smallest portion; `offline` names the policy without a line to the cloud.

    `refuse`: nothing; `grant` (usual): what this till was granted ahead (`lending`), which can never be overdrawn, and
    signed vouchers; `floor`: besides, what `floor` allows.

    Above `proof_above_points` the member proves who they are in one of the ways of `proof` (`code`: a one-time code
    that the cloud sends; `pin`: a PIN of theirs that the cloud knows); with no way named, never.
    """

    enabled: bool = True
    max_share_basis_points: BasisPoints = 10_000
    step_points: Annotated[int, Meta(ge=1)] = 1
    minimum_balance_points: Points = 0
    minimum_line_price_minor: AmountMinor = 1
    maximum_receipt_minor: AmountMinor = 0
    offline: Literal["refuse", "grant", "floor"] = "grant"
    lending: Lending = Lending()
    floor: Floor | None = None
    proof_above_points: Points = 0
    proof: tuple[Literal["code", "pin"], ...] = ()


class CardRange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Member card numbers: the digits after `strip_prefix`, by first digits, lengths and check digit.

    `rotating_only`: these numbers are in phones only; alone, as on a picture of a screen, they are not taken.
    """

    prefix: Annotated[str, Meta(pattern=r"^[0-9]*$")] = ""
    lengths: Annotated[tuple[Annotated[int, Meta(ge=4, le=32)], ...], Meta(min_length=1)]
    check: Literal["none", "ean13", "luhn"] = "none"
    strip_prefix: str = ""
    rotating_only: bool = False


class RotatingCode(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Codes that a phone's wallet makes anew by the clock (RFC 6238, SHA-1), as Google Wallet shows them.

    `pattern` is the text of a code, with `{card}`, `{totp_timestamp_seconds}` (or `_millis`) and `{totp_value_0}`; a
    value has so many `digits` and is good for `period_seconds`, and `window_seconds` before and after for clocks that
    differ.
    """

    pattern: Annotated[str, Meta(min_length=1, max_length=100)] = "{card}-{totp_timestamp_seconds}-{totp_value_0}"
    period_seconds: Annotated[int, Meta(ge=5, le=3600)] = 30
    digits: Annotated[int, Meta(ge=6, le=8)] = 8
    window_seconds: Annotated[int, Meta(ge=0, le=3600)] = 60


class Identifiers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Countries whose phone numbers are accepted without a plus, the first one preferred; member card ranges; codes of
    wallets that change by the clock."""

    phone_countries: Annotated[tuple[Annotated[str, Meta(pattern=r"^[A-Z]{2}$")], ...], Meta(min_length=1)] = (
        "RU",
        "KZ",
    )
    cards: tuple[CardRange, ...] = ()
    rotating: RotatingCode | None = None


class Tier(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A standing of members; the first tier is what new members get. The multiplier is of percent accruals only.

    `from_spend_minor`: members move here by spending so much in a period (`Programme.tier_period`). A tier with
    `by_hand` is given and taken by the chain's staff only.
    """

    id: RuleId
    title: dict[str, str] = {}
    multiplier_basis_points: Multiplier = 10_000
    from_spend_minor: AmountMinor = 0
    by_hand: bool = False


class Event(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Points that something else than the goods of a receipt gives. Only the cloud gives them, once each.

    `registered`: a member was registered and confirmed. `first_purchase`: the first sale of at least
    `minimum_sum_minor` paid. `referred` and `referrer`: that sale of a member whom another one referred gives points to
    the one and to the other. `tier_reached`: one of `tiers`, by spending. `birthday`: `days_before` it, once a year.
    `from_date` and `to_date` are the first day and the first day no more. `maximum` 0: as often as it happens.
    """

    id: RuleId
    on: Literal["registered", "first_purchase", "referred", "referrer", "tier_reached", "birthday"]
    points: SomePoints
    tiers: tuple[str, ...] = ()
    minimum_sum_minor: AmountMinor = 0
    days_before: Annotated[int, Meta(ge=0, le=180)] = 0
    from_date: LocalDate = ""
    to_date: LocalDate = ""
    maximum: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    title: dict[str, str] = {}
    life: Life | None = None
    funded_by: Funding | None = None


class Registration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What it takes to become a member at a till. `consent`: the consent's text by language, under `consent_version`.

    `code`: a one-time code confirms the phone; until then the member earns and does not spend.
    """

    enabled: bool = True
    consent_version: Annotated[str, Meta(max_length=40)] = "1"
    consent: dict[str, str] = {}
    code: bool = True
    ask: tuple[Literal["name", "birth_date", "sex", "referrer", "card"], ...] = ()


class Programme(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One version of a chain's programme. `point_value_minor`: money that one whole point pays for."""

    format: Literal[1]
    id: RuleId
    version: Annotated[int, Meta(ge=1)]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]
    currency_exponent: Annotated[int, Meta(ge=0, le=3)] = 2
    points_exponent: Annotated[int, Meta(ge=0, le=2)] = 0
    point_value_minor: Annotated[int, Meta(ge=1, le=10**9)] = 100
    points_name: dict[str, dict[str, str]] = {}
    rounding: Rounding = "floor"
    round_at: Literal["receipt", "line"] = "receipt"
    earn_base: Literal["payable", "gross"] = "payable"
    return_policy: Literal["debt", "within_balance", "refuse"] = "debt"
    tiers: tuple[Tier, ...] = ()
    rules: tuple[Rule, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    redemption: Redemption = Redemption()
    identifiers: Identifiers = Identifiers()
    lists: tuple[NamedList, ...] = ()
    coupons: tuple[Coupon, ...] = ()
    life: Life | None = None
    discount_rounding: Rounding = "floor"
    discount_round_at: Literal["receipt", "line"] = "receipt"
    events: tuple[Event, ...] = ()
    tier_period: Literal["", "month", "quarter", "year", "life"] = ""
    return_grace_days: Days = 0
    registration: Registration = Registration()
    slips: Slips = Slips()
