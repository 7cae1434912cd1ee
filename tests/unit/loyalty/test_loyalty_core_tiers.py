"""Tiers that move by spending: periods, thresholds, up at once, down when neither period carries them."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_loyalty.programme import Programme, Tier
from till_loyalty.tiers import (
    TierMove,
    carried_minor,
    move_of,
    moves_by_spend,
    period_before,
    period_of,
    tier_by_spend,
)
from unit.loyalty.loyalty_support import programme

LADDER = (
    Tier(id="standard"),
    Tier(id="silver", from_spend_minor=1000),
    Tier(id="gold", from_spend_minor=5000),
    Tier(id="staff", by_hand=True),
)
TODAY = date(2026, 5, 20)
KINDS = ("month", "quarter", "year")


def ladder(period: str = "month", **fields: Any) -> Programme:
    return programme(**{"tiers": LADDER, "tier_period": period} | fields)


@pytest.mark.parametrize(
    ("kind", "day", "name", "before"),
    [
        ("month", "2026-01-31", "2026-01", "2025-12"),
        ("month", "2026-12-01", "2026-12", "2026-11"),
        ("quarter", "2026-03-31", "2026-Q1", "2025-Q4"),
        ("quarter", "2026-04-01", "2026-Q2", "2026-Q1"),
        ("quarter", "2026-12-31", "2026-Q4", "2026-Q3"),
        ("year", "2026-02-28", "2026", "2025"),
        ("life", "2026-02-28", "life", ""),
        ("", "2026-02-28", "", ""),
        ("year", "9999-12-31", "9999", "9998"),
    ],
)
def test_periods_have_names(kind: str, day: str, name: str, before: str) -> None:
    """Each day is in one period, which follows another one."""
    assert period_of(ladder(kind), date.fromisoformat(day)) == name
    assert period_before(name) == before


def next_begins(rules: Programme, day: date) -> date:
    """The first day of the period after the day's."""
    period = period_of(rules, day)
    return next(each for each in (day + timedelta(days=n) for n in range(1, 367)) if period_of(rules, each) != period)


@given(st.sampled_from(KINDS), st.dates(date(1900, 1, 1), date(2900, 1, 1)))
def test_periods_follow_one_another(kind: str, day: date) -> None:
    """The first day of the next one is in the period that has this one before it, and is the first of a month."""
    rules = ladder(kind)
    begins = next_begins(rules, day)
    assert begins.day == 1
    assert period_before(period_of(rules, begins)) == period_of(rules, day)


@pytest.mark.parametrize("name", ["", "life", "x-1", "2026-Qx", "2026-x"])
def test_what_is_no_period_has_none_before_it(name: str) -> None:
    """Names of another time of the programme are never mistaken for spending."""
    assert period_before(name) == ""


@pytest.mark.parametrize(
    ("carried", "tier"),
    [(-5, "standard"), (0, "standard"), (999, "standard"), (1000, "silver"), (4999, "silver"), (5000, "gold")],
)
def test_a_threshold_is_reached_with_its_last_kopeck(carried: int, tier: str) -> None:
    """From the sum on, not past it; whatever the order of the document."""
    assert tier_by_spend(ladder(), carried) == tier
    assert tier_by_spend(ladder(tiers=(LADDER[0], LADDER[2], LADDER[1])), carried) == tier
    assert tier_by_spend(ladder(tiers=()), carried) == ""


@pytest.mark.parametrize(
    ("tier", "spent", "move"),
    [
        ("standard", {"2026-05": 1000}, TierMove("standard", "silver", ("silver",))),
        ("standard", {"2026-05": 9000}, TierMove("standard", "gold", ("silver", "gold"))),
        ("standard", {"2026-04": 5000}, TierMove("standard", "gold", ("silver", "gold"))),
        ("standard", {"2026-03": 9000, "2026-06": 9000, "2026": 9000}, None),
        ("silver", {"2026-05": 5000, "2026-04": 1}, TierMove("silver", "gold", ("gold",))),
        ("gold", {"2026-05": 4999, "2026-04": 2000}, TierMove("gold", "silver", ())),
        ("gold", {"2026-05": 4000, "2026-04": 4000}, TierMove("gold", "silver", ())),
        ("gold", {"2026-05": 0, "2026-04": 5000}, None),
        ("gold", {}, TierMove("gold", "standard", ())),
        ("staff", {"2026-05": 9000}, None),
        ("", {"2026-05": 1000}, TierMove("", "silver", ("silver",))),
        ("", {}, TierMove("", "standard", ())),
        ("forgotten", {}, TierMove("forgotten", "standard", ())),
    ],
)
def test_moves(tier: str, spent: dict[str, int], move: TierMove | None) -> None:
    """By the better of two periods, not by their sum; nobody leaves a tier that is given by hand."""
    assert move_of(ladder(), tier, spent, TODAY) == move


