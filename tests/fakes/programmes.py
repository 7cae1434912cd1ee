"""Random programmes with every kind of rule, and sales by them, for properties.

A `Case` is one sale with all that the rules are given. Programmes here are such as the parser lets through.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from till_loyalty.engine import calculate
from till_loyalty.exceptions import ProgrammeError
from till_loyalty.money import exact_points_unit
from till_loyalty.programme import Event, Exclusion, Match, Programme, Redemption, Rule, Tier
from till_loyalty.programme_document import parse_programme, programme_json
from till_loyalty.receipt import Line, MemberState, Place, Receipt, StoreClock, Usage
from till_loyalty.results import Calculation, DiscountGiven
from till_loyalty.rule_parts import (
    WEEKDAYS,
    Birthday,
    Coupon,
    Discount,
    Funding,
    Life,
    Limit,
    NamedList,
    Need,
    PerMoney,
    PerUnit,
    Selector,
    Step,
    TimeSpan,
    UnitStep,
    When,
    Where,
    Who,
)

SKUS = ("a", "b", "c", "d", "e")
PATHS = (("x",), ("x", "y"), ("x", "y", "z"), ("w",))
BRANDS = ("acme", "zeta")
LABELS = ("promo", "new")
TIERS = ("standard", "silver", "gold")
SEGMENTS = ("pensioner", "staff")
ROUNDINGS = ("floor", "half_up", "half_even", "ceil")
TITLE = {"ru": "Правило", "en": "Rule"}
DAYS = tuple((date(2024, 2, 28) + timedelta(days=each)).isoformat() for each in (0, 1, 2, 30, 306, 308, 366))
"""Around 29 February, a month's end, and New Year of 2025 (ISO week 2025-W01 begins on 30 December)."""

small = st.integers(1, 2000)


class Case(Struct, frozen=True, kw_only=True):
    """One sale, as `calculate` is given it."""

    programme: Programme
    member: MemberState | None
    receipt: Receipt
    clock: StoreClock
    redeem_points: int = 0
    place: Place | None = None
    codes: tuple[str, ...] = ()
    budgets: Mapping[str, int] = {}
    offline: bool = False
    taken: tuple[DiscountGiven, ...] | None = None

    def calculate(self, programme: Programme | None = None, **changed: Any) -> Calculation:
        """What the rules say of it."""
        case = replace(self, **changed) if changed else self
        return calculate(
            programme or case.programme,
            case.member,
            case.receipt,
            case.clock,
            redeem_points=case.redeem_points,
            place=case.place,
            codes=case.codes,
            budgets=case.budgets,
            offline=case.offline,
            taken=case.taken,
        )


