"""Lots that sleep, lots that a sale makes, and days of a store as moments."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from till_loyalty import lots
from till_loyalty.days import DAY_MS, day_end_ms, day_start_ms, local_day
from till_loyalty.engine import calculate
from till_loyalty.exceptions import InvariantError, LedgerError, LoyaltyError
from till_loyalty.life import LotTerms, grace_until_ms, lots_of
from till_loyalty.lots import Account, Lot, Movement, Use
from till_loyalty.programme import Rule
from till_loyalty.results import Accrual, Calculation
from till_loyalty.rule_parts import Life
from unit.loyalty.loyalty_support import CLOCK, member, programme, receipt

DAY = "2017-12-23"


def lot(name: str, left: int, **fields: Any) -> Lot:
    return Lot(lot_id=name, **{"earned": left, "left": left} | fields)


def moved(change: lots.Change) -> list[tuple[str, str, int]]:
    return [(each.kind, each.lot_id, each.points) for each in change.movements]


ASLEEP = Account(lots=(lot("now", 100), lot("later", 50, active_at_ms=1000, expires_at_ms=2000)))


@pytest.mark.parametrize(("now_ms", "asleep"), [(None, 50), (0, 50), (999, 50), (1000, 0), (5000, 0)])
def test_points_sleep_until_their_moment(now_ms: int | None, asleep: int) -> None:
    """From the very moment on they can be spent, the ones that end soonest first; till then they are in the balance."""
    assert lots.inactive_points(ASLEEP, now_ms) == asleep
    assert ASLEEP.balance_points == 150
    assert lots.spendable_points(ASLEEP, now_ms) == 150 - asleep
    assert lots.spendable_points(ASLEEP, now_ms, reserved=120) == max(0, 30 - asleep)
    with pytest.raises(LedgerError) as caught:
        lots.spend(ASLEEP, 151 - asleep, now_ms=now_ms)
    assert caught.value.code == "points_insufficient"
    change = lots.spend(ASLEEP, 10, now_ms=now_ms)
    assert moved(change) == [("use", "now" if asleep else "later", 10)]
    assert {each.active_at_ms for each in change.account.lots} == {None, 1000}


def test_sleeping_points_are_not_what_holds_keep() -> None:
    """A hold is of active points: those that sleep are no cover for it, in spending, taking back and expiring."""
    with pytest.raises(LedgerError):
        lots.spend(ASLEEP, 41, reserved=60, now_ms=0)
    taken = lots.take_back(ASLEEP, ["now"], 100, policy="debt", reserved=60, now_ms=0)
    assert moved(taken) == [("reverse", "now", 40), ("reverse", "later", 50), ("owe", "", 10)]
    due = Account(lots=(lot("now", 100, expires_at_ms=5), lot("later", 50, active_at_ms=1000, expires_at_ms=7)))
    assert moved(lots.expire(due, now_ms=10, reserved=60)) == [("expire", "now", 40), ("expire", "later", 50)]


def test_sleeping_points_pay_debts_and_are_taken_back_first_by_their_own_sale() -> None:
    """What was never spendable owes nothing: a return before the day of waking takes the sleeping lot itself."""
    owing = Account(debt=30)
    change = lots.earn(owing, "new", 50, active_at_ms=9, expires_at_ms=99)
    assert change.account == Account(lots=(lot("new", 20, earned=50, reversed_=30, active_at_ms=9, expires_at_ms=99),))
    assert moved(lots.take_back(ASLEEP, ["later"], 50, policy="refuse", reserved=100, now_ms=0)) == [
        ("reverse", "later", 50)
    ]


def test_a_debt_is_settled_from_what_holds_do_not_keep() -> None:
    """A released hold frees points for the debt; sleeping ones pay it too."""
    owing = Account(lots=(lot("a", 30, expires_at_ms=5), lot("z", 20, active_at_ms=1000)), debt=60)
    change = lots.settle_debt(owing, reserved=10, now_ms=0)
    assert moved(change) == [("reverse", "a", 20), ("reverse", "z", 20)]
    assert (change.account.debt, change.account.left_points) == (20, 10)
    assert lots.spendable_points(change.account, 0) == 0


def test_points_of_a_sale_in_several_lots_are_taken_back_from_all_of_them() -> None:
    """In the order given; what expired in any of them is owed by nobody; the rest comes from other lots."""
    account = Account(
        lots=(
            lot("s-1", 10, earned=20, used=10),
            lot("s-2", 5, earned=15, expired=10, expires_at_ms=1),
            lot("other", 7),
        )
    )
    change = lots.take_back(account, ["s-1", "s-2"], 30, policy="debt", now_ms=0)
    assert moved(change) == [
        ("reverse", "s-1", 10),
        ("reverse", "s-2", 5),
        ("reverse_expired", "s-2", 10),
        ("reverse", "other", 5),
    ]
    with pytest.raises(LedgerError) as caught:
        lots.take_back(account, ["s-1", "s-3"], 1, policy="debt")
    assert caught.value.code == "lot_unknown"


@pytest.mark.parametrize(
    ("now_ms", "until", "ends"), [(100, 500, 500), (99, 500, 100), (100, 50, 100), (None, 500, 500), (100, None, 100)]
)
def test_only_an_expired_lot_gets_a_grace(now_ms: int | None, until: int | None, ends: int) -> None:
    """A lot that still lives keeps its end: buying and returning makes no points live longer."""
    account = Account(lots=(lot("old", 0, earned=10, used=4, expired=6, expires_at_ms=100),))
    change = lots.give_back(account, [Use(lot_id="old", points=4)], 4, expires_not_before_ms=until, now_ms=now_ms)
    assert (change.account.lots[0].expires_at_ms, change.account.lots[0].left) == (ends, 4)


def test_a_lot_that_never_ends_needs_no_grace() -> None:
    """Nothing is shortened by a grace."""
    account = Account(lots=(lot("old", 0, earned=4, used=4),))
    change = lots.give_back(account, [Use(lot_id="old", points=4)], 4, expires_not_before_ms=5, now_ms=9)
    assert change.account.lots[0].expires_at_ms is None


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(st.sampled_from(("earn", "spend", "back", "take", "expire")), st.integers(0, 60), st.integers(0, 30)),
        max_size=25,
    ),
    st.sampled_from(("debt", "within_balance")),
)
def test_no_history_spends_a_sleeping_point(steps: Sequence[tuple[Any, int, int]], policy: Any) -> None:
    """At each step: active + sleeping = left, a spend takes active lots only, and holds are never left uncovered."""
    account, now, reserved = Account(), 0, 0
    used: list[Movement] = []
    for number, (kind, points, more) in enumerate(steps):
        now += more
        free = lots.spendable_points(account, now, reserved=reserved)
        active = account.left_points - lots.inactive_points(account, now)
        if kind == "earn":
            ends = now + 2 * more if points % 3 == 0 else None
            change = lots.earn(account, f"l{number}", points, active_at_ms=now + more, expires_at_ms=ends)
        elif kind == "spend":
            change = lots.spend(account, min(points, free), reserved=reserved, now_ms=now)
            names = {each.lot_id: each for each in account.lots}
            assert not any(names[each.lot_id].sleeps(now) for each in change.movements)
            used = list(change.movements)
            reserved = min(more, free - min(points, free))
        elif kind == "back" and used:
            uses = lots.open_uses(used)
            change = lots.give_back(account, uses, min(points, sum(each.points for each in uses)), now_ms=now)
            used = []
        elif kind == "take":
            own = [each.lot_id for each in account.lots][-2:]
            most = min(points, sum(each.earned - each.reversed_ for each in account.lots if each.lot_id in own))
            change = lots.take_back(account, own, most, policy=policy, reserved=reserved, now_ms=now)
        else:
            change = lots.expire(account, now_ms=now, reserved=reserved)
        account = change.account
        assert account.left_points - lots.inactive_points(account, now) >= min(active, reserved)


# Lots of a sale -------------------------------------------------------------------------------------------------------


def test_a_sale_makes_a_lot_for_each_life() -> None:
    """Rules with the same days share one; the one that ends first comes first, the one that never ends last."""
    rules = programme(
        Rule(id="base", percent_basis_points=1000),
        Rule(id="gift", points=7, life=Life(activates_after_days=14, expires_after_months=1)),
        Rule(id="more", points=5, life=Life(expires_on="2017-12-31")),
        Rule(id="also", points=2, life=Life(expires_on="2017-12-31")),
    )
    result = calculate(rules, member(), receipt(1000, 2000), CLOCK)
    assert lots_of(rules, result, DAY) == (
        LotTerms("", "2017-12-31", 7),
        LotTerms("2018-01-06", "2018-02-06", 7),
        LotTerms("", "", 3),
    )


def test_points_that_no_rule_names_live_as_the_programme_says() -> None:
    """Nothing is lost between accruals and lots, and nothing is made."""
    rules = programme(life=Life(activates_after_days=1, expires_after_days=10))
    line = Accrual(rule="r", line=1, base_minor=1, points=4, expires_on="2018-01-01")
    told = Calculation(
        programme_id="p",
        programme_version=1,
        total_minor=0,
        payable_minor=0,
        lines=(),
        earned_points=9,
        accruals=(line,),
    )
    assert lots_of(rules, told, DAY) == (LotTerms("", "2018-01-01", 4), LotTerms("2017-12-24", "2018-01-03", 5))
    wrong = Calculation(
        programme_id="p",
        programme_version=1,
        total_minor=0,
        payable_minor=0,
        lines=(),
        earned_points=3,
        accruals=(line,),
    )
    with pytest.raises(InvariantError):
        lots_of(rules, wrong, DAY)
    nothing = Calculation(programme_id="p", programme_version=1, total_minor=0, payable_minor=0, lines=())
    assert lots_of(rules, nothing, DAY) == ()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("", "2018-01-01", "2018-02-01")), st.sampled_from(("", "2019-01-01")), st.integers(0, 9)
        ),
        max_size=20,
    )
)
def test_lots_sum_to_what_was_earned_in_an_order_of_their_own(rows: list[tuple[str, str, int]]) -> None:
    """Whatever the order of the accruals, the lots are the same, and none is empty."""
    accruals = [
        Accrual(rule="r", line=1, base_minor=1, points=points, active_from=first, expires_on=last)
        for first, last, points in rows
    ]
    earned = sum(each.points for each in accruals)

    def made(order: Sequence[Accrual]) -> tuple[LotTerms, ...]:
        result = Calculation(
            programme_id="p",
            programme_version=1,
            total_minor=0,
            payable_minor=0,
            lines=(),
            earned_points=earned,
            accruals=tuple(order),
        )
        return lots_of(programme(), result, DAY)

    assert made(accruals) == made(accruals[::-1])
    assert sum(each.points for each in made(accruals)) == earned
    assert all(each.points for each in made(accruals))
    assert len({each[:2] for each in made(accruals)}) == len(made(accruals))


def test_days_of_a_lot_are_the_stores() -> None:
    """The last day counts whole, by the store's clock."""
    terms = LotTerms("2026-01-10", "2026-01-31", 1)
    assert terms.active_at_ms("Asia/Almaty") == _ms("2026-01-09T19:00:00")
    assert terms.expires_at_ms("Europe/Moscow") == _ms("2026-01-31T21:00:00")
    assert LotTerms("", "", 1).active_at_ms("UTC") is LotTerms("", "", 1).expires_at_ms("UTC") is None


