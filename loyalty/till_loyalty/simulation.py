"""What a programme would have given and cost on receipts of the past, one after the other as they were sold.

What a cloud keeps between sales is kept here too: balances with the days on which points live, limits, budgets, uses of
coupons and codes, numbers of purchases, tiers. Events (welcome, birthday) are not simulated: a file of receipts has
none.
"""

from collections.abc import Iterable, Iterator
from heapq import heappush, heappushpop
from typing import NamedTuple

import msgspec
from msgspec import Struct

from till_loyalty.engine import calculate
from till_loyalty.exceptions import ReceiptError
from till_loyalty.money import WHOLE_PERCENT, minor_points
from till_loyalty.programme import Programme
from till_loyalty.receipt import MemberState, Place, Receipt, StoreClock
from till_loyalty.results import Calculation
from till_loyalty.simulated_members import Books

UNKNOWN_CLOCK = StoreClock(local_time="2000-01-01T12:00:00", business_date="2000-01-01")
MOST_CHANGED = 10
"""Receipts that a comparison shows: as many as a person looks at."""


class PastMember(MemberState, frozen=True, kw_only=True, omit_defaults=True):
    """The member of a receipt, as it was then. `id`: receipts of one id are one member's, whose state is carried on."""

    id: str = ""


class Past(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One receipt of a file of JSON lines: the sale, and what was known of its member, place and codes.

    `member` null: a sale with no member.
    """

    receipt: Receipt
    member: PastMember | None = PastMember()
    clock: StoreClock = UNKNOWN_CLOCK
    place: Place | None = None
    codes: tuple[str, ...] = ()
    redeem_points: int = 0


class RuleTotals(Struct, kw_only=True):
    """What one rule gave: on how many receipts, points, money off; and the supplier's part of both as basis points."""

    receipts: int = 0
    points: int = 0
    money_minor: int = 0
    supplier_points: int = 0
    supplier_money: int = 0


class Totals(Struct, kw_only=True):
    """Sums over the receipts: money and points in minor units."""

    receipts: int = 0
    total_minor: int = 0
    payable_minor: int = 0
    discount_minor: int = 0
    redeemed_minor: int = 0
    redeemed_points: int = 0
    earned_points: int = 0
    rules: dict[str, RuleTotals] = {}


_decoder = msgspec.json.Decoder(Past)


def read_past(line: bytes | str, number: int) -> Past:
    """The receipt of one line of a file; ReceiptError with the line's number when it is none."""
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ReceiptError(f"line {number}: expected a receipt: {error}", pointer=f"/{number}") from None


class Run:
    """One programme over receipts in their order, with what is kept of members, and its totals so far."""

    def __init__(self, programme: Programme) -> None:
        self.programme = programme
        self.totals = Totals(rules={rule.id: RuleTotals() for rule in programme.rules})
        self.books = Books(programme)

    def sell(self, past: Past) -> Calculation:
        """One more sale. ReceiptError when the receipt contradicts itself."""
        member = past.member
        known = member is not None and bool(member.id)
        state = self.books.state(member.id, member, past.clock) if member is not None and known else member
        result = calculate(
            self.programme,
            state,
            past.receipt,
            past.clock,
            redeem_points=past.redeem_points,
            place=past.place,
            codes=past.codes,
            budgets=self.books.budgets,
        )
        self.books.spend_budgets(result)
        if member is not None and known and not member.blocked:
            self.books.sold(member.id, result, past.clock, past.codes)
        self._add(result)
        return result

    def _add(self, result: Calculation) -> None:
        totals = self.totals
        totals.receipts += 1
        totals.total_minor += result.total_minor
        totals.payable_minor += result.payable_minor
        totals.discount_minor += result.discount_minor
        totals.redeemed_minor += result.redeemed_minor
        totals.redeemed_points += result.redeemed_points
        totals.earned_points += result.earned_points
        acted: set[str] = set()
        for accrual in result.accruals:
            acted.add(accrual.rule)
            of_rule = totals.rules[accrual.rule]
            of_rule.points += accrual.points
            of_rule.supplier_points += accrual.points * accrual.supplier_share_basis_points
        for given in result.discounts:
            acted.add(given.rule)
            of_rule = totals.rules[given.rule]
            of_rule.money_minor += given.amount_minor
            of_rule.supplier_money += given.amount_minor * given.supplier_share_basis_points
        for rule in acted:
            totals.rules[rule].receipts += 1


def simulate(programme: Programme, sales: Iterable[Past]) -> Run:
    """The run of a programme over all sales."""
    run = Run(programme)
    for past in sales:
        run.sell(past)
    return run


def figures(run: Run) -> dict[str, int]:
    """Every figure by a name, rules as `points of base` and `money off by morning`; rules that gave nothing too."""
    totals, books = run.totals, run.books
    named: dict[str, int] = {
        name: getattr(totals, name) for name in totals.__struct_fields__ if isinstance(getattr(totals, name), int)
    }
    named["cost_minor"] = totals.discount_minor + _worth(run.programme, totals.earned_points)
    named |= {"members": books.members, "moves_of_tiers": books.moves, "expired_points": books.expired}
    for rule, each in sorted(totals.rules.items()):
        named[f"receipts with {rule}"] = each.receipts
        if each.points:
            named[f"points of {rule}"] = each.points
            named[f"worth of the points of {rule}"] = _worth(run.programme, each.points)
        if each.money_minor:
            named[f"money off by {rule}"] = each.money_minor
        supplier = _worth(run.programme, each.supplier_points) + each.supplier_money
        if supplier:
            named[f"supplier's part of {rule}"] = supplier // WHOLE_PERCENT
    return named


def _worth(programme: Programme, points: int) -> int:
    """Minor money that the points pay for, rounded down."""
    return points * programme.point_value_minor // minor_points(programme.points_exponent)


class Changed(NamedTuple):
    """A receipt that two programmes treat differently: by how much money in all, its line in the file, both results."""

    money_minor: int
    line: int
    before: Calculation
    after: Calculation

    def words(self) -> str:
        """What differs, in one line."""
        names = ("earned_points", "discount_minor", "redeemed_points", "payable_minor")
        parts = [
            f"{name} {getattr(self.before, name)} -> {getattr(self.after, name)}"
            for name in names
            if getattr(self.before, name) != getattr(self.after, name)
        ]
        before, after = _by_rule(self.before), _by_rule(self.after)
        changed = [rule for rule in sorted(before | after) if before.get(rule) != after.get(rule)]
        parts += [f"{rule} {before.get(rule, 0)} -> {after.get(rule, 0)}" for rule in changed]
        return f"line {self.line}: " + ", ".join(parts)


def _by_rule(result: Calculation) -> dict[str, int]:
    sums: dict[str, int] = {}
    for accrual in result.accruals:
        sums[accrual.rule] = sums.get(accrual.rule, 0) + accrual.points
    for given in result.discounts:
        sums[given.rule] = sums.get(given.rule, 0) + given.amount_minor
    return sums


class Comparison:
    """Two programmes over the same receipts, each with its own state; and the receipts that changed most."""

    def __init__(self, old: Programme, new: Programme) -> None:
        self.before, self.after = Run(old), Run(new)
        self.changed = 0
        self._most: list[tuple[int, int, Changed]] = []

    def sell(self, line: int, past: Past) -> None:
        """The receipt of this line of the file, by both."""
        before, after = self.before.sell(past), self.after.sell(past)
        money = abs(before.payable_minor - after.payable_minor)
        worth = [
            _worth(run.programme, result.earned_points) for run, result in ((self.before, before), (self.after, after))
        ]
        money += abs(worth[0] - worth[1])
        if not money and _by_rule(before) == _by_rule(after):
            return
        self.changed += 1
        # Of equals the earlier one stays: a heap drops the smallest first.
        entry = (money, -line, Changed(money, line, before, after))
        if len(self._most) < MOST_CHANGED:
            heappush(self._most, entry)
        else:
            heappushpop(self._most, entry)

    def most(self) -> list[Changed]:
        """The receipts that changed most, the largest change first."""
        return [each for _, _, each in sorted(self._most, key=lambda entry: (-entry[0], -entry[1]))]

    def differences(self) -> Iterator[tuple[str, int, int]]:
        """Each figure that differs, before and after."""
        before, after = figures(self.before), figures(self.after)
        for name in [*before, *[each for each in after if each not in before]]:
            one, other = before.get(name, 0), after.get(name, 0)
            if one != other:
                yield name, one, other