discounts = st.one_of(
    st.builds(Discount, percent_basis_points=st.integers(1, 10_000), maximum_minor=st.sampled_from((0, 50))),
    st.builds(Discount, percent_basis_points=st.just(5000), maximum_units=st.integers(1, 3)),
    st.builds(Discount, amount_minor=small, per=st.sampled_from(("receipt", "line", "unit"))),
    st.builds(Discount, percent_basis_points=st.just(1000), maximum_units_per_line=st.integers(1, 3)),
    st.builds(Discount, amount_minor=small, per=st.just("unit"), whole_groups_of=st.integers(2, 3)),
    st.builds(
        Discount,
        unit_steps=st.just((UnitStep(percent_basis_points=333), UnitStep(from_unit=2, amount_minor=7))),
        per=st.sampled_from(("receipt", "line")),
        maximum_units=st.integers(0, 3),
    ),
    st.builds(Discount, unit_price_minor=small),
    st.builds(Discount, bundle_units=st.integers(1, 3), bundle_price_minor=small),
    st.builds(Discount, buy_units=st.integers(1, 2), get_units=st.integers(1, 2), maximum_groups=st.integers(0, 2)),
    st.builds(Discount, buy_units=st.just(1), get_units=st.just(1), buy=st.just(Match(skus=("b",)))),
)
point_ways = st.one_of(
    st.fixed_dictionaries({"percent_basis_points": st.sampled_from((0, 1, 100, 333, 500, 5000, 10_000))}),
    st.fixed_dictionaries({"per_money": st.builds(PerMoney, points=st.integers(1, 9), per_minor=small)}),
    st.fixed_dictionaries({"per_unit": st.builds(PerUnit, points=st.integers(1, 9))}),
    st.fixed_dictionaries({"points": small}),
    st.fixed_dictionaries(
        {
            "steps": st.just(
                (
                    Step(points=1),
                    Step(from_minor=400, from_quantity_thousandths=2000, points=3),
                    Step(
                        from_minor=500,
                        from_quantity_thousandths=2000,
                        percent_basis_points=700,
                        per_money=PerMoney(points=1, per_minor=90),
                    ),
                )
            )
        }
    ),
)
multiples = st.fixed_dictionaries({"multiplier_basis_points": st.integers(10_000, 30_000)})
money_off = st.fixed_dictionaries({"discount": discounts})
matches = st.one_of(
    st.just(Match()),
    st.builds(
        Match,
        skus=st.lists(st.sampled_from(SKUS), max_size=2).map(tuple),
        categories=st.lists(st.sampled_from(PATHS), max_size=1).map(tuple),
        brands=st.lists(st.sampled_from(BRANDS), max_size=1).map(tuple),
    ),
    st.just(Match(lists=("listed",))),
    st.builds(Match, unit_price_from_minor=st.integers(0, 90), unit_price_to_minor=st.sampled_from((0, 90, 5000))),
    st.just(Match(none=(Selector(labels=("promo",)),))),
    st.just(Match(labels=("promo",), all=(Selector(categories=(("x",),)),))),
)
whens = st.one_of(
    st.builds(When, weekdays=st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=5, unique=True).map(tuple)),
    st.just(When(times=(TimeSpan(from_="22:00", to="02:00"),))),
    st.just(When(times=(TimeSpan(from_="08:00", to="12:00"),))),
    st.just(When(from_="2024-02-29T00:00:00", to="2025-01-01T00:00:00")),
    st.just(When(business_from="2024-02-29", business_to="2024-12-31")),
)
wheres = st.one_of(st.just(Where(stores=("s1",))), st.just(Where(regions=("north",), channels=("till",))))
whos = st.one_of(
    st.just(Who(segments=("pensioner",))),
    st.just(Who(tiers=("silver", "gold"))),
    st.just(Who(birthday=Birthday(days_before=3, days_after=3))),
    st.just(Who(first_purchases=2)),
    st.just(Who(silent_days=30)),
    st.just(Who(joined_from="2024-01-01")),
    st.just(Who(coupon="spring")),
    st.just(Who(coupon="autumn")),
    st.just(Who(tiers=("silver",), segments=("pensioner", "staff"))),
)
needs = st.one_of(
    st.just(Need(minimum_sum_minor=1000)),
    st.just(Need(match=Match(skus=("a",)))),
    st.just(Need(minimum_different=2)),
    st.just(Need(minimum_quantity_thousandths=2000)),
)
limits = st.one_of(
    st.builds(Limit, per=st.just("receipt"), amount=st.sampled_from((1, 7, 50))),
    st.builds(
        Limit,
        per=st.sampled_from(("day", "week", "month", "life")),
        amount=st.sampled_from((1, 7, 50)),
        uses=st.sampled_from((0, 2)),
        offline=st.sampled_from(("allow", "allow", "refuse")),
    ),
    st.builds(Limit, per=st.just("budget"), amount=st.just(500), offline=st.sampled_from(("share", "refuse"))),
)
lives = st.one_of(
    st.just(Life(activates_after_days=1)),
    st.just(Life(expires_after_months=1)),
    st.just(Life(activates_after_days=3, expires_after_days=2)),
)


