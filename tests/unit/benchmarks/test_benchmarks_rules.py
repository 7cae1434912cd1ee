"""The measured programmes and receipts are what their names say, and the figures come out of them."""

import pytest

from till_loyalty.engine import calculate
from tillbench import aims, rules


@pytest.mark.parametrize("count", [10, 40, 200])
def test_so_many_rules_are_measured_and_all_ways_are_among_them(count: int) -> None:
    made = rules.programme_of(count)
    assert len({rule.id for rule in made.rules}) == count
    assert sum(rule.discount is not None for rule in made.rules) == count // 10
    assert made == rules.programme_of(count), "the same each time"


def test_what_is_measured_gives_points_and_money_off() -> None:
    result = calculate(rules.programme_of(200), rules.MEMBER, rules.receipt_of(161), rules.CLOCK)
    assert len(result.lines) == 161
    assert len({each.rule for each in result.accruals}) > 50
    assert result.discounts
    assert rules.same_bytes()


def test_a_cost_stands_beside_its_floor() -> None:
    found = rules.cost(15, 40, 3)
    assert 0 < found.floor_us < found.p50_us <= found.p99_us
    assert found.ratio == found.p50_us / found.floor_us


def test_an_aim_is_reached_or_not() -> None:
    fast, slow = rules.Cost(15, 40, 400.0, 500.0, 1.0), rules.Cost(161, 200, 10_001.0, 11_000.0, 10.0)
    told = aims.of_rules(rules.Rules(fast, slow, [], 1_500.0, 10_000.0))
    assert [each["reached"] for each in told] == [True, False, True]
    assert told[0]["found"] == "0.40 ms"
    assert len(rules.Rules(fast, slow, [fast], 1.0, 2.0).rows()) == 8
