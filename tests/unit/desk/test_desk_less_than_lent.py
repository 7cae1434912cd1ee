"""A member may have less than was lent of them: a void took points while all of them lay with tills."""

import msgspec
import pytest

from fakes.till import FakeTill, anna, receipt
from till_agent.api import Identify, SaleRequest
from till_agent.exceptions import DeskProblem
from till_loyalty.programme import Floor
from unit.desk.test_desk_offline_spending import ANNA, cut_off, hold, member, programme, refused, released, sell, spend


def poor(balance: int, lent: int, **row: int) -> FakeTill:
    """Anna has `balance` by the cloud's last word, of which `lent` lies here: a void elsewhere took the rest."""
    till = FakeTill().know(anna(balance=balance, **row)).lend(lent)
    till.gateway.online = False
    return till


def test_no_more_is_spent_of_a_grant_than_the_member_has() -> None:
    """The figures, the problem and the hold agree."""
    till = poor(120, 300)
    shown = member(till)
    assert (shown.spendable_points, shown.spendable_reason) == (120, "")
    error = refused(till, 121)
    assert (error.code, error.extras["available_points"]) == ("insufficient_points", 120)
    body = spend(till, 120)
    assert (body.cover, body.result.redeemed_points) == ("grant", 120)


def test_after_a_void_of_the_sale_that_earned_only_what_is_left_is_spent() -> None:
    """All of the 5,000 points were lent to this till; the void takes back the sale that gave 5,000 of the balance."""
    till = FakeTill().know(anna(balance=0))
    till.run(till.desk.sell("earned", SaleRequest(receipt=receipt(10_000_000), member=ANNA)))
    earned = member(till).balance_points
    till.know(anna(balance=earned), included=(1, 1)).lend(earned, included=(1, 1))
    till.gateway.online = False
    assert member(till).spendable_points == earned
    till.run(till.desk.void("earned"))
    shown = member(till)
    assert (shown.balance_points, shown.spendable_points, shown.spendable_reason) == (0, 0, "offline")
    assert refused(till, 1).code == "cloud_unreachable"


def test_debt_is_never_spent_from() -> None:
    """A balance below 0 leaves nothing, and what is shown is no number below 0."""
    till = poor(-40, 300)
    assert member(till).spendable_points == 0
    with pytest.raises(DeskProblem):
        hold(till, 1)


def test_what_open_receipts_keep_is_not_there_twice() -> None:
    """Nor may the second receipt be sold what the first one keeps."""
    till = poor(120, 300)
    first = hold(till, 100, "u1")
    assert member(till).spendable_points == 20
    assert refused(till, 21).extras["available_points"] == 20
    answer = till.run(
        till.desk.sell("u1", SaleRequest(receipt=receipt(100_000), member=ANNA, redeem_points=60, hold=first.hold))
    )
    sold = msgspec.json.decode(answer.body)["member"]
    after = member(till)
    assert (sold["spendable_points"], sold["spendable_reason"]) == (after.spendable_points, after.spendable_reason)
    assert after.spendable_points == after.balance_points


def test_a_voucher_and_the_floor_limit_are_no_credit_either() -> None:
    """They are promises of points that were there; a void has taken them."""
    till = poor(50, 0)
    who = Identify(scan=till.voucher(70))
    shown = member(till, who)
    assert (shown.spendable_points, shown.spendable_reason) == (50, "")
    assert spend(till, 50, who=who).cover == "voucher"
    terms = Floor(member_points=200, till_points=500, hours=10)
    floor = cut_off(30, programme(offline="floor", floor=terms)).know(anna(balance=20))
    floor.gateway.online = False
    assert member(floor).spendable_points == 20
    assert spend(floor, 20).cover == "grant"


def test_with_a_line_the_cloud_is_asked_where_the_grant_is_more_than_the_member_has() -> None:
    """It knows better."""
    till = FakeTill().know(anna(balance=120)).lend(300)
    till.gateway.points["m-anna"] = 200
    assert member(till).spendable_points == 120
    assert hold(till, 150).hold.startswith("h-")


def test_a_wish_of_more_than_all_is_told_so_and_not_that_the_rest_comes_with_the_line() -> None:
    """All that there is lies here."""
    till = cut_off(500)
    error = refused(till, 501)
    assert (error.code, error.extras["available_points"]) == ("insufficient_points", 500)
    assert released(till) == []


def test_a_sale_names_its_hold_and_is_not_refused_for_a_balance_that_fell_meanwhile() -> None:
    """The hold was promised; the cloud has the points of it set aside."""
    till = poor(300, 300)
    held = hold(till, 300)
    till.know(anna(balance=100))
    assert sell(till, held.hold, 300).result.redeemed_points == 300
