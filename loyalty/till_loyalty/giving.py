"""Points of one rule on its lines: percent, per full money, per unit, fixed, steps, multiples of what others gave."""

from collections.abc import Sequence

from till_loyalty.allocation import allocate
from till_loyalty.money import WHOLE_PERCENT, divide, points_of_percent
from till_loyalty.programme import Programme
from till_loyalty.receipt import Line
from till_loyalty.rule_parts import PerMoney, PerUnit, Step


class Giving:
    """The lines of one rule with their bases; every way of giving returns minor points for each of them."""

    def __init__(self, programme: Programme, lines: Sequence[Line], bases: list[int]) -> None:
        self.programme = programme
        self.lines = lines
        self.bases = bases

    def percent(self, basis_points: int, multiplier: int) -> list[int]:
        """A percent of the base times the tier's multiplier, in one division."""
        programme = self.programme

        def points(base: int) -> int:
            return points_of_percent(
                base * multiplier,
                basis_points,
                point_value_minor=programme.point_value_minor * WHOLE_PERCENT,
                points_exponent=programme.points_exponent,
                rounding=programme.rounding,
            )

        if programme.round_at == "line":
            return [points(base) for base in self.bases]
        return self._split(points(sum(self.bases)))

    def step(self, step: Step, multiplier: int) -> list[int]:
        """What one step gives; its fixed points come on top of its percent or points per money."""
        parts = [0] * len(self.bases)
        if step.percent_basis_points:
            parts = self.percent(step.percent_basis_points, multiplier)
        if step.per_money is not None:
            parts = [one + more for one, more in zip(parts, self.per_money(step.per_money), strict=True)]
        if step.points:
            parts = [one + more for one, more in zip(parts, self.fixed(step.points), strict=True)]
        return parts

    def per_money(self, terms: PerMoney) -> list[int]:
        """Points for each full sum of money: of the lines together, or of each line, as the programme rounds."""
        if self.programme.round_at == "line":
            return [base // terms.per_minor * terms.points for base in self.bases]
        return self._split(sum(self.bases) // terms.per_minor * terms.points)

    def per_unit(self, terms: PerUnit) -> list[int]:
        """Points for each full portion of quantity on each line."""
        return [line.quantity_thousandths // terms.per_thousandths * terms.points for line in self.lines]

    def fixed(self, points: int) -> list[int]:
        """The same points whatever the sum, split over the lines so that a return takes its part back."""
        return self._split(points)

    def multiplied(self, plain: list[int], more_basis_points: int) -> list[int]:
        """More of what others gave these lines."""
        rounding = self.programme.rounding
        if self.programme.round_at == "line":
            return [divide(points * more_basis_points, WHOLE_PERCENT, rounding) for points in plain]
        total = divide(sum(plain) * more_basis_points, WHOLE_PERCENT, rounding)
        return allocate(total, plain, numbers=[line.number for line in self.lines])

    def _split(self, points: int) -> list[int]:
        return allocate(points, self.bases, numbers=[line.number for line in self.lines])
