"""Percentiles and ratios: what is printed is what was measured."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tillbench.aims import call_rows, of_calls, of_drain, of_start
from tillbench.calls import BARE, DISK, ECHO, IDENTIFY, KEPT, NEW, QUOTE, SALE
from tillbench.figures import Series, percentile, ratio, shares_of_disk

TIMES = st.lists(st.floats(min_value=1, max_value=10**7), min_size=1, max_size=50)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1.0), (0.25, 1.0), (0.5, 2.0), (0.51, 3.0), (0.75, 3.0), (0.99, 4.0), (1.0, 4.0)]
)
def test_a_percentile_is_a_sample_that_enough_others_do_not_exceed(share: float, expected: float) -> None:
    """By nearest rank: never a value between two that were measured."""
    assert percentile([4.0, 2.0, 1.0, 3.0], share) == expected


@given(values=TIMES, share=st.floats(min_value=0.01, max_value=1.0))
def test_a_percentile_holds_for_any_samples(values: list[float], share: float) -> None:
    """At least that share is not above it, and it is one of them."""
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9


def test_no_samples_have_no_percentile() -> None:
    """A figure out of nothing would look like a good one."""
    with pytest.raises(ValueError, match="at least one value"):
        percentile([], 0.5)


def test_a_slow_round_slows_both_and_leaves_their_ratio() -> None:
    """The machine was ten times slower in the second round."""
    own, floor = Series("own", [[20.0, 22.0], [200.0, 220.0]]), Series("floor", [[10.0, 11.0], [100.0, 110.0]])
    assert ratio(own, floor) == pytest.approx(2.0)


def test_what_is_beyond_the_echo_is_counted_in_syncs() -> None:
    """Ten of echo, five a sync: thirty is four syncs more than an echo."""
    sale, echo, disk = (
        Series("sale", [[30.0], [50.0]]),
        Series("echo", [[10.0], [10.0]]),
        Series("disk", [[5.0], [10.0]]),
    )
    assert shares_of_disk(sale, echo, disk) == pytest.approx(4.0)


def test_only_the_same_rounds_are_compared() -> None:
    """A ratio of different moments says nothing."""
    with pytest.raises(ValueError, match="same rounds"):
        ratio(Series("a", [[1.0]]), Series("b", [[1.0], [1.0]]))


def _calls(quote_us: float, sale_us: float) -> dict[tuple[str, str], Series]:
    times = {ECHO: 100.0, BARE: 110.0, IDENTIFY: 150.0, QUOTE: quote_us, SALE: sale_us}
    found = {(name, way): Series(name, [[each]]) for name, each in times.items() for way in (KEPT, NEW)}
    return {(DISK, ""): Series(DISK, [[1000.0]]), **found}


def test_aims_are_reached_at_their_limit_and_not_past_it() -> None:
    """Three echoes a quote, an echo and 1.3 syncs a sale."""
    assert [aim["reached"] for aim in of_calls(_calls(300.0, 1400.0))] == [True] * 4
    assert [aim["reached"] for aim in of_calls(_calls(301.0, 1401.0))] == [False] * 4
    assert [aim["reached"] for aim in of_start(600, 60.0)] == [True, True]
    assert [aim["reached"] for aim in of_start(601, 60.1)] == [False, False]
    assert [of_drain(rate)["reached"] for rate in (3000, 2999)] == [True, False]


def test_floors_have_no_ratio_of_themselves() -> None:
    """Only what is measured against the echo is given as a multiple of it."""
    rows = {(row["call"], row["connection"]): row for row in call_rows(_calls(300.0, 1400.0))}
    assert rows[DISK, ""]["echo_ratio"] is None
    assert rows[ECHO, KEPT]["echo_ratio"] is None
    assert rows[QUOTE, NEW]["echo_ratio"] == 3.0
    assert rows[SALE, KEPT]["p99_us"] == 1400
