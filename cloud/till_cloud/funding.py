"""What suppliers pay for: rows of every sale and return, so that a supplier's bill is their sum."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Protocol

from till_cloud.ingest.context import Context
from till_cloud.store import funded
from till_cloud.store.funded import FundedRow
from till_loyalty.results import Calculation, Reversal

BASIS = 10_000
"""Basis points of a whole."""


def of_sale(sale: Calculation) -> list[FundedRow]:
    """A row for each accrual and each discount that a supplier pays for; shares are rounded down."""
    rows = [
        FundedRow(each.supplier, each.rule, points=each.points, points_share=_share(each.points, each))
        for each in sale.accruals
        if each.supplier
    ]
    rows += [
        FundedRow(
            each.supplier,
            each.rule,
            discount_minor=each.amount_minor,
            discount_share_minor=_share(each.amount_minor, each),
        )
        for each in sale.discounts
        if each.supplier
    ]
    return rows


def of_reversal(sale: Calculation, earlier: Iterable[Reversal], counted: Reversal) -> list[FundedRow]:
    """The same below 0, as goods come back: cumulative, so that returning everything leaves a sum of exactly 0."""
    if not of_sale(sale):
        return []
    lines = {line.number: line for line in sale.lines}
    before, after = _Back([*earlier]), _Back([*earlier, counted])
    rows: list[FundedRow] = []
    for gave in sale.accruals:
        if not gave.supplier:
            continue
        earned = lines[gave.line].earned_points
        was = gave.points * before.points.get(gave.line, 0) // earned if earned else 0
        now = gave.points * after.points.get(gave.line, 0) // earned if earned else 0
        if now != was:
            share = _share(now, gave) - _share(was, gave)
            rows.append(FundedRow(gave.supplier, gave.rule, points=was - now, points_share=-share))
    for off in sale.discounts:
        if not off.supplier:
            continue
        amount = lines[off.line].amount_minor
        was = off.amount_minor * before.amounts.get(off.line, 0) // amount if amount else 0
        now = off.amount_minor * after.amounts.get(off.line, 0) // amount if amount else 0
        if now != was:
            share = _share(now, off) - _share(was, off)
            rows.append(FundedRow(off.supplier, off.rule, discount_minor=was - now, discount_share_minor=-share))
    return rows


def write(context: Context, member_id: str, position: int, rows: Sequence[FundedRow], day: date) -> None:
    """Keep the rows at a ledger position."""
    funded.add(context.book.connection, member_id, position, rows, till=context.till, business_date=day.isoformat())


class _Back:
    """Goods value and earned points that came back, by line."""

    def __init__(self, reversals: Sequence[Reversal]) -> None:
        self.amounts: dict[int, int] = {}
        self.points: dict[int, int] = {}
        for reversal in reversals:
            for line in reversal.lines:
                self.amounts[line.number] = self.amounts.get(line.number, 0) + line.amount_minor
                self.points[line.number] = self.points.get(line.number, 0) + line.points_taken


class _Funded(Protocol):
    @property
    def supplier_share_basis_points(self) -> int: ...


def _share(amount: int, given: _Funded) -> int:
    return amount * given.supplier_share_basis_points // BASIS
