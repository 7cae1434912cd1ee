"""Doubts about a programme that is well formed: rules that never give, that overlap, or that give too much together.

A fault (`programme_checks`) stops a programme; a doubt is told to the one who writes it, who may well mean it.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from till_loyalty.doubt_lines import Lines, can_meet, is_for_all, lines_of, some_moment, tiers_of
from till_loyalty.money import WHOLE_PERCENT, minor_points
from till_loyalty.programme import NO_PERCENT, Event, Lending, Programme, Redemption, Rule
from till_loyalty.rule_parts import Coupon, When, Who

WEEKS_LOOKED_AT = 2
"""A window of more days than this has every weekday and hour in it; a shorter one is looked at day by day."""
RULES_NAMED = 6
"""Rules named in one sentence; more would not be read."""


class Doubt(NamedTuple):
    """Where, a stable code, and a sentence for people."""

    place: str
    code: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence} ({self.code})"


class _Placed(NamedTuple):
    """A rule with its place in the document and its lines."""

    place: str
    rule: Rule
    lines: Lines


def doubts(programme: Programme, today: date) -> list[Doubt]:
    """Every doubt about a programme without faults, in the order of the document. `today`: what is over by then."""
    acting = sorted(enumerate(programme.rules), key=lambda each: (each[1].priority, each[1].id))
    rules = [_Placed(f"rules[{index}]", rule, lines_of(rule.match, programme)) for index, rule in acting]
    found: list[Doubt] = []
    for position, placed in enumerate(rules):
        found += _of_rule(programme, placed, rules[:position], today)
    found += _multipliers(rules)
    found += _overlaps(rules)
    found += _too_much(programme, rules)
    for index, coupon in enumerate(programme.coupons):
        found += _of_coupon(f"coupons[{index}]", coupon, programme, today)
    found += _tiers(programme)
    for index, event in enumerate(programme.events):
        found += _of_event(f"events[{index}]", event, programme, today)
    if programme.redemption.enabled and not programme.redemption.max_share_basis_points:
        sentence = "a share of 0 lets no point pay: say enabled = false if that is meant"
        found.append(Doubt("redemption.max_share_basis_points", "redemption_of_nothing", sentence))
    found += _offline(programme.redemption)
    return found


def _offline(terms: Redemption) -> Iterator[Doubt]:
    """What is said of spending without a line and has no effect, or another one than it looks like."""
    if terms.floor is not None and terms.offline != "floor":
        sentence = f"offline = {terms.offline!r} looks at no floor limit: say offline = 'floor' if that is meant"
        yield Doubt("redemption.floor", "floor_without_effect", sentence)
    if not terms.enabled:
        return
    if terms.offline == "refuse" and terms.lending != Lending():
        yield Doubt("redemption.lending", "lending_without_effect", "offline = 'refuse' grants no till anything")
    if terms.offline == "grant" and not terms.lending.share_basis_points:
        sentence = "a share of 0 grants no till anything: say offline = 'refuse' if that is meant"
        yield Doubt("redemption.lending.share_basis_points", "lending_of_nothing", sentence)
    needs_proof = terms.proof and terms.floor is not None and terms.floor.member_points > terms.proof_above_points
    if needs_proof and terms.offline == "floor":
        sentence = f"without a line no proof can be checked, so no more than {terms.proof_above_points} is spent"
        yield Doubt("redemption.floor.member_points", "floor_needs_proof", sentence)


def _of_rule(programme: Programme, placed: _Placed, earlier: list[_Placed], today: date) -> Iterator[Doubt]:
    """Why a rule can never give anything, or always less than it says."""
    place, rule, lines = placed
    if rule.percent_basis_points == 0:
        yield Doubt(f"{place}.percent_basis_points", "gives_nothing", "a percent of 0 gives nothing")
    if rule.when is not None:
        yield from _of_when(f"{place}.when", rule.when, today)
    if tiers_of(rule) == set():
        yield Doubt(f"{place}.tiers", "never_holds", "no tier is both in tiers and in who.tiers")
    if rule.who is not None:
        yield from _of_who(f"{place}.who", rule.who)
    yield from _of_needs(programme, place, rule)
    for each in programme.exclusions:
        if (each.legal or (each.earn and rule.discount is None)) and lines_of(each.match, programme).covers(lines):
            yield Doubt(f"{place}.match", "excluded", f"all its lines are kept out by the exclusion {each.id!r}")
    before = next((each for each in earlier if _is_never_reached(placed, each)), None)
    if before is not None:
        sentence = f"the exclusive rule {before.rule.id!r} acts before it and always takes the same lines"
        yield Doubt(place, "never_reached", sentence)
    yield from _beaten(placed, earlier)
    for index, limit in enumerate(rule.limits):
        if 0 < limit.amount < rule.points:
            sentence = f"its {rule.points} points are always cut to the {limit.amount} that a {limit.per} may have"
            yield Doubt(f"{place}.limits[{index}].amount", "always_trimmed", sentence)


def _of_needs(programme: Programme, place: str, rule: Rule) -> Iterator[Doubt]:
    for index, need in enumerate(rule.needs):
        if need.match.skus and len(set(need.match.skus)) < need.minimum_different:
            names = lines_of(need.match, programme)
            if not names.paths and all(kind == "skus" for kind, _ in names.keys):
                sentence = f"{len(names.keys)} SKUs are never {need.minimum_different} different ones"
                yield Doubt(f"{place}.needs[{index}].minimum_different", "never_holds", sentence)


def _of_when(place: str, when: When, today: date) -> Iterator[Doubt]:
    ends = [each[:10] for each in (when.to, when.business_to) if each]
    starts = [each[:10] for each in (when.from_, when.business_from) if each]
    if ends and starts:
        # A business day may end after midnight: the day after the window is looked at too.
        first, last = date.fromisoformat(max(starts)), date.fromisoformat(min(ends))
        count = (last - first).days + 1
        days = (str(first + timedelta(days=each)) for each in range(count))
        if count <= 7 * WEEKS_LOOKED_AT and not some_moment(when, days):
            yield Doubt(place, "never_holds", "its dates, weekdays and hours have no moment in common")
            return
    moments = [each for each in (when.to, when.business_to) if each]
    if moments and min(each.removesuffix("T00:00:00") for each in moments) <= str(today):
        yield Doubt(place, "over", f"it ended before {min(moments)}")


def _of_who(place: str, who: Who) -> Iterator[Doubt]:
    numbers = [each for each in (who.first_purchases, who.purchase_number) if each]
    if len(numbers) > 1 and who.purchase_number > who.first_purchases:
        sentence = f"purchase number {who.purchase_number} is not among the first {who.first_purchases}"
        yield Doubt(f"{place}.purchase_number", "never_holds", sentence)
    if who.silent_days and 1 in numbers:
        yield Doubt(f"{place}.silent_days", "never_holds", "there is no purchase before the first one")


def _is_never_reached(placed: _Placed, before: _Placed) -> bool:
    """An exclusive discount takes only what it lowers, so it must be a percent of all of its lines."""
    other = before.rule
    if other.stack != "exclusive" or (other.discount is None) != (placed.rule.discount is None):
        return False
    if other.discount is not None and (not other.discount.percent_basis_points or _of_units(other) or other.limits):
        return False
    return is_for_all(other) and before.lines.covers(placed.lines)


def _beaten(placed: _Placed, earlier: list[_Placed]) -> Iterator[Doubt]:
    """A percent of a group that another one of it, which is for all, always passes or equals."""
    rule = placed.rule
    for before in earlier:
        one, other = sorted((placed, before), key=lambda each: each.rule.percent_basis_points)
        if one.rule.percent_basis_points == other.rule.percent_basis_points:
            one, other = placed, before  # a tie goes to the earlier one
        same = rule.group and rule.group == before.rule.group and _is_percent(one.rule) and _is_percent(other.rule)
        if same and is_for_all(other.rule) and other.lines.covers(one.lines):
            sentence = f"of the group {rule.group!r}, {other.rule.id!r} always gives its lines at least as much"
            yield Doubt(one.place, "always_beaten", sentence)


def _is_percent(rule: Rule) -> bool:
    return rule.percent_basis_points != NO_PERCENT


def _of_units(rule: Rule) -> bool:
    """Whether a discount is off some units only."""
    terms = rule.discount
    return terms is not None and bool(
        terms.get_units or terms.maximum_units or terms.maximum_units_per_line or terms.whole_groups_of
    )


def _multipliers(rules: list[_Placed]) -> Iterator[Doubt]:
    """Multipliers of rules that act after them, or that give no points."""
    places = {placed.rule.id: position for position, placed in enumerate(rules)}
    for position, (place, rule, _) in enumerate(rules):
        for index, name in enumerate(rule.multiplies):
            other = rules[places[name]].rule if name in places else None
            if other is not None and other.discount is not None:
                sentence = f"{name!r} takes money off: there are no points of it to multiply"
                yield Doubt(f"{place}.multiplies[{index}]", "multiplies_nothing", sentence)
            elif other is not None and places[name] > position:
                sentence = f"{name!r} acts after it: give it a smaller priority"
                yield Doubt(f"{place}.multiplies[{index}]", "multiplies_nothing", sentence)


def _overlaps(rules: list[_Placed]) -> Iterator[Doubt]:
    """Percents that add up on the same lines. With different priorities that is taken to be meant."""
    percents = [each for each in rules if _percent_of(each.rule) > 0 and each.rule.stack != "exclusive"]
    by_priority: dict[tuple[int, bool], list[_Placed]] = {}
    for each in percents:
        by_priority.setdefault((each.rule.priority, each.rule.discount is None), []).append(each)
    for level in by_priority.values():
        for position, one in enumerate(level):
            for other in level[position + 1 :]:
                group = one.rule.group if one.rule.group == other.rule.group else ""
                if not group and can_meet(one.rule, other.rule) and one.lines.meets(other.lines):
                    sentence = (
                        f"{one.rule.id!r} and {other.rule.id!r} both give a percent of the same lines: put them into a "
                        "group of which the best gives, or give them different priorities if they are to add up"
                    )
                    yield Doubt(other.place, "overlap", sentence)


def _percent_of(rule: Rule) -> int:
    """The plain percent that a rule gives or takes off, in basis points; 0 for other ways."""
    if rule.discount is not None:
        return 0 if _of_units(rule) or rule.discount.maximum_minor else rule.discount.percent_basis_points
    return max(0, rule.percent_basis_points)


def _worth(programme: Programme, rule: Rule) -> int:
    """The most points that a rule gives for its lines' money, as basis points of it; ways by unit or receipt: 0."""
    ways = [(rule.percent_basis_points, rule.per_money), *[(e.percent_basis_points, e.per_money) for e in rule.steps]]
    most = 0
    for percent, terms in ways:
        worth = max(0, percent)
        if terms is not None:
            value = terms.points * programme.point_value_minor * WHOLE_PERCENT
            worth += value // (minor_points(programme.points_exponent) * terms.per_minor)
        most = max(most, worth)
    return most


