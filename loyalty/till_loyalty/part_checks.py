"""Checks of the parts of rules: dates that exist, spans that are not empty, names that must meet."""

from collections.abc import Iterator
from datetime import date, datetime

from till_loyalty.document_types import nearest
from till_loyalty.programme import Programme, Rule
from till_loyalty.rule_parts import Match, NamedList, Selector, When, Who

Problem = tuple[str, str]
"""Place and sentence."""


def part_problems(programme: Programme) -> Iterator[Problem]:
    """Every fault in the parts of a well-typed programme's lists, rules and exclusions."""
    lists = tuple(each.id for each in programme.lists)
    tiers = tuple(tier.id for tier in programme.tiers)
    for index, named in enumerate(programme.lists):
        yield from _name_problems(f"lists[{index}]", named)
    for index, rule in enumerate(programme.rules):
        yield from _rule_part_problems(f"rules[{index}]", rule, lists, tiers)
    for index, exclusion in enumerate(programme.exclusions):
        yield from match_problems(f"exclusions[{index}].match", exclusion.match, lists)


def _rule_part_problems(place: str, rule: Rule, lists: tuple[str, ...], tiers: tuple[str, ...]) -> Iterator[Problem]:
    yield from match_problems(f"{place}.match", rule.match, lists)
    for index, need in enumerate(rule.needs):
        yield from match_problems(f"{place}.needs[{index}].match", need.match, lists)
    if rule.when is not None:
        yield from _when_problems(f"{place}.when", rule.when)
    if rule.who is not None:
        yield from _who_problems(f"{place}.who", rule.who, tiers)


def match_problems(place: str, match: Match, lists: tuple[str, ...]) -> Iterator[Problem]:
    """Empty names, lists that the programme doesn't have, and a range of prices that holds none."""
    yield from _selector_problems(place, match, lists)
    least, most = match.unit_price_from_minor, match.unit_price_to_minor
    if most and least > most:
        yield f"{place}.unit_price_to_minor", f"expected at least {least}, not {most}: nothing is between them"
    for kind, selectors in (("all", match.all), ("none", match.none)):
        for index, selector in enumerate(selectors):
            inner = f"{place}.{kind}[{index}]"
            if selector == Selector():
                yield inner, "expected a name of something, not an empty table"
            yield from _selector_problems(inner, selector, lists)


def _selector_problems(place: str, names: Match | Selector, lists: tuple[str, ...]) -> Iterator[Problem]:
    yield from _name_problems(place, names)
    for index, name in enumerate(names.lists):
        if name not in lists:
            listed = ", ".join(lists) or "none, for the programme has no lists"
            yield (
                f"{place}.lists[{index}]",
                f"expected a list of the programme ({listed}), not {name!r}" + nearest(name, lists),
            )


def _name_problems(place: str, names: Match | Selector | NamedList) -> Iterator[Problem]:
    for index, sku in enumerate(names.skus):
        if not sku:
            yield f"{place}.skus[{index}]", "expected a SKU, not an empty text"
    for index, path in enumerate(names.categories):
        if not all(path):
            yield f"{place}.categories[{index}]", "expected a name at each level of the path, not an empty text"
    for field in ("brands", "labels", "suppliers"):
        for index, name in enumerate(getattr(names, field)):
            if not name:
                yield f"{place}.{field}[{index}]", "expected a name, not an empty text"


def date_problems(place: str, text: str) -> Iterator[Problem]:
    """A date or date-time that no calendar has."""
    try:
        if text:
            (datetime if "T" in text else date).fromisoformat(text)
    except ValueError:
        yield place, f"expected a day of the calendar, not {text!r}"


def range_problems(place: str, names: tuple[str, str], first: str, last: str) -> Iterator[Problem]:
    """Dates of a half-open range that no calendar has, or with nothing between them."""
    yield from date_problems(f"{place}.{names[0]}", first)
    yield from date_problems(f"{place}.{names[1]}", last)
    if first and last and first >= last:
        yield f"{place}.{names[1]}", f"expected later than {first}, not {last}: nothing is between them"


def _when_problems(place: str, when: When) -> Iterator[Problem]:
    if when == When():
        yield place, "expected a condition, not an empty table"
    yield from range_problems(place, ("from", "to"), when.from_, when.to)
    yield from range_problems(place, ("business_from", "business_to"), when.business_from, when.business_to)
    for index, span in enumerate(when.times):
        if span.from_ == span.to:
            yield f"{place}.times[{index}]", f"expected two different times, not {span.from_} twice: leave all day out"


def _who_problems(place: str, who: Who, tiers: tuple[str, ...]) -> Iterator[Problem]:
    if who == Who():
        yield place, "expected a condition, not an empty table"
    yield from range_problems(place, ("joined_from", "joined_to"), who.joined_from, who.joined_to)
    for index, tier in enumerate(who.tiers):
        if tier not in tiers:
            listed = ", ".join(tiers) or "none, for the programme has no tiers"
            sentence = f"expected a tier of the programme ({listed}), not {tier!r}{nearest(tier, tiers)}"
            yield f"{place}.tiers[{index}]", sentence
