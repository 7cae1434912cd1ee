"""The parts that a rule is put together from: when, where, for whom, of what, how much, within which limits.

Every part left out means "no such condition". Fields in words: docs/reference/programme.md.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from till_loyalty.receipt import LARGEST_AMOUNT_MINOR, LARGEST_QUANTITY_THOUSANDTHS, AmountMinor, Points

BasisPoints = Annotated[int, Meta(ge=0, le=10_000)]
RuleId = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[a-z0-9][a-z0-9._-]*$")]
CategoryPath = Annotated[tuple[str, ...], Meta(min_length=1, max_length=10)]
LocalMoment = Annotated[str, Meta(pattern=r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)?$")]
LocalDate = Annotated[str, Meta(pattern=r"^(\d{4}-\d\d-\d\d)?$")]
TimeOfDay = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SomePoints = Annotated[int, Meta(ge=1, le=LARGEST_AMOUNT_MINOR)]
Days = Annotated[int, Meta(ge=0, le=36_600)]
Quantity = Annotated[int, Meta(ge=0, le=LARGEST_QUANTITY_THOUSANDTHS)]
Multiplier = Annotated[int, Meta(ge=10_000, le=1_000_000)]
"""Basis points of the plain accrual: 20000 doubles it. Less than 10000 would be a smaller percent: its own rule."""


class Selector(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Lines that have any of these."""

    skus: tuple[str, ...] = ()
    categories: tuple[CategoryPath, ...] = ()
    brands: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    suppliers: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()