def test_nothing_moves_without_a_period_or_a_threshold() -> None:
    """Tiers are then the chain's own business; so is a tier beside the ladder that no spending gives."""
    plenty = {"2026-05": 10**9, "": 10**9, "life": 10**9}
    assert move_of(ladder(""), "standard", plenty, TODAY) is None
    assert move_of(ladder(tiers=(Tier(id="a"), Tier(id="b"))), "a", plenty, TODAY) is None
    assert not moves_by_spend(ladder(tiers=(*LADDER, Tier(id="odd"))), "odd")
    assert move_of(ladder("life"), "standard", plenty, TODAY) == TierMove("standard", "gold", ("silver", "gold"))


steps = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9000)), min_size=1, max_size=12)


def walk(rules: Programme, receipts: Sequence[tuple[int, int]]) -> tuple[str, list[str], dict[str, int]]:
    """Buy so many days on for so much, one after the other; what is past is settled before each."""
    day, tier, spent, reached = date(2025, 12, 1), "standard", dict[str, int](), list[str]()
    for days, paid in receipts:
        day += timedelta(days=days)
        period = period_of(rules, day)
        settled = move_of(rules, tier, spent, day)
        if settled is not None:
            assert settled.reached == (), "time alone moves nobody up"
            tier = settled.after
        spent[period] = spent.get(period, 0) + paid
        move = move_of(rules, tier, spent, day)
        if move is not None:
            assert move.before == tier
            tier = move.after
            reached += [f"{each}:{period}" for each in move.reached]
        assert tier == tier_by_spend(rules, carried_minor(rules, spent, day)), "a move leads to where spending is"
        assert move_of(rules, tier, spent, day) is None, "and needs no second one"
    return tier, reached, spent


@given(st.sampled_from((*KINDS, "life")), steps)
def test_one_receipt_or_many_lead_to_the_same_tier(kind: str, receipts: list[tuple[int, int]]) -> None:
    """Splitting a purchase changes neither the tier nor which tiers were reached in which period."""
    rules = ladder(kind)
    tier, reached, spent = walk(rules, receipts)
    halves = [part for days, paid in receipts for part in ((days, paid // 2), (0, paid - paid // 2))]
    assert walk(rules, halves) == (tier, reached, spent)


@given(st.sampled_from((*KINDS, "life")), steps)
def test_giving_everything_back_leaves_the_first_tier(kind: str, receipts: list[tuple[int, int]]) -> None:
    """No tier is kept that nothing was kept for."""
    rules = ladder(kind)
    tier, _, spent = walk(rules, receipts)
    end = date(2025, 12, 1) + timedelta(days=sum(days for days, _ in receipts))
    move = move_of(rules, tier, dict.fromkeys(spent, 0), end)
    assert (move.after if move else tier) == "standard"


@given(st.sampled_from(KINDS), st.integers(0, 9000), st.dates(date(2025, 1, 1), date(2027, 1, 1)))
def test_a_tier_lasts_to_the_end_of_the_next_period(kind: str, paid: int, day: date) -> None:
    """Whoever reached it keeps it for a whole period more, and not a day longer."""
    rules = ladder(kind)
    spent = {period_of(rules, day): paid}
    tier = tier_by_spend(rules, paid)
    third = next_begins(rules, next_begins(rules, day))
    assert move_of(rules, tier, spent, third - timedelta(days=1)) is None
    after = move_of(rules, tier, spent, third)
    assert (after.after if after else tier) == "standard"
