"""The smallest balance to spend from is looked at when points are promised, and not again when they are spent."""

import msgspec

from fakes.till import PROGRAMME, FakeTill, anna
from till_loyalty.programme import Floor, Redemption
from unit.desk.test_desk_offline_spending import hold, member, programme, refused, sell, spend

RULES = Redemption(max_share_basis_points=5_000, minimum_balance_points=100, offline="grant")


def anna_with(balance: int, held: int = 0) -> FakeTill:
    till = FakeTill().know(anna(balance=balance, held=held))
    till.cache.sell_by(msgspec.structs.replace(PROGRAMME, redemption=RULES))
    return till


def test_what_receipts_keep_does_not_count() -> None:
    """The cloud looks at the same before it grants the hold."""
    assert refused(anna_with(120, 21), 10).code == "insufficient_points"
    assert refused(anna_with(99), 10).code == "insufficient_points"
    spend(anna_with(120, 20), 50)


def test_a_hold_is_good_for_its_sale_whatever_comes_between() -> None:
    """Other goods came back, and the line broke; the cashier has taken the points off already."""
    till = anna_with(120)
    given = hold(till, 50)
    till.know(anna(balance=60, held=50))
    till.gateway.online = False
    assert sell(till, given.hold, 50).result.redeemed_points == 50


def test_the_floor_limit_is_less_by_what_was_spent_of_a_grant() -> None:
    """Else each till that is cut off would let the member have its share and the limit beside it: what tills were lent
    is the member's balance at every other till too."""
    till = FakeTill().know(anna(balance=500)).lend(80)
    till.cache.sell_by(
        programme(
            max_share_basis_points=10_000, offline="floor", floor=Floor(member_points=100, till_points=1_000, hours=24)
        )
    )
    till.gateway.online = False
    assert member(till).spendable_points == 100
    assert spend(till, 80, "u1").cover == "grant"
    assert member(till).spendable_points == 20
    assert spend(till, 20, "u2").cover == "floor"
    assert member(till).spendable_points == 0
