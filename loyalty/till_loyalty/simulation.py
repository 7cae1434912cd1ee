"""What a programme would have given and cost on receipts of the past: totals, and by rule."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from till_loyalty.engine import calculate
from till_loyalty.exceptions import ReceiptError
from till_loyalty.programme import Programme
from till_loyalty.receipt import MemberState, Place, Receipt, StoreClock

UNKNOWN_CLOCK = StoreClock(local_time="2000-01-01T12:00:00", business_date="2000-01-01")


class Past(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One receipt of a file of JSON lines: the sale, and what was known of its member, place and codes."""

    receipt: Receipt
    member: MemberState = MemberState()
    clock: StoreClock = UNKNOWN_CLOCK
    place: Place | None = None
    codes: tuple[str, ...] = ()
    redeem_points: int = 0


class Totals(Struct, kw_only=True):
    """Sums over the receipts: money and points in minor units, points and money off by rule."""

    receipts: int = 0
    total_minor: int = 0
    payable_minor: int = 0
    discount_minor: int = 0
    redeemed_minor: int = 0
    earned_points: int = 0
    points_by_rule: dict[str, int] = {}
    money_by_rule: dict[str, int] = {}


_decoder = msgspec.json.Decoder(Past)


def read_past(line: bytes | str, number: int) -> Past:
    """The receipt of one line of a file; ReceiptError with the line's number when it is none."""
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ReceiptError(f"line {number}: expected a receipt: {error}", pointer=f"/{number}") from None


def simulate(programme: Programme, sales: Iterable[Past], totals: Totals) -> Iterator[Totals]:
    """Add each sale to `totals`, and yield them after each, so that the caller can show how far it is."""
    for past in sales:
        result = calculate(
            programme,
            past.member,
            past.receipt,
            past.clock,
            redeem_points=past.redeem_points,
            place=past.place,
            codes=past.codes,
        )
        totals.receipts += 1
        totals.total_minor += result.total_minor
        totals.payable_minor += result.payable_minor
        totals.discount_minor += result.discount_minor
        totals.redeemed_minor += result.redeemed_minor
        totals.earned_points += result.earned_points
        for accrual in result.accruals:
            totals.points_by_rule[accrual.rule] = totals.points_by_rule.get(accrual.rule, 0) + accrual.points
        for given in result.discounts:
            totals.money_by_rule[given.rule] = totals.money_by_rule.get(given.rule, 0) + given.amount_minor
        yield totals


def figures(totals: Totals) -> dict[str, int]:
    """Every figure by a name, rules as `points of base` and `money off by morning`."""
    named: dict[str, Any] = {
        name: getattr(totals, name) for name in totals.__struct_fields__ if not name.endswith("_by_rule")
    }
    named |= {f"points of {rule}": points for rule, points in sorted(totals.points_by_rule.items())}
    return named | {f"money off by {rule}": money for rule, money in sorted(totals.money_by_rule.items())}
