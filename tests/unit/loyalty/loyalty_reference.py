"""The rules written a second time, slowly and from the reference manual: exact fractions, plain loops, no sharing.

It works by line number and knows nothing of the engine's plan, index or split. Where the two differ, one is wrong.
"""

from fractions import Fraction
from math import ceil, floor

from till_loyalty.programme import Match, Programme, Rule
from till_loyalty.receipt import Line, MemberState, Receipt


def rounded(value: Fraction, rounding: str) -> int:
    if rounding == "floor":
        return floor(value)
    if rounding == "ceil":
        return ceil(value)
    if value - floor(value) == Fraction(1, 2):
        return floor(value) + 1 if rounding == "half_up" else 2 * round(value / 2)
    return round(value)


def split(amount: int, weights: dict[int, int], caps: dict[int, int] | None = None) -> dict[int, int]:
    """Largest remainder by line number; a line whose exact share reaches its cap takes the cap, again and again."""
    parts = dict.fromkeys(weights, 0)
    open_lines = {number for number, weight in weights.items() if weight}
    left = amount
    while caps is not None:
        whole = sum(weights[number] for number in open_lines)
        full = {number for number in open_lines if Fraction(left * weights[number], whole) >= caps[number]}
        if not full:
            break
        for number in full:
            parts[number] = caps[number]
        left -= sum(caps[number] for number in full)
        open_lines -= full
        if not open_lines:
            break
    if not left:
        return parts
    whole = sum(weights[number] for number in open_lines)
    exact = {number: Fraction(left * weights[number], whole) for number in open_lines}
    for number, share in exact.items():
        parts[number] = floor(share)
    missing = left - sum(floor(share) for share in exact.values())
    for number in sorted(exact, key=lambda each: (floor(exact[each]) - exact[each], each))[:missing]:
        parts[number] += 1
    return parts


def takes(match: Match, line: Line) -> bool:
    if not match.skus and not match.categories:
        return True
    return line.sku in match.skus or any(line.category[: len(path)] == path for path in match.categories)


def may(programme: Programme, line: Line, what: str) -> bool:
    return not any(takes(each.match, line) and (each.legal or getattr(each, what)) for each in programme.exclusions)


def redeemed_points(programme: Programme, member: MemberState, receipt: Receipt, wish: int) -> tuple[int, int]:
    """The most that may be spent, and what is spent."""
    terms = programme.redemption
    value = Fraction(programme.point_value_minor, 10**programme.points_exponent)
    lines = [line for line in receipt.lines if may(programme, line, "redeem")]
    share = sum(line.amount_minor for line in lines) * Fraction(terms.max_share_basis_points, 10_000)
    room = sum(
        max(0, line.amount_minor - max(terms.minimum_line_price_minor, line.minimum_price_minor)) for line in lines
    )
    most = min(floor(floor(share) / value), floor(room / value), member.spendable_points)
    if not terms.enabled or member.spendable_points < terms.minimum_balance_points:
        most = 0

    def fits(points: int) -> bool:
        return points % terms.step_points == 0 and (points * value).denominator == 1

    unit = next(points for points in range(1, 10**6) if fits(points))
    most -= most % unit
    asked = most if wish == -1 else min(wish, most)
    return most, asked - asked % unit


def paid_by_line(programme: Programme, receipt: Receipt, points: int) -> tuple[dict[int, int], dict[int, int]]:
    """Money and points of each line number."""
    least = programme.redemption.minimum_line_price_minor
    money = points * programme.point_value_minor // 10**programme.points_exponent
    weights = {line.number: line.amount_minor if may(programme, line, "redeem") else 0 for line in receipt.lines}
    caps = {line.number: max(0, line.amount_minor - max(least, line.minimum_price_minor)) for line in receipt.lines}
    paid = split(money, weights, caps)
    return paid, split(points, paid)


def giving_rules(
    programme: Programme, member: MemberState, receipt: Receipt, bases: dict[int, int]
) -> list[tuple[Rule, list[int]]]:
    """Rules that apply and the line numbers that each gives to."""
    taken: set[int] = set()
    applied: list[tuple[Rule, list[int]]] = []
    for rule in sorted(programme.rules, key=lambda each: (each.priority, each.id)):
        numbers = [
            line.number
            for line in receipt.lines
            if takes(rule.match, line)
            and may(programme, line, "earn")
            and line.number not in taken
            and bases[line.number]
        ]
        if rule.tiers and member.tier not in rule.tiers:
            continue
        if not numbers or sum(bases[number] for number in numbers) < rule.minimum_sum_minor:
            continue
        applied.append((rule, numbers))
        if rule.stack == "exclusive":
            taken |= set(numbers)
    result = []
    for position, (rule, numbers) in enumerate(applied):
        if rule.stack == "best_of_group":
            rivals = [
                (other.percent_basis_points, -place, lines)
                for place, (other, lines) in enumerate(applied)
                if other.stack == "best_of_group" and other.group == rule.group
            ]
            mine = (rule.percent_basis_points, -position)
            numbers = [n for n in numbers if all(mine >= rival[:2] for rival in rivals if n in rival[2])]
        result.append((rule, numbers))
    return result


def earned_by_rule(
    programme: Programme, member: MemberState, receipt: Receipt, bases: dict[int, int]
) -> dict[str, dict[int, int]]:
    """Points by rule id and line number; lines and rules that got nothing are left out."""
    result: dict[str, dict[int, int]] = {}
    for rule, numbers in giving_rules(programme, member, receipt, bases):
        per_money = Fraction(
            rule.percent_basis_points * 10**programme.points_exponent, 10_000 * programme.point_value_minor
        )
        if programme.round_at == "line":
            points = {number: rounded(bases[number] * per_money, programme.rounding) for number in numbers}
        else:
            weights = {number: bases[number] for number in numbers}
            points = split(rounded(sum(weights.values()) * per_money, programme.rounding), weights)
        given = {number: each for number, each in points.items() if each}
        if given:
            result[rule.id] = given
    return result
