"""Shares of a member's points for tills without a line: never more than there is, and always the same answer."""

import random
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from till_loyalty import lending as module
from till_loyalty.allocation import allocate
from till_loyalty.lending import TillUse, wanted
from till_loyalty.programme import Lending

lendings = st.builds(
    Lending,
    share_basis_points=st.integers(0, 10_000),
    maximum_points=st.sampled_from([0, 1, 50, 1_000]),
    minimum_points=st.sampled_from([0, 1, 10, 200]),
)
uses = st.lists(
    st.builds(
        TillUse,
        till=st.sampled_from([f"till-{number}" for number in range(8)]),
        store=st.sampled_from(["one", "two", "three"]),
        purchases=st.integers(0, 1_000),
    ),
    max_size=8,
    unique_by=lambda use: use.till,
)
holders = st.dictionaries(
    st.sampled_from([f"till-{number}" for number in range(10)]), st.integers(0, 5_000), max_size=6
)


@given(lendings, st.integers(0, 10**6), holders, uses, st.sampled_from([1, 10, 100]))
def test_no_more_is_granted_than_is_free_nor_than_the_programme_lends(
    lending: Lending, free: int, had: dict[str, int], tills: list[TillUse], step: int
) -> None:
    """Of what is free, to candidates only, in whole steps, within the share and the most of one till."""
    more = wanted(lending, free_points=free, granted=had, tills=tills, step_points=step)

    assert sum(more.values()) <= free
    assert all(isinstance(points, int) and points > 0 and points % step == 0 for points in more.values())
    assert set(more) <= {use.till for use in tills}
    total = free + sum(had.values())
    assert not more or sum(had.values()) + sum(more.values()) <= total * lending.share_basis_points // 10_000
    for till, points in more.items():
        after = had.get(till, 0) + points
        assert after >= lending.minimum_points
        assert not lending.maximum_points or after <= lending.maximum_points


@given(lendings, st.integers(0, 10**6), holders, uses, st.randoms(use_true_random=False))
def test_the_order_in_which_tills_are_named_does_not_matter(
    lending: Lending, free: int, had: dict[str, int], tills: list[TillUse], chance: random.Random
) -> None:
    """Two runs over the same rows give the same shares."""
    mixed = chance.sample(tills, len(tills))

    assert wanted(lending, free_points=free, granted=had, tills=tills) == wanted(
        lending, free_points=free, granted=dict(reversed(had.items())), tills=mixed
    )


@given(lendings, st.integers(0, 10**6), uses)
def test_granting_again_grants_nothing(lending: Lending, free: int, tills: list[TillUse]) -> None:
    """A job that comes again finds nothing to do."""
    more = wanted(lending, free_points=free, granted={}, tills=tills)

    assert wanted(lending, free_points=free - sum(more.values()), granted=more, tills=tills) == {}


@given(lendings, st.integers(0, 2_000), st.integers(1, 12), st.sampled_from([1, 7, 100]))
def test_tills_that_are_too_many_in_any_case_are_not_tried_one_by_one(
    lending: Lending, points: int, count: int, step: int
) -> None:
    """Leaving them out at once leaves out nobody else: as when one after the other is tried."""
    tills = [TillUse(f"t{number}", "one" if number % 3 else "two", 1 + number % 3) for number in range(count)]
    shares = module._shares(lending, points, tills, step)
    ranked = module._worthwhile(module._ranked(tills))
    steps = points * lending.share_basis_points // 10_000 // step
    while ranked and min(allocate(steps, module._weights(ranked))) * step < lending.minimum_points:
        ranked.pop()
    assert set(shares) == {use.till for use in ranked}


def test_few_points_and_a_thousand_tills_are_split_at_once() -> None:
    """A try for each till took half a second for one member."""
    tills = [TillUse(f"t{number:04d}", "one", 3) for number in range(1_000)]
    with mock.patch.object(module, "allocate", wraps=allocate) as tries:
        more = wanted(Lending(minimum_points=10), free_points=200, granted={}, tills=tills)
    assert more == {f"t{number:04d}": 10 for number in range(20)}
    assert tries.call_count == 1


def test_the_only_till_of_the_only_store_gets_all_of_it() -> None:
    """A member who shops in a store with one till can spend everything there."""
    only = TillUse("till-1", "one", 3)

    assert wanted(Lending(), free_points=12_345, granted={}, tills=[only], step_points=100) == {"till-1": 12_300}


def test_a_store_with_more_purchases_gets_more() -> None:
    """Points go where the member shops."""
    tills = [TillUse("a-1", "a", 4), TillUse("a-2", "a", 4), TillUse("b-1", "b", 1)]

    assert wanted(Lending(), free_points=1_000, granted={}, tills=tills) == {"a-1": 400, "a-2": 400, "b-1": 200}


def test_a_store_where_the_member_rarely_buys_gets_nothing() -> None:
    """Less than a fifth of the purchases: what would lie there is missed elsewhere."""
    tills = [TillUse("a-1", "a", 9), TillUse("a-2", "a", 9), TillUse("b-1", "b", 2)]

    assert wanted(Lending(), free_points=1_000, granted={}, tills=tills) == {"a-1": 500, "a-2": 500}


def test_of_many_stores_visited_alike_each_gets_its_share() -> None:
    """Where none is the member's usual one, none is left out."""
    tills = [TillUse(f"{number}-1", str(number), 1) for number in range(8)]

    assert wanted(Lending(), free_points=800, granted={}, tills=tills) == {use.till: 100 for use in tills}
