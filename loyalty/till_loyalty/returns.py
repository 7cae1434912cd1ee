"""Returns and voids: which money and points go back, so that any pieces of a sale add up to exactly the whole.

Every figure is cumulative per line: what has to be back after this return, less what earlier returns brought back.
Cumulative shares of points given back are rounded down and of points taken back up, so no half-way state leaves the
member with more than the goods kept would carry; with the last piece both are exact. Needs the sale's own result only,
never the programme: a return works years after the programme version is gone.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from till_loyalty.exceptions import ReturnError
from till_loyalty.results import Calculation, LineResult, Reversal, ReversalLine


class ReturnWish(Protocol):
    """A line to give back, as asked: `amount_minor` None means the quantity's share of the sold line.

    `ReturnLine` and the bridge's own request lines both fit.
    """

    @property
    def number(self) -> int: ...
    @property
    def quantity_thousandths(self) -> int: ...
    @property
    def amount_minor(self) -> int | None: ...


class _Progress:
    """One sold line and how much of it is back so far."""

    __slots__ = ("amount", "money", "points_back", "points_taken", "quantity", "sold")

    def __init__(self, sold: LineResult) -> None:
        self.sold = sold
        self.quantity = self.amount = self.money = self.points_back = self.points_taken = 0

    def add(self, row: ReversalLine) -> None:
        self.quantity += row.quantity_thousandths
        self.amount += row.amount_minor
        self.money += row.money_back_minor
        self.points_back += row.points_back
        self.points_taken += row.points_taken

    @property
    def quantity_left(self) -> int:
        return self.sold.quantity_thousandths - self.quantity

    @property
    def amount_left(self) -> int:
        return self.sold.amount_minor - self.amount

    def share_of_quantity(self, quantity: int) -> int:
        """Goods value of `quantity` more: cumulative and rounded down, everything left with the last of it."""
        if quantity == self.quantity_left and (quantity or not self.sold.quantity_thousandths):
            return self.amount_left
        after = self.quantity + quantity
        due = self.sold.amount_minor * after // self.sold.quantity_thousandths if quantity else 0
        return min(max(due - self.amount, 0), self.amount_left)

    def take(self, quantity: int, amount: int) -> ReversalLine:
        """The row for giving back `quantity` at goods value `amount`; counts it as back."""
        sold = self.sold
        after = self.amount + amount
        whole = sold.amount_minor
        if after == whole:
            money_due, back_due, taken_due = sold.payable_minor, sold.redeemed_points, sold.earned_points
        else:
            money_due = after - (whole - sold.payable_minor) * after // whole
            back_due = sold.redeemed_points * after // whole
            taken_due = _taken_due(sold, after, money_due)
        row = ReversalLine(
            number=sold.number,
            quantity_thousandths=quantity,
            amount_minor=amount,
            money_back_minor=max(money_due - self.money, 0),
            points_back=max(back_due - self.points_back, 0),
            points_taken=max(taken_due - self.points_taken, 0),
        )
        self.add(row)
        return row


def _taken_due(sold: LineResult, amount: int, money: int) -> int:
    """Earned points to be back by now: by the money given back; by goods value where points paid the whole line."""
    if sold.payable_minor:
        return -(-sold.earned_points * money // sold.payable_minor)
    return -(-sold.earned_points * amount // sold.amount_minor)


def reverse(sale: Calculation, earlier: Iterable[Reversal] = (), lines: Sequence[ReturnWish] | None = None) -> Reversal:
    """What giving `lines` back changes, after the `earlier` reversals of the same sale; None means all that is left.

    ReturnError codes: `line_unknown`, `quantity_exceeds`, `amount_exceeds`, `nothing_left` (all is back already) and
    `nothing_asked` (only lines of quantity 0 and amount 0). Pointers are relative to the request: `/lines/0/number`.
    A sale in which nothing has a quantity or an amount can be voided: the reversal is then empty.
    """
    progress = {line.number: _Progress(line) for line in sale.lines}
    for reversal in earlier:
        for row in reversal.lines:
            known = progress.get(row.number)
            if known is None:
                raise ReturnError(
                    f"expected earlier returns of lines of this sale, not of line {row.number}", code="line_unknown"
                )
            known.add(row)
    rows = _everything_left(progress.values()) if lines is None else _asked(progress, lines)
    if not rows and not (lines is None and _sold_nothing(sale)):
        if lines is None or not any(state.quantity_left or state.amount_left for state in progress.values()):
            raise ReturnError(
                "expected goods that are not back yet, but everything is", pointer="/lines", code="nothing_left"
            )
        raise ReturnError("expected a quantity or an amount above 0", pointer="/lines", code="nothing_asked")
    return Reversal(
        lines=tuple(rows),
        money_back_minor=sum(row.money_back_minor for row in rows),
        points_back=sum(row.points_back for row in rows),
        points_taken=sum(row.points_taken for row in rows),
    )


def _sold_nothing(sale: Calculation) -> bool:
    return not any(line.quantity_thousandths or line.amount_minor for line in sale.lines)


def _everything_left(progress: Iterable[_Progress]) -> list[ReversalLine]:
    return [
        state.take(state.quantity_left, state.amount_left)
        for state in progress
        if state.quantity_left or state.amount_left
    ]


def _asked(progress: dict[int, _Progress], lines: Sequence[ReturnWish]) -> list[ReversalLine]:
    """Rows for the lines asked for, in their order; those that ask for nothing are left out."""
    rows: list[ReversalLine] = []
    for index, wish in enumerate(lines):
        state = progress.get(wish.number)
        if state is None:
            raise ReturnError(
                f"expected a line of the sale, not {wish.number}", pointer=f"/lines/{index}/number", code="line_unknown"
            )
        quantity = wish.quantity_thousandths
        if not 0 <= quantity <= state.quantity_left:
            raise ReturnError(
                f"expected at most {state.quantity_left} thousandths of line {wish.number}, not {quantity}",
                pointer=f"/lines/{index}/quantity_thousandths",
                code="quantity_exceeds",
            )
        amount = state.share_of_quantity(quantity) if wish.amount_minor is None else wish.amount_minor
        if not 0 <= amount <= state.amount_left:
            raise ReturnError(
                f"expected an amount of at most {state.amount_left} on line {wish.number}, not {amount}",
                pointer=f"/lines/{index}/amount_minor",
                code="amount_exceeds",
            )
        if quantity or amount:
            rows.append(state.take(quantity, amount))
    return rows
