"""What a simulation keeps between the receipts of a file, as cloud and tills keep it between sales."""

from collections.abc import Sequence
from datetime import date

from msgspec.structs import replace

from till_loyalty.limits import budget_used, usage_of
from till_loyalty.programme import Programme
from till_loyalty.receipt import MemberState, StoreClock, Usage
from till_loyalty.results import Calculation
from till_loyalty.tiers import move_of, moves_by_spend, period_before, period_of

NEVER = "9999-12-31"


class _Lot:
    """Points that live on the same days, both ends included."""

    __slots__ = ("first", "last", "left")

    def __init__(self, first: str, last: str, left: int) -> None:
        self.first, self.last, self.left = first, last or NEVER, left


class _Member:
    """One member between two sales; `facts` as the last receipt had them, for what is not kept here."""

    __slots__ = ("last_purchase", "lots", "purchases", "spent", "tier", "usage")

    def __init__(self, programme: Programme, facts: MemberState) -> None:
        first = programme.tiers[0].id if programme.tiers else ""
        self.tier = facts.tier or first
        self.purchases = max(0, facts.purchases)
        self.last_purchase = facts.last_purchase
        self.lots = [_Lot("", "", facts.spendable_points)] if facts.spendable_points > 0 else []
        self.usage = {(each.rule, each.per): each for each in facts.usage if each.per != "code"}
        self.spent: dict[str, int] = {}


class Books:
    """Members by their ids, and what all of them share: budgets, and uses of codes."""

    def __init__(self, programme: Programme) -> None:
        self.programme = programme
        self.budgets = {
            rule.id: limit.amount for rule in programme.rules for limit in rule.limits if limit.per == "budget"
        }
        self.moves = 0
        self.expired = 0
        self._members: dict[str, _Member] = {}
        self._codes: dict[tuple[str, str], Usage] = {}
        self._counts = any(rule.limits for rule in programme.rules) or bool(programme.coupons)

    @property
    def members(self) -> int:
        """Members met so far."""
        return len(self._members)

    def state(self, name: str, facts: MemberState, clock: StoreClock) -> MemberState:
        """The member at this moment; what is not kept here (segments, birthday, coupons) as the receipt has it."""
        kept = self._members.get(name)
        if kept is None:
            kept = self._members[name] = _Member(self.programme, facts)
        elif kept.spent:
            self._settle(kept, date.fromisoformat(clock.business_date))
        self._expire(kept, clock.business_date)
        return replace(
            facts,
            tier=kept.tier,
            spendable_points=sum([lot.left for lot in kept.lots if lot.first <= clock.business_date]),
            purchases=kept.purchases,
            last_purchase=kept.last_purchase,
            usage=(*kept.usage.values(), *self._codes.values()),
        )

    def spend_budgets(self, result: Calculation) -> None:
        """Take what a sale gave from its rules' budgets."""
        if self.budgets:
            for rule, used in budget_used(result, self.programme.rules).items():
                self.budgets[rule] -= used

    def sold(self, name: str, result: Calculation, clock: StoreClock, codes: Sequence[str]) -> None:
        """Keep what a sale changed."""
        kept = self._members[name]
        self._spend(kept, result.redeemed_points, clock.business_date)
        self._earn(kept, result)
        if self._counts:
            self._count(kept, result, clock, codes)
        kept.purchases += 1
        kept.last_purchase = clock.business_date
        self._move(kept, result.payable_minor, clock.business_date)

    def _expire(self, kept: _Member, day: str) -> None:
        gone = [lot for lot in kept.lots if lot.last < day]
        if gone:
            self.expired += sum([lot.left for lot in gone])
            kept.lots = [lot for lot in kept.lots if lot.last >= day]

    def _spend(self, kept: _Member, points: int, day: str) -> None:
        """Soonest-expiring points first."""
        if not points:
            return
        for lot in sorted(kept.lots, key=lambda lot: lot.last):
            if lot.first <= day:
                used = min(lot.left, points)
                lot.left -= used
                points -= used
        kept.lots = [lot for lot in kept.lots if lot.left]

    def _earn(self, kept: _Member, result: Calculation) -> None:
        groups: dict[tuple[str, str], int] = {}
        for each in result.accruals:
            days = (each.active_from, each.expires_on)
            groups[days] = groups.get(days, 0) + each.points
        for (first, last), points in groups.items():
            same = next((lot for lot in kept.lots if (lot.first, lot.last) == (first, last or NEVER)), None)
            if same is not None:
                same.left += points
            elif points:
                kept.lots.append(_Lot(first, last, points))

    def _count(self, kept: _Member, result: Calculation, clock: StoreClock, codes: Sequence[str]) -> None:
        """Add to the uses of this period; those of a past one are not asked for again."""
        had = tuple(self._codes.values())
        for row in usage_of(self.programme, result, clock.business_date, codes=codes, had=had):
            if row.per == "code":
                self._codes[row.rule, row.key] = _sum(self._codes.get((row.rule, row.key)), row)
            else:
                kept.usage[row.rule, row.per] = _sum(kept.usage.get((row.rule, row.per)), row)

    def _move(self, kept: _Member, paid_minor: int, day: str) -> None:
        """Move the member to the tier that the spending carries, if spending moves members of its tier."""
        if not moves_by_spend(self.programme, kept.tier):
            return
        today = date.fromisoformat(day)
        period = period_of(self.programme, today)
        kept.spent = {name: kept.spent[name] for name in (period_before(period), period) if name in kept.spent}
        kept.spent[period] = kept.spent.get(period, 0) + paid_minor
        self._settle(kept, today)

    def _settle(self, kept: _Member, today: date) -> None:
        """The tier of this day, also when a period ended since the last sale."""
        move = move_of(self.programme, kept.tier, kept.spent, today)
        if move is not None:
            kept.tier = move.after
            self.moves += 1


def _sum(old: Usage | None, row: Usage) -> Usage:
    """What was used in the period of `row` with it added."""
    if old is None or old.key != row.key:
        return row
    return replace(row, amount=row.amount + old.amount, uses=row.uses + old.uses)
