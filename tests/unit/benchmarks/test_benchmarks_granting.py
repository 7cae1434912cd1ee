"""Receipts played again: what counts as served, and that nothing is granted twice."""

from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from tillbench import granting
from tillbench.granting import PRODUCT, STRATEGIES, Visit, least_opening, play


def visit(day: int, store: str, received: int, spent: int = 0) -> Visit:
    """A receipt in January."""
    return Visit(datetime(2026, 1, day, tzinfo=UTC), store, received, spent)


def test_the_least_opening_balance_lets_every_redemption_be_paid() -> None:
    """What is received comes after what is spent on the same receipt."""
    assert least_opening([visit(1, "a", 10), visit(2, "a", 5, 12), visit(3, "a", 0, 9)]) == 6


def test_with_one_till_in_one_store_all_is_served() -> None:
    """What was earned before lies where it is spent."""
    served = play([visit(1, "a", 100), visit(2, "a", 0, 100)], STRATEGIES[PRODUCT], 1, Random(1), 0)
    assert (served.redemptions, served.wholly, served.served_points, served.recalls) == (1, 1, 100, 0)


def test_a_store_not_visited_before_serves_nothing_and_calls_back() -> None:
    """All points lie at the other store's till."""
    served = play([visit(1, "a", 100), visit(2, "b", 0, 100)], STRATEGIES[PRODUCT], 1, Random(1), 0)
    assert (served.wholly, served.served_points, served.recalls, served.unknown) == (0, 0, 1, 1)


@pytest.mark.parametrize("name", STRATEGIES)
def test_no_strategy_grants_more_than_there_is(name: str) -> None:
    """`play` itself refuses it: each strategy is played through spending, earning and many stores."""
    random = Random(7)
    visits = [visit(day, random.choice("abc"), random.randrange(50), random.choice((0, 0, 30))) for day in range(1, 29)]
    served = play(visits, STRATEGIES[name], 2, random, 0)
    assert 0 <= served.served_points <= served.points


def test_without_the_data_there_is_an_oserror(tmp_path: Path) -> None:
    """Which the run turns into one clear line."""
    with pytest.raises(OSError, match="receipts"):
        granting.measure(tmp_path)
