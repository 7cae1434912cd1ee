"""Voids and returns at the cloud: from the cloud's own figures, into and out of the lots they concern."""

import msgspec
import pytest

from till_loyalty.results import Reversal, ReversalLine
from till_sync.wire import OpResult
from unit.cloud.cloud_kit import Chain, Till, chain, programme


@pytest.fixture
def world(tmp_path):
    with chain(tmp_path / "c.db") as made:
        made.member("m-1", points=5000)
        yield made


def lots(world: Chain, member: str = "m-1") -> list[tuple]:
    return world.rows("SELECT issued, left, used, expired, reversed FROM lots WHERE member_id = ? ORDER BY lot", member)


def test_a_void_undoes_a_sale_wholly(world: Chain) -> None:
    """Points spent return into the lot they came from, points earned leave theirs."""
    till = world.till()
    world.hold(till, "h", "m-1", 2000)
    till.sale("a", "m-1", 10_000, redeem=2000, hold="h")
    till.void("a")
    sale, void = till.push().results
    assert (sale.effect_points, void.status, void.effect_points, void.balance) == (-1200, "applied", 1200, 5000)
    assert lots(world) == [(5000, 5000, 0, 0, 0), (800, 0, 0, 0, 800)]


def test_a_void_of_an_adjusted_sale_undoes_the_clouds_figure(world: Chain) -> None:
    till = world.till()
    till.sale("a", "m-1", 10_000, change=lambda r: msgspec.structs.replace(r, earned_points=9999))
    till.void("a")
    void = till.push().results[1]
    assert (void.effect_points, void.balance) == (-1000, 5000)


def test_a_void_of_a_sale_with_no_member_moves_nothing(world: Chain) -> None:
    till = world.till()
    till.sale("a", "", 10_000)
    till.void("a")
    void = till.push().results[1]
    assert (void.status, void.effect_points, void.member_id) == ("applied", 0, "")


def test_partial_returns_add_up_to_the_whole(world: Chain) -> None:
    """Three pieces of a sale that was partly paid by points: afterwards everything is as before it."""
    till = world.till()
    world.hold(till, "h", "m-1", 1999)
    till.sale("a", "m-1", 3_333, 7_777, redeem=1999, hold="h")
    till.take_return("r1", "a", [(1, 700)])
    till.take_return("r2", "a", [(2, 1300), (1, 300)])
    till.take_return("r3", "a")
    results = till.push().results
    assert [r.status for r in results] == ["applied"] * 4
    assert sum(r.effect_points for r in results) == 0
    assert world.balances("m-1") == (5000, 0, 0)
    assert lots(world)[0] == (5000, 5000, 0, 0, 0)


def test_points_come_back_into_the_lots_they_came_from(world: Chain) -> None:
    """A redemption over two lots, returned in halves: each lot has its own points again."""
    world.member("m-2", points=300)
    till = world.till()
    till.sale("first", "m-2", 4_000)
    till.push()
    world.hold(till, "h", "m-2", 600)
    till.sale("a", "m-2", 10_000, redeem=600, hold="h")
    till.take_return("r1", "a", [(1, 1000)])
    till.push(2)
    assert lots(world, "m-2")[:2] == [(300, 0, 300, 0, 0), (400, 400, 0, 0, 0)]
    till.take_return("r2", "a")
    till.push_last()
    assert lots(world, "m-2")[:2] == [(300, 300, 0, 0, 0), (400, 400, 0, 0, 0)]


def spent_and_brought_back(till: Till, member: str) -> list[OpResult]:
    """1500 of the 2000 points of a sale are spent by another one, then the goods come back: the two verdicts."""
    till.sale("a", member, 20_000)
    till.push()
    till.chain.hold(till, "h", member, 1500)
    till.sale("b", member, 3_000, redeem=1500, hold="h")
    till.take_return("r", "a")
    return [*till.push(2).results]


def test_earned_points_that_are_spent_become_a_debt_that_the_next_sale_pays(world: Chain) -> None:
    world.member("m-2")
    till = world.till()
    spent, back = spent_and_brought_back(till, "m-2")
    assert (spent.balance, back.effect_points, back.balance) == (650, -2000, -1350)
    assert world.balances("m-2") == (0, 0, 1350)
    till.sale("c", "m-2", 20_000)
    after = till.push_last()
    assert (after.effect_points, after.balance) == (2000, 650)
    assert world.balances("m-2") == (650, 0, 0)


def test_points_promised_to_another_receipt_are_not_taken_back(world: Chain) -> None:
    """Invariant 7: the hold stays covered, the member owes the rest; and pays when the hold is given back."""
    world.member("m-2")
    till = world.till()
    till.sale("a", "m-2", 10_000)
    till.push()
    world.hold(till, "h", "m-2", 900)
    till.take_return("r", "a")
    assert till.push_last().balance == 0
    assert world.balances("m-2") == (900, 900, 900)
    till.release("h")
    released = till.push_last()
    assert (released.balance, released.held) == (0, 0)
    assert world.balances("m-2") == (0, 0, 0)


