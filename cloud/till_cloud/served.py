"""What of a programme this release's tills and cloud can carry out.

The engine counts more than the chain around it feeds yet: a rule that needs facts which no till and no ledger keeps
would silently give too much or nothing. Such a programme can be checked and simulated, but not sold by.
"""

from collections.abc import Iterator

from till_loyalty.programme import Programme, Rule

_MEMBER_FACTS = (
    *("segments", "birthday", "first_purchases", "purchase_number"),
    *("joined_from", "joined_to", "silent_days", "coupon"),
)


def not_served(programme: Programme) -> list[str]:
    """One sentence for each part that can't be sold by yet, with its place; empty when all can."""
    found = [fault for index, rule in enumerate(programme.rules) for fault in _of_rule(f"rules[{index}]", rule)]
    if programme.coupons:
        found.append("coupons: cash software can't send their codes yet")
    if programme.life is not None:
        found.append("life: the ledger does not activate or expire points yet")
    return found


def _of_rule(place: str, rule: Rule) -> Iterator[str]:
    if rule.discount is not None:
        yield f"{place}.discount: the bridge does not hand discounts to cash software yet"
    if rule.where is not None:
        yield f"{place}.where: tills do not tell their store, region and channel to the rules yet"
    if rule.life is not None:
        yield f"{place}.life: the ledger does not activate or expire points yet"
    for index, limit in enumerate(rule.limits):
        if limit.per != "receipt":
            yield f"{place}.limits[{index}].per: expected 'receipt', not {limit.per!r}: uses are not counted yet"
    if rule.who is not None:
        for name in _MEMBER_FACTS:
            if getattr(rule.who, name):
                yield f"{place}.who.{name}: tills do not know this of a member yet"