EXTRAS: dict[str, st.SearchStrategy[Any]] = {
    "when": whens,
    "where": wheres,
    "who": whos,
    "needs": needs.map(lambda need: (need,)),
    "limits": limits.map(lambda limit: (limit,)),
    "life": lives,
    "funded_by": st.just(Funding(supplier="maker", share_basis_points=5000)),
    "tiers": st.just(("gold",)),
    "minimum_sum_minor": st.just(500),
    "title": st.just(TITLE),
}
chosen_extras = st.one_of(
    st.just(()),
    st.sampled_from(sorted(EXTRAS)).map(lambda name: (name,)),
    st.just(("limits", "life")),
    st.just(("who",)),
)
WAYS = {"points": point_ways, "multiple": multiples, "money": money_off}


@st.composite
def rules(draw: st.DrawFn, index: int, *, plain: bool = False, kinds: tuple[str, ...] = ()) -> Rule:
    """A rule of one of the kinds of ways; `plain`: without conditions, limits, groups."""
    kind = draw(st.sampled_from(kinds or ("points", "points", "points", "money", "money", "multiple")))
    fields: dict[str, Any] = {"match": draw(matches), "priority": draw(st.integers(0, 2)), **draw(WAYS[kind])}
    if not plain:
        stack = draw(st.sampled_from(("all", "all", "all", "best_of_group", "exclusive")))
        if stack == "best_of_group" and kind != "money" and "percent_basis_points" not in fields:
            stack = "all"
        group = "" if stack != "best_of_group" else "h" if kind == "money" else "g"
        extras = {name: draw(EXTRAS[name]) for name in draw(chosen_extras)}
        if kind == "money":
            extras.pop("life", None)
        fields |= {"stack": stack, "group": group, **extras}
    return Rule(id=f"r{index}", **fields)


@st.composite
def programmes(
    draw: st.DrawFn, *, most_rules: int = 4, plain: bool = False, kinds: tuple[str, ...] = (), **fixed: Any
) -> Programme:
    """A programme that the parser takes, with every kind of rule, exclusion, coupon and event in some of them."""
    count = draw(st.sampled_from((3, 2, most_rules, 1) if plain else (3, 2, most_rules, 1, 0)))
    drawn = tuple(draw(rules(index, plain=plain, kinds=kinds)) for index in range(count))
    exclusions = tuple(
        Exclusion(id=f"x{index}", match=Match(skus=(draw(st.sampled_from(SKUS)),)), legal=legal, earn=earn or legal)
        for index, (legal, earn) in enumerate(draw(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=2)))
    )
    exponent, value = draw(st.integers(0, 2)), draw(st.sampled_from((1, 50, 100, 150)))
    fields: dict[str, Any] = {
        "rules": drawn,
        "exclusions": () if plain else exclusions,
        "rounding": draw(st.sampled_from(ROUNDINGS)),
        "round_at": draw(st.sampled_from(("receipt", "line"))),
        "discount_rounding": draw(st.sampled_from(ROUNDINGS)),
        "discount_round_at": draw(st.sampled_from(("receipt", "line"))),
        "earn_base": draw(st.sampled_from(("payable", "gross"))),
        "points_exponent": exponent,
        "point_value_minor": value,
        "tiers": (
            Tier(id="standard"),
            Tier(id="silver", multiplier_basis_points=15_000),
            Tier(id="gold", multiplier_basis_points=20_000),
        ),
        "lists": (NamedList(id="listed", skus=("c",), brands=("zeta",)),),
        "coupons": (
            Coupon(id="spring", codes=("SPRING",), uses_per_member=1),
            Coupon(id="autumn", codes=("AUTUMN",), assigned=True, valid_from="2024-02-29"),
        ),
        "events": draw(
            st.sampled_from(
                (
                    (),
                    (
                        Event(id="welcome", on="registered", points=50),
                        Event(id="first", on="first_purchase", points=20),
                    ),
                )
            )
        ),
        "redemption": Redemption(
            step_points=exact_points_unit(point_value_minor=value, points_exponent=exponent),
            max_share_basis_points=draw(st.sampled_from((10_000, 5000, 3333))),
            minimum_line_price_minor=draw(st.sampled_from((0, 1))),
            maximum_receipt_minor=draw(st.sampled_from((0, 0, 700))),
        ),
        "return_policy": draw(st.sampled_from(("debt", "within_balance", "refuse"))),
    }
    return Programme(**{"format": 1, "id": "p", "version": 1, "currency": "RUB"} | fields | fixed)


