"""Checks of what rules give: one way each, figures that fit, coupons and rules that are there, limits that limit."""

from collections.abc import Iterator

from till_loyalty.coupons import normalise_code
from till_loyalty.document_types import nearest
from till_loyalty.part_checks import Problem, date_problems, match_problems
from till_loyalty.programme import NO_PERCENT, Programme, Rule
from till_loyalty.rule_parts import Coupon, Discount, Life, Limit, Step

WAYS = ("per_money", "per_unit", "points", "steps", "multiplier_basis_points", "discount")


def gift_problems(programme: Programme) -> Iterator[Problem]:
    """Every fault in what a well-typed programme's rules give, and in its coupons."""
    coupons = tuple(each.id for each in programme.coupons)
    rules = tuple(rule.id for rule in programme.rules)
    lists = tuple(each.id for each in programme.lists)
    for index, rule in enumerate(programme.rules):
        place = f"rules[{index}]"
        yield from _way_problems(place, rule)
        yield from _limit_problems(place, rule)
        if rule.life is not None:
            yield from life_problems(f"{place}.life", rule.life)
        if rule.discount is not None:
            yield from _discount_problems(f"{place}.discount", rule.discount)
            if rule.discount.buy is not None:
                yield from match_problems(f"{place}.discount.buy", rule.discount.buy, lists)
        for number, other in enumerate(rule.multiplies):
            if other not in rules or other == rule.id:
                yield f"{place}.multiplies[{number}]", f"expected another rule, not {other!r}{nearest(other, rules)}"
        coupon = rule.who.coupon if rule.who is not None else ""
        if coupon and coupon not in coupons:
            listed = ", ".join(coupons) or "none, for the programme has no coupons"
            sentence = f"expected a coupon of the programme ({listed}), not {coupon!r}{nearest(coupon, coupons)}"
            yield f"{place}.who.coupon", sentence
    if programme.life is not None:
        yield from life_problems("life", programme.life)
    yield from _coupon_problems(programme.coupons, rules)


def _way_problems(place: str, rule: Rule) -> Iterator[Problem]:
    """A rule gives in exactly one way; only percents and discounts can be the best of a group."""
    ways = [name for name in WAYS if getattr(rule, name)]
    if rule.percent_basis_points != NO_PERCENT:
        ways.insert(0, "percent_basis_points")
    if not ways:
        yield f"{place}.percent_basis_points", f"expected this field, or one of {', '.join(WAYS)}, not nothing"
    for way in ways[1:]:
        yield f"{place}.{way}", f"expected one way of giving in a rule, not this beside {ways[0]}"
    if rule.stack == "best_of_group" and ways and ways[0] not in ("percent_basis_points", "discount"):
        yield f"{place}.stack", f"expected a percent or a discount in a group, not {ways[0]}"
    if rule.multiplies and rule.multiplier_basis_points is None:
        yield f"{place}.multiplies", "expected multiplier_basis_points beside it, not nothing"
    if rule.discount is not None and rule.life is not None:
        yield f"{place}.life", "expected points beside it, not a discount, which does not live on"
    for index, step in enumerate(rule.steps):
        inner = f"{place}.steps[{index}]"
        if index:
            yield from _rising_problems(inner, rule.steps[index - 1], step)
        if index and not (step.percent_basis_points or step.per_money or step.points):
            yield inner, "expected something to give, not nothing: only the first step may give nothing"


def _rising_problems(place: str, before: Step, step: Step) -> Iterator[Problem]:
    """Each step asks for more than the one before it, and for less of nothing."""
    names = ("from_minor", "from_quantity_thousandths")
    for name in names:
        if getattr(step, name) < getattr(before, name):
            yield f"{place}.{name}", f"expected at least {getattr(before, name)}, not {getattr(step, name)}"
    if all(getattr(step, name) == getattr(before, name) for name in names):
        yield f"{place}.from_minor", f"expected more than {before.from_minor}, not {step.from_minor}"


def _limit_problems(place: str, rule: Rule) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, limit in enumerate(rule.limits):
        inner = f"{place}.limits[{index}]"
        if limit.per in seen:
            yield f"{inner}.per", f"expected each period once, not {limit.per!r} again"
        seen.add(limit.per)
        yield from _one_limit(inner, limit)


def _one_limit(place: str, limit: Limit) -> Iterator[Problem]:
    if not limit.amount and not limit.uses:
        yield f"{place}.amount", "expected an amount or uses above 0, not a limit of nothing"
    if limit.uses and limit.per in ("receipt", "budget"):
        yield f"{place}.uses", f"expected an amount, not uses, of a {limit.per}"
    if limit.per == "receipt" and limit.offline != "allow":
        yield f"{place}.offline", "expected nothing: what one receipt gives is known without a line"


