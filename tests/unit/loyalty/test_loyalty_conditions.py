"""When, where, for whom and of what a rule gives."""

from datetime import date
from typing import Any

import pytest

from till_loyalty.conditions import near_birthday
from till_loyalty.engine import calculate
from till_loyalty.exceptions import ProgrammeError, ReceiptError
from till_loyalty.programme import Rule
from till_loyalty.programme_document import decode_programme, parse_programme, programme_json
from till_loyalty.receipt import Line, MemberState, Place, Receipt, StoreClock
from till_loyalty.rule_parts import Birthday, Match, NamedList, Need, Selector, TimeSpan, When, Where, Who
from unit.loyalty.loyalty_support import line, programme


def clock(text: str, business: str = "") -> StoreClock:
    return StoreClock(local_time=text, business_date=business or text[:10])


def gives(
    at: str = "2026-01-31T12:00:00",
    *,
    business: str = "",
    member: MemberState | None = None,
    place: Place | None = None,
    lines: tuple[Line, ...] = (),
    lists: tuple[NamedList, ...] = (),
    **parts: Any,
) -> list[int]:
    """Numbers of the lines to which a 10 % rule with these parts gives."""
    rules = programme(Rule(id="r", percent_basis_points=1000, **parts), lists=lists)
    receipt = Receipt(lines=lines or (line(1, 10_000),))
    result = calculate(rules, member or MemberState(), receipt, clock(at, business), place=place)
    return [each.number for each in result.lines if each.earned_points]


@pytest.mark.parametrize(
    ("at", "holds"),
    [("2026-01-31T23:59:59", 0), ("2026-02-01T00:00:00", 1), ("2026-02-28T23:59:59", 1), ("2026-03-01T00:00:00", 0)],
)
def test_dates_are_half_open(at: str, holds: int) -> None:
    assert len(gives(at, when=When(from_="2026-02-01T00:00:00", to="2026-03-01T00:00:00"))) == holds


NIGHT = When(weekdays=("fri",), times=(TimeSpan(from_="22:00", to="02:00"),))


@pytest.mark.parametrize(
    ("at", "business", "holds"),
    [
        ("2026-01-30T21:59:59", "", 0),  # a Friday
        ("2026-01-30T22:00:00", "", 1),
        ("2026-01-31T01:59:59", "", 1),
        ("2026-01-31T01:59:59", "2026-01-30", 1),
        ("2026-01-31T02:00:00", "", 0),
        ("2026-01-30T01:00:00", "", 0),  # still Thursday's night
        ("2026-01-31T23:00:00", "", 0),
    ],
)
def test_a_span_past_midnight_belongs_to_the_day_it_began(at: str, business: str, holds: int) -> None:
    assert len(gives(at, business=business, when=NIGHT)) == holds


def test_weekdays_and_business_dates_are_of_the_business_day() -> None:
    assert gives("2026-01-31T01:00:00", business="2026-01-30", when=When(weekdays=("fri",)))
    assert not gives("2026-01-31T01:00:00", when=When(weekdays=("fri",)))
    window = When(business_from="2026-01-30", business_to="2026-01-31")
    assert gives("2026-01-31T01:00:00", business="2026-01-30", when=window)
    assert not gives("2026-01-31T01:00:00", when=window)


def test_an_hour_that_a_clock_change_doubles_is_in_the_window_both_times() -> None:
    """The store's clock shows 02:30 twice; the rule is about what the clock shows."""
    window = When(times=(TimeSpan(from_="02:00", to="03:00"),))
    assert [gives("2026-10-25T02:30:00", when=window) for _ in range(2)] == [[1], [1]]


@pytest.mark.parametrize("text", ["", "12:00", "2026-13-01T00:00:00", "2026-01-01T00:00:00+03:00", "2026-01-01"])
def test_a_clock_that_is_no_clock_is_refused_only_where_a_rule_asks(text: str) -> None:
    assert gives(text, business="2026-01-01") == [1]
    with pytest.raises(ReceiptError) as caught:
        gives(text, business="2026-01-01", when=When(to="2030-01-01T00:00:00"))
    assert (caught.value.code, caught.value.pointer) == ("clock_invalid", "/clock/local_time")


def test_a_business_date_that_is_none_is_refused() -> None:
    with pytest.raises(ReceiptError) as caught:
        gives("2026-01-01T00:00:00", business="yesterday", when=When(weekdays=("mon",)))
    assert caught.value.pointer == "/clock/business_date"


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        (Where(stores=("s2", "s1")), 1),
        (Where(stores=("s2",)), 0),
        (Where(regions=("north",), groups=("big", "new")), 1),
        (Where(regions=("north",), groups=("new",)), 0),
        (Where(channels=("web",)), 0),
    ],
)
def test_places(where: Where, holds: int) -> None:
    place = Place(store="s1", region="north", groups=("big",), channel="till")
    assert len(gives(where=where, place=place)) == holds
    assert not gives(where=where)


