"""Lots with a first and a last day: issued by a sale, asleep, spent soonest-ending first, given back, taken back."""

import pytest

from till_cloud.exceptions import RefusedError
from till_cloud.ledger.account import Draft, IssuedLot
from till_cloud.ledger.book import Book
from unit.cloud.cloud_ledger_kit import DAY_MS, Shop, shop


@pytest.fixture
def world(tmp_path):
    with shop(tmp_path / "c.db") as made:
        made.member("m-1")
        yield made


def test_a_sale_gives_a_lot_for_each_life(world: Shop) -> None:
    """1,000 points for 30 days; 500 that awake in 3 days: soonest-ending first, numbered after the movement."""
    till = world.till()
    world.sell(till, "a", "m-1", sweets=True)
    result = till.push_last()
    assert (result.status, result.effect_points) == ("applied", 1500)
    rows = world.rows("SELECT position, issued, active_at_ms IS NOT NULL, expires_at_ms FROM lots ORDER BY lot")
    assert [(issued, sleeps) for _, issued, sleeps, _ in rows] == [(500, 1), (1000, 0)]
    assert {position for position, *_ in rows} == {result.position}
    # Midnight in Moscow is 21:00 UTC: the first moment after the last day, 13 and 30 days on.
    assert [end % DAY_MS for *_, end in rows] == [21 * 3_600_000] * 2
    assert [round((end - world.wall.ms) / DAY_MS, 1) for *_, end in rows] == [13.5, 30.5]


def test_points_asleep_are_in_the_balance_and_can_not_be_promised(world: Shop) -> None:
    till = world.till()
    world.sell(till, "a", "m-1", sweets=True)
    till.push()
    row = world.member_row()
    assert (row.balance, row.inactive) == (1500, 500)
    with pytest.raises(RefusedError) as refused:
        world.hold(till, "h", "m-1", 1001)
    assert refused.value.problem.extras["available"] == 1000
    world.hold(till, "h", "m-1", 1000)


def test_tills_hear_what_ends_soonest_and_when(world: Shop) -> None:
    """Two sales of one day end together: their points are told as one sum."""
    till = world.till()
    world.sell(till, "a", "m-1")
    world.sell(till, "b", "m-1", 5_000)
    till.push()
    assert (world.member_row().expiring.points, world.member_row().balance) == (1500, 1500)


def test_what_ends_soonest_is_spent_first(world: Shop) -> None:
    till = world.till()
    world.sell(till, "a", "m-1")
    till.push()
    world.days(1)
    world.sell(till, "b", "m-1", sweets=True)
    till.push(2)
    world.days(3)
    world.jobs()
    world.hold(till, "h", "m-1", 1200)
    world.sell(till, "c", "m-1", 50_000, redeem=1200, hold="h")
    till.push_last()
    # Sold on day 0: 1,000 until day 30. Sold on day 1: 500 until day 14, then 1,000 until day 31.
    assert [used for _, _, used, _, _ in world.lots()][:3] == [700, 500, 0]


def test_a_lot_whose_first_day_has_begun_is_active_at_once(tmp_path) -> None:
    """The sale comes here four days late: what it gave may be spent."""
    with shop(tmp_path / "c.db") as world:
        world.member("m-1")
        till = world.till()
        world.sell(till, "a", "m-1", sweets=True)
        world.days(4)
        till.push()
        assert world.member_row().inactive == 0
        world.hold(till, "h", "m-1", 1500)


def test_a_return_takes_from_every_lot_of_its_sale(world: Shop) -> None:
    """Lots asleep first: nothing was promised from them."""
    till = world.till()
    world.sell(till, "a", "m-1", sweets=True)
    world.bring_back(till, "r", "a", quantity=400)
    back = till.push()
    assert back.results[1].status == "applied"
    assert world.lots() == [(500, 0, 0, 0, 500), (1000, 900, 0, 0, 100)]
    world.bring_back(till, "r2", "a", quantity=600)
    assert till.push_last().balance == 0
    assert world.lots() == [(500, 0, 0, 0, 500), (1000, 0, 0, 0, 1000)]


