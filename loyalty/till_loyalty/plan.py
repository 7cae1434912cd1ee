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

    `rule_lines`: lines of the rules that may act, by the rule's place in the plan, in that order. `protected`: lines
    that the law keeps out of everything. `bought`: for discounts that give something else than what is bought, the
    lines that count as bought.
    """

    earns: list[bool]
    redeems: list[bool]
    rule_lines: dict[int, list[int]]
    reasons: list[Reason]
    protected: set[int]
    bought: dict[int, list[int]]


class Plan:
    """Rules by priority, then id; `unit_points` is the smallest portion of points that may be spent."""

    __slots__ = (
        "_barred",
        "_bought",
        "_conditional",
        "_matcher",
        "_needs",
        "_open",
        "coupons",
        "discounts",
        "exclusions",
        "groups",
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
        self._conditional = frozenset(
            [
                position
                for position, rule in enumerate(self.rules)
                if rule.when is not None or rule.where is not None or rule.who is not None
            ]
        )
        matches = [each.match for each in self.exclusions] + [rule.match for rule in self.rules]
        needs = [(position, need) for position, rule in enumerate(self.rules) for need in rule.needs]
        self._needs: dict[int, list[Needed]] = {}
        for index, (position, need) in enumerate(needs):
            self._needs.setdefault(position, []).append(Needed(position, len(matches) + index, need))
        matches += [need.match for _, need in needs]
        self.discounts = tuple([(place, rule) for place, rule in enumerate(self.rules) if rule.discount is not None])
        self.groups: dict[str, list[tuple[int, Rule]]] = {}
        for place, rule in self.discounts:
            if rule.group:
                self.groups.setdefault(rule.group, []).append((place, rule))
        bought: list[tuple[int, int]] = []
        for place, rule in self.discounts:
            if rule.discount is not None and rule.discount.buy is not None:
                bought.append((place, len(matches)))
                matches.append(rule.discount.buy)
        self._bought = tuple(bought)
        self.coupons = coupons_by_code(programme.coupons)
        self.multipliers = {tier.id: tier.multiplier_basis_points for tier in programme.tiers}
        self._matcher = Matcher(matches, {each.id: each for each in programme.lists})
        self._barred: dict[str, frozenset[int]] = {}
        self._open: dict[str, tuple[int, ...]] = {}
        for tier in (*sorted(self.tier_ids), ""):
            self._index_tier(tier)

    def _index_tier(self, tier: str) -> None:
        """Which rules a member of this tier never has, and which matches of every line are therefore looked at."""
        barred = frozenset([place for place, rule in enumerate(self.rules) if not _is_for_tier(rule, tier)])
        first = len(self.exclusions)
        self._barred[tier] = barred
        self._open[tier] = tuple([each for each in self._matcher.everything if each - first not in barred])

    def stand(self, lines: tuple[Line, ...], situation: Situation | None = None) -> Standing:
        """Apply the exclusions, which no rule can override, and pick each rule's lines.

        A rule whose conditions don't hold in the situation (None: a sale of which nothing more is known) has no lines.
        """
        tier = situation.member.tier if situation is not None and situation.member.tier in self.tier_ids else ""
        selected = self._matcher.select(lines, everything=self._open[tier])
        reasons: list[Reason] = []
        rule_lines = self._rule_lines(lines, selected, situation, self._barred[tier])
        earns, redeems, protected = self._exclude(lines, selected, reasons)
        bought = {place: selected.get(match, []) for place, match in self._bought if place in rule_lines}
        return Standing(earns, redeems, rule_lines, reasons, protected, bought)

    def _rule_lines(
        self,
        lines: tuple[Line, ...],
        selected: dict[int, list[int]],
        situation: Situation | None,
        barred: frozenset[int],
    ) -> dict[int, list[int]]:
        """Lines of the rules that may act, in the plan's order; only rules that take a line are looked at."""
        first = len(self.exclusions)
        last = first + len(self.rules)
        conditional, needs = self._conditional, self._needs
        found: dict[int, list[int]] = {}
        for match in sorted([each for each in selected if first <= each < last]):
            position = match - first
            if position in barred:
                continue
            if position in conditional and (situation is None or not holds(self.rules[position], situation)):
                continue
            if position in needs and not all(
                is_met(each.need, lines, selected.get(each.match, ())) for each in needs[position]
            ):
                continue
            found[position] = selected[match]
        return found

    def _exclude(
        self, lines: tuple[Line, ...], selected: dict[int, list[int]], reasons: list[Reason]
    ) -> tuple[list[bool], list[bool], set[int]]:
        """Which lines earn, which may be paid by points, and which the law protects; adds a reason for each."""
        earns, redeems = [True] * len(lines), [True] * len(lines)
        protected: set[int] = set()
        for position in sorted([each for each in selected if each < len(self.exclusions)]):
            exclusion, indexes = self.exclusions[position], selected[position]
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
        return earns, redeems, protected


def _is_for_tier(rule: Rule, tier: str) -> bool:
    """Whether a member of the tier can have the rule, as far as tiers go; no tier: one that nobody here can tell."""
    if rule.tiers and tier not in rule.tiers:
        return False
    return rule.who is None or not rule.who.tiers or tier in rule.who.tiers


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
