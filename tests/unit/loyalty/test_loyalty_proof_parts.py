"""Parts that real chains ask for: prices of a unit, groups of units, the nth unit, steps by quantity."""

from typing import Any

import pytest

from till_loyalty.engine import calculate
from till_loyalty.exceptions import ProgrammeError
from till_loyalty.programme import Match, Rule
from till_loyalty.programme_document import parse_programme
from till_loyalty.receipt import Line, MemberState, Receipt
from till_loyalty.rule_parts import Discount, Step, UnitStep
from unit.loyalty.loyalty_support import CLOCK, line, programme

HEAD = 'format = 1\nid = "p"\nversion = 1\ncurrency = "RUB"\n[[rules]]\nid = "r"\n'
HALF = (UnitStep(from_unit=2, percent_basis_points=5000),)


def units(number: int, price: int, count: int = 1) -> Line:
    return line(number, price * count, quantity_thousandths=count * 1000)


def off(terms: Discount, *lines: Line, **fields: Any) -> list[int]:
    """What a rule of these terms takes off each line."""
    rules = programme(Rule(id="r", discount=terms, **fields))
    return [each.discount_minor for each in calculate(rules, MemberState(), Receipt(lines=lines), CLOCK).lines]


def problems(text: str) -> str:
    with pytest.raises(ProgrammeError) as caught:
        parse_programme(HEAD + text)
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize(("least", "most", "expected"), [(100, 200, [0, 10, 20, 0]), (0, 100, [9, 10, 0, 0])])
def test_a_range_of_unit_prices_includes_both_ends(least: int, most: int, expected: list[int]) -> None:
    match = Match(unit_price_from_minor=least, unit_price_to_minor=most)
    lines = (units(1, 99), units(2, 100), units(3, 200), units(4, 201))
    assert off(Discount(percent_basis_points=1000), *lines, match=match) == expected


def test_the_price_of_weighed_goods_is_that_of_a_kilogram() -> None:
    match = Match(skus=("sku-1", "sku-2"), unit_price_from_minor=1000)
    light, cheap = line(1, 250, quantity_thousandths=250), line(2, 999, quantity_thousandths=1000)
    assert off(Discount(percent_basis_points=1000), light, cheap, match=match) == [25, 0]


def test_a_line_of_no_quantity_has_no_price_of_a_unit() -> None:
    match = Match(unit_price_from_minor=1)
    assert off(Discount(percent_basis_points=1000), line(1, 500, quantity_thousandths=0), match=match) == [0]


@pytest.mark.parametrize(("count", "expected"), [(1, 0), (2, 100), (3, 100), (4, 200)])
def test_whole_groups_leave_the_rest_of_the_units_alone(count: int, expected: int) -> None:
    assert off(Discount(amount_minor=50, per="unit", whole_groups_of=2), units(1, 300, count)) == [expected]


def test_whole_groups_fill_from_the_cheapest_unit() -> None:
    terms = Discount(percent_basis_points=1000, whole_groups_of=2)
    assert off(terms, units(1, 300), units(2, 100), units(3, 200)) == [0, 10, 20]


def test_so_many_units_of_each_line_are_cheaper() -> None:
    terms = Discount(amount_minor=50, per="unit", maximum_units_per_line=2)
    assert off(terms, units(1, 300, 5), units(2, 30, 1)) == [100, 30]


def test_the_second_unit_is_the_cheaper_one() -> None:
    assert off(Discount(unit_steps=HALF, maximum_units=2), units(1, 100), units(2, 300), units(3, 200)) == [0, 0, 100]


def test_steps_of_units_count_on_each_line_if_they_are_told_to() -> None:
    assert off(Discount(unit_steps=HALF, per="line"), units(1, 100, 3), units(2, 300, 1)) == [100, 0]


def test_a_unit_is_in_one_step_only() -> None:
    steps = (
        UnitStep(amount_minor=10),
        UnitStep(from_unit=2, percent_basis_points=5000),
        UnitStep(from_unit=4),
    )
    assert off(Discount(unit_steps=steps, per="line"), units(1, 100, 6)) == [10 + 50 + 50]


def test_a_weighed_line_has_no_whole_units_to_step_over() -> None:
    assert off(Discount(unit_steps=HALF), line(1, 900, quantity_thousandths=900)) == [0]


@pytest.mark.parametrize(("count", "expected"), [(9, 9), (10, 20)])
def test_steps_of_points_rise_with_the_quantity(count: int, expected: int) -> None:
    steps = (Step(percent_basis_points=100), Step(from_quantity_thousandths=10_000, percent_basis_points=200))
    rules = programme(Rule(id="r", steps=steps))
    result = calculate(rules, MemberState(), Receipt(lines=(units(1, 10_000, count),)), CLOCK)
    assert result.earned_points == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "percent_basis_points = 1\nmatch = { unit_price_from_minor = 5, unit_price_to_minor = 4 }",
            "at least 5, not 4",
        ),
        ("discount = { percent_basis_points = 1, whole_groups_of = 1 }", "groups of 2 or more"),
        ("discount = { whole_groups_of = 2, get_units = 1, buy_units = 1 }", "beside get_units"),
        (
            "discount = { percent_basis_points = 1, maximum_units = 2, maximum_units_per_line = 1 }",
            "beside maximum_units",
        ),
        ("discount = { unit_steps = [{}] }", "expected something to give"),
        ("discount = { unit_steps = [{ percent_basis_points = 1, amount_minor = 1 }] }", "one way of giving in a step"),
        ("discount = { unit_steps = [{ amount_minor = 1 }, { amount_minor = 2 }] }", "more than 1, not 1"),
        ("discount = { percent_basis_points = 1, unit_steps = [{ amount_minor = 1 }] }", "one way of giving"),
        ("discount = { percent_basis_points = 1, per = 'line' }", "expected amount_minor beside it"),
        (
            "steps = [{ percent_basis_points = 1, from_minor = 5 }, { percent_basis_points = 2, from_minor = 5 }]",
            "expected more than 5",
        ),
        (
            "steps = [{ from_quantity_thousandths = 5, points = 1 }, { from_minor = 5, points = 2 }]",
            "from_quantity_thousandths: expected at least 5, not 0",
        ),
    ],
)
def test_parts_that_contradict_each_other_are_told(text: str, told: str) -> None:
    assert told in problems(text)