@pytest.mark.parametrize(
    ("born", "today", "holds"),
    [
        ("1990-02-03", "2026-01-31", 0),
        ("1990-02-03", "2026-02-01", 1),
        ("1990-02-03", "2026-02-04", 1),
        ("1990-02-03", "2026-02-05", 0),
        ("1990-01-01", "2025-12-30", 1),
        ("1990-12-31", "2026-01-01", 1),
        ("1988-02-29", "2026-02-26", 1),
        ("1988-02-29", "2026-02-25", 0),
        ("1988-02-29", "2026-03-01", 1),
        ("1988-02-29", "2026-03-02", 0),
        ("1988-02-29", "2028-03-01", 1),
        ("1988-02-29", "2028-02-26", 0),
        ("", "2026-02-03", 0),
        ("unknown", "2026-02-03", 0),
        ("2026-02-03", "2026-02-02", 1),
        ("2027-02-03", "2026-02-03", 0),
    ],
)
def test_birthday_window(born: str, today: str, holds: int) -> None:
    """Two days before to one day after; 29 February is 28 February in other years."""
    who = Who(birthday=Birthday(days_before=2, days_after=1))
    assert len(gives(f"{today}T12:00:00", who=who, member=MemberState(birth_date=born))) == holds


@pytest.mark.parametrize(
    ("who", "facts", "holds"),
    [
        (Who(segments=("a", "b")), {"segments": ("b",)}, 1),
        (Who(segments=("a",)), {}, 0),
        (Who(tiers=("gold",)), {"tier": "gold"}, 1),
        (Who(tiers=("gold",)), {"tier": "silver"}, 0),
        (Who(first_purchases=1), {"purchases": 0}, 1),
        (Who(first_purchases=1), {"purchases": 1}, 0),
        (Who(first_purchases=3), {"purchases": 2}, 1),
        (Who(first_purchases=3), {}, 0),
        (Who(purchase_number=5), {"purchases": 4}, 1),
        (Who(purchase_number=5), {"purchases": 5}, 0),
        (Who(joined_from="2026-01-01", joined_to="2026-02-01"), {"member_since": "2026-01-01"}, 1),
        (Who(joined_from="2026-01-01", joined_to="2026-02-01"), {"member_since": "2026-02-01"}, 0),
        (Who(joined_to="2026-02-01"), {}, 0),
        (Who(joined_from="2026-02-01"), {}, 0),
        (Who(silent_days=30), {"last_purchase": "2026-01-01"}, 1),
        (Who(silent_days=31), {"last_purchase": "2026-01-01"}, 0),
        (Who(silent_days=1), {}, 0),
        (Who(coupon="c"), {}, 0),
    ],
)
def test_members(who: Who, facts: dict[str, Any], holds: int) -> None:
    assert len(gives(who=who, member=MemberState(**facts))) == holds


GOODS = (
    line(1, 1000, brand="acme", labels=("eco", "new"), category=("food", "milk")),
    line(2, 1000, supplier="farm", category=("food", "bread")),
    line(3, 1000, labels=("new",)),
    line(4, 1000, sku="x", brand="acme", labels=("promo",)),
)


@pytest.mark.parametrize(
    ("match", "numbers"),
    [
        (Match(brands=("acme",)), [1, 4]),
        (Match(labels=("new", "eco")), [1, 3]),
        (Match(suppliers=("farm",), skus=("x",)), [2, 4]),
        (Match(lists=("mine",)), [2, 4]),
        (Match(lists=("mine",), skus=("x",), suppliers=("farm",)), [2, 4]),
        (Match(none=(Selector(labels=("promo",)), Selector(suppliers=("farm",)))), [1, 3]),
        (Match(all=(Selector(brands=("acme",)), Selector(labels=("eco", "new")))), [1]),
        (Match(brands=("acme",), all=(Selector(categories=(("food",),)),)), [1]),
        (Match(brands=("acme",), none=(Selector(lists=("mine",)),)), [1]),
    ],
)
def test_lines_by_any_all_none(match: Match, numbers: list[int]) -> None:
    lists = (NamedList(id="mine", skus=("x",), suppliers=("farm",)),)
    assert gives(lines=GOODS, match=match, lists=lists) == numbers


def test_a_line_in_two_lists_counts_once() -> None:
    lists = (NamedList(id="a", skus=("x",)), NamedList(id="b", brands=("acme",)))
    rules = programme(Rule(id="r", percent_basis_points=1000, match=Match(lists=("a", "b"))), lists=lists)
    result = calculate(
        rules, MemberState(), Receipt(lines=(line(1, 10_000, sku="x", brand="acme"),)), clock("2026-01-01")
    )
    assert result.earned_points == 10


