"""Points of events: what is due for what happened, once, and what a return takes back."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from till_loyalty.conditions import birthday_in
from till_loyalty.events import (
    CATCH_UP_DAYS,
    Award,
    Given,
    Purchase,
    for_referrer,
    lost_by_return,
    lost_by_tier,
    on_day,
    on_purchase,
    on_registered,
    on_tiers_reached,
)
from till_loyalty.life import LotTerms
from till_loyalty.programme import Event, Programme, Tier
from till_loyalty.rule_parts import Funding, Life
from unit.loyalty.loyalty_support import programme

DAY = date(2026, 3, 10)


def rules(*events: Event, **fields: Any) -> Programme:
    return programme(events=events, **fields)


def event(on: Any, points: int = 100, **fields: Any) -> Event:
    return Event(**{"id": on.replace("_", "-"), "on": on, "points": points} | fields)


def buys(paid: int, before: int = 0, largest: int | None = None) -> Purchase:
    return Purchase(
        member_id="m-new",
        business_date="2026-03-10",
        paid_minor=paid,
        purchases_before=before,
        largest_before_minor=largest,
    )


def ids(awards: tuple[Award, ...]) -> list[Given]:
    return [(award.event, award.key) for award in awards]


def test_a_welcome_comes_once() -> None:
    """Points with their life and who pays for them; nothing the second time."""
    programme_ = rules(
        event("registered", 1000, life=Life(activates_after_days=1, expires_after_days=30)),
        event("birthday"),
        life=Life(expires_after_days=5),
    )
    (award,) = on_registered(programme_, DAY)
    assert award == Award(event="registered", key="", points=1000, active_from="2026-03-11", expires_on="2026-04-10")
    assert award.lot == LotTerms("2026-03-11", "2026-04-10", 1000)
    assert on_registered(programme_, DAY, {("registered", "")}) == ()


def test_an_event_without_a_life_has_the_programmes_and_its_supplier_is_named() -> None:
    """As rules have."""
    funding = Funding(supplier="bank", share_basis_points=5000)
    (award,) = on_registered(rules(event("registered", funded_by=funding), life=Life(expires_after_days=5)), DAY)
    assert (award.expires_on, award.supplier, award.supplier_share_basis_points) == ("2026-03-15", "bank", 5000)


@pytest.mark.parametrize(
    ("day", "due"), [("2026-03-09", False), ("2026-03-10", True), ("2026-03-19", True), ("2026-03-20", False)]
)
def test_an_event_has_a_term(day: str, due: bool) -> None:
    """The first day is in it, the last named one is not."""
    programme_ = rules(event("registered", from_date="2026-03-10", to_date="2026-03-20"))
    assert bool(on_registered(programme_, date.fromisoformat(day))) is due


@pytest.mark.parametrize(
    ("minimum", "purchase", "due"),
    [
        (0, buys(1), True),
        (0, buys(0), False),  # all of it paid by points: nothing to give back, so nothing to give for
        (0, buys(500, before=1), False),
        (0, buys(500, before=-1), False),
        (0, buys(500, before=3, largest=0), True),
        (500, buys(499), False),
        (500, buys(500), True),
        (500, buys(900, before=2, largest=499), True),
        (500, buys(900, before=2, largest=500), False),
        (500, buys(900, before=2), False),
    ],
)
def test_a_first_purchase_is_the_first_of_its_size(minimum: int, purchase: Purchase, due: bool) -> None:
    """Smaller ones before it don't count; of ones that nobody remembers the event is careful."""
    programme_ = rules(*(event(on, minimum_sum_minor=minimum) for on in ("first_purchase", "referred", "referrer")))
    assert ids(on_purchase(programme_, purchase)) == ([("first-purchase", "")] if due else [])
    both = [("first-purchase", ""), ("referred", "")]
    assert ids(on_purchase(programme_, purchase, referred=True)) == (both if due else [])
    assert ids(for_referrer(programme_, purchase)) == ([("referrer", "m-new")] if due else [])


def test_who_brings_friends_gets_something_for_each_up_to_the_most() -> None:
    """Once for a friend, and for so many friends as the programme says."""
    programme_ = rules(event("referrer", maximum=2), event("referrer", id="also"))
    assert ids(for_referrer(programme_, buys(5), {("referrer", "m-1"), ("also", "m-new")})) == [("referrer", "m-new")]
    full = {("referrer", "m-1"), ("referrer", "m-2"), ("also", "m-1")}
    assert ids(for_referrer(programme_, buys(5), full)) == [("also", "m-new")]


def test_each_tier_on_the_way_is_reached() -> None:
    """Those that the event names, once a period each, and no more often than its maximum."""
    programme_ = rules(
        event("tier_reached", tiers=("silver", "gold")), event("tier_reached", id="one", tiers=("gold",), maximum=1)
    )
    assert ids(on_tiers_reached(programme_, ["silver", "gold"], "2026-03", DAY)) == [
        ("tier-reached", "silver:2026-03"),
        ("tier-reached", "gold:2026-03"),
        ("one", "gold:2026-03"),
    ]
    had = {("tier-reached", "silver:2026-03"), ("one", "gold:2025-12")}
    assert ids(on_tiers_reached(programme_, ("silver", "gold"), "2026-03", DAY, had)) == [
        ("tier-reached", "gold:2026-03")
    ]
    once = rules(event("tier_reached", tiers=("silver", "gold"), maximum=1))
    assert ids(on_tiers_reached(once, ("silver", "gold"), "2026-03", DAY)) == [("tier-reached", "silver:2026-03")]