def _too_much(programme: Programme, rules: list[_Placed]) -> Iterator[Doubt]:
    """Rules that together give a line back for more than it costs, to members of some tier."""
    told: set[tuple[str, ...]] = set()
    for tier in ("", *[each.id for each in programme.tiers]):
        mine = [each for each in rules if (tiers := tiers_of(each.rule)) is None or tier in tiers]
        multiplier = next((each.multiplier_basis_points for each in programme.tiers if each.id == tier), WHOLE_PERCENT)
        for one in mine:
            with_it = [each for each in mine if each is one or _act_together(each, one)]
            share, names = _share(programme, with_it, multiplier)
            if share > WHOLE_PERCENT and len(names) > 1 and names not in told:
                told.add(names)
                listed = ", ".join(names[:RULES_NAMED]) + (" and more" if len(names) > RULES_NAMED else "")
                of_tier = f" for {tier}" if tier else ""
                sentence = (
                    f"together up to {share // 100} % of a line{of_tier} comes back as money off and points: {listed}"
                )
                yield Doubt(one.place, "more_than_everything", sentence)


def _act_together(one: _Placed, other: _Placed) -> bool:
    """Whether both can give for one line. An exclusive rule for points takes its lines from those that act later."""
    first, later = sorted((one.rule, other.rule), key=lambda rule: (rule.priority, rule.id))
    if first.stack == "exclusive" and first.discount is None and later.discount is None:
        return False
    return one.lines.meets(other.lines) and can_meet(one.rule, other.rule)


