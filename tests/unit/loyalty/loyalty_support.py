"""Makers of receipts and programmes, Hypothesis strategies, and the way to the shared data sets."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import strategies as st

from till_loyalty.programme import Exclusion, Match, Programme, Redemption, Rule, Tier
from till_loyalty.receipt import Line, MemberState, Receipt, StoreClock

CLOCK = StoreClock(local_time="2017-12-23T12:00:00", business_date="2017-12-23")
SKUS = ("a", "b", "c", "d")
PATHS = (("x",), ("x", "y"), ("x", "y", "z"), ("w",), ("w", "y"))
TIERS = ("standard", "silver", "gold")
ROUNDINGS = ("floor", "half_up", "half_even", "ceil")
POINT_VALUES = (1, 3, 7, 50, 100, 150, 10_000)


def shared(*parts: str) -> Path:
    """A file of the shared data beside the repository; the test is skipped, and says so, without it."""
    root = Path(os.environ.get("TILLSIDE_SHARED") or Path(__file__).resolve().parents[3] / ".." / "shared")
    path = root.joinpath("data", *parts)
    if not path.exists():
        pytest.skip(f"shared data set {'/'.join(parts)} is not beside this checkout")
    return path


def line(number: int, amount: int, **fields: Any) -> Line:
    """A line with a SKU of its own unless told otherwise."""
    return Line(number=number, amount_minor=amount, **{"sku": f"sku-{number}", **fields})


def receipt(*amounts: int) -> Receipt:
    """Lines numbered from 1 with these amounts."""
    return Receipt(lines=tuple(line(number, amount) for number, amount in enumerate(amounts, 1)))


def programme(*rules: Rule, **fields: Any) -> Programme:
    """A programme with these rules; one point is 100 minor money unless told otherwise."""
    tiers = tuple(Tier(id=each) for each in TIERS)
    return Programme(
        **{"format": 1, "id": "p", "version": 1, "currency": "RUB", "tiers": tiers, "rules": rules} | fields
    )


def member(points: int = 0, tier: str = "") -> MemberState:
    return MemberState(tier=tier, spendable_points=points)


def steps_of(action: Callable[[], object]) -> int:
    """Lines of Python that `action` runs: a measure of work that no busy machine can disturb."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(previous)
    return count


matches = st.builds(
    Match,
    skus=st.lists(st.sampled_from(SKUS), max_size=2).map(tuple),
    categories=st.lists(st.sampled_from(PATHS), max_size=2).map(tuple),
)


@st.composite
def rules(draw: st.DrawFn, index: int) -> Rule:
    stack = draw(st.sampled_from(("all", "all", "best_of_group", "exclusive")))
    return Rule(
        id=f"rule-{index}",
        percent_basis_points=draw(st.one_of(st.sampled_from((0, 1, 100, 5000, 10_000)), st.integers(0, 10_000))),
        priority=draw(st.integers(0, 3)),
        stack=stack,
        group=draw(st.sampled_from(("g", "h"))) if stack == "best_of_group" else "",
        tiers=draw(st.sampled_from(((), (), ("gold",), ("silver", "gold")))),
        match=draw(matches),
        minimum_sum_minor=draw(st.sampled_from((0, 0, 1, 500, 5000))),
    )


@st.composite
def programmes(draw: st.DrawFn, **fixed: Any) -> Programme:
    """Any programme that the engine may meet, also with a step that its parser would refuse."""
    count = draw(st.integers(0, 4))
    exclusions = tuple(
        Exclusion(
            id=f"excluded-{index}",
            match=Match(
                skus=draw(st.lists(st.sampled_from(SKUS), max_size=1).map(tuple)), categories=(("x", "y", "z"),)
            ),
            legal=draw(st.booleans()),
            earn=draw(st.booleans()),
            redeem=draw(st.booleans()),
        )
        for index in range(draw(st.integers(0, 2)))
    )
    redemption = Redemption(
        enabled=draw(st.sampled_from((True,) * 7 + (False,))),
        max_share_basis_points=draw(st.sampled_from((10_000, 10_000, 5000, 3333, 3333, 1, 0))),
        step_points=draw(st.sampled_from((1, 1, 5, 100))),
        minimum_balance_points=draw(st.sampled_from((0, 0, 10))),
        minimum_line_price_minor=draw(st.sampled_from((0, 1, 1, 100))),
    )
    fields: dict[str, Any] = {
        "rounding": draw(st.sampled_from(ROUNDINGS)),
        "round_at": draw(st.sampled_from(("receipt", "line"))),
        "earn_base": draw(st.sampled_from(("payable", "gross"))),
        "points_exponent": draw(st.integers(0, 2)),
        "point_value_minor": draw(st.sampled_from(POINT_VALUES)),
        "exclusions": exclusions,
        "redemption": redemption,
    }
    return programme(*(draw(rules(index)) for index in range(count)), **fields | fixed)


amounts = st.one_of(
    st.integers(0, 3),
    st.integers(0, 2000),
    st.integers(0, 40).map(lambda halves: 50 * halves),  # halves of a point, where roundings part
    st.sampled_from((1, 500, 5000)),  # what rules name as their minimum sums, to the unit
    st.just(10**9),
)


@st.composite
def receipts(draw: st.DrawFn, largest: int = 12) -> Receipt:
    """Lines in any order of numbers, with zeros in every place where real data has them."""
    numbers = draw(st.lists(st.integers(1, 60), min_size=1, max_size=largest, unique=True))
    lines = []
    for number in numbers:
        amount = draw(amounts)
        lines.append(
            Line(
                number=number,
                sku=draw(st.sampled_from(SKUS)),
                amount_minor=amount,
                quantity_thousandths=draw(st.sampled_from((0, 1000, 1000, 3000, 777, 12_500))),
                category=draw(st.sampled_from((*PATHS, ()))),
                minimum_price_minor=draw(st.sampled_from((0, 0, 0, amount // 2, amount))),
            )
        )
    return Receipt(lines=tuple(lines))


members = st.builds(
    MemberState,
    tier=st.sampled_from(("", *TIERS)),
    spendable_points=st.one_of(st.integers(0, 100), st.integers(0, 10**4), st.just(10**12), st.just(10**12)),
)
wishes = st.one_of(st.just(-1), st.just(-1), st.just(0), st.integers(0, 3000))
