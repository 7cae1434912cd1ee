"""Which rules of a programme are about the same lines: all of another's lines, or some that both may take."""

from collections.abc import Iterator
from typing import NamedTuple

from till_loyalty.conditions import Situation, in_time
from till_loyalty.matching import is_everything
from till_loyalty.programme import Programme, Rule
from till_loyalty.receipt import MemberState, StoreClock
from till_loyalty.rule_parts import Match, NamedList, Selector, When

Key = tuple[str, str]


class Lines(NamedTuple):
    """What a match names, lists written out. `narrowed`: it also asks for something else of its lines."""

    everything: bool
    keys: frozenset[Key]
    paths: frozenset[tuple[str, ...]]
    narrowed: bool
    none: "tuple[Lines, ...]"

    def covers(self, other: "Lines") -> bool:
        """Whether every line of the other is certainly one of these."""
        if self.narrowed or self.none:
            return False
        if self.everything or other.everything:
            return self.everything
        return other.keys <= self.keys and all(self.has_path(path) for path in other.paths)

    def meets(self, other: "Lines") -> bool:
        """Whether a line can be in both, as far as names tell: goods of one brand and one category are not guessed."""
        if any(each.covers(other) for each in self.none) or any(each.covers(self) for each in other.none):
            return False
        if self.everything or other.everything or self.keys & other.keys:
            return True
        return any(self.has_path(path) for path in other.paths) or any(other.has_path(path) for path in self.paths)

    def has_path(self, path: tuple[str, ...]) -> bool:
        """Whether the category or one above it is named."""
        return any(path[:length] in self.paths for length in range(1, len(path) + 1))


def lines_of(match: Match | Selector, programme: Programme) -> Lines:
    """The lines of a match of the programme."""
    lists = {each.id: each for each in programme.lists}
    keys: set[Key] = set()
    paths: set[tuple[str, ...]] = set()
    parts: list[Match | Selector | NamedList] = [match, *[lists[each] for each in match.lists if each in lists]]
    for names in parts:
        for kind in ("skus", "brands", "labels", "suppliers"):
            keys |= {(kind, name) for name in getattr(names, kind)}
        paths |= set(names.categories)
    named = (is_everything(match), frozenset(keys), frozenset(paths))
    if isinstance(match, Selector):
        return Lines(*named, narrowed=False, none=())
    narrowed = bool(match.all or match.unit_price_from_minor or match.unit_price_to_minor)
    return Lines(*named, narrowed, tuple([lines_of(each, programme) for each in match.none]))


def is_for_all(rule: Rule) -> bool:
    """Whether the rule acts on every receipt that has one of its lines, whoever buys it wherever and whenever."""
    return not (rule.when or rule.where or rule.who or rule.tiers or rule.needs or rule.minimum_sum_minor)


def can_meet(one: Rule, other: Rule) -> bool:
    """Whether one sale can be for both, as far as tiers, places, dates and hours tell."""
    tiers, others = tiers_of(one), tiers_of(other)
    if tiers is not None and others is not None and not tiers & others:
        return False
    if one.where is not None and other.where is not None:
        for kind in ("stores", "regions", "channels"):  # a store is of several groups
            here, there = set(getattr(one.where, kind)), set(getattr(other.where, kind))
            if here and there and not here & there:
                return False
    return one.when is None or other.when is None or _hours_meet(one.when, other.when)


def tiers_of(rule: Rule) -> set[str] | None:
    """The tiers whose members can have the rule; None: all members."""
    named = [set(each) for each in (rule.tiers, rule.who.tiers if rule.who is not None else ()) if each]
    return set.intersection(*named) if named else None


def _hours_meet(one: When, other: When) -> bool:
    """False where dates, weekdays or hours leave no common moment; spans over midnight are taken to meet anything."""
    for first, last in (("from_", "to"), ("business_from", "business_to")):
        start = max(getattr(one, first), getattr(other, first))
        ends = [each for each in (getattr(one, last), getattr(other, last)) if each]
        if start and ends and start >= min(ends):
            return False
    if one.weekdays and other.weekdays and not set(one.weekdays) & set(other.weekdays):
        return False
    spans = [(here, there) for here in one.times for there in other.times]
    return not spans or any(
        here.from_ >= here.to or there.from_ >= there.to or max(here.from_, there.from_) < min(here.to, there.to)
        for here, there in spans
    )


def some_moment(when: When, days: Iterator[str]) -> bool:
    """Whether the window holds at some moment of these days, each as `YYYY-MM-DD`: asked of the rules' own clock."""
    times = ["00:00:00", "23:59:59", *[f"{span.from_}:00" for span in when.times]]
    times += [when.from_[11:]] if when.from_ else []
    for day in days:
        for time in times:
            clock = StoreClock(local_time=f"{day}T{time}", business_date=day)
            if in_time(when, Situation(clock, MemberState())):
                return True
    return False