def _share(programme: Programme, rules: list[_Placed], multiplier: int) -> tuple[int, tuple[str, ...]]:
    """The most that the rules give back of a line, in basis points, and the ids of those that count."""
    best: dict[str, tuple[int, Rule]] = {}
    for _, rule, _ in rules:
        worth = _percent_of(rule) if rule.discount is not None else _worth(programme, rule)
        key = rule.group or f"{rule.id}:"  # no group has this character
        if worth and (key not in best or worth > best[key][0]):
            best[key] = (worth, rule)
    left, points = WHOLE_PERCENT, 0
    for worth, rule in best.values():
        if rule.discount is not None:
            left = left * (WHOLE_PERCENT - min(worth, WHOLE_PERCENT)) // WHOLE_PERCENT
        else:
            points += worth * multiplier // WHOLE_PERCENT if _is_percent(rule) else worth
    names = [rule.id for _, rule in best.values()]
    for _, rule, _ in rules:
        if rule.multiplier_basis_points is not None and points:
            points = points * rule.multiplier_basis_points // WHOLE_PERCENT
            names.append(rule.id)
    return WHOLE_PERCENT - left + points * left // WHOLE_PERCENT, tuple(names)


def _of_coupon(place: str, coupon: Coupon, programme: Programme, today: date) -> Iterator[Doubt]:
    users = [rule for rule in programme.rules if rule.who is not None and rule.who.coupon == coupon.id]
    if not users:
        yield Doubt(place, "coupon_of_nothing", f"no rule asks for the coupon {coupon.id!r}")
    if coupon.valid_to and coupon.valid_to <= str(today):
        yield Doubt(f"{place}.valid_to", "over", f"nobody can present it since {coupon.valid_to}")
    term = When(business_from=coupon.valid_from, business_to=coupon.valid_to)
    for rule in users:
        if not can_meet(rule, Rule(id=rule.id, when=term)):
            sentence = f"when it is valid, the rule {rule.id!r} does not act: nobody can present it for that"
            yield Doubt(place, "coupon_out_of_term", sentence)