def test_within_balance_forgives_what_is_spent(tmp_path) -> None:
    with chain(tmp_path / "c.db", rules=programme(return_policy="within_balance")) as world:
        world.member("m-1")
        _, back = spent_and_brought_back(world.till(), "m-1")
        assert (back.status, back.code, back.effect_points, back.balance) == ("adjusted", "points_forgiven", -650, 0)
        assert world.balances("m-1") == (0, 0, 0)


def test_refuse_rejects_a_return_whose_points_are_spent(tmp_path) -> None:
    with chain(tmp_path / "c.db", rules=programme(return_policy="refuse")) as world:
        world.member("m-1")
        _, back = spent_and_brought_back(world.till(), "m-1")
        assert (back.status, back.code) == ("rejected", "points_spent")
        assert world.balances("m-1") == (650, 0, 0)


def test_a_return_says_what_came_back_and_the_cloud_says_how_many_points(world: Chain) -> None:
    """A till that claims to have given a thousand points back is adjusted."""
    till = world.till()
    till.sale("a", "m-1", 10_000)
    line = ReversalLine(
        number=1,
        quantity_thousandths=2000,
        amount_minor=10_000,
        money_back_minor=10_000,
        points_back=999,
        points_taken=0,
    )
    till.take_return("r", "a", force=Reversal(lines=(line,), money_back_minor=10_000, points_back=999, points_taken=0))
    back = till.push().results[1]
    assert (back.status, back.code, back.effect_points, back.balance) == ("adjusted", "points_differ", -1000, 5000)


@pytest.mark.parametrize(
    ("arrange", "code"),
    [
        (lambda t: (t.sale("a", "m-1"), t.void("a"), t.void("a")), "sale_voided"),
        (lambda t: (t.sale("a", "m-1"), t.take_return("r", "a", [(1, 1)]), t.void("a")), "sale_returned"),
        (lambda t: (t.sale("a", "m-1"), t.void("a"), t.take_return("r", "a")), "sale_voided"),
        (lambda t: t.void("never"), "sale_unknown"),
        (lambda t: t.take_return("r", "never"), "sale_unknown"),
        (
            lambda t: (t.sale("a", "m-1"), t.take_return("r", "a", [(1, 1)]), t.take_return("r", "a", [(1, 1)])),
            "return_repeated",
        ),
        (lambda t: (t.sale("a", "m-1"), t.take_return("r", "a", force=piece(1, 2001, 1))), "quantity_exceeds"),
        (lambda t: (t.sale("a", "m-1"), t.take_return("r", "a", force=piece(1, 1, 10_001))), "amount_exceeds"),
        (lambda t: (t.sale("a", "m-1"), t.take_return("r", "a", force=piece(1, -1, 1))), "quantity_exceeds"),
        (lambda t: (t.sale("a", "m-1"), t.take_return("r", "a", force=piece(7, 1, 1))), "line_unknown"),
        (
            lambda t: (
                t.sale("a", "m-1"),
                t.take_return("r", "a"),
                t.take_return("r2", "a", force=piece(1, 1, 1)),
            ),
            "quantity_exceeds",
        ),
    ],
)
def test_an_impossible_reversal_is_rejected_and_the_line_moves_on(world: Chain, arrange, code: str) -> None:
    till = world.till()
    arrange(till)
    till.sale("z", "m-1", 10_000)
    *_, last, after = till.push().results
    assert (last.status, last.code) == ("rejected", code)
    assert after.status == "applied"


def piece(number: int, quantity: int, amount: int) -> Reversal:
    line = ReversalLine(
        number=number,
        quantity_thousandths=quantity,
        amount_minor=amount,
        money_back_minor=0,
        points_back=0,
        points_taken=0,
    )
    return Reversal(lines=(line,), money_back_minor=0, points_back=0, points_taken=0)


def test_a_till_cannot_reverse_another_tills_sale(world: Chain) -> None:
    one, two = world.till("k1"), world.till("k2")
    one.sale("a", "m-1")
    one.push()
    two.sold = one.sold
    two.void("a")
    assert two.push_last().code == "sale_unknown"


def test_a_return_after_the_journal_was_replaced_finds_its_sale(world: Chain) -> None:
    till = world.till()
    till.sale("a", "m-1")
    till.push()
    till.new_journal()
    till.take_return("r", "a")
    assert till.push_last().status == "applied"
    assert world.balances("m-1") == (5000, 0, 0)


def test_a_return_needs_no_programme(world: Chain) -> None:
    """Years later, with the version gone, goods still come back."""
    till = world.till()
    till.sale("a", "m-1", 10_000)
    till.push()
    world.centre.write(lambda c: c.execute("DELETE FROM programmes")).result()
    world.centre.registry._known.clear()
    till.take_return("r", "a")
    assert (till.push_last().status, world.balances("m-1")) == ("applied", (5000, 0, 0))
