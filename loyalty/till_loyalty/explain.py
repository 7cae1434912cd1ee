"""A programme in plain words, for the manager who signs it."""

from collections.abc import Iterator

from till_loyalty import explain_parts
from till_loyalty.plan import plan_of
from till_loyalty.programme import NO_PERCENT, CardRange, Exclusion, Match, Programme, Rule

LISTED = 5
"""SKUs named in a sentence; longer lists are counted."""
_ROUNDING = {
    "floor": "down",
    "ceil": "up",
    "half_up": "to the nearest, halves up",
    "half_even": "to the nearest, halves to the even one",
}
_RETURNS = {
    "debt": "what the member has already spent is owed, and later points pay it first",
    "within_balance": "what the member has already spent is forgiven",
    "refuse": "a return is refused while its points are spent",
}


def explain_programme(programme: Programme) -> Iterator[str]:
    """Lines of text, in the order of work; rules as the engine takes them."""
    yield f"{programme.id}, version {programme.version}"
    yield f"  A point is worth {_money(programme, programme.point_value_minor)}. {_smallest(programme)}"
    base = "what is paid after points" if programme.earn_base == "payable" else "the price before points"
    where = "once a rule for the whole receipt" if programme.round_at == "receipt" else "on each line"
    yield f"  Points come from {base}, rounded {_ROUNDING[programme.rounding]} {where}."
    yield f"  When goods come back: {_RETURNS[programme.return_policy]}."
    if programme.tiers:
        yield f"  Tiers: {', '.join(tier.id for tier in programme.tiers)}; new members are {programme.tiers[0].id}."
    if programme.life is not None:
        yield f"  Points are {explain_parts.life(programme.life)}."
    for tier in programme.tiers:
        if tier.multiplier_basis_points != 10_000:
            yield f"  {tier.id}: {_percent(tier.multiplier_basis_points)} of the points that percents give."
    for coupon in programme.coupons:
        yield f"  Coupon {coupon.id}: {', '.join(coupon.codes)}."
    yield "Left out:" if programme.exclusions else "Left out: nothing"
    for exclusion in programme.exclusions:
        yield f"  {exclusion.id}: {_exclusion(exclusion)}"
    yield from _redemption(programme)
    yield "Earning, in this order:" if programme.rules else "Earning: nothing"
    for number, rule in enumerate(plan_of(programme).rules, 1):
        yield f"  {number}. {rule.id}: {_rule(programme, rule)}"
    yield "Members are known by:"
    countries = ", ".join(programme.identifiers.phone_countries)
    yield f"  a phone number with a plus, or without one as written in {countries}"
    for card_range in programme.identifiers.cards:
        yield f"  a card of {_card(card_range)}"


def _money(programme: Programme, minor: int) -> str:
    exponent = programme.currency_exponent
    whole, fraction = divmod(minor, 10**exponent)
    return f"{whole}.{fraction:0{exponent}d} {programme.currency}" if exponent else f"{whole} {programme.currency}"


def _points(programme: Programme, points: int) -> str:
    exponent = programme.points_exponent
    whole, fraction = divmod(points, 10**exponent)
    return f"{whole}.{fraction:0{exponent}d}" if fraction else str(whole)


def _smallest(programme: Programme) -> str:
    smallest = _points(programme, 1)
    return "Points are whole." if smallest == "1" else f"The smallest part is {smallest} of a point."


def _percent(basis_points: int) -> str:
    whole, fraction = divmod(basis_points, 100)
    return f"{whole}.{fraction:02d}".rstrip("0") + " %" if fraction else f"{whole} %"


def _what(match: Match) -> str:
    parts = [" / ".join(path) for path in match.categories]
    parts += [
        f"{kind} {', '.join(getattr(match, kind))}"
        for kind in ("brands", "labels", "suppliers", "lists")
        if getattr(match, kind)
    ]
    if match.skus:
        named = ", ".join(match.skus[:LISTED])
        more = len(match.skus) - LISTED
        parts.append(f"SKU {named}" + (f" and {more} more" if more > 0 else ""))
    text = "; ".join(parts) or "everything"
    for word, selectors in (("that is also of", match.all), ("but not", match.none)):
        for each in selectors:
            names = Match(**{field: getattr(each, field) for field in each.__struct_fields__})
            text += f" {word} {_what(names)}"
    return text


def _exclusion(exclusion: Exclusion) -> str:
    if exclusion.legal:
        return f"{_what(exclusion.match)}: earns nothing and is never paid by points, by law"
    if exclusion.earn and exclusion.redeem:
        return f"{_what(exclusion.match)}: earns nothing and is not paid by points"
    return f"{_what(exclusion.match)}: " + ("earns nothing" if exclusion.earn else "is not paid by points")


def _redemption(programme: Programme) -> Iterator[str]:
    terms = programme.redemption
    if not terms.enabled:
        yield "Paying by points: not offered"
        return
    yield "Paying by points:"
    yield f"  up to {_percent(terms.max_share_basis_points)} of the lines that points may pay for, while online"
    yield f"  in portions of {_points(programme, plan_of(programme).unit_points)}"
    if terms.minimum_balance_points:
        yield f"  from a balance of {_points(programme, terms.minimum_balance_points)}"
    if terms.minimum_line_price_minor:
        yield f"  no line goes below {_money(programme, terms.minimum_line_price_minor)} or its own least price"


def _rule(programme: Programme, rule: Rule) -> str:

    def money(minor: int) -> str:
        return _money(programme, minor)

    def points(minor: int) -> str:
        return _points(programme, minor)

    if rule.percent_basis_points == NO_PERCENT:
        parts = [explain_parts.gift(rule, _what(rule.match), money, points, _percent)]
    else:
        parts = [f"{_percent(rule.percent_basis_points)} of {_what(rule.match)}"]
    parts += explain_parts.conditions(rule, money, points, _percent)
    if rule.minimum_sum_minor:
        parts.append(f"from {_money(programme, rule.minimum_sum_minor)}")
    if rule.tiers:
        parts.append(f"for {', '.join(rule.tiers)}")
    if rule.stack == "best_of_group":
        parts.append(f"if it is the best of group {rule.group!r} for the line")
    elif rule.stack == "exclusive":
        parts.append("and its lines earn nothing from later rules")
    return ", ".join(parts)


def _card(card_range: CardRange) -> str:
    lengths = " or ".join(str(length) for length in card_range.lengths)
    text = f"{lengths} digits" + (f" that begin with {card_range.prefix}" if card_range.prefix else "")
    check = {"none": "", "ean13": ", EAN-13 check digit", "luhn": ", Luhn check digit"}[card_range.check]
    strip = f"; {card_range.strip_prefix!r} in front is taken off" if card_range.strip_prefix else ""
    return text + check + strip
