"""Lots: order of spending, giving back, taking back, debt, expiry; and that nothing is ever lost or made."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from till_loyalty import lots
from till_loyalty.exceptions import InvariantError, LedgerError
from till_loyalty.lots import Account, Change, Lot, Movement, Use
from unit.loyalty.loyalty_ledger import replay


def lot(lot_id: str, left: int, until: int | None = None, **parts: int) -> Lot:
    return Lot(lot_id=lot_id, earned=left + sum(parts.values()), left=left, expires_at_ms=until, **parts)


def account(*each: Lot, debt: int = 0) -> Account:
    return Account(lots=each, debt=debt)


def moves(change: Change) -> list[tuple[str, str, int]]:
    return [(each.kind, each.lot_id, each.points) for each in change.movements]


def test_earning_makes_a_lot() -> None:
    change = lots.earn(Account(), "a", 30, expires_at_ms=500)
    assert change.account == account(lot("a", 30, 500))
    assert change.account.balance_points == 30
    assert moves(change) == [("earn", "a", 30)]


def test_earning_nothing_changes_nothing() -> None:
    assert lots.earn(Account(), "a", 0) == Change(account=Account(), movements=())


def test_a_lot_is_earned_once() -> None:
    with pytest.raises(LedgerError) as caught:
        lots.earn(account(lot("a", 1)), "a", 5)
    assert caught.value.code == "lot_repeated"


def test_spending_takes_what_expires_soonest_first() -> None:
    start = account(lot("never", 10), lot("late", 10, 900), lot("soon", 10, 100), lot("soon too", 10, 100))
    change = lots.spend(start, 25)
    assert moves(change) == [("use", "soon", 10), ("use", "soon too", 10), ("use", "late", 5)]
    assert change.account.balance_points == 15


@pytest.mark.parametrize(("points", "reserved"), [(11, 0), (10, 1), (1, 10), (1, 99)])
def test_what_is_not_there_or_reserved_is_not_spent(points: int, reserved: int) -> None:
    with pytest.raises(LedgerError) as caught:
        lots.spend(account(lot("a", 10)), points, reserved=reserved)
    assert caught.value.code == "points_insufficient"


def test_points_come_back_into_the_lots_they_came_from_last_spent_first() -> None:
    start = account(lot("a", 10, 100), lot("b", 10))
    sold = lots.spend(start, 15)
    uses = lots.open_uses(sold.movements)
    assert uses == (Use(lot_id="a", points=10), Use(lot_id="b", points=5))
    part = lots.give_back(sold.account, uses, 7)
    assert moves(part) == [("give_back", "b", 5), ("give_back", "a", 2)]
    rest_uses = lots.open_uses([*sold.movements, *part.movements])
    assert rest_uses == (Use(lot_id="a", points=8),)
    assert lots.give_back(part.account, rest_uses, 8).account == start


def test_more_than_was_used_does_not_come_back() -> None:
    sold = lots.spend(account(lot("a", 10)), 5)
    with pytest.raises(LedgerError) as caught:
        lots.give_back(sold.account, lots.open_uses(sold.movements), 6)
    assert caught.value.code == "points_insufficient"


def test_a_use_of_a_lot_that_is_not_here_is_refused() -> None:
    with pytest.raises(LedgerError) as caught:
        lots.give_back(account(lot("a", 10)), (Use(lot_id="b", points=1),), 1)
    assert caught.value.code == "lot_unknown"


def test_points_back_into_an_expired_lot_have_the_programmes_grace() -> None:
    sold = lots.spend(account(lot("a", 10, 100)), 10)
    uses = lots.open_uses(sold.movements)
    without = lots.give_back(sold.account, uses, 10).account
    assert lots.expire(without, now_ms=200).account.balance_points == 0
    graced = lots.give_back(sold.account, uses, 10, expires_not_before_ms=300).account
    assert lots.expire(graced, now_ms=299).account.balance_points == 10
    assert lots.expire(graced, now_ms=300).account.balance_points == 0


def test_grace_never_shortens_a_lot() -> None:
    sold = lots.spend(account(lot("a", 10, 900), lot("b", 10)), 20)
    back = lots.give_back(sold.account, lots.open_uses(sold.movements), 20, expires_not_before_ms=300).account
    assert [each.expires_at_ms for each in back.lots] == [900, None]


def test_expiry_takes_what_is_due_and_no_more() -> None:
    start = account(lot("a", 10, 100), lot("b", 10, 101), lot("c", 10))
    assert moves(lots.expire(start, now_ms=99)) == []
    assert moves(lots.expire(start, now_ms=100)) == [("expire", "a", 10)]
    assert moves(lots.expire(start, now_ms=10**12)) == [("expire", "a", 10), ("expire", "b", 10)]


@pytest.mark.parametrize(("reserved", "expired"), [(0, 20), (10, 20), (15, 15), (30, 0), (99, 0)])
def test_reserved_points_do_not_expire_under_a_sale_on_its_way(reserved: int, expired: int) -> None:
    start = account(lot("a", 10, 100), lot("b", 10, 101), lot("c", 10))
    after = lots.expire(start, now_ms=200, reserved=reserved).account
    assert start.balance_points - after.balance_points == expired
    assert lots.spend(after, min(reserved, 30)).account.left_points >= 0


def test_points_of_a_returned_sale_are_taken_from_its_own_lot_first() -> None:
    start = account(lot("old", 10, 100), lot("sale", 10))
    assert moves(lots.take_back(start, ["sale"], 4, policy="debt")) == [("reverse", "sale", 4)]
    change = lots.take_back(start, ["sale"], 14, policy="refuse")
    assert moves(change) == [("reverse", "sale", 10), ("reverse", "old", 4)]


def test_points_that_expired_in_the_sales_own_lot_are_owed_by_nobody() -> None:
    start = account(lot("sale", 0, 100, used=40, expired=60))
    half = lots.take_back(start, ["sale"], 50, policy="debt")
    assert moves(half) == [("reverse_expired", "sale", 50)]
    rest = lots.take_back(half.account, ["sale"], 50, policy="debt")
    assert moves(rest) == [("reverse_expired", "sale", 10), ("owe", "", 40)]
    assert rest.account.debt == 40


SPENT = account(lot("sale", 3, used=7), lot("other", 2))


def test_spent_points_become_a_debt_and_later_points_pay_it_first() -> None:
    taken = lots.take_back(SPENT, ["sale"], 10, policy="debt")
    assert moves(taken) == [("reverse", "sale", 3), ("reverse", "other", 2), ("owe", "", 5)]
    assert (taken.account.left_points, taken.account.debt, taken.account.balance_points) == (0, 5, -5)
    some = lots.earn(taken.account, "next", 3)
    assert (some.account.left_points, some.account.debt, some.account.balance_points) == (0, 2, -2)
    assert some.movements[1] == Movement(kind="reverse", lot_id="next", points=3, pays_debt=True)
    more = lots.earn(some.account, "after", 10)
    assert (more.account.left_points, more.account.debt) == (8, 0)


def test_spent_points_are_forgiven_within_the_balance() -> None:
    taken = lots.take_back(SPENT, ["sale"], 10, policy="within_balance")
    assert (taken.account.left_points, taken.account.debt, taken.forgiven) == (0, 0, 5)
    assert moves(taken)[-1] == ("forgive", "", 5)


def test_a_return_is_refused_while_its_points_are_spent() -> None:
    with pytest.raises(LedgerError) as caught:
        lots.take_back(SPENT, ["sale"], 6, policy="refuse")
    assert caught.value.code == "points_spent"
    assert lots.take_back(SPENT, ["sale"], 5, policy="refuse").account.balance_points == 0


def test_reserved_points_are_owed_rather_than_taken_and_settled_when_free() -> None:
    """A hold was promised 4 of the 5 points: the return takes one, and the rest once the hold is gone."""
    taken = lots.take_back(SPENT, ["sale"], 5, policy="debt", reserved=4)
    assert (taken.account.left_points, taken.account.debt) == (4, 4)
    assert lots.spend(taken.account, 4).account.balance_points == -4
    assert moves(lots.settle_debt(taken.account, reserved=4)) == []
    settled = lots.settle_debt(taken.account)
    assert (settled.account.left_points, settled.account.debt) == (0, 0)
    assert all(each.pays_debt for each in settled.movements)


def test_spent_points_that_come_back_pay_the_debt_first() -> None:
    start = account(lot("a", 0, used=10), debt=4)
    change = lots.give_back(start, (Use(lot_id="a", points=10),), 10)
    assert (change.account.left_points, change.account.debt) == (6, 0)
    assert moves(change) == [("give_back", "a", 10), ("reverse", "a", 4)]


@pytest.mark.parametrize(
    "broken",
    [
        account(Lot(lot_id="a", earned=5, left=4)),
        account(Lot(lot_id="a", earned=5, left=-1, used=6)),
        account(lot("a", 1), lot("a", 1)),
        account(debt=-1),
    ],
)
def test_an_account_that_does_not_add_up_stops_everything(broken: Account) -> None:
    for act in (
        lambda: lots.check_account(broken),
        lambda: lots.earn(broken, "n", 1),
        lambda: lots.spend(broken, 0),
        lambda: lots.expire(broken, now_ms=0),
    ):
        with pytest.raises(InvariantError):
            act()


def test_points_below_zero_do_not_move() -> None:
    for act in (
        lambda: lots.earn(Account(), "a", -1),
        lambda: lots.spend(account(lot("a", 5)), -1),
        lambda: lots.give_back(account(lot("a", 5)), (), -1),
        lambda: lots.take_back(account(lot("a", 5)), [], -1, policy="debt"),
    ):
        with pytest.raises(InvariantError):
            act()


def test_giving_back_what_a_sale_never_used_is_noticed() -> None:
    with pytest.raises(InvariantError):
        lots.open_uses([Movement(kind="use", lot_id="a", points=1), Movement(kind="give_back", lot_id="a", points=2)])
    with pytest.raises(InvariantError):
        lots.open_uses([Movement(kind="give_back", lot_id="a", points=2)])


def test_a_public_engines_ledger() -> None:
    """odoo_exp-001: earn 575, spend 500, earn 805, spend 500: 0 and 380 are left; all expired after 91 days."""
    day = 86_400_000
    now = lots.earn(Account(), "first", 575, expires_at_ms=90 * day).account
    now = lots.spend(now, 500).account
    now = lots.earn(now, "second", 805, expires_at_ms=90 * day).account
    now = lots.spend(now, 500).account
    assert [each.left for each in now.lots] == [0, 380]
    assert lots.expire(now, now_ms=91 * day).account.balance_points == 0


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_history_adds_up(data: st.DataObject) -> None:
    """Earning, spending, returning, expiring in any order: see `replay` for what is held after every step."""
    replay(data, steps=12)
