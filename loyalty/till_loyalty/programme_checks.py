"""What types can't say about a programme: names that must meet, figures that must fit each other."""

from collections.abc import Iterable, Iterator

from till_loyalty.digits import EAN13_LENGTH
from till_loyalty.document_types import nearest
from till_loyalty.event_checks import event_problems, member_problems, standing_problems
from till_loyalty.gift_checks import gift_problems
from till_loyalty.identifiers import BANK_CARD_LENGTHS
from till_loyalty.matching import is_everything
from till_loyalty.money import exact_points_unit
from till_loyalty.part_checks import Problem, part_problems
from till_loyalty.plural import FORMS, OPTIONAL_FORMS
from till_loyalty.programme import CardRange, Exclusion, Programme, Rule
from till_loyalty.rotating import pattern_problems
from till_loyalty.slips import slip_problems


def programme_problems(programme: Programme) -> Iterator[Problem]:
    """Every fault of a well-typed programme."""
    yield from _repeated("tiers", [tier.id for tier in programme.tiers])
    yield from _repeated("rules", [rule.id for rule in programme.rules])
    yield from _repeated("exclusions", [each.id for each in programme.exclusions])
    yield from _repeated("lists", [each.id for each in programme.lists])
    yield from _repeated("events", [event.id for event in programme.events])
    yield from part_problems(programme)
    yield from gift_problems(programme)
    yield from standing_problems(programme)
    yield from event_problems(programme)
    yield from member_problems(programme)
    rule_ids = {rule.id for rule in programme.rules}
    tier_ids = tuple(tier.id for tier in programme.tiers)
    for index, rule in enumerate(programme.rules):
        yield from _rule_problems(f"rules[{index}]", rule, tier_ids)
    for index, exclusion in enumerate(programme.exclusions):
        yield from _exclusion_problems(f"exclusions[{index}]", exclusion, rule_ids)
    for index, tier in enumerate(programme.tiers):
        yield from _title_problems(f"tiers[{index}]", tier.title)
    for index, event in enumerate(programme.events):
        yield from _title_problems(f"events[{index}]", event.title)
    yield from slip_problems(programme.slips)
    yield from _points_problems(programme)
    yield from _offline_problems(programme)
    for index, country in enumerate(programme.identifiers.phone_countries):
        yield from _country_problems(f"identifiers.phone_countries[{index}]", country)
    for index, card_range in enumerate(programme.identifiers.cards):
        yield from _card_problems(f"identifiers.cards[{index}]", card_range)
        if card_range.rotating_only and programme.identifiers.rotating is None:
            yield f"identifiers.cards[{index}].rotating_only", "expected [identifiers.rotating] beside it, not nothing"
    if programme.identifiers.rotating is not None:
        for text in pattern_problems(programme.identifiers.rotating.pattern):
            yield "identifiers.rotating.pattern", text


def _repeated(place: str, ids: Iterable[str]) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, each in enumerate(ids):
        if each in seen:
            yield f"{place}[{index}].id", f"expected an id of its own, not {each!r} as in {place}[{seen[each]}]"
        else:
            seen[each] = index


def _rule_problems(place: str, rule: Rule, tier_ids: tuple[str, ...]) -> Iterator[Problem]:
    for index, tier in enumerate(rule.tiers):
        if tier not in tier_ids:
            listed = ", ".join(tier_ids) or "none, for the programme has no tiers"
            suggestion = nearest(tier, tier_ids)
            yield f"{place}.tiers[{index}]", f"expected a tier of the programme ({listed}), not {tier!r}{suggestion}"
    if rule.group and rule.stack != "best_of_group":
        yield f"{place}.group", f"expected stack = 'best_of_group' beside a group, not {rule.stack!r}"
    if rule.stack == "best_of_group" and not rule.group:
        yield f"{place}.group", "expected the name of the group of which the best rule gives, not nothing"
    yield from _title_problems(place, rule.title)


