"""Whatever a receipt looks like: parts come to their sum to the kopeck, and no figure changes between two calls."""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fakes.till import ANNA_PHONE, PROGRAMME, anna
from kit.frontol_documents import position
from till_loyalty.programme import Redemption, Rule
from till_loyalty.rule_parts import Discount
from unit.frontol_api.frontol_api_till import FrontolTill, bonus, cash

ANNA = {"mobilePhone": ANNA_PHONE}
RULES = replace(
    PROGRAMME,
    points_exponent=2,
    point_value_minor=100,
    rules=(*PROGRAMME.rules, Rule(id="seven", discount=Discount(percent_basis_points=733))),
    redemption=Redemption(max_share_basis_points=9_000),
)
KOPECKS = st.integers(0, 30_000)


@st.composite
def receipts(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Up to eight positions, weighed ones too, some with a minimum price."""
    lines = []
    for index in range(1, draw(st.integers(1, 8)) + 1):
        price, quantity = draw(KOPECKS), draw(st.sampled_from([1000, 1000, 2000, 333, 1250]))
        total = (price * quantity * 2 + 1000) // 2000
        least = draw(st.sampled_from([0, 0, price // 2, price]))
        amounts = {"price": money(price), "quantity": str(Decimal(quantity) / 1000), "minimumPrice": money(least)}
        lines.append(position(index, money(total), **amounts))
    return lines


def money(minor: int) -> str:
    return str(Decimal(minor) / 100)


def minor(value: Any) -> int:
    return int(Decimal(str(value)) * 100)


def after(lines: list[dict[str, Any]], answer: Any, name: str) -> list[dict[str, Any]]:
    """The positions as Frontol has them once it took what was told off."""
    told = {row["index"]: row[name] for row in answer["document"]["positions"]}
    return [line | {"totalAmount": str(Decimal(line["totalAmount"]) - told[line["index"]])} for line in lines]


@settings(max_examples=60, deadline=None)
@given(receipts(), st.integers(1, 100), st.booleans(), st.booleans())
def test_what_is_told_is_what_is_sold(lines: list[Any], share: int, lacking: bool, restarted: bool) -> None:
    """Discounts and points as they were told; with the points in the positions or beside them; with a restart."""
    till = FrontolTill(programme=RULES)
    till.know(anna(balance=10_000_000, position=2))
    told = till.good("calculate", *lines, client=ANNA)
    discounted = after(lines, told, "discountAmount")
    wish = minor(told["client"]["availableAmount"]) * share // 100
    if restarted:
        till.restart()
    paid_now = 0
    if wish:
        answer = till.document("payByBonus", *discounted, client=ANNA, payment={"amount": money(wish)})
        assert answer["code"] == 0, answer
        parts = [minor(row["paidAmount"]) for row in answer["document"]["positions"]]
        assert sum(parts) == wish
        for line, part in zip(discounted, parts, strict=True):
            least = Decimal(line["minimumPrice"]) * Decimal(line["quantity"]) * 100
            assert part == 0 or minor(line["totalAmount"]) - part >= min(least, minor(line["totalAmount"]))
        paid_now = wish
        if lacking:
            discounted = after(discounted, answer, "paidAmount")
    total = sum(minor(line["totalAmount"]) for line in discounted)
    cash_minor = total if lacking or not paid_now else total - paid_now
    payments = [cash(money(cash_minor)), *([bonus(money(paid_now))] if paid_now else [])]
    if restarted:
        till.restart()
    till.good("confirm", *discounted, client=ANNA, payments=payments)
    result = till.sale().result
    assert result.redeemed_minor == paid_now
    assert result.payable_minor == cash_minor
    if not (restarted and lacking):
        assert [line.discount_minor for line in result.lines] == [
            minor(row["discountAmount"]) for row in told["document"]["positions"]
        ]
    assert till.holds.unresolved() == []


@settings(max_examples=40, deadline=None)
@given(receipts(), st.lists(st.integers(-500, 500), min_size=8, max_size=8))
def test_whatever_frontol_makes_of_a_price_the_money_is_its_own(lines: list[Any], changes: list[int]) -> None:
    """Rounded, discounted by the cashier, raised: what the customer pays for goods is what stands in the document."""
    till = FrontolTill(programme=RULES)
    told = till.good("calculate", *lines, client=ANNA)
    sold = [
        line | {"totalAmount": money(max(0, minor(line["totalAmount"]) + change))}
        for line, change in zip(after(lines, told, "discountAmount"), changes, strict=False)
    ]
    total = sum(minor(line["totalAmount"]) for line in sold)
    till.good("confirm", *sold, client=ANNA, payments=[cash(money(total))])
    assert till.sale().result.payable_minor == total
