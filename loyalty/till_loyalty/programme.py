"""The programme document: one versioned set of rules of a chain, as typed by msgspec.

Format decision: docs/decisions/0003. TOML for people, JSON on the wire, the same structs for both.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from till_loyalty.receipt import AmountMinor, Points
from till_loyalty.rule_parts import (
    BasisPoints,
    Coupon,
    Discount,
    Funding,
    Life,
    Limit,
    Match,
    Multiplier,
    NamedList,
    Need,
    PerMoney,
    PerUnit,
    RuleId,
    Step,
    When,
    Where,
    Who,
)

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


class Redemption(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How points pay. `step_points` is the smallest portion; `offline` names the policy without a line to the cloud."""

    enabled: bool = True
    max_share_basis_points: BasisPoints = 10_000
    step_points: Annotated[int, Meta(ge=1)] = 1
    minimum_balance_points: Points = 0
    minimum_line_price_minor: AmountMinor = 1
    maximum_receipt_minor: AmountMinor = 0
    offline: Literal["refuse"] = "refuse"


class CardRange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Member card numbers: the digits after `strip_prefix`, by first digits, lengths and check digit."""

    prefix: Annotated[str, Meta(pattern=r"^[0-9]*$")] = ""
    lengths: Annotated[tuple[Annotated[int, Meta(ge=4, le=32)], ...], Meta(min_length=1)]
    check: Literal["none", "ean13", "luhn"] = "none"
    strip_prefix: str = ""


class Identifiers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Countries whose phone numbers are accepted without a plus, the first one preferred; member card ranges."""

    phone_countries: Annotated[tuple[Annotated[str, Meta(pattern=r"^[A-Z]{2}$")], ...], Meta(min_length=1)] = (
        "RU",
        "KZ",
    )
    cards: tuple[CardRange, ...] = ()


class Tier(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A standing of members; the first tier is what new members get. The multiplier is of percent accruals only."""

    id: RuleId
    title: dict[str, str] = {}
    multiplier_basis_points: Multiplier = 10_000


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
