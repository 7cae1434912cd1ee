"""The plan's indexes against the same question asked slowly: each rule of each line, in plain loops."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from till_loyalty import engine, plan
from till_loyalty.conditions import Situation, holds, is_met
from till_loyalty.engine import calculate
from till_loyalty.plan import Plan, Standing
from till_loyalty.programme import Exclusion, Match, Programme, Rule
from till_loyalty.receipt import Line, MemberState, Receipt, StoreClock
from till_loyalty.results import canonical_bytes
from till_loyalty.rule_parts import Discount, NamedList, Need, Selector, UnitStep, When, Who
from unit.loyalty.loyalty_support import CLOCK, PATHS, SKUS, TIERS, line, programme, steps_of

BRANDS, LABELS, SUPPLIERS, LISTS = ("b1", "b2"), ("l1", "l2"), ("s1", "s2"), ("one", "other")
CLOCKS = tuple(
    StoreClock(local_time=f"2026-06-{day}T{hour}:30:00", business_date=f"2026-06-{day}")
    for day, hour in (("10", "09"), ("14", "23"))
)


def names(draw: st.DrawFn, *, lists: bool) -> dict[str, Any]:
    """Names of a match, a selector or a list; most kinds are left out."""
    kinds = [("skus", SKUS), ("categories", PATHS), ("brands", BRANDS), ("labels", LABELS), ("suppliers", SUPPLIERS)]
    if lists:
        kinds.append(("lists", LISTS))
    found = {}
    for kind, known in kinds:
        if draw(st.integers(0, 3)) == 0:
            found[kind] = tuple(draw(st.lists(st.sampled_from(known), min_size=1, max_size=3)))
    return found


@st.composite
def matches(draw: st.DrawFn) -> Match:
    extra: dict[str, Any] = {}
    for kind in ("all", "none"):
        if draw(st.integers(0, 3)) == 0:
            extra[kind] = tuple(
                [Selector(**names(draw, lists=True) or {"skus": ("a",)}) for _ in range(draw(st.integers(1, 2)))]
            )
    if draw(st.integers(0, 3)) == 0:
        extra |= {
            "unit_price_from_minor": draw(st.sampled_from((0, 100))),
            "unit_price_to_minor": draw(st.sampled_from((0, 250))),
        }
    return Match(**names(draw, lists=True), **extra)


@st.composite
def rules(draw: st.DrawFn, index: int) -> Rule:
    stack = draw(st.sampled_from(("all", "all", "best_of_group", "exclusive")))
    fields: dict[str, Any] = {
        "id": f"r{index}",
        "match": draw(matches()),
        "stack": stack,
        "group": draw(st.sampled_from(("g", "h"))) if stack == "best_of_group" else "",
        "priority": draw(st.integers(0, 2)),
        "tiers": draw(st.sampled_from(((), (), ("gold",), ("silver", "gold")))),
        "minimum_sum_minor": draw(st.sampled_from((0, 0, 300))),
    }
    if draw(st.integers(0, 3)) == 0:
        fields["when"] = When(weekdays=("wed",))
    if draw(st.integers(0, 3)) == 0:
        fields["who"] = draw(
            st.sampled_from((Who(tiers=("gold", "standard")), Who(segments=("x",)), Who(first_purchases=1)))
        )
    if draw(st.integers(0, 3)) == 0:
        fields["needs"] = (Need(match=draw(matches()), minimum_different=draw(st.integers(0, 2))),)
    if draw(st.booleans()):
        return Rule(percent_basis_points=draw(st.sampled_from((0, 100, 3333))), **fields)
    steps = (UnitStep(from_unit=2, percent_basis_points=5000),)
    kinds = (
        Discount(percent_basis_points=1000),
        Discount(amount_minor=70),
        Discount(unit_steps=steps),
        Discount(buy=draw(matches()), buy_units=1, get_units=1),
        Discount(percent_basis_points=1000, whole_groups_of=2),
    )
    return Rule(discount=draw(st.sampled_from(kinds)), **fields)


@st.composite
def programmes(draw: st.DrawFn) -> Programme:
    lists = tuple(NamedList(id=name, **names(draw, lists=False)) for name in LISTS)
    exclusions = tuple(
        Exclusion(id=f"x{index}", match=replace(draw(matches()), skus=("d",)), legal=draw(st.booleans()))
        for index in range(draw(st.integers(0, 2)))
    )
    count = draw(st.integers(0, 6))
    fields: dict[str, Any] = {"lists": lists, "exclusions": exclusions, "points_exponent": 2}
    return programme(*[draw(rules(index)) for index in range(count)], **fields)


@st.composite
def receipts(draw: st.DrawFn) -> Receipt:
    lines = []
    for number in range(1, draw(st.integers(1, 8)) + 1):
        lines.append(
            Line(
                number=number,
                sku=draw(st.sampled_from(SKUS)),
                amount_minor=draw(st.sampled_from((0, 100, 101, 250, 999))),
                quantity_thousandths=draw(st.sampled_from((0, 1000, 1000, 2000, 555))),
                category=draw(st.sampled_from((*PATHS, ()))),
                brand=draw(st.sampled_from(("", *BRANDS))),
                labels=tuple(draw(st.lists(st.sampled_from(LABELS), max_size=2))),
                supplier=draw(st.sampled_from(("", *SUPPLIERS))),
            )
        )
    return Receipt(lines=tuple(lines))


members = st.builds(
    MemberState,
    tier=st.sampled_from(("", *TIERS, "unknown")),
    segments=st.sampled_from(((), ("x",))),
    purchases=st.integers(-1, 1),
    spendable_points=st.sampled_from((0, 500)),
)


def has_name(names: Match | Selector | NamedList, line: Line) -> bool:
    return (
        line.sku in names.skus
        or any(line.category[: len(path)] == path for path in names.categories)
        or line.brand in names.brands
        or any(label in names.labels for label in line.labels)
        or line.supplier in names.suppliers
    )


def is_named(names: Match | Selector, line: Line, lists: dict[str, NamedList]) -> bool:
    return has_name(names, line) or any(has_name(lists[each], line) for each in names.lists)


def takes(match: Match, line: Line, lists: dict[str, NamedList]) -> bool:
    kinds = (match.skus, match.categories, match.brands, match.labels, match.suppliers, match.lists)
    if any(kinds) and not is_named(match, line, lists):
        return False
    if not all(is_named(each, line, lists) for each in match.all):
        return False
    if any(is_named(each, line, lists) for each in match.none):
        return False
    if not match.unit_price_from_minor and not match.unit_price_to_minor:
        return True
    if not line.quantity_thousandths:
        return False
    price = line.amount_minor * 1000 / line.quantity_thousandths  # exact enough: the strategies' prices are
    return match.unit_price_from_minor <= price and (
        not match.unit_price_to_minor or price <= match.unit_price_to_minor
    )


class SlowPlan(Plan):
    """A plan without an index: every rule is asked about every line."""

    __slots__ = ()

    def stand(self, lines: tuple[Line, ...], situation: Situation | None = None) -> Standing:
        assert situation is not None
        lists = {each.id: each for each in self.programme.lists}

        def of(match: Match) -> list[int]:
            return [index for index, line in enumerate(lines) if takes(match, line, lists)]

        rule_lines = {}
        for place, rule in enumerate(self.rules):
            tier = situation.member.tier
            if rule.tiers and tier not in rule.tiers:
                continue
            if (
                holds(rule, situation)
                and all(is_met(need, lines, of(need.match)) for need in rule.needs)
                and of(rule.match)
            ):
                rule_lines[place] = of(rule.match)
        selected = {place: of(each.match) for place, each in enumerate(self.exclusions) if of(each.match)}
        reasons: list[Any] = []
        earns, redeems, protected = self._exclude(lines, selected, reasons)
        bought = {
            place: of(rule.discount.buy)
            for place, rule in self.discounts
            if rule.discount is not None and rule.discount.buy is not None
        }
        return Standing(earns, redeems, rule_lines, reasons, protected, bought)


@settings(max_examples=120, deadline=None)
@given(programmes(), receipts(), members, st.sampled_from(CLOCKS))
def test_an_indexed_plan_counts_as_one_that_asks_every_rule_about_every_line(
    rules: Programme, sold: Receipt, member: MemberState, clock: StoreClock
) -> None:
    quick = calculate(rules, member, sold, clock, redeem_points=-1)
    kept = plan.plan_of
    engine.plan_of = SlowPlan  # type: ignore[assignment]  # makes a plan of a programme, as it does
    try:
        slow = calculate(rules, member, sold, clock, redeem_points=-1)
    finally:
        engine.plan_of = kept
    assert canonical_bytes(quick) == canonical_bytes(slow)


def test_work_grows_with_the_rules_that_take_a_line_and_not_with_those_there_are() -> None:
    """Counted in lines of Python, which no busy machine disturbs."""

    def steps(others: int) -> int:
        elsewhere = [
            Rule(
                id=f"other-{number}",
                percent_basis_points=100,
                match=Match(skus=(f"elsewhere-{number}",)),
                when=When(weekdays=("wed",)),
                needs=(Need(match=Match(brands=(f"brand-{number}",))),),
            )
            for number in range(others)
        ]
        rules = programme(Rule(id="here", percent_basis_points=100), *elsewhere)
        sold = Receipt(lines=tuple(line(number, 100) for number in range(1, 16)))
        calculate(rules, MemberState(), sold, CLOCK)  # the plan is made once
        return steps_of(lambda: calculate(rules, MemberState(), sold, CLOCK))

    assert steps(2000) == steps(20)
