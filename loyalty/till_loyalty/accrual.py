"""Which rules give how many points to which lines.

Rules act by priority, then id. A rule's lines are those it matches that may earn and that no earlier `exclusive` rule
took; its minimum sum is compared with their base. Among rules of one `best_of_group` that passed, a line goes to the
highest percent, a tie to the earlier rule.
"""

from typing import Any, NamedTuple

from till_loyalty.allocation import allocate
from till_loyalty.conditions import Situation
from till_loyalty.giving import Giving
from till_loyalty.life import life_of
from till_loyalty.limits import trim
from till_loyalty.money import WHOLE_PERCENT, points_of_percent
from till_loyalty.plan import Plan, Standing
from till_loyalty.programme import NO_PERCENT, Programme, Rule
from till_loyalty.receipt import Line
from till_loyalty.results import Accrual, Reason


class Earned(NamedTuple):
    """Points of each line by index, what each rule gave, and why rules or lines gave nothing."""

    line_points: list[int]
    accruals: list[Accrual]
    reasons: list[Reason]


def accrue(
    plan: Plan, lines: tuple[Line, ...], standing: Standing, bases: list[int], tier: str, situation: Situation
) -> Earned:
    """Apply every rule for a member of `tier` to the lines' `bases` (minor money)."""
    earned = Earned([0] * len(lines), [], [])
    multiplier = plan.multipliers.get(tier, WHOLE_PERCENT)
    if tier and tier not in plan.tier_ids and plan.tier_ids:
        earned.reasons.append(Reason(code="tier_unknown"))
    for rule, indexes in _rules_that_give(plan, standing, bases, earned.reasons):
        _award(plan.programme, rule, indexes, lines, bases, earned, multiplier, situation)
    if not earned.accruals and not earned.reasons:
        earned.reasons.append(Reason(code="no_rule_applied"))
    return earned


def _rules_that_give(
    plan: Plan, standing: Standing, bases: list[int], reasons: list[Reason]
) -> list[tuple[Rule, list[int]]]:
    """Rules that apply, in order, each with the indexes of the lines it gives to."""
    chosen: list[tuple[Rule, list[int]]] = []
    best: dict[str, dict[int, Rule]] = {}
    free = [earns and base for earns, base in zip(standing.earns, bases, strict=True)]
    for position, matched in standing.rule_lines.items():
        rule = plan.rules[position]
        if rule.discount is not None:
            continue
        indexes = [index for index in matched if free[index]]
        if not indexes:
            continue
        if rule.minimum_sum_minor:
            base_sum = sum([bases[index] for index in indexes])
            if base_sum < rule.minimum_sum_minor:
                numbers = {"needed_minor": rule.minimum_sum_minor, "have_minor": base_sum}
                reasons.append(Reason(code="rule_below_minimum_sum", rule=rule.id, numbers=numbers))
                continue
        chosen.append((rule, indexes))
        if rule.stack == "exclusive":
            for index in indexes:
                free[index] = False
        elif rule.stack == "best_of_group":
            _take_best(best.setdefault(rule.group, {}), rule, indexes)
    if not best:
        return chosen
    return [
        (rule, indexes if rule.stack != "best_of_group" else [i for i in indexes if best[rule.group][i] is rule])
        for rule, indexes in chosen
    ]


def _take_best(group: dict[int, Rule], rule: Rule, indexes: list[int]) -> None:
    """Give the rule those of its lines for which no rule of the group had as high a percent."""
    if not group:
        group.update(dict.fromkeys(indexes, rule))
        return
    percent = rule.percent_basis_points
    for index in indexes:
        if index not in group or percent > group[index].percent_basis_points:
            group[index] = rule


def _award(
    programme: Programme,
    rule: Rule,
    indexes: list[int],
    lines: tuple[Line, ...],
    bases: list[int],
    earned: Earned,
    multiplier: int,
    situation: Situation,
) -> None:
    """Give one rule's points to its lines, rounded once for the receipt or once a line."""
    if not indexes or not rule.percent_basis_points:
        return
    rule_bases = [bases[index] for index in indexes]
    value, exponent, rounding = programme.point_value_minor, programme.points_exponent, programme.rounding
    percent = rule.percent_basis_points
    if percent == NO_PERCENT or multiplier != WHOLE_PERCENT:
        parts = _other_parts(programme, rule, indexes, lines, rule_bases, earned, multiplier)
    elif programme.round_at == "line":
        parts = [
            points_of_percent(base, percent, point_value_minor=value, points_exponent=exponent, rounding=rounding)
            for base in rule_bases
        ]
    else:
        total = points_of_percent(
            sum(rule_bases), percent, point_value_minor=value, points_exponent=exponent, rounding=rounding
        )
        parts = allocate(total, rule_bases, numbers=[lines[index].number for index in indexes])
    if not any(parts):
        numbers = {"base_minor": sum(rule_bases)}
        earned.reasons.append(Reason(code="rule_rounded_to_zero", rule=rule.id, numbers=numbers))
        return
    if rule.limits:
        parts = trim(rule, parts, situation, earned.reasons, numbers=[lines[index].number for index in indexes])
        if not any(parts):
            return
    name, line_points, give = rule.id, earned.line_points, earned.accruals.append
    if programme.life is None and rule.life is None and rule.funded_by is None:
        for index, base, points in zip(indexes, rule_bases, parts, strict=True):
            line_points[index] += points
            give(Accrual(rule=name, line=lines[index].number, base_minor=base, points=points))
        return
    facts = _facts(programme, rule, situation)
    for index, base, points in zip(indexes, rule_bases, parts, strict=True):
        line_points[index] += points
        give(Accrual(rule=name, line=lines[index].number, base_minor=base, points=points, **facts))


def _other_parts(
    programme: Programme,
    rule: Rule,
    indexes: list[int],
    lines: tuple[Line, ...],
    rule_bases: list[int],
    earned: Earned,
    multiplier: int,
) -> list[int]:
    """Points of each line from a rule that is no plain percent, or of a percent that the member's tier multiplies."""
    giving = Giving(programme, [lines[index] for index in indexes], rule_bases)
    if rule.percent_basis_points != NO_PERCENT:
        return giving.percent(rule.percent_basis_points, multiplier)
    if rule.steps:
        base, quantity = sum(rule_bases), sum([lines[index].quantity_thousandths for index in indexes])
        reached = [
            step for step in rule.steps if base >= step.from_minor and quantity >= step.from_quantity_thousandths
        ]
        return giving.step(reached[-1], multiplier) if reached else [0] * len(indexes)
    if rule.multiplier_basis_points is not None:
        numbers = {lines[index].number: place for place, index in enumerate(indexes)}
        plain = [0] * len(indexes)
        for accrual in earned.accruals:
            if accrual.line in numbers and (not rule.multiplies or accrual.rule in rule.multiplies):
                plain[numbers[accrual.line]] += accrual.points
        return giving.multiplied(plain, rule.multiplier_basis_points - WHOLE_PERCENT)
    if rule.per_money is not None:
        return giving.per_money(rule.per_money)
    return giving.per_unit(rule.per_unit) if rule.per_unit is not None else giving.fixed(rule.points)


def _facts(programme: Programme, rule: Rule, situation: Situation) -> dict[str, Any]:
    """What each accrual of the rule carries besides its points."""
    facts: dict[str, Any] = {}
    life = rule.life or programme.life
    if life is not None:
        facts["active_from"], facts["expires_on"] = life_of(life, situation.business)
    if rule.funded_by is not None:
        facts["supplier"] = rule.funded_by.supplier
        facts["supplier_share_basis_points"] = rule.funded_by.share_basis_points
    return facts
