"""Checks of what concerns members rather than receipts: tiers by spending, events, registration, proof."""

from collections.abc import Iterator

from till_loyalty.document_types import nearest
from till_loyalty.gift_checks import life_problems
from till_loyalty.part_checks import Problem, range_problems
from till_loyalty.plural import FORMS
from till_loyalty.programme import Event, Programme, Tier

FIELDS_OF = {
    "tiers": ("tier_reached",),
    "minimum_sum_minor": ("first_purchase", "referred", "referrer"),
    "days_before": ("birthday",),
    "maximum": ("referrer", "tier_reached", "birthday"),
}
"""Fields of an event that only some kinds have; the others happen once, or have no such figure."""


def standing_problems(programme: Programme) -> Iterator[Problem]:
    """Tiers that nobody gets or leaves, thresholds out of order, a period without tiers or tiers without one."""
    by_spend = [tier for tier in programme.tiers if tier.from_spend_minor]
    before: Tier | None = None
    for index, tier in enumerate(programme.tiers):
        place = f"tiers[{index}]"
        if index == 0:
            for name in ("from_spend_minor", "by_hand"):
                if getattr(tier, name):
                    yield f"{place}.{name}", "expected nothing in the first tier, which is what new members get"
        elif tier.by_hand and tier.from_spend_minor:
            yield f"{place}.from_spend_minor", "expected nothing beside by_hand = true: such a tier is not bought"
        elif tier.from_spend_minor:
            if before is not None and tier.from_spend_minor <= before.from_spend_minor:
                sentence = f"expected more than {before.from_spend_minor} of {before.id!r}, not {tier.from_spend_minor}"
                yield f"{place}.from_spend_minor", sentence
            before = tier
        elif by_spend and not tier.by_hand:
            yield f"{place}.from_spend_minor", "expected a sum, or by_hand = true: nobody would ever get this tier"
    if by_spend and not programme.tier_period:
        sentence = f"expected month, quarter, year or life, not nothing: {by_spend[0].id!r} is reached by spending"
        yield "tier_period", sentence
    if programme.tier_period and not by_spend:
        yield "tier_period", "expected a tier with from_spend_minor beside it, not tiers that nobody can reach"


def event_problems(programme: Programme) -> Iterator[Problem]:
    """Names that rules have, tiers that are not there, figures that an event of its kind doesn't have."""
    others = {rule.id for rule in programme.rules} | {each.id for each in programme.exclusions}
    reached = tuple(tier.id for tier in programme.tiers if tier.from_spend_minor)
    for index, event in enumerate(programme.events):
        place = f"events[{index}]"
        if event.id in others:
            yield f"{place}.id", f"expected an id that no rule or exclusion has, not {event.id!r}"
        for name, kinds in FIELDS_OF.items():
            if getattr(event, name) and event.on not in kinds:
                yield f"{place}.{name}", f"expected on = {' or '.join(map(repr, kinds))} beside it, not {event.on!r}"
        yield from _tier_problems(place, event, programme, reached)
        yield from range_problems(place, ("from_date", "to_date"), event.from_date, event.to_date)
        if event.life is not None:
            yield from life_problems(f"{place}.life", event.life)


def _tier_problems(place: str, event: Event, programme: Programme, reached: tuple[str, ...]) -> Iterator[Problem]:
    if event.on != "tier_reached":
        return
    if not event.tiers:
        yield f"{place}.tiers", "expected the tiers that give something when they are reached, not nothing"
    known = tuple(tier.id for tier in programme.tiers)
    for number, tier in enumerate(event.tiers):
        inner = f"{place}.tiers[{number}]"
        if tier not in known:
            listed = ", ".join(known) or "none, for the programme has no tiers"
            yield inner, f"expected a tier of the programme ({listed}), not {tier!r}{nearest(tier, known)}"
        elif tier not in reached:
            yield inner, f"expected a tier with from_spend_minor, not {tier!r}, which no spending reaches"
        elif tier in event.tiers[:number]:
            yield inner, f"expected each tier once, not {tier!r} again"


def member_problems(programme: Programme) -> Iterator[Problem]:
    """What registration says and asks, and when points ask for a proof."""
    registration = programme.registration
    if not registration.consent_version.strip():
        yield "registration.consent_version", "expected a name of the consent's text, not nothing"
    for language, text in registration.consent.items():
        place = f"registration.consent.{language}"
        if language not in FORMS:
            yield place, f"expected a language ({', '.join(FORMS)}), not {language!r}"
        if not text.strip():
            yield place, "expected the text that people agree to, not nothing"
    yield from _repeats("registration.ask", registration.ask)
    redemption = programme.redemption
    yield from _repeats("redemption.proof", redemption.proof)
    if redemption.proof_above_points and not redemption.proof:
        yield "redemption.proof", 'expected ["code"], ["pin"] or both beside proof_above_points, not nothing'


def _repeats(place: str, names: tuple[str, ...]) -> Iterator[Problem]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield f"{place}[{index}]", f"expected each once, not {name!r} again"