def _tiers(programme: Programme) -> Iterator[Doubt]:
    """Tiers into which nobody ever comes."""
    for index, tier in enumerate(programme.tiers):
        if not index or tier.by_hand:
            continue
        place = f"tiers[{index}]"
        if not tier.from_spend_minor:
            sentence = "nobody comes here by spending: set from_spend_minor, or say by_hand = true"
            yield Doubt(place, "tier_unreachable", sentence)
        elif not programme.tier_period:
            yield Doubt(place, "tier_unreachable", "nobody comes here by spending without a tier_period")


def _of_event(place: str, event: Event, programme: Programme, today: date) -> Iterator[Doubt]:
    if event.to_date and event.to_date <= str(today):
        yield Doubt(f"{place}.to_date", "over", f"it ended before {event.to_date}")
    asked = programme.registration.ask if programme.registration.enabled else ()
    for kinds, name in ((("referred", "referrer"), "referrer"), (("birthday",), "birth_date")):
        if event.on in kinds and name not in asked:
            sentence = f"no till asks for it: registration.ask has no {name!r}"
            yield Doubt(f"{place}.on", "never_happens", sentence)
    if event.on == "registered" and not programme.registration.enabled:
        yield Doubt(f"{place}.on", "never_happens", "registration is not enabled")
    if event.on == "tier_reached" and not programme.tier_period:
        yield Doubt(f"{place}.on", "never_happens", "nobody moves between tiers without a tier_period")