def test_the_grace_of_a_return() -> None:
    """So many days more after the day of the return; without any, none."""
    assert grace_until_ms(programme(), date(2026, 1, 31), "UTC") is None
    assert grace_until_ms(programme(return_grace_days=1), date(2026, 1, 31), "UTC") == _ms("2026-02-02T00:00:00")


# Days as moments ------------------------------------------------------------------------------------------------------


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    ("zone", "day", "start", "end"),
    [
        ("Europe/Moscow", "2026-03-01", "2026-02-28T21:00:00", "2026-03-01T21:00:00"),
        ("Europe/Kyiv", "2026-03-29", "2026-03-28T22:00:00", "2026-03-29T21:00:00"),  # 23 hours
        ("Europe/Kyiv", "2026-10-25", "2026-10-24T21:00:00", "2026-10-25T22:00:00"),  # 25 hours
        ("Asia/Beirut", "2024-03-31", "2024-03-30T22:00:00", "2024-03-31T21:00:00"),  # begins at 01:00
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00", "2018-11-05T02:00:00"),  # begins at 01:00
        ("America/Havana", "2023-11-05", "2023-11-05T04:00:00", "2023-11-06T05:00:00"),  # midnight twice, both its own
        ("America/Sao_Paulo", "2018-02-17", "2018-02-17T02:00:00", "2018-02-18T03:00:00"),  # 23:00 comes twice
        ("America/St_Johns", "2006-10-28", "2006-10-28T02:30:00", "2006-10-29T03:30:00"),  # back from 00:01 to 23:01
        ("America/St_Johns", "2006-10-29", "2006-10-29T02:30:00", "2006-10-30T03:30:00"),
        ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00", "2011-12-30T10:00:00"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00", "2011-12-30T10:00:00"),  # a day that never was
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00", "2011-12-31T10:00:00"),
        ("America/Toronto", "1919-03-31", "1919-03-31T04:30:00", "1919-04-01T04:00:00"),  # 23:30 became 00:30
        ("UTC", "9999-12-31", "9999-12-31T00:00:00", None),
    ],
)
def test_days_of_clock_changes(zone: str, day: str, start: str, end: str | None) -> None:
    """A day is as long as its clock says, and no moment of it is lost."""
    when = date.fromisoformat(day)
    assert day_start_ms(when, zone) == _ms(start)
    assert day_end_ms(when, zone) == (day_start_ms(when, zone) + DAY_MS if end is None else _ms(end))