def _exclusion_problems(place: str, exclusion: Exclusion, rule_ids: set[str]) -> Iterator[Problem]:
    if exclusion.id in rule_ids:
        yield f"{place}.id", f"expected an id that no rule has, not {exclusion.id!r}"
    if is_everything(exclusion.match) and not exclusion.match.all:
        yield f"{place}.match", "expected skus or categories, not every line: leave rules or redemption out instead"
    if exclusion.legal:
        for name, blocks in (("earn", exclusion.earn), ("redeem", exclusion.redeem)):
            if not blocks:
                yield f"{place}.{name}", "expected true or nothing beside legal = true, which always blocks both"
    elif not exclusion.earn and not exclusion.redeem:
        yield place, "expected earn or redeem to be true, not an exclusion that excludes from nothing"
    yield from _title_problems(place, exclusion.title)


def _title_problems(place: str, title: dict[str, str]) -> Iterator[Problem]:
    for language in title:
        if language not in FORMS:
            yield f"{place}.title.{language}", _language_sentence(language)


def _language_sentence(language: str) -> str:
    return f"expected a language ({', '.join(FORMS)}), not {language!r}"


def _points_problems(programme: Programme) -> Iterator[Problem]:
    value, step = programme.point_value_minor, programme.redemption.step_points
    unit = exact_points_unit(point_value_minor=value, points_exponent=programme.points_exponent)
    if programme.redemption.enabled and step % unit:
        yield (
            "redemption.step_points",
            f"expected a multiple of {unit}, not {step}: {step} minor points are no whole money at {value} a point",
        )
    for language, forms in programme.points_name.items():
        place = f"points_name.{language}"
        if language not in FORMS:
            yield place, _language_sentence(language)
            continue
        for form in FORMS[language]:
            if not forms.get(form, "").strip():
                yield f"{place}.{form}", "expected this plural form, not nothing"
        known = FORMS[language] + OPTIONAL_FORMS.get(language, ())
        for form in forms:
            if form not in known:
                yield f"{place}.{form}", f"expected one of the forms {', '.join(known)}, not {form!r}"


def _offline_problems(programme: Programme) -> Iterator[Problem]:
    """A floor limit is money of the retailer's: it is never taken for granted, and its caps must fit each other."""
    redemption = programme.redemption
    lending, floor = redemption.lending, redemption.floor
    if lending.maximum_points and lending.maximum_points < lending.minimum_points:
        most, least = lending.maximum_points, lending.minimum_points
        yield "redemption.lending.maximum_points", f"expected 0 or at least minimum_points ({least}), not {most}"
    if redemption.offline == "floor" and floor is None:
        yield "redemption.floor", "expected the limits of what is spent without a line, not nothing beside 'floor'"
    if floor is None:
        return
    for name, least in (("till_points", floor.member_points), ("member_points", floor.sale_points)):
        have = getattr(floor, name)
        if have < least:
            smaller = "member_points" if name == "till_points" else "sale_points"
            yield f"redemption.floor.{name}", f"expected at least {smaller} ({least}), not {have}"


def _country_problems(place: str, country: str) -> Iterator[Problem]:
    import phonenumbers

    if country not in phonenumbers.SUPPORTED_REGIONS:
        yield place, f"expected a country's two-letter code, not {country!r}"


def _card_problems(place: str, card_range: CardRange) -> Iterator[Problem]:
    for index, length in enumerate(card_range.lengths):
        inner = f"{place}.lengths[{index}]"
        if card_range.check == "ean13" and length != EAN13_LENGTH:
            yield inner, f"expected {EAN13_LENGTH} beside check = 'ean13', not {length}"
        if length <= len(card_range.prefix):
            yield inner, f"expected more digits than the prefix {card_range.prefix!r} has, not {length}"
        if length in BANK_CARD_LENGTHS and not card_range.prefix and card_range.check != "ean13":
            yield f"{place}.prefix", f"expected a prefix: numbers of {length} digits take in every bank card"
