"""The smallest balance to spend from counts what other tills were lent: it is the member's, and comes when called."""

import msgspec

from fakes.till import PROGRAMME, FakeTill, anna
from till_loyalty.programme import Redemption
from unit.desk.test_desk_offline_spending import hold, member, refused, sell, spend

RULES = Redemption(max_share_basis_points=5_000, minimum_balance_points=100, offline="grant")


def shared(balance: int = 120, elsewhere: int = 110) -> FakeTill:
    """Anna has `balance`, of which so much lies with other tills."""
    till = FakeTill().know(anna(balance=balance, held=elsewhere))
    till.cache.sell_by(msgspec.structs.replace(PROGRAMME, redemption=RULES))
    return till


def test_with_a_line_what_is_lent_elsewhere_counts() -> None:
    """The cloud looks at the same, and calls back what the receipt takes."""
    till = shared()
    assert member(till).spendable_points == 120
    spend(till, 50)


def test_a_balance_that_is_too_small_stays_so() -> None:
    till = shared(90, 10)
    assert refused(till, 10).code == "insufficient_points"


def test_a_hold_is_good_for_its_sale_when_the_line_breaks() -> None:
    """The cloud looked at the balance when it gave the hold; the cashier has taken the points off already."""
    till = shared()
    given = hold(till, 50)
    till.gateway.online = False
    assert sell(till, given.hold, 50).result.redeemed_points == 50
