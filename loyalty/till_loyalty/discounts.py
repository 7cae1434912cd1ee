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
from till_loyalty.rule_parts import Discount

UNIT = 1000
"""Thousandths of a whole unit; only whole units are counted into groups."""


class Discounted(NamedTuple):
    """Money off each line by index, what each rule took off, and why rules took off less."""

    line_money: list[int]
    given: list[DiscountGiven]
    reasons: list[Reason]


class _Offer(NamedTuple):
    """What a rule would take off which lines, from which prices."""

    rule: Rule
    indexes: list[int]
    left: list[int]
    parts: list[int]


def discount(plan: Plan, lines: tuple[Line, ...], standing: Standing, situation: Situation) -> Discounted:
    """Apply every discount rule to the lines' amounts. Of a group, the rule that takes most off the receipt acts."""
    result = Discounted([0] * len(lines), [], [])
    taken: set[int] = set()
    done: set[str] = set()
    for position, rule in plan.discounts:
        rivals = [(position, rule)]
        if rule.stack == "best_of_group":
            if rule.group in done:
                continue
            done.add(rule.group)
            rivals = [each for each in plan.discounts if each[1].group == rule.group]
        offers = [
            offer
            for place, rival in rivals
            if (offer := _offer(plan, place, rival, lines, standing, situation, taken, result)) is not None
        ]
        if not offers:
            continue
        best = max(offers, key=lambda offer: sum(offer.parts))  # the first of equals, for max keeps the first
        if rule.stack == "exclusive":
            taken.update(index for index, part in zip(best.indexes, best.parts, strict=True) if part)
        _give(best, lines, result)
    return result


def _offer(
    plan: Plan,
    position: int,
    rule: Rule,
    lines: tuple[Line, ...],
    standing: Standing,
    situation: Situation,
    taken: set[int],
    result: Discounted,
) -> _Offer | None:
    left = [line.amount_minor - off for line, off in zip(lines, result.line_money, strict=True)]
    free = [index for index in standing.rule_lines[position] if left[index] and index not in taken]
    indexes = [index for index in free if index not in standing.protected]
    if not indexes or (rule.tiers and situation.member.tier not in rule.tiers):
        return None
    sum_minor = sum([left[index] for index in indexes])
    if sum_minor < rule.minimum_sum_minor:
        numbers = {"needed_minor": rule.minimum_sum_minor, "have_minor": sum_minor}
        result.reasons.append(Reason(code="rule_below_minimum_sum", rule=rule.id, numbers=numbers))
        return None
    bought = [index for index in standing.bought.get(position, ()) if index not in standing.protected]
    parts = _Work(plan.programme, rule, lines, left, indexes, bought).parts()
    parts = trim(rule, parts, situation, result.reasons)
    return _Offer(rule, indexes, left, parts) if any(parts) else None


def _give(offer: _Offer, lines: tuple[Line, ...], result: Discounted) -> None:
    funding = offer.rule.funded_by
    for index, part in zip(offer.indexes, offer.parts, strict=True):
        if part:
            result.line_money[index] += part
            result.given.append(
                DiscountGiven(
                    rule=offer.rule.id,
                    line=lines[index].number,
                    base_minor=offer.left[index],
                    amount_minor=part,
                    supplier=funding.supplier if funding else "",
                    supplier_share_basis_points=funding.share_basis_points if funding else 0,
                )
            )


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
        return self._cheapest(terms.maximum_units) if terms.maximum_units else None

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
