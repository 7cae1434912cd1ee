"""A programme made ready for counting: rules in order, matches indexed, units worked out. Made once a programme."""

from math import lcm
from typing import NamedTuple

from till_loyalty.conditions import Needed, Situation, holds, is_met
from till_loyalty.coupons import coupons_by_code
from till_loyalty.matching import Matcher
from till_loyalty.money import exact_points_unit
from till_loyalty.programme import Exclusion, Programme, Rule
from till_loyalty.receipt import Line
from till_loyalty.results import Reason

PLANS_KEPT = 8
"""A till works with one or two programme versions at a time, a cloud with a few; making a plan takes about 0.1 ms."""


class Standing(NamedTuple):
    """Which lines, by index, may earn and may be paid by points, and why others may not.

    `rule_lines`: lines of each rule, in the plan's order. `protected`: lines that the law keeps out of everything.
    `bought`: for discounts that give something else than what is bought, the lines that count as bought.
    """

    earns: list[bool]
    redeems: list[bool]
    rule_lines: list[list[int]]
    reasons: list[Reason]
    protected: set[int]
    bought: dict[int, list[int]]


class Plan:
    """Rules by priority, then id; `unit_points` is the smallest portion of points that may be spent."""

    __slots__ = (
        "_bought",
        "_conditional",
        "_matcher",
        "_needs",
        "coupons",
        "discounts",
        "exclusions",
        "multipliers",
        "programme",
        "rules",
        "tier_ids",
        "unit_points",
    )

    def __init__(self, programme: Programme) -> None:
        self.programme = programme
        self.rules: tuple[Rule, ...] = tuple(sorted(programme.rules, key=lambda rule: (rule.priority, rule.id)))
        # A legal exclusion is named first wherever several hold for a line.
        self.exclusions: tuple[Exclusion, ...] = tuple(sorted(programme.exclusions, key=lambda each: not each.legal))
        self.tier_ids = frozenset(tier.id for tier in programme.tiers)
        self.unit_points = lcm(
            programme.redemption.step_points,
            exact_points_unit(point_value_minor=programme.point_value_minor, points_exponent=programme.points_exponent),
        )
        self._conditional = tuple(
            [
                (position, rule)
                for position, rule in enumerate(self.rules)
                if rule.when is not None or rule.where is not None or rule.who is not None
            ]
        )
        matches = [each.match for each in self.exclusions] + [rule.match for rule in self.rules]
        needs = [(position, need) for position, rule in enumerate(self.rules) for need in rule.needs]
        self._needs = tuple([Needed(rule, len(matches) + index, need) for index, (rule, need) in enumerate(needs)])
        matches += [need.match for _, need in needs]
        self.discounts = tuple([(place, rule) for place, rule in enumerate(self.rules) if rule.discount is not None])
        bought: list[tuple[int, int]] = []
        for place, rule in self.discounts:
            if rule.discount is not None and rule.discount.buy is not None:
                bought.append((place, len(matches)))
                matches.append(rule.discount.buy)
        self._bought = tuple(bought)
        self.coupons = coupons_by_code(programme.coupons)
        self.multipliers = {tier.id: tier.multiplier_basis_points for tier in programme.tiers}
        self._matcher = Matcher(matches, {each.id: each for each in programme.lists})

    def stand(self, lines: tuple[Line, ...], situation: Situation | None = None) -> Standing:
        """Apply the exclusions, which no rule can override, and pick each rule's lines.

        A rule whose conditions don't hold in the situation (None: a sale of which nothing more is known) has no lines.
        """
        selected = self._matcher.select(lines)
        count = len(self.exclusions)
        for needed in self._needs:
            if not is_met(needed.need, lines, selected[needed.match]):
                selected[count + needed.rule] = []
        for position, rule in self._conditional:
            if situation is None or not holds(rule, situation):
                selected[count + position] = []
        earns, redeems = [True] * len(lines), [True] * len(lines)
        protected: set[int] = set()
        reasons: list[Reason] = []
        for exclusion, indexes in zip(self.exclusions, selected, strict=False):
            legal = exclusion.legal
            if legal:
                protected.update(indexes)
            for index in indexes:
                stops_earning = earns[index] and (legal or exclusion.earn)
                stops_redeeming = redeems[index] and (legal or exclusion.redeem)
                if not stops_earning and not stops_redeeming:
                    continue
                earns[index] = earns[index] and not stops_earning
                redeems[index] = redeems[index] and not stops_redeeming
                line = lines[index]
                if not line.amount_minor:
                    continue
                if legal:
                    code = "line_excluded_by_law"
                elif stops_earning and stops_redeeming:
                    code = "line_excluded"
                else:
                    code = "line_not_earning" if stops_earning else "line_not_redeemable"
                reasons.append(Reason(code=code, rule=exclusion.id, line=line.number))
        bought = {place: selected[match] for place, match in self._bought}
        return Standing(earns, redeems, selected[count : count + len(self.rules)], reasons, protected, bought)


_plans: tuple[Plan, ...] = ()


def plan_of(programme: Programme) -> Plan:
    """The plan of this very programme object; a few recent ones are remembered, which changes no result.

    Safe from several threads: the tuple is replaced whole, and a plan made twice is the same plan.
    """
    global _plans  # noqa: PLW0603 - the memory of a pure function; nothing reads it but this function
    for plan in _plans:
        if plan.programme is programme:
            return plan
    plan = Plan(programme)
    _plans = (plan, *_plans[: PLANS_KEPT - 1])
    return plan