@pytest.mark.parametrize(
    ("born", "day", "keys"),
    [
        ("1990-03-12", "2026-03-09", []),
        ("1990-03-12", "2026-03-10", ["2026"]),
        ("03-12", "2026-03-12", ["2026"]),
        ("03-12", "2026-03-13", []),
        ("01-01", "2026-12-30", ["2027"]),
        ("02-29", "2027-02-26", ["2027"]),
        ("02-29", "2027-02-28", ["2027"]),
        ("02-29", "2028-02-26", []),
        ("02-29", "2028-02-29", ["2028"]),
        ("2030-03-12", "2026-03-12", []),
        ("", "2026-03-12", []),
        ("12-99", "2026-03-12", []),
    ],
)
def test_a_birthday_comes_near(born: str, day: str, keys: list[str]) -> None:
    """From two days before to the day, also over New Year and on 28 February."""
    awards = on_day(rules(event("birthday", days_before=2)), born, date.fromisoformat(day))
    assert [award.key for award in awards] == keys


def test_days_without_a_run_lose_no_birthday() -> None:
    """Up to a month back; longer ago is forgotten."""
    programme_ = rules(event("birthday"))
    assert [a.key for a in on_day(programme_, "03-05", DAY, since=date(2026, 3, 4))] == ["2026"]
    assert on_day(programme_, "03-05", DAY, since=date(2026, 3, 5)) == ()
    old = (DAY - timedelta(days=CATCH_UP_DAYS)).strftime("%m-%d")
    last = (DAY - timedelta(days=CATCH_UP_DAYS - 1)).strftime("%m-%d")
    assert on_day(programme_, old, DAY, since=date(2020, 1, 1)) == ()
    assert len(on_day(programme_, last, DAY, since=date(2020, 1, 1))) == 1


@settings(max_examples=40, deadline=None)
@given(
    st.dates(date(1930, 1, 1), date(2020, 12, 31)),
    st.integers(0, 180),
    st.integers(1, CATCH_UP_DAYS),
    st.integers(0, 800),
)
def test_one_present_a_year(born: date, days_before: int, every: int, offset: int) -> None:
    """However often the job runs, each birthday gives once, and none is missed."""
    programme_ = rules(event("birthday", days_before=days_before))
    had: Counter[Given] = Counter()
    first = last = date(2024, 1, 1) + timedelta(days=offset)
    since = first - timedelta(days=1)
    for runs in range(500 // every):
        last = first + timedelta(days=runs * every)
        for award in on_day(programme_, born.isoformat(), last, had.keys(), since=since):
            had[(award.event, award.key)] += 1
        since = last
    near = {str(year): birthday_in(year, born) for year in range(2023, 2030)}
    assert had == {
        ("birthday", year): 1
        for year, day in near.items()
        if first <= day and day - timedelta(days=days_before) <= last
    }


@pytest.mark.parametrize(
    ("kept", "lost"),
    [
        (1000, []),
        (500, []),
        (499, ["big"]),
        (1, ["big"]),
        (0, ["big", "first-purchase", "forgotten"]),
    ],
)
def test_a_return_takes_back_what_its_purchase_gave(kept: int, lost: list[str]) -> None:
    """Once less is kept than the event asks; a welcome and a birthday are no purchase's."""
    programme_ = rules(
        event("first_purchase"),
        event("referred", id="big", minimum_sum_minor=500),
        event("registered"),
        event("tier_reached", tiers=("gold",)),
    )
    had = [("big", ""), ("first-purchase", ""), ("registered", ""), ("tier-reached", "gold:2026"), ("forgotten", "x")]
    assert [name for name, _ in lost_by_return(programme_, had, kept)] == lost


def test_a_tier_that_is_not_carried_any_more_takes_its_points_back() -> None:
    """By its own period or the one before it, as it was reached; of a tier that is gone nothing is known."""
    tiers = (Tier(id="standard"), Tier(id="silver", from_spend_minor=10), Tier(id="gold", from_spend_minor=50))
    programme_ = rules(event("tier_reached", tiers=("silver", "gold")), event("birthday"), tiers=tiers)
    had = [
        ("tier-reached", "silver:2026-01"),
        ("tier-reached", "gold:2026-01"),
        ("tier-reached", "gold:2026-02"),
        ("tier-reached", "bronze:2026-01"),
        ("birthday", "2026"),
    ]
    assert lost_by_tier(programme_, had, {"2026-01": 49, "2026-02": 50}) == (("tier-reached", "gold:2026-01"),)
    assert lost_by_tier(programme_, had, {"2026-01": 50}) == ()
    assert lost_by_tier(programme_, had, {"2025-12": 50}) == (("tier-reached", "gold:2026-02"),)
    assert lost_by_tier(programme_, had, {"life": 99}) == tuple(had[:3])


@given(
    st.lists(st.tuples(st.integers(0, 1500), st.booleans()), max_size=12),
    st.sampled_from((0, 500, 1000)),
)
def test_no_loop_of_buying_and_returning_gains_an_event(steps: list[tuple[int, bool]], minimum: int) -> None:
    """A member holds the points only while the purchase that gave them is kept."""
    programme_ = rules(event("first_purchase", minimum_sum_minor=minimum))
    had: set[Given] = set()
    points, largest, kept_of = 0, None, -1
    for number, (paid, returned) in enumerate(steps):
        for award in on_purchase(programme_, buys(paid, before=number, largest=largest), had):
            had.add((award.event, award.key))
            points += award.points
            kept_of = number
        largest = max(paid, largest or 0)
        if returned and kept_of == number:
            points -= 100 * len(lost_by_return(programme_, [("first-purchase", "")], 0))
            kept_of = -1
        assert points == (100 if kept_of >= 0 else 0)
