"""The parts of a rule in plain words: what it gives, when, where, for whom, how much at most, for how long."""

from collections.abc import Callable, Iterator

from till_loyalty.programme import Rule
from till_loyalty.rule_parts import Discount, Life, Limit, Need, Step, When, Where, Who

Amount = Callable[[int], str]
"""Writes minor money or minor points for people."""


def gift(rule: Rule, what: str, money: Amount, points: Amount, percent: Amount) -> str:
    """What a rule that is no plain percent gives for `what`."""
    if rule.discount is not None:
        return f"{_discount(rule.discount, money, percent)} off {what}"
    if rule.steps:
        return f"{what}: " + "; ".join([_step(step, money, points, percent) for step in rule.steps])
    if rule.multiplier_basis_points is not None:
        named = ", ".join(rule.multiplies) or "all earlier rules"
        return f"{percent(rule.multiplier_basis_points - 10_000)} more of what {named} gave for {what}"
    if rule.per_money is not None:
        return f"{points(rule.per_money.points)} points for each full {money(rule.per_money.per_minor)} of {what}"
    if rule.per_unit is not None:
        quantity = thousandths(rule.per_unit.per_thousandths)
        return f"{points(rule.per_unit.points)} points for each full {quantity} of {what}"
    return f"{points(rule.points)} points for {what}"


def thousandths(quantity: int) -> str:
    """1500 as 1.5."""
    whole, fraction = divmod(quantity, 1000)
    return f"{whole}.{fraction:03d}".rstrip("0") if fraction else str(whole)


def _step(step: Step, money: Amount, points: Amount, percent: Amount) -> str:
    gives = []
    if step.percent_basis_points:
        gives.append(percent(step.percent_basis_points))
    if step.per_money is not None:
        gives.append(f"{points(step.per_money.points)} points for each full {money(step.per_money.per_minor)}")
    if step.points:
        gives.append(f"{points(step.points)} points")
    return f"from {money(step.from_minor)} " + (" and ".join(gives) or "nothing")


def _discount(terms: Discount, money: Amount, percent: Amount) -> str:
    if terms.bundle_price_minor is not None:
        text = f"{terms.bundle_units} for {money(terms.bundle_price_minor)}, the rest"
    elif terms.unit_price_minor is not None:
        text = f"all above {money(terms.unit_price_minor)} a unit"
    elif terms.amount_minor:
        text = money(terms.amount_minor) + {"receipt": "", "line": " a line", "unit": " a unit"}[terms.per]
    else:
        text = percent(terms.percent_basis_points or 10_000)
    if terms.get_units:
        text += f" of the {terms.get_units} cheapest for {terms.buy_units} bought"
    if terms.maximum_units:
        text += f" of the {terms.maximum_units} cheapest"
    return text + (f" (at most {money(terms.maximum_minor)})" if terms.maximum_minor else "")


def conditions(rule: Rule, money: Amount, points: Amount, percent: Amount) -> Iterator[str]:
    """Each condition and bound of a rule, as part of a sentence."""
    if rule.when is not None:
        yield from _when(rule.when)
    if rule.where is not None:
        yield from _where(rule.where)
    if rule.who is not None:
        yield from _who(rule.who)
    for need in rule.needs:
        yield _need(need, money)
    for limit in rule.limits:
        yield _limit(limit, money if rule.discount is not None else points)
    if rule.life is not None:
        yield life(rule.life)
    if rule.funded_by is not None:
        yield f"{rule.funded_by.supplier} pays {percent(rule.funded_by.share_basis_points)} of it"


def _where(where: Where) -> Iterator[str]:
    for kind in ("stores", "regions", "groups", "channels"):
        named = getattr(where, kind)
        if named:
            yield f"in {kind} {', '.join(named)}"


def _need(need: Need, money: Amount) -> str:
    parts = []
    if need.minimum_sum_minor:
        parts.append(f"goods of {money(need.minimum_sum_minor)}")
    if need.minimum_quantity_thousandths:
        parts.append(f"{thousandths(need.minimum_quantity_thousandths)} pieces")
    if need.minimum_different:
        parts.append(f"{need.minimum_different} different goods")
    return f"if the receipt holds {' and '.join(parts) or 'any of what it needs'}"


def _when(when: When) -> Iterator[str]:
    if when.from_:
        yield f"from {when.from_}"
    if when.to:
        yield f"before {when.to}"
    if when.business_from:
        yield f"from {when.business_from}"
    if when.business_to:
        yield f"before {when.business_to}"
    if when.weekdays:
        yield f"on {', '.join(when.weekdays)}"
    if when.times:
        yield "at " + ", ".join([f"{span.from_} to {span.to}" for span in when.times])


def _who(who: Who) -> Iterator[str]:
    if who.tiers or who.segments:
        yield f"for {', '.join((*who.tiers, *who.segments))}"
    if who.birthday is not None:
        yield f"from {who.birthday.days_before} days before the birthday to {who.birthday.days_after} after"
    if who.first_purchases:
        yield f"for the first {who.first_purchases} purchases"
    if who.purchase_number:
        yield f"for purchase number {who.purchase_number}"
    if who.joined_from:
        yield f"for members since {who.joined_from} or later"
    if who.joined_to:
        yield f"for members from before {who.joined_to}"
    if who.silent_days:
        yield f"for those who bought nothing for {who.silent_days} days"
    if who.coupon:
        yield f"with the coupon {who.coupon}"


def _limit(limit: Limit, amount: Amount) -> str:
    parts = [amount(limit.amount)] if limit.amount else []
    parts += [f"{limit.uses} times"] if limit.uses else []
    offline = {"allow": "", "share": ", without a line only the till's share", "refuse": ", never without a line"}
    return f"at most {' and '.join(parts)} a {limit.per}{offline[limit.offline]}"


def life(terms: Life) -> str:
    """When points live."""
    parts = [f"active after {terms.activates_after_days} days"] if terms.activates_after_days else []
    if terms.expires_after_days:
        parts.append(f"expiring after {terms.expires_after_days} days")
    if terms.expires_after_months:
        parts.append(f"expiring after {terms.expires_after_months} months")
    if terms.expires_on:
        parts.append(f"expiring after {terms.expires_on}")
    return ", ".join(parts)