def is_whole(programme: Programme) -> bool:
    """Whether the parser takes it: what a manager can't sign is no case."""
    try:
        parse_programme(programme_json(programme), suffix=".json")
    except ProgrammeError:
        return False
    return True


amounts = st.one_of(
    st.integers(500, 60_000),
    st.integers(50, 5000),
    st.integers(500, 60_000).map(lambda n: n // 50 * 50),
    st.integers(0, 3),
)


@st.composite
def receipts(draw: st.DrawFn, largest: int = 6) -> Receipt:
    """Lines in any order of numbers."""
    lines = []
    for number in draw(st.lists(st.integers(1, 30), min_size=1, max_size=largest, unique=True)):
        amount = draw(amounts)
        lines.append(
            Line(
                number=number,
                sku=draw(st.sampled_from(SKUS)),
                amount_minor=amount,
                quantity_thousandths=draw(st.sampled_from((0, 1000, 1000, 3000, 777))),
                category=draw(st.sampled_from((*PATHS, ()))),
                brand=draw(st.sampled_from(("", *BRANDS))),
                labels=draw(st.sampled_from(((), ("promo",), LABELS))),
                minimum_price_minor=draw(st.sampled_from((0, 0, 0, amount // 2))),
            )
        )
    return Receipt(lines=tuple(lines))


usages = st.builds(
    Usage,
    rule=st.sampled_from(("r0", "r1", "r2")),
    per=st.sampled_from(("day", "week", "month")),
    key=st.sampled_from(("2024-02-29", "2025-W01", "2024-12")),
    amount=st.integers(0, 10),
    uses=st.integers(0, 2),
)
members = st.builds(
    MemberState,
    tier=st.sampled_from(("", *TIERS)),
    spendable_points=st.one_of(st.integers(0, 100), st.integers(0, 10**4), st.just(10**9)),
    segments=st.sampled_from(((), ("pensioner",), SEGMENTS)),
    birth_date=st.sampled_from(("", "02-29", "01-01", "1990-12-30")),
    member_since=st.sampled_from(("", "2023-05-05", "2024-01-01")),
    purchases=st.integers(-1, 3),
    last_purchase=st.sampled_from(("", "2024-02-01", "2023-01-31")),
    usage=st.lists(usages, max_size=2).map(tuple),
    coupons=st.sampled_from(((), ("autumn",))),
)
clocks = st.builds(
    lambda day, time: StoreClock(local_time=f"{day}T{time}", business_date=day),
    st.sampled_from(DAYS),
    st.sampled_from(("00:00:00", "01:59:59", "08:00:00", "11:59:59", "12:00:00", "22:00:00", "23:59:59")),
)


@st.composite
def cases(draw: st.DrawFn, **fixed: Any) -> Case:
    """One sale by a programme that the parser takes."""
    fields: dict[str, Any] = {
        "programme": programmes().filter(is_whole),
        "member": members,
        "receipt": receipts(),
        "clock": clocks,
        "redeem_points": st.one_of(st.just(-1), st.just(0), st.integers(0, 3000)),
        "place": st.sampled_from((None, Place(store="s1"), Place(region="north", channel="till"))),
        "codes": st.sampled_from(((), ("SPRING",), ("spring ", "AUTUMN"), ("none-such",))),
        "budgets": st.dictionaries(st.sampled_from(("r0", "r1", "r2", "r3", "r4")), st.integers(0, 30), max_size=5),
        "offline": st.booleans(),
    }
    drawn = {name: draw(strategy) for name, strategy in (fields | fixed).items()}
    if "member" not in fixed and draw(st.integers(0, 9)) == 9:
        drawn["member"] = None
    return Case(**drawn)
