"""Money off: discount rules by priority, then id, each on what the earlier ones left of the lines' prices.

A discount never takes a line below its own least price. Lines excluded by law are never discounted.
"""

from typing import NamedTuple

from till_loyalty.allocation import allocate
from till_loyalty.conditions import Situation
from till_loyalty.limits import trim
from till_loyalty.money import WHOLE_PERCENT, divide
from till_loyalty.plan import Plan, Standing
from till_loyalty.programme import Programme, Rule
from till_loyalty.receipt import Line
from till_loyalty.results import DiscountGiven, Reason
from till_loyalty.rule_parts import Discount, UnitStep

UNIT = 1000
"""Thousandths of a whole unit; only whole units are counted into groups."""


class Discounted(NamedTuple):
    """Money off each line by index, what each rule took off, and why rules took off less."""

    line_money: list[int]
    given: list[DiscountGiven]
    reasons: list[Reason]


class _Offer(NamedTuple):
    """What a rule would take off which lines."""

    rule: Rule
    indexes: list[int]
    parts: list[int]


class _Counter(NamedTuple):
    """The receipt while discounts are worked out: what is left of each line's price, and lines that are taken."""

    plan: Plan
    lines: tuple[Line, ...]
    standing: Standing
    situation: Situation
    left: list[int]
    taken: set[int]


def discount(plan: Plan, lines: tuple[Line, ...], standing: Standing, situation: Situation) -> Discounted:
    """Apply every discount rule to the lines' amounts. Of a group, the rule that takes most off the receipt acts."""
    result = Discounted([0] * len(lines), [], [])
    counter = _Counter(plan, lines, standing, situation, [line.amount_minor for line in lines], set())
    done: set[str] = set()
    for position in _places(plan, standing):
        rule = plan.rules[position]
        rivals = [(position, rule)]
        if rule.stack == "best_of_group":
            if rule.group in done:
                continue
            done.add(rule.group)
            rivals = plan.groups[rule.group]
        offers = [
            offer for place, rival in rivals if (offer := _offer(counter, place, rival, result.reasons)) is not None
        ]
        if not offers:
            continue
        best = max(offers, key=lambda offer: sum(offer.parts))  # the first of equals, for max keeps the first
        if rule.stack == "exclusive":
            counter.taken.update(index for index, part in zip(best.indexes, best.parts, strict=True) if part)
        _give(best, counter, result)
    return result


def _places(plan: Plan, standing: Standing) -> list[int]:
    """Places of the discounts that may act, in the plan's order."""
    return [place for place in standing.rule_lines if plan.rules[place].discount is not None]


def _offer(counter: _Counter, position: int, rule: Rule, reasons: list[Reason]) -> _Offer | None:
    left, taken, protected = counter.left, counter.taken, counter.standing.protected
    matched = counter.standing.rule_lines.get(position, ())
    indexes = [index for index in matched if left[index] and index not in taken and index not in protected]
    if not indexes:
        return None
    sum_minor = sum([left[index] for index in indexes])
    if sum_minor < rule.minimum_sum_minor:
        numbers = {"needed_minor": rule.minimum_sum_minor, "have_minor": sum_minor}
        reasons.append(Reason(code="rule_below_minimum_sum", rule=rule.id, numbers=numbers))
        return None
    bought = [index for index in counter.standing.bought.get(position, ()) if index not in protected]
    parts = _Work(counter.plan.programme, rule, counter.lines, left, indexes, bought).parts()
    if rule.limits:
        parts = trim(
            rule, parts, counter.situation, reasons, numbers=[counter.lines[index].number for index in indexes]
        )
    return _Offer(rule, indexes, parts) if any(parts) else None


def _give(offer: _Offer, counter: _Counter, result: Discounted) -> None:
    lines, left = counter.lines, counter.left
    funding = offer.rule.funded_by
    for index, part in zip(offer.indexes, offer.parts, strict=True):
        if part:
            result.line_money[index] += part
            result.given.append(
                DiscountGiven(
                    rule=offer.rule.id,
                    line=lines[index].number,
                    base_minor=left[index],
                    amount_minor=part,
                    supplier=funding.supplier if funding else "",
                    supplier_share_basis_points=funding.share_basis_points if funding else 0,
                )
            )
            left[index] -= part