ZONES = ("Europe/Moscow", "Asia/Almaty", "Asia/Bishkek", "Europe/Kyiv", "America/Havana", "Asia/Beirut", "Africa/Cairo")


@settings(max_examples=300)
@given(st.sampled_from(ZONES), st.dates(date(1990, 1, 1), date(2040, 1, 1)))
def test_a_day_begins_with_the_first_moment_that_shows_it(zone: str, day: date) -> None:
    """Held against the clock itself, minute by minute around midnight."""
    start, end = day_start_ms(day, zone), day_end_ms(day, zone)

    def shown(at_ms: int) -> date:
        return datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)).date()

    assert shown(start) == local_day(start, zone) == day
    assert shown(start - 1) < day
    assert shown(end - 1) == day
    assert shown(end) == day + timedelta(days=1)
    assert 20 * 3_600_000 < end - start < 28 * 3_600_000
    for minutes in range(0, 24 * 60, 97):
        if start + minutes * 60_000 < end:
            assert shown(start + minutes * 60_000) == day


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "/etc/localtime", "Europe", "Europe/Mos\0cow"])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    """By our own error, whatever the name."""
    with pytest.raises(LoyaltyError) as caught:
        day_start_ms(date(2026, 1, 1), zone)
    assert caught.value.code == "zone_unknown"
