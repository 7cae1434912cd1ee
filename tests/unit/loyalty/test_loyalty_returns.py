"""Returns and voids line by line: shares, refusals, and the odd lines of real data."""

from collections.abc import Sequence

import pytest
from msgspec import Struct

from till_loyalty.engine import calculate
from till_loyalty.exceptions import ReturnError
from till_loyalty.programme import Redemption, Rule
from till_loyalty.receipt import Receipt
from till_loyalty.results import Calculation, LineResult, ReturnLine, Reversal
from till_loyalty.returns import reverse
from unit.loyalty.loyalty_support import CLOCK, line, member, programme, receipt, steps_of


class Wish(Struct, frozen=True):
    """As the bridge has it: the amount may be left out."""

    number: int
    quantity_thousandths: int
    amount_minor: int | None = None


def sold(*lines: LineResult) -> Calculation:
    return Calculation(
        programme_id="p",
        programme_version=1,
        total_minor=sum(each.amount_minor for each in lines),
        payable_minor=sum(each.payable_minor for each in lines),
        lines=lines,
        redeemed_points=sum(each.redeemed_points for each in lines),
        earned_points=sum(each.earned_points for each in lines),
    )


def one(
    amount: int, quantity: int = 1000, paid: int = 0, spent: int = 0, earned: int = 0, number: int = 1
) -> LineResult:
    return LineResult(
        number=number,
        amount_minor=amount,
        quantity_thousandths=quantity,
        payable_minor=amount - paid,
        paid_by_points_minor=paid,
        redeemed_points=spent,
        earned_points=earned,
    )


def rows(reversal: Reversal) -> list[tuple[int, ...]]:
    """number, quantity, amount, money back, points back, points taken"""
    return [
        (
            each.number,
            each.quantity_thousandths,
            each.amount_minor,
            each.money_back_minor,
            each.points_back,
            each.points_taken,
        )
        for each in reversal.lines
    ]


def in_turn(sale: Calculation, *wishes: Wish) -> list[tuple[int, ...]]:
    earlier: list[Reversal] = []
    for wish in wishes:
        earlier.append(reverse(sale, earlier, [wish]))
    return [row for each in earlier for row in rows(each)]


def test_a_void_is_everything() -> None:
    sale = sold(one(1000, 2000, 300, 300, 7), one(500, earned=2, number=2))
    reversal = reverse(sale)
    assert rows(reversal) == [(1, 2000, 1000, 700, 300, 7), (2, 1000, 500, 500, 0, 2)]
    assert (reversal.money_back_minor, reversal.points_back, reversal.points_taken) == (1200, 300, 9)
    assert reversal.effect_points == 291


def test_a_void_after_a_return_is_what_is_left() -> None:
    sale = sold(one(1000, 2000, 300, 300, 7), one(500, earned=2, number=2))
    first = reverse(sale, (), [Wish(1, 1000), Wish(2, 1000)])
    assert rows(first) == [(1, 1000, 500, 350, 150, 4), (2, 1000, 500, 500, 0, 2)]
    assert rows(reverse(sale, [first])) == [(1, 1000, 500, 350, 150, 3)]


def test_thirds_of_a_line_sum_to_it() -> None:
    """Three pieces for 1.00 that earned 5: 0.33, 0.33, 0.34; taken points run ahead of the goods, never behind."""
    sale = sold(one(100, 3000, earned=5))
    assert in_turn(sale, *[Wish(1, 1000)] * 3) == [
        (1, 1000, 33, 33, 0, 2),
        (1, 1000, 33, 33, 0, 2),
        (1, 1000, 34, 34, 0, 1),
    ]


def test_points_that_paid_come_back_behind_the_goods_and_money_before() -> None:
    """A line of 3.00 of which 1.00 was paid by one whole point: the point comes back with the last third."""
    sale = sold(one(300, 3000, paid=100, spent=1))
    assert in_turn(sale, *[Wish(1, 1000)] * 3) == [
        (1, 1000, 100, 67, 0, 0),
        (1, 1000, 100, 67, 0, 0),
        (1, 1000, 100, 66, 1, 0),
    ]


def test_a_share_of_a_weight_is_cumulative() -> None:
    sale = sold(one(1000, 777))
    assert [row[2] for row in in_turn(sale, Wish(1, 1), Wish(1, 1), Wish(1, 775))] == [1, 1, 998]


def test_an_amount_of_ones_own_is_taken_and_the_next_share_makes_up_for_it() -> None:
    """A cashier who gives back more, or less, than the share: the next share left to us is what is due by then."""
    sale = sold(one(1000, 4000))
    assert [row[2] for row in in_turn(sale, Wish(1, 1000, 400), Wish(1, 1000), Wish(1, 2000))] == [400, 100, 500]
    assert [row[2] for row in in_turn(sale, Wish(1, 1000, 900), Wish(1, 1000), Wish(1, 2000))] == [900, 0, 100]


def test_a_part_of_the_money_can_come_back_without_goods() -> None:
    """A price corrected after the sale: quantity 0, an amount; later the goods come back for the rest."""
    sale = sold(one(1000, 1000, earned=10))
    assert in_turn(sale, Wish(1, 0, 300), Wish(1, 1000)) == [(1, 0, 300, 300, 0, 3), (1, 1000, 700, 700, 0, 7)]