class _Work:
    """One rule's discount: which part of each line's price it is about, and how much goes off."""

    def __init__(
        self,
        programme: Programme,
        rule: Rule,
        lines: tuple[Line, ...],
        left: list[int],
        indexes: list[int],
        bought: list[int],
    ) -> None:
        self.programme = programme
        self.terms: Discount = rule.discount or Discount()
        self.numbers = [lines[index].number for index in indexes]
        self.quantities = [lines[index].quantity_thousandths for index in indexes]
        self.prices = [left[index] for index in indexes]
        self.room = [max(0, left[index] - lines[index].minimum_price_minor) for index in indexes]
        self.bought_units = sum([lines[index].quantity_thousandths // UNIT for index in bought])

    def parts(self) -> list[int]:
        """Money off each of the rule's lines, in their order."""
        terms = self.terms
        if terms.bundle_price_minor is not None:
            parts = self._bundles(terms.bundle_price_minor)
        elif terms.unit_steps:
            parts = self._by_unit_steps(terms.unit_steps)
        else:
            units = self._units()
            bases = self.prices if units is None else self._prices_of(units)
            if terms.unit_price_minor is not None:
                parts = self._to_unit_price(terms.unit_price_minor, units, bases)
            elif terms.amount_minor:
                parts = self._amount(units, bases)
            else:
                parts = self._percent(terms.percent_basis_points or WHOLE_PERCENT, bases)
        parts = [min(part, room) for part, room in zip(parts, self.room, strict=True)]
        if terms.maximum_minor and sum(parts) > terms.maximum_minor:
            parts = allocate(terms.maximum_minor, parts, numbers=self.numbers)
        return parts

    def _units(self) -> list[int] | None:
        """Whole units of each line that the discount is about; None: all of every line, weighed goods too."""
        terms = self.terms
        if terms.get_units:
            pool = sum([quantity // UNIT for quantity in self.quantities])
            if terms.buy is not None:
                groups = self.bought_units // max(1, terms.buy_units)
            else:
                groups = pool // (terms.buy_units + terms.get_units)
            if terms.maximum_groups:
                groups = min(groups, terms.maximum_groups)
            return self._cheapest(min(pool, groups * terms.get_units))
        if terms.maximum_units_per_line:
            return [min(quantity // UNIT, terms.maximum_units_per_line) for quantity in self.quantities]
        if terms.whole_groups_of:
            pool = sum([quantity // UNIT for quantity in self.quantities])
            if terms.maximum_units:
                pool = min(pool, terms.maximum_units)
            return self._cheapest(pool // terms.whole_groups_of * terms.whole_groups_of)
        return self._cheapest(terms.maximum_units) if terms.maximum_units else None

    def _by_unit_steps(self, steps: tuple[UnitStep, ...]) -> list[int]:
        """What the steps take off, each off the units that it reaches; a unit is in one step only."""
        parts = [0] * len(self.prices)
        for number, step in enumerate(steps):
            before = steps[number + 1].from_unit - 1 if number + 1 < len(steps) else None
            units = self._between(step.from_unit - 1, before)
            bases = self._prices_of(units)
            if step.amount_minor:
                off = [min(step.amount_minor * count, base) for count, base in zip(units, bases, strict=True)]
            elif step.percent_basis_points and any(bases):
                off = self._percent(step.percent_basis_points, bases)
            else:
                continue
            parts = [one + more for one, more in zip(parts, off, strict=True)]
        return parts

    def _between(self, first: int, before: int | None) -> list[int]:
        """Whole units of each line from the `first`-th (from 0) on, before another one (None: the last)."""
        most = self.terms.maximum_units or None
        if most is not None:
            before = most if before is None else min(before, most)
        if self.terms.per == "line":
            counts = [quantity // UNIT for quantity in self.quantities]
            return [max(0, (count if before is None else min(count, before)) - first) for count in counts]
        pool = sum([quantity // UNIT for quantity in self.quantities])
        upto = self._cheapest(pool if before is None else min(before, pool), dearest=True)
        return [
            one - other for one, other in zip(upto, self._cheapest(min(first, sum(upto)), dearest=True), strict=True)
        ]

    def _cheapest(self, count: int, *, dearest: bool = False) -> list[int]:
        """`count` units by price of one unit; equal prices by line number."""
        units = [0] * len(self.prices)
        sign = -1 if dearest else 1
        # Shifted quotients order prices of a unit exactly, as those in `allocation` do, without the cost of Fraction.
        shift = 2 * max(self.quantities).bit_length() + 1
        order = sorted(
            [index for index, quantity in enumerate(self.quantities) if quantity >= UNIT],
            key=lambda index: (sign * ((self.prices[index] << shift) // self.quantities[index]), self.numbers[index]),
        )
        for index in order:
            units[index] = min(count, self.quantities[index] // UNIT)
            count -= units[index]
        return units

    def _prices_of(self, units: list[int]) -> list[int]:
        return [
            price * count * UNIT // quantity if count else 0
            for price, count, quantity in zip(self.prices, units, self.quantities, strict=True)
        ]

    def _percent(self, basis_points: int, bases: list[int]) -> list[int]:
        rounding = self.programme.discount_rounding
        if self.programme.discount_round_at == "line":
            return [divide(base * basis_points, WHOLE_PERCENT, rounding) for base in bases]
        return allocate(divide(sum(bases) * basis_points, WHOLE_PERCENT, rounding), bases, numbers=self.numbers)

    def _amount(self, units: list[int] | None, bases: list[int]) -> list[int]:
        amount, per = self.terms.amount_minor, self.terms.per
        if per == "receipt":
            room = [min(base, most) for base, most in zip(bases, self.room, strict=True)]
            return allocate(min(amount, sum(room)), bases, caps=room, numbers=self.numbers)
        if per == "line":
            return [min(amount, base) for base in bases]
        counts = [quantity // UNIT for quantity in self.quantities] if units is None else units
        return [min(amount * count, base) for count, base in zip(counts, bases, strict=True)]

    def _to_unit_price(self, price: int, units: list[int] | None, bases: list[int]) -> list[int]:
        if units is None:
            due = [price * quantity // UNIT for quantity in self.quantities]
        else:
            due = [price * count for count in units]
        return [max(0, base - each) for base, each in zip(bases, due, strict=True)]

    def _bundles(self, price: int) -> list[int]:
        """Each whole bundle of the dearest units costs `price`, if that is less."""
        pool = sum([quantity // UNIT for quantity in self.quantities])
        bundles = pool // max(1, self.terms.bundle_units)
        if self.terms.maximum_groups:
            bundles = min(bundles, self.terms.maximum_groups)
        bases = self._prices_of(self._cheapest(bundles * max(1, self.terms.bundle_units), dearest=True))
        return allocate(max(0, sum(bases) - bundles * price), bases, numbers=self.numbers)
