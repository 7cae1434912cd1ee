"""A year of realistic receipts through every example programme: each line, receipt and return adds up."""

import pytest

from till_loyalty.engine import calculate
from till_loyalty.limits import budget_used, usage_of
from till_loyalty.matching import Matcher
from till_loyalty.money import money_of_points
from till_loyalty.plan import plan_of
from till_loyalty.programme import Programme
from till_loyalty.programme_document import EXAMPLES, example_text, parse_programme
from till_loyalty.receipt import MemberState, Place, Receipt, Usage
from till_loyalty.results import Calculation
from till_loyalty.returns import reverse
from unit.loyalty.loyalty_receipts import EXPECTED, Figures, Sale, birthday_of, real_sales


class Back:
    """One unit of the first line that has one comes back, then the rest."""

    def __init__(self, result: Calculation) -> None:
        line = next((each for each in result.lines if each.quantity_thousandths), result.lines[0])
        self.number = line.number
        self.quantity_thousandths = min(1000, line.quantity_thousandths)
        self.amount_minor = None if self.quantity_thousandths else line.amount_minor


class Members:
    """What a cloud would keep of the households, and the budgets."""

    def __init__(self, programme: Programme) -> None:
        self.programme = programme
        self.points: dict[int, int] = {}
        self.usage: dict[int, dict[tuple[str, str, str], Usage]] = {}
        self.bought: dict[int, tuple[int, str]] = {}
        self.budgets = {
            rule.id: limit.amount for rule in programme.rules for limit in rule.limits if limit.per == "budget"
        }

    def state(self, sale: Sale) -> MemberState:
        household = sale.household
        tiers = self.programme.tiers
        purchases, last = self.bought.get(household, (0, ""))
        return MemberState(
            tier=tiers[household % len(tiers)].id if tiers else "",
            spendable_points=self.points.get(household, 0),
            segments=("pensioner",) if household % 3 == 0 else (),
            birth_date=birthday_of(household),
            purchases=purchases,
            last_purchase=last,
            usage=tuple(self.usage.get(household, {}).values()),
        )

    def sold(self, sale: Sale, result: Calculation) -> None:
        household = sale.household
        kept = self.usage.setdefault(household, {})
        for row in usage_of(self.programme, result, sale.clock.business_date):
            key = (row.rule, row.per, row.key)
            old = kept.get(key, Usage(rule=row.rule, per=row.per))
            kept[key] = Usage(
                rule=row.rule, per=row.per, key=row.key, amount=old.amount + row.amount, uses=old.uses + row.uses
            )
        for rule, used in budget_used(result, self.programme.rules).items():
            self.budgets[rule] -= used
            assert self.budgets[rule] >= 0
        self.bought[household] = (self.bought.get(household, (0, ""))[0] + 1, sale.clock.business_date)
        self.move(household, result.earned_points - result.redeemed_points)

    def move(self, household: int, points: int) -> None:
        self.points[household] = self.points.get(household, 0) + points


def by_line(rows: list[tuple[int, int]]) -> dict[int, int]:
    sums: dict[int, int] = {}
    for number, amount in rows:
        assert amount >= 0
        sums[number] = sums.get(number, 0) + amount
    return sums


def reconcile(programme: Programme, sold: Receipt, result: Calculation, spendable: int, legal: set[int]) -> None:
    """Every figure that must be the sum, the difference or the price of others."""
    earned = by_line([(each.line, each.points) for each in result.accruals])
    off = by_line([(each.line, each.amount_minor) for each in result.discounts])
    for line, got in zip(sold.lines, result.lines, strict=True):
        assert (got.number, got.amount_minor) == (line.number, line.amount_minor)
        assert got.payable_minor == got.amount_minor - got.discount_minor - got.paid_by_points_minor >= 0
        assert got.earned_points == earned.get(line.number, 0)
        assert got.discount_minor == off.get(line.number, 0)
        if line.number in legal:
            assert (got.earned_points, got.discount_minor, got.redeemed_points) == (0, 0, 0)
    lines = result.lines
    assert result.total_minor == sold.total_minor
    assert result.payable_minor == sum(each.payable_minor for each in lines)
    assert result.discount_minor == sum(each.discount_minor for each in lines)
    assert result.redeemed_minor == sum(each.paid_by_points_minor for each in lines)
    assert result.redeemed_points == sum(each.redeemed_points for each in lines) <= spendable
    assert result.earned_points == sum(each.earned_points for each in lines)
    assert result.redeemed_minor == money_of_points(
        result.redeemed_points,
        point_value_minor=programme.point_value_minor,
        points_exponent=programme.points_exponent,
    )
    most = (result.total_minor - result.discount_minor) * programme.redemption.max_share_basis_points // 10_000
    assert result.redeemed_minor <= most


def give_back(result: Calculation) -> int:
    """A part, then the rest: together exactly the sale. Answers the points that moved."""
    part = reverse(result, lines=[Back(result)]) if result.total_minor else None
    earlier = [part] if part is not None else []
    left = any(line.amount_minor or line.quantity_thousandths for line in result.lines)
    done = [*earlier, reverse(result, earlier)] if left and not _is_all(result, earlier) else earlier
    assert sum(each.money_back_minor for each in done) == result.payable_minor
    assert sum(each.points_taken for each in done) == result.earned_points
    assert sum(each.points_back for each in done) == result.redeemed_points
    return sum(each.effect_points for each in done)


def _is_all(result: Calculation, earlier: list) -> bool:  # type: ignore[type-arg]  # of reversals
    back = sum(row.quantity_thousandths for each in earlier for row in each.lines)
    goods = sum(row.amount_minor for each in earlier for row in each.lines)
    return back == sum(line.quantity_thousandths for line in result.lines) and goods == result.total_minor


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_year_of_receipts_reconciles_by_line_and_in_total(name: str) -> None:
    """All 14,489; every seventh with coupons, every third paid with points, every tenth returned in two parts."""
    programme = parse_programme(example_text(name))
    members, figures = Members(programme), Figures()
    legal = Matcher([each.match for each in plan_of(programme).exclusions if each.legal])
    codes = tuple(code for coupon in programme.coupons for code in coupon.codes)
    for position, sale in enumerate(real_sales()):
        state = members.state(sale)
        wish = {"redeem_points": -1} if position % 3 == 0 else {}
        more = {"place": Place(store=sale.store, channel="till"), "codes": codes if position % 7 == 0 else ()}
        result = calculate(programme, state, sale.receipt, sale.clock, budgets=members.budgets, **wish, **more)  # type: ignore[arg-type]  # each is what its name says
        kept_out = {
            sale.receipt.lines[index].number for each in legal.select(sale.receipt.lines).values() for index in each
        }
        reconcile(programme, sale.receipt, result, state.spendable_points, kept_out)
        if position % 5 == 0:  # what the cash software took is counted on as if it had been worked out
            taken = calculate(
                programme,
                state,
                sale.receipt,
                sale.clock,
                budgets=members.budgets,
                taken=result.discounts,
                **wish,
                **more,  # type: ignore[arg-type]  # each is what its name says
            )
            assert (taken.lines, taken.accruals, taken.discounts) == (result.lines, result.accruals, result.discounts)
        members.sold(sale, result)
        if position % 10 == 0:
            members.move(sale.household, give_back(result))
        figures = figures.plus(
            receipts=1,
            lines=len(result.lines),
            earned_points=result.earned_points,
            discount_minor=result.discount_minor,
            redeemed_minor=result.redeemed_minor,
            returned=position % 10 == 0,
        )
    assert figures == EXPECTED[name]
