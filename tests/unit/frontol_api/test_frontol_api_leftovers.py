"""What a receipt leaves behind once it is confirmed: no reserved points, no discount that money shows was taken."""

from typing import Any

import pytest
from msgspec.structs import replace

from fakes.till import ANNA_PHONE, PROGRAMME
from kit.frontol_documents import position
from till_loyalty.programme import Rule
from till_loyalty.rule_parts import Discount
from unit.frontol_api.frontol_api_till import SALE, FrontolTill, bonus, cash

ANNA = {"mobilePhone": ANNA_PHONE}
OTHER = {"mobilePhone": "+79990001122"}
DISCOUNTED = replace(PROGRAMME, rules=(*PROGRAMME.rules, Rule(id="ten", discount=Discount(percent_basis_points=1000))))


@pytest.mark.parametrize(
    ("client", "payments"),
    [
        ({}, [cash(100)]),
        ({}, []),
        (OTHER, [cash(100)]),
        (OTHER, []),
        (OTHER, [bonus(20), cash(80)]),
        (ANNA, [cash(100)]),
    ],
    ids=["nobody", "nobody, no payment", "another", "another, no payment", "another's points", "all in money"],
)
def test_points_of_a_client_who_is_not_the_buyer_after_all_are_free_again(client: Any, payments: Any) -> None:
    """Reserved for Anna, who took her card or her points back: nobody's receipt keeps them for an hour."""
    till = FrontolTill()
    till.good("payByBonus", position(1, 100), client=ANNA, payment={"amount": 20})
    till.good("confirm", position(1, 100), client=client, payments=payments)
    assert till.desk.open_holds(SALE) == []
    assert till.sale().result.redeemed_points == 0


@pytest.mark.parametrize("restarted", [False, True], ids=["known", "restarted"])
@pytest.mark.parametrize("points", [0, 20])
def test_totals_before_our_discounts_are_told_by_the_money(points: int, restarted: bool) -> None:
    """Frontol may leave `totalAmount` as it was: what was paid says that ten percent were taken off."""
    till = FrontolTill(programme=DISCOUNTED)
    lines = (position(1, 100), position(2, 30, quantity="1.5", price=20))
    till.good("calculate", *lines, client=ANNA)
    payments = [cash(117 - points)]
    if points:
        till.good("payByBonus", *lines, client=ANNA, payment={"amount": points})
        payments.append(bonus(points))
    if restarted:
        till.restart()
    till.good("confirm", *lines, client=ANNA, payments=payments)
    result = till.sale().result
    assert (result.total_minor, result.discount_minor, result.redeemed_minor) == (13_000, 1_300, points * 100)
    assert result.payable_minor == 11_700 - points * 100


def test_totals_that_were_paid_in_full_had_no_discount() -> None:
    till = FrontolTill(programme=DISCOUNTED)
    till.good("calculate", position(1, 100), client=ANNA)
    till.good("confirm", position(1, 100), client=ANNA, payments=[cash(100)])
    assert till.sale().result.discount_minor == 0


@pytest.mark.parametrize("restarted", [False, True], ids=["known", "restarted"])
@pytest.mark.parametrize("payments", [[], [cash(80)]], ids=["no payment", "the money alone"])
def test_points_that_paid_are_spent_though_the_receipt_does_not_name_them(payments: Any, restarted: bool) -> None:
    """They were reserved and never given back, and the money lacks just them: whoever paid by them has them no more."""
    till = FrontolTill()
    till.good("payByBonus", position(1, 100), client=ANNA, payment={"amount": 20})
    if restarted:
        till.restart()
    first = till.good("confirm", position(1, 100), client=ANNA, payments=payments)
    result = till.sale().result
    assert (result.redeemed_points, result.payable_minor) == (20, 8_000)
    assert till.desk.open_holds(SALE) == []
    assert till.good("confirm", position(1, 100), client=ANNA, payments=payments) == first


@pytest.mark.parametrize(
    ("totals", "money"),
    [((70, 45), 115), ((90, 45), 115), ((100, 50), 115)],
    ids=["totals without points", "totals after discounts", "totals before discounts"],
)
def test_points_that_are_not_named_are_found_in_discounted_totals_too(totals: tuple[int, int], money: int) -> None:
    till = FrontolTill(programme=DISCOUNTED)
    lines = (position(1, 100, minimumPrice=0), position(2, 50, minimumPrice=45))
    till.good("calculate", *lines, client=ANNA)
    till.good("payByBonus", *lines, client=ANNA, payment={"amount": 20})
    paid = [each | {"totalAmount": total} for each, total in zip(lines, totals, strict=True)]
    till.good("confirm", *paid, client=ANNA, payments=[cash(money)])
    result = till.sale().result
    assert (result.total_minor, result.discount_minor, result.redeemed_minor) == (15_000, 1_500, 2_000)
    assert result.payable_minor == money * 100