def life_problems(place: str, life: Life) -> Iterator[Problem]:
    """An empty life, or one until a date that no calendar has."""
    if life == Life():
        yield place, "expected days, months or a date, not an empty table"
    yield from date_problems(f"{place}.expires_on", life.expires_on)


def _discount_problems(place: str, terms: Discount) -> Iterator[Problem]:
    ways = [
        name
        for name, named in (
            ("percent_basis_points", terms.percent_basis_points > 0),
            ("amount_minor", terms.amount_minor > 0),
            ("unit_price_minor", terms.unit_price_minor is not None),
            ("bundle_price_minor", terms.bundle_price_minor is not None),
            ("unit_steps", bool(terms.unit_steps)),
        )
        if named
    ]
    if not ways and not terms.get_units:
        yield place, "expected a percent, an amount, a unit's or a bundle's price, or get_units, not nothing"
    for way in ways[1:]:
        yield f"{place}.{way}", f"expected one way of giving in a discount, not this beside {ways[0]}"
    if terms.per != "receipt" and not terms.amount_minor and not (terms.unit_steps and terms.per == "line"):
        yield f"{place}.per", "expected amount_minor beside it, not nothing"
    if (terms.bundle_price_minor is not None) != (terms.bundle_units > 0):
        yield f"{place}.bundle_units", "expected a bundle's price and its units together, not one of them"
    if (terms.buy_units or terms.buy is not None or terms.maximum_groups) and not (
        terms.get_units or terms.bundle_units
    ):
        yield f"{place}.get_units", "expected the units that are got, not nothing"
    if terms.buy is not None and not terms.buy_units:
        yield f"{place}.buy_units", "expected how many are bought, not nothing"
    if terms.maximum_units and (terms.get_units or terms.bundle_units):
        yield f"{place}.maximum_units", "expected maximum_groups beside groups of units, not this"
    yield from _unit_problems(place, terms)


def _unit_problems(place: str, terms: Discount) -> Iterator[Problem]:
    """Ways to choose units that exclude each other, and steps that don't rise."""
    others = [name for name in ("get_units", "bundle_units", "unit_steps") if getattr(terms, name)]
    if terms.maximum_units_per_line:
        others += [name for name in ("maximum_units", "whole_groups_of") if getattr(terms, name)]
        for name in others:
            yield f"{place}.maximum_units_per_line", f"expected one way to choose units, not this beside {name}"
    elif terms.whole_groups_of:
        for name in others:
            yield f"{place}.whole_groups_of", f"expected one way to choose units, not this beside {name}"
    if terms.whole_groups_of == 1:
        yield f"{place}.whole_groups_of", "expected groups of 2 or more, not of 1: leave it out"
    for index, step in enumerate(terms.unit_steps):
        inner = f"{place}.unit_steps[{index}]"
        if index and step.from_unit <= terms.unit_steps[index - 1].from_unit:
            yield (
                f"{inner}.from_unit",
                f"expected more than {terms.unit_steps[index - 1].from_unit}, not {step.from_unit}",
            )
        if step.percent_basis_points and step.amount_minor:
            yield f"{inner}.amount_minor", "expected one way of giving in a step, not this beside percent_basis_points"
    if terms.unit_steps and not any(each.percent_basis_points or each.amount_minor for each in terms.unit_steps):
        yield f"{place}.unit_steps", "expected something to give, not nothing"


def _coupon_problems(coupons: tuple[Coupon, ...], rules: tuple[str, ...]) -> Iterator[Problem]:
    ids: set[str] = set(rules)
    codes: dict[str, str] = {}
    for index, coupon in enumerate(coupons):
        place = f"coupons[{index}]"
        if coupon.id in ids:
            yield f"{place}.id", f"expected an id that no rule or other coupon has, not {coupon.id!r}"
        ids.add(coupon.id)
        for number, code in enumerate(coupon.codes):
            plain = normalise_code(code)
            if not plain:
                yield f"{place}.codes[{number}]", "expected a code, not spaces"
            elif plain in codes:
                yield f"{place}.codes[{number}]", f"expected a code of its own, not {code!r} as in {codes[plain]}"
            codes.setdefault(plain, place)
        yield from date_problems(f"{place}.valid_from", coupon.valid_from)
        yield from date_problems(f"{place}.valid_to", coupon.valid_to)
        if coupon.valid_from and coupon.valid_to and coupon.valid_from >= coupon.valid_to:
            yield f"{place}.valid_to", f"expected later than {coupon.valid_from}, not {coupon.valid_to}"
