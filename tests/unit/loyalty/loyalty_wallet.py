"""One member's life by a random programme, put together from the pure parts as the cloud puts them together.

Sales with points, discounts, coupons, limits and events; returns in pieces; voids; days that pass. After each step the
balance is held against plain sums of what went in and out, and a sale that is back whole has left nothing.
"""

from collections import Counter
from datetime import date, timedelta

from hypothesis import strategies as st
from msgspec.structs import replace

from fakes.programmes import is_whole, programmes, receipts
from till_loyalty import coupons, engine, events, life, limits, lots, returns
from till_loyalty.days import day_start_ms
from till_loyalty.exceptions import LedgerError
from till_loyalty.programme import Event, Programme, Tier
from till_loyalty.receipt import MemberState, StoreClock, Usage
from till_loyalty.results import Calculation, ReturnLine, Reversal
from till_loyalty.rule_parts import Life, Who

ZONE = "Europe/Kyiv"
TIERS = (
    Tier(id="standard"),
    Tier(id="silver", multiplier_basis_points=15_000, from_spend_minor=5_000),
    Tier(id="gold", multiplier_basis_points=20_000, from_spend_minor=50_000),
)
EVENTS = (
    Event(id="welcome", on="registered", points=50),
    Event(id="first", on="first_purchase", points=20, life=Life(activates_after_days=1, expires_after_days=3)),
    Event(id="large", on="first_purchase", points=90, minimum_sum_minor=4_000),
)


class Sale:
    """A sale, what its points became, and what is back of it."""

    def __init__(self, result: Calculation, usage: tuple[Usage, ...]) -> None:
        self.result = result
        self.usage = usage
        self.own_lots: list[str] = []
        self.event_lots: dict[events.Given, tuple[str, int]] = {}
        self.movements: list[lots.Movement] = []
        self.reversals: list[Reversal] = []

    @property
    def points_taken(self) -> int:
        return sum(each.points_taken for each in self.reversals)

    @property
    def points_back(self) -> int:
        return sum(each.points_back for each in self.reversals)

    @property
    def money_back(self) -> int:
        return sum(each.money_back_minor for each in self.reversals)

    @property
    def goods_back(self) -> int:
        return sum(row.amount_minor for each in self.reversals for row in each.lines)

    @property
    def is_back(self) -> bool:
        """Whether every line's goods are back whole."""
        amount: Counter[int] = Counter()
        for reversal in self.reversals:
            for row in reversal.lines:
                amount[row.number] += row.amount_minor
        return all(amount[line.number] == line.amount_minor for line in self.result.lines)


class Wallet:
    """The member. `given`: points that came in by events and are not taken back."""

    def __init__(self, programme: Programme, day: date) -> None:
        self.programme = programme
        self.day = day
        self.account = lots.Account()
        self.sales: list[Sale] = []
        self.usage: dict[tuple[str, str, str], tuple[int, int]] = {}
        self.had: list[events.Given] = []
        self.given = self.forgiven = self.made = 0
        for award in events.on_registered(programme, day):
            self._award(award)

    @property
    def now_ms(self) -> int:
        return day_start_ms(self.day, ZONE) + 12 * 3_600_000

    def _lot(self, terms: life.LotTerms) -> str:
        self.made += 1
        name = f"lot-{self.made}"
        change = lots.earn(
            self.account,
            name,
            terms.points,
            expires_at_ms=terms.expires_at_ms(ZONE),
            active_at_ms=terms.active_at_ms(ZONE),
        )
        self.account = change.account
        return name

    def _award(self, award: events.Award) -> str:
        assert (award.event, award.key) not in self.had, "an event was given twice"
        self.had.append((award.event, award.key))
        self.given += award.points
        return self._lot(award.lot)

    def buy(self, data: st.DataObject) -> None:
        """One sale with points, wherever the member has some."""
        case_receipt = data.draw(receipts(4))
        clock = StoreClock(local_time=f"{self.day.isoformat()}T12:00:00", business_date=self.day.isoformat())
        facts = MemberState(
            tier=data.draw(st.sampled_from(("standard", "gold"))),
            spendable_points=lots.spendable_points(self.account, self.now_ms),
            segments=("pensioner",),
            purchases=len([sale for sale in self.sales if not sale.is_back]),
            usage=tuple(
                Usage(rule=rule, per=per, key=key, amount=amount, uses=uses)
                for (rule, per, key), (amount, uses) in self.usage.items()
            ),
        )
        codes = data.draw(st.sampled_from((("SPRING",), ())))
        wish = data.draw(st.sampled_from((-1, -1, 0, 10)))
        result = engine.calculate(
            self.programme, facts, case_receipt, clock, redeem_points=wish, codes=codes, budgets={"r0": 30, "r1": 30}
        )
        sale = Sale(result, limits.usage_of(self.programme, result, self.day.isoformat()))
        used = lots.spend(self.account, result.redeemed_points, now_ms=self.now_ms)
        self.account = used.account
        sale.movements += used.movements
        terms = life.lots_of(self.programme, result, self.day.isoformat())
        assert sum(each.points for each in terms) == result.earned_points
        sale.own_lots = [self._lot(each) for each in terms]
        for row in sale.usage:
            self._use(row, 1)
        before = [each.result.payable_minor for each in self.sales]
        purchase = events.Purchase(
            member_id="m",
            business_date=self.day.isoformat(),
            paid_minor=result.payable_minor,
            purchases_before=len(before),
            largest_before_minor=max(before, default=None),
        )
        for award in events.on_purchase(self.programme, purchase, self.had):
            sale.event_lots[(award.event, award.key)] = (self._award(award), award.points)
        self.sales.append(sale)

    def _use(self, row: Usage, sign: int) -> None:
        key = (row.rule, row.per, row.key)
        amount, uses = self.usage.get(key, (0, 0))
        self.usage[key] = (amount + sign * row.amount, uses + sign * row.uses)

    def bring_back(self, sale: Sale, wishes: list[ReturnLine] | None) -> bool:
        """A return of `wishes`, or of all that is left. False: the programme refuses it, and nothing has changed."""
        reversal = returns.reverse(sale.result, sale.reversals, wishes)
        grace = life.grace_until_ms(self.programme, self.day, ZONE)
        uses = lots.open_uses(sale.movements)
        given = lots.give_back(
            self.account, uses, reversal.points_back, expires_not_before_ms=grace, now_ms=self.now_ms
        )
        policy = self.programme.return_policy
        try:
            taken = lots.take_back(
                given.account, sale.own_lots, reversal.points_taken, policy=policy, now_ms=self.now_ms
            )
            kept = sale.result.payable_minor - sale.money_back - reversal.money_back_minor
            forgiven = taken.forgiven
            lost = events.lost_by_return(self.programme, tuple(sale.event_lots), kept)
            for each in lost:
                lot, points = sale.event_lots[each]
                taken = lots.take_back(taken.account, [lot], points, policy=policy, now_ms=self.now_ms)
                forgiven += taken.forgiven
        except LedgerError as error:
            if (error.code, policy) != ("points_spent", "refuse"):
                raise
            return False
        for each in lost:
            self.given -= sale.event_lots.pop(each)[1]
        self.account = taken.account
        self.forgiven += forgiven
        sale.movements += [each for each in given.movements if each.kind == "give_back"]
        sale.reversals.append(reversal)
        back = coupons.coupons_back(
            self.programme, sale.result, returned_minor=sale.goods_back, on=self.day.isoformat()
        )
        if sale.is_back:
            for coupon in back:
                self._use(Usage(rule=coupon, per="life", uses=1), -1)
        else:
            assert not back, "a coupon came back while goods are kept"
        return True

    def pass_days(self, days: int) -> None:
        """Time goes by, and points expire."""
        self.day += timedelta(days=days)
        self.account = lots.expire(self.account, now_ms=self.now_ms).account
        for award in events.on_registered(self.programme, self.day, self.had):  # another till registers the same phone
            self._award(award)

    def check(self) -> None:
        """Points in the account are those that went in, less those that went out; nothing is had twice."""
        earned = sum(sale.result.earned_points - sale.points_taken for sale in self.sales)
        spent = sum(sale.result.redeemed_points - sale.points_back for sale in self.sales)
        expired = sum(lot.expired for lot in self.account.lots)
        assert self.account.balance_points == self.given + earned - spent - expired + self.forgiven
        assert all(uses >= 0 for _, uses in self.usage.values())
        for sale in self.sales:
            result = sale.result
            assert sale.money_back <= result.payable_minor
            assert sale.points_back <= result.redeemed_points
            assert sale.points_taken <= result.earned_points
            if sale.is_back:
                assert sale.money_back == result.payable_minor
                assert (sale.points_taken, sale.points_back) == (result.earned_points, result.redeemed_points)
                assert not sale.event_lots, "a purchase that is back whole still gives its events"