@pytest.mark.parametrize(
    ("amount", "quantity", "wish"),
    [(500, 0, Wish(1, 0)), (500, 0, Wish(1, 0, 500)), (0, 1000, Wish(1, 1000)), (0, 1000, Wish(1, 1000, 0))],
)
def test_money_without_quantity_and_quantity_without_money_come_back(amount: int, quantity: int, wish: Wish) -> None:
    sale = sold(one(amount, quantity, earned=amount // 100))
    expected = [(1, quantity, amount, amount, 0, amount // 100)]
    assert rows(reverse(sale, (), [wish])) == expected
    assert rows(reverse(sale)) == expected


def test_a_line_paid_wholly_by_points_comes_back_by_its_goods() -> None:
    """No money to go by: earned points (base gross) go back with the goods' value."""
    rules = programme(
        Rule(id="all", percent_basis_points=1000),
        points_exponent=2,
        earn_base="gross",
        redemption=Redemption(minimum_line_price_minor=0),
    )
    goods = Receipt(lines=(line(1, 1000, quantity_thousandths=3000),))
    sale = calculate(rules, member(1000), goods, CLOCK, redeem_points=-1)
    assert (sale.payable_minor, sale.earned_points) == (0, 100)
    assert in_turn(sale, *[Wish(1, 1000)] * 3) == [
        (1, 1000, 333, 0, 333, 34),
        (1, 1000, 333, 0, 333, 33),
        (1, 1000, 334, 0, 334, 33),
    ]


def test_one_line_named_twice_in_a_return_counts_on() -> None:
    sale = sold(one(100, 3000, earned=5))
    assert [row[2:] for row in rows(reverse(sale, (), [Wish(1, 1000), Wish(1, 2000)]))] == [
        (33, 33, 0, 2),
        (67, 67, 0, 3),
    ]


def test_lines_that_ask_for_nothing_are_left_out() -> None:
    """Cash software may send every line of the receipt, with 0 for those that stay."""
    sale = sold(one(100), one(100, number=2), one(0, 0, number=3))
    assert rows(reverse(sale, (), [Wish(1, 0, 0), Wish(2, 1000), Wish(3, 0)])) == [(2, 1000, 100, 100, 0, 0)]


REFUSED: list[tuple[Sequence[Wish], str, str]] = [
    ([Wish(9, 1000)], "line_unknown", "/lines/0/number"),
    ([Wish(1, 3001)], "quantity_exceeds", "/lines/0/quantity_thousandths"),
    ([Wish(1, -1)], "quantity_exceeds", "/lines/0/quantity_thousandths"),
    ([Wish(1, 1000, 101)], "amount_exceeds", "/lines/0/amount_minor"),
    ([Wish(1, 1000, -1)], "amount_exceeds", "/lines/0/amount_minor"),
    ([Wish(1, 2000), Wish(1, 1001)], "quantity_exceeds", "/lines/1/quantity_thousandths"),
    ([Wish(1, 1000, 60), Wish(1, 1000, 41)], "amount_exceeds", "/lines/1/amount_minor"),
    ([], "nothing_asked", "/lines"),
    ([Wish(1, 0)], "nothing_asked", "/lines"),
    ([Wish(1, 0, 0)], "nothing_asked", "/lines"),
]


@pytest.mark.parametrize(("lines", "code", "pointer"), REFUSED)
def test_what_was_not_sold_is_refused(lines: Sequence[Wish], code: str, pointer: str) -> None:
    with pytest.raises(ReturnError) as caught:
        reverse(sold(one(100, 3000)), (), lines)
    assert (caught.value.code, caught.value.pointer) == (code, pointer)


def test_what_is_back_already_is_refused() -> None:
    sale = sold(one(100, 3000), one(0, 0, number=2))
    earlier = [reverse(sale)]
    for lines in (None, [], [Wish(1, 0)], [Wish(2, 0)]):
        with pytest.raises(ReturnError) as caught:
            reverse(sale, earlier, lines)
        assert caught.value.code == "nothing_left"
    with pytest.raises(ReturnError) as caught:
        reverse(sale, earlier, [Wish(1, 1)])
    assert caught.value.code == "quantity_exceeds"


def test_a_sale_of_nothing_can_be_voided() -> None:
    assert reverse(sold(one(0, 0))) == Reversal(lines=(), money_back_minor=0, points_back=0, points_taken=0)


def test_returns_of_another_sale_are_noticed() -> None:
    with pytest.raises(ReturnError) as caught:
        reverse(sold(one(100)), [reverse(sold(one(100, number=2)))])
    assert caught.value.code == "line_unknown"


def test_work_grows_with_the_lines() -> None:
    """A thousand returns before this one or ten thousand lines: each is looked at once."""

    def give_back(lines: int) -> None:
        sale = sold(*(one(100, 2000, number=number) for number in range(1, lines + 1)))
        half = reverse(sale, (), [Wish(number, 1000) for number in range(1, lines + 1)])
        reverse(sale, [half])

    assert steps_of(lambda: give_back(1000)) < 12 * steps_of(lambda: give_back(100))


def test_an_engine_result_and_its_own_return_lines_fit_together() -> None:
    """`ReturnLine`, as ops carry it, is taken as the bridge's request lines are."""
    sale = calculate(
        programme(Rule(id="r", percent_basis_points=100), points_exponent=2), member(), receipt(1000), CLOCK
    )
    reversal = reverse(sale, (), [ReturnLine(number=1, quantity_thousandths=500, amount_minor=500)])
    assert rows(reversal) == [(1, 500, 500, 500, 0, 5)]


def test_a_public_engines_partial_refunds() -> None:
    """solidus_r-001: 10.00 off three at 100.00, one back: 96.67. erp-009: two for 20 points, one back leaves 10."""
    assert rows(reverse(sold(one(30_000, 3000, paid=1000, spent=1000)), (), [Wish(1, 1000)]))[0][3] == 9667
    assert rows(reverse(sold(one(2_000_000, 2000, earned=20)), (), [Wish(1, 1000)]))[0][5] == 10