@pytest.mark.parametrize(
    ("need", "holds"),
    [
        (Need(match=Match(brands=("acme",)), minimum_sum_minor=2000), True),
        (Need(match=Match(brands=("acme",)), minimum_sum_minor=2001), False),
        (Need(match=Match(labels=("new",)), minimum_quantity_thousandths=2000, minimum_different=2), True),
        (Need(match=Match(labels=("new",)), minimum_different=3), False),
        (Need(match=Match(labels=("new",)), minimum_quantity_thousandths=2001), False),
        (Need(match=Match(skus=("nowhere",))), False),
    ],
)
def test_needs_look_at_the_whole_receipt(need: Need, holds: bool) -> None:
    """The rule gives to its own line, where another part of the receipt holds what is needed."""
    assert gives(lines=GOODS, match=Match(suppliers=("farm",)), needs=(need,)) == ([2] if holds else [])


HEAD = """
format = 1
id = "p"
version = 1
currency = "RUB"
[[tiers]]
id = "gold"
[[lists]]
id = "milk"
skus = ["1"]
"""
RULE = '[[rules]]\nid = "r"\npercent_basis_points = 1\n'
FAULTS = {
    'match = { lists = ["mlik"] }': "rules[0].match.lists[0]: expected a list of the programme (milk), "
    "not 'mlik'; did you mean 'milk'?",
    "match = { all = [{}] }": "rules[0].match.all[0]: expected a name of something, not an empty table",
    'match = { brands = [""] }': "rules[0].match.brands[0]: expected a name, not an empty text",
    'match = { none = [{ label = ["x"] }] }': "rules[0].match.none[0].label: expected a known field; "
    "did you mean 'labels'?",
    "when = {}": "rules[0].when: expected a condition, not an empty table",
    "who = {}": "rules[0].who: expected a condition, not an empty table",
    "when = { from = 2026-02-01T00:00:00, to = 2026-02-01T00:00:00 }": "rules[0].when.to: expected later than "
    "2026-02-01T00:00:00, not 2026-02-01T00:00:00: nothing is between them",
    'when = { from = "2026-02-30T00:00:00" }': "rules[0].when.from: expected a day of the calendar, "
    "not '2026-02-30T00:00:00'",
    'when = { weekdays = ["fry"] }': "rules[0].when.weekdays[0]: expected 'mon' or 'tue' or 'wed' or 'thu' or 'fri' or "
    "'sat' or 'sun', not 'fry'; did you mean 'fri'?",
    'when = { times = [{ from = "09:00", to = "09:00" }] }': "rules[0].when.times[0]: expected two different times, "
    "not 09:00 twice: leave all day out",
    'who = { tiers = ["glod"] }': "rules[0].who.tiers[0]: expected a tier of the programme (gold), not 'glod'; "
    "did you mean 'gold'?",
}


@pytest.mark.parametrize("text", FAULTS)
def test_faults_have_their_place_and_the_nearest_name(text: str) -> None:
    with pytest.raises(ProgrammeError) as caught:
        parse_programme(HEAD + RULE + text)
    assert FAULTS[text] in caught.value.problems


def test_toml_dates_need_no_quotes_and_survive_the_wire() -> None:
    text = (
        "when = { from = 2026-02-01T00:00:00, business_to = 2026-03-01, times = [{ from = 09:00:00, to = 12:00:00 }] }"
    )
    rules = parse_programme(HEAD + RULE + text)
    assert rules.rules[0].when == When(
        from_="2026-02-01T00:00:00", business_to="2026-03-01", times=(TimeSpan(from_="09:00", to="12:00"),)
    )
    assert decode_programme(programme_json(rules)) == rules == parse_programme(programme_json(rules), suffix=".json")


@pytest.mark.parametrize(
    ("text", "today", "near"),
    [
        ("02-29", "2024-02-29", True),
        ("02-29", "2024-02-28", False),
        ("02-29", "2023-02-28", True),
        ("02-29", "2100-02-28", True),
        ("02-29", "2100-03-01", False),
        ("01-01", "2026-01-01", True),
        ("12-31", "2026-12-31", True),
        ("02-30", "2026-02-28", False),
        ("13-01", "2026-01-13", False),
        ("2-9", "2026-02-09", False),
    ],
)
def test_a_birthday_needs_no_year(text: str, today: str, near: bool) -> None:
    """A till is told the day alone; it is the birthday of every year."""
    assert near_birthday(Birthday(), text, date.fromisoformat(today)) is near