def no_history_gains(data: st.DataObject, steps: int = 6) -> None:
    """Buy, return, redeem, expire in any order; then bring everything back. What is left was given by nobody's loop."""
    drawn = data.draw(programmes(most_rules=3).filter(is_whole))
    if drawn.rules and data.draw(st.booleans()):
        of_coupon = replace(drawn.rules[0], who=Who(coupon="spring"), when=None, where=None, needs=(), tiers=())
        drawn = replace(drawn, rules=(of_coupon, *drawn.rules[1:]))
    grace = data.draw(st.sampled_from((0, 2)))
    programme = replace(drawn, events=EVENTS, tiers=TIERS, tier_period="month", return_grace_days=grace)
    wallet = Wallet(programme, date(2024, 2, 27))
    for _ in range(steps):
        kind = data.draw(st.sampled_from(("buy", "buy", "part", "void", "days")))
        if kind == "buy":
            wallet.buy(data)
        elif kind == "days":
            wallet.pass_days(data.draw(st.integers(1, 40)))
        else:
            open_sales = [sale for sale in wallet.sales if not sale.is_back]
            if open_sales:
                _return(wallet, data.draw(st.sampled_from(open_sales)), data, whole=kind == "void")
        wallet.check()
    welcome = EVENTS[0].points
    refused = [sale for sale in wallet.sales if not sale.is_back and not _goes_back(wallet, sale)]
    wallet.check()
    if not refused:
        expired = sum(lot.expired for lot in wallet.account.lots)
        assert wallet.given == welcome
        assert wallet.account.balance_points == welcome - expired + wallet.forgiven


def _goes_back(wallet: Wallet, sale: Sale) -> bool:
    """Whether all that is left of a sale could be brought back; a sale of nothing needs no return."""
    if not any(line.quantity_thousandths or line.amount_minor for line in sale.result.lines):
        return False
    return wallet.bring_back(sale, None)


def _return(wallet: Wallet, sale: Sale, data: st.DataObject, *, whole: bool) -> None:
    if whole:
        _goes_back(wallet, sale)
        return
    line = data.draw(st.sampled_from(sale.result.lines))
    back = sum(row.amount_minor for each in sale.reversals for row in each.lines if row.number == line.number)
    quantity = sum(
        row.quantity_thousandths for each in sale.reversals for row in each.lines if row.number == line.number
    )
    some = data.draw(st.integers(0, line.amount_minor - back))
    units = line.quantity_thousandths - quantity if some == line.amount_minor - back else 0
    if some or units:
        wallet.bring_back(sale, [ReturnLine(number=line.number, quantity_thousandths=units, amount_minor=some)])