class Match(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which lines: those that have any of the SKUs, category path prefixes, brands, labels, suppliers, named lists.

    A line must also have something of every selector in `all`, and nothing of any in `none`. Empty: every line.
    `unit_price_from_minor` to `unit_price_to_minor` (0: no such end; both included): only lines whose unit costs that,
    before our discounts.
    """

    skus: tuple[str, ...] = ()
    categories: tuple[CategoryPath, ...] = ()
    brands: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    suppliers: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    all: tuple[Selector, ...] = ()
    none: tuple[Selector, ...] = ()
    unit_price_from_minor: AmountMinor = 0
    unit_price_to_minor: AmountMinor = 0


class NamedList(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A list that matches refer to by its id, so that it is written once."""

    id: RuleId
    skus: tuple[str, ...] = ()
    categories: tuple[CategoryPath, ...] = ()
    brands: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    suppliers: tuple[str, ...] = ()
    title: dict[str, str] = {}


class TimeSpan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """From the first time (included) to the second (excluded) by the store's clock; past midnight if it is earlier."""

    from_: TimeOfDay = field(name="from")
    to: TimeOfDay


class When(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Everything named must hold. `from` and `to` are the store's local date-times, half-open.

    Weekdays and business dates are those of the store's business day; the part of a span past midnight belongs to the
    day on which the span began.
    """

    from_: LocalMoment = field(name="from", default="")
    to: LocalMoment = ""
    weekdays: tuple[Weekday, ...] = ()
    times: tuple[TimeSpan, ...] = ()
    business_from: LocalDate = ""
    business_to: LocalDate = ""


class Where(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One of each kind that is named."""

    stores: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


class Birthday(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """From `days_before` the birthday to `days_after` it, both included. 29 February is 28 February in other years."""

    days_before: Annotated[int, Meta(ge=0, le=180)] = 0
    days_after: Annotated[int, Meta(ge=0, le=180)] = 0


class Who(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Everything named must hold, and a fact that nobody knows here does not hold.

    `first_purchases` N: purchases number 1 to N. `joined_from`/`joined_to`: joined on a date of this half-open range.
    `silent_days`: the last purchase is at least so many days ago, and there was one.
    """

    tiers: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    birthday: Birthday | None = None
    first_purchases: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    purchase_number: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    joined_from: LocalDate = ""
    joined_to: LocalDate = ""
    silent_days: Days = 0
    coupon: str = ""


class Need(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the receipt must hold: a sum, a quantity, so many different SKUs of the matched lines, before discounts."""

    match: Match = Match()
    minimum_sum_minor: AmountMinor = 0
    minimum_quantity_thousandths: Quantity = 0
    minimum_different: Annotated[int, Meta(ge=0, le=10_000)] = 0


class PerMoney(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """`points` (minor) for each full `per_minor` of the base."""

    points: SomePoints
    per_minor: Annotated[int, Meta(ge=1, le=10**12)]


class PerUnit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """`points` (minor) for each full `per_thousandths` of quantity, on each line."""

    points: SomePoints
    per_thousandths: Annotated[int, Meta(ge=1, le=LARGEST_QUANTITY_THOUSANDTHS)] = 1000


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the rule gives when its lines' base is at least `from_minor` and their quantity `from_quantity_thousandths`.

    The highest step reached counts, alone.
    """

    from_minor: AmountMinor = 0
    from_quantity_thousandths: Quantity = 0
    percent_basis_points: BasisPoints = 0
    per_money: PerMoney | None = None
    points: Points = 0


class Funding(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who pays for what the rule gives, and which share of it."""

    supplier: Annotated[str, Meta(min_length=1, max_length=100)]
    share_basis_points: BasisPoints = 10_000


class Life(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """When points can be spent from, and their last day. Days and months count from the day they become active."""

    activates_after_days: Days = 0
    expires_after_days: Days = 0
    expires_after_months: Annotated[int, Meta(ge=0, le=1200)] = 0
    expires_on: LocalDate = ""


class Limit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The most a rule gives a member in a period, or to all members together (`budget`).

    `amount` is of what the rule gives: minor points, or minor money of a discount. `offline`: what a till without a
    line does where it can't know: give by what its cache knows, give from its share of the budget, or give nothing.
    """

    per: Literal["receipt", "day", "week", "month", "life", "budget"]
    amount: Points = 0
    uses: Annotated[int, Meta(ge=0, le=10**9)] = 0
    offline: Literal["allow", "share", "refuse"] = "allow"


class UnitStep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What comes off each unit from the `from_unit`-th on, to the next step: a percent, an amount, or nothing."""

    from_unit: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    percent_basis_points: BasisPoints = 0
    amount_minor: AmountMinor = 0


class Discount(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Money off the rule's lines: exactly one of a percent, an amount, a price of one unit or of a bundle.

    `amount_minor` is off the receipt, each line or each unit (`per`). `buy_units` and `get_units`: of each whole group
    the cheapest `get_units` are cheaper, by the percent (100 % if none is named); with `buy` the bought units are those
    lines', and the rule's own lines are what is got. `maximum_units`: only so many of the cheapest units, and
    `maximum_units_per_line`, only so many of each line. `whole_groups_of`: only units that fill groups of this size.
    `unit_steps`: the first units otherwise than the next ones, counted on each line (`per = "line"`), or over all of
    the rule's lines from the dearest unit to the cheapest.
    """

    percent_basis_points: BasisPoints = 0
    amount_minor: AmountMinor = 0
    per: Literal["receipt", "line", "unit"] = "receipt"
    unit_price_minor: AmountMinor | None = None
    bundle_price_minor: AmountMinor | None = None
    bundle_units: Annotated[int, Meta(ge=0, le=1000)] = 0
    buy: Match | None = None
    buy_units: Annotated[int, Meta(ge=0, le=1000)] = 0
    get_units: Annotated[int, Meta(ge=0, le=1000)] = 0
    maximum_units: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    maximum_units_per_line: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    whole_groups_of: Annotated[int, Meta(ge=0, le=1000)] = 0
    unit_steps: tuple[UnitStep, ...] = ()
    maximum_groups: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    maximum_minor: AmountMinor = 0


class Coupon(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A coupon that rules may ask for (`who.coupon`), with the codes that stand for it.

    `assigned`: only for members who hold it. `uses_per_member` 0: as often as they like; `uses_per_code`: by all
    members together, with each of the codes. `offline`: whether a till
    without a line takes it; left out, a coupon of limited use is refused there unless it is assigned to the member.
    """

    id: RuleId
    codes: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...], Meta(min_length=1)]
    assigned: bool = False
    uses_per_member: Annotated[int, Meta(ge=0, le=10**6)] = 0
    uses_per_code: Annotated[int, Meta(ge=0, le=10**6)] = 0
    valid_from: LocalDate = ""
    valid_to: LocalDate = ""
    offline: Literal["", "allow", "refuse"] = ""
    returns: Literal["full_within_term", "never"] = "full_within_term"
    title: dict[str, str] = {}