def test_a_return_leaves_what_a_hold_keeps(world: Shop) -> None:
    """Held points stay in active lots, the rest of the sale's points is owed; other lots asleep pay before that."""
    till = world.till()
    world.sell(till, "a", "m-1")
    world.sell(till, "b", "m-1", 1_000, sweets=True)
    till.push()
    world.hold(till, "h", "m-1", 1000)
    world.bring_back(till, "r", "a")
    assert till.push_last().effect_points == -1000
    assert world.balances("m-1") == (1000, 1000, 400)
    assert world.member_row().inactive == 0


def test_points_come_back_to_an_expired_lot_for_a_few_days(world: Shop) -> None:
    """Grace of 5 days after the day of the return, then they expire; the rest of the lot stays expired."""
    till = world.till()
    world.sell(till, "a", "m-1")
    till.push()
    world.hold(till, "h", "m-1", 600)
    world.sell(till, "b", "m-1", 6_000, redeem=600, hold="h")
    till.push_last()
    world.days(31)
    assert world.jobs().expired_points == 400 + 540
    world.bring_back(till, "r", "b")
    assert till.push_last().effect_points == 600
    assert world.lots()[0] == (1000, 600, 0, 400, 0)
    world.days(5)
    assert world.jobs().expired_points == 0
    world.days(1)
    assert world.jobs().expired_points == 600
    assert world.balances("m-1") == (0, 0, 0)


def test_a_lot_that_has_not_expired_keeps_its_end(world: Shop) -> None:
    """Otherwise a return would prolong points that were never spent."""
    till = world.till()
    world.sell(till, "a", "m-1")
    till.push()
    world.hold(till, "h", "m-1", 100)
    world.days(29)
    world.sell(till, "b", "m-1", redeem=100, hold="h")
    world.bring_back(till, "r", "b")
    till.push(2)
    world.days(2)
    world.jobs()
    assert world.lots()[0] == (1000, 0, 0, 1000, 0)


def test_grace_begins_no_later_than_today(world: Shop) -> None:
    """A till whose clock is years ahead gives no years of grace."""
    till = world.till()
    world.sell(till, "a", "m-1")
    till.push()
    world.hold(till, "h", "m-1", 1000)
    world.sell(till, "b", "m-1", redeem=1000, hold="h")
    till.push_last()
    world.days(40)
    world.jobs()
    now = world.wall.ms
    world.wall.ms += 3650 * DAY_MS
    world.bring_back(till, "r", "b")
    world.wall.ms = now
    till.push_last()
    world.days(7)
    assert world.jobs().expired_points == 1000


def test_goods_come_back_at_another_till(world: Shop) -> None:
    """The sale's op names its till; returns at both tills count together."""
    one, two = world.till("k1"), world.till("k2")
    world.sell(one, "a", "m-1")
    one.push()
    world.bring_back(two, "r", "a", seller=one, quantity=300)
    back = two.push_last()
    assert (back.status, back.effect_points) == ("applied", -300)
    world.bring_back(one, "r", "a", quantity=700)
    assert one.push_last().balance == 0
    one.sold["a"][2].clear()
    world.bring_back(two, "r2", "a", seller=one)
    assert two.push_last().code == "quantity_exceeds"


def test_a_sale_that_has_not_come_yet_can_not_be_returned_elsewhere(world: Shop) -> None:
    one, two = world.till("k1"), world.till("k2")
    world.sell(one, "a", "m-1")
    world.bring_back(two, "r", "a", seller=one)
    assert two.push_last().code == "sale_unknown"


def test_a_debt_is_paid_by_new_lots_in_their_order(world: Shop) -> None:
    """700 owed: the lot that ends first pays 500 although it sleeps, the next one the rest."""

    def work(connection) -> None:
        book = Book(connection, world.wall())
        account = book.account("m-1")
        book.load_lots(account)
        owing = Draft(account)
        owing.take_back((), 700, "debt")
        book.post(owing, kind="opening", op=None, position=book.next_position())
        paying = Draft(account)
        numbers = [book.next_position() for _ in range(3)]
        paying.earn_lots([IssuedLot(numbers[1], 500, world.wall() + 1, None), IssuedLot(numbers[2], 1000)])
        book.post(paying, kind="opening", op=None, position=numbers[0])
        book.flush()
        assert (account.left, account.debt, account.inactive, account.available) == (800, 0, 0, 800)

    world.centre.write(work).result()
