"""What a receipt's positions cost before our discounts, and which of these were taken off. Pure.

The desk counts from prices before its discounts; Frontol tells what a position costs at that moment: before them,
after them, or after points were taken off too. What was quoted before tells which it is, position by position.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

from till_agent.api import DiscountTaken
from till_agent.frontol.amounts import smallest
from till_agent.frontol.drafts import Draft, SeenLine
from till_agent.frontol.shapes import BONUS, Document, Paid, Position
from till_loyalty.allocation import allocate
from till_loyalty.receipt import Line, Receipt
from till_loyalty.results import Calculation, DiscountGiven


class Settled(Struct, frozen=True, kw_only=True):
    """A receipt for the desk, at prices before our discounts, and the discounts that were taken off."""

    receipt: Receipt
    discounts: tuple[DiscountTaken, ...] = ()


def quoted(document: Document, draft: Draft | None) -> Receipt:
    """The receipt to quote. A position that costs just what our discount left of it is taken for itself before it."""
    return Receipt(lines=tuple([_line(each, _gross_to_quote(each, draft)) for each in document.positions]))


def sold(document: Document, draft: Draft | None) -> Settled:
    """The receipt as it was sold. Of our discounts counts what Frontol has taken off, to the kopeck."""
    paid = _paid_parts(document, draft)
    beside = discounts_beside(document, draft)
    lines: list[Line] = []
    taken: list[DiscountTaken] = []
    for position, part in zip(document.positions, paid, strict=True):
        seen = _seen(position, draft)
        price = position.total_minor + part
        if seen is not None and beside:
            lines.append(_line(position, seen.gross_minor))
            taken += seen.discounts
            continue
        off = min(seen.discount_minor, max(0, seen.gross_minor - price)) if seen is not None else 0
        if seen is not None and price < seen.gross_minor - seen.discount_minor:
            # Frontol has taken more off than we have said, so ours is in it.
            off = seen.discount_minor
        lines.append(_line(position, price + off))
        if seen is not None and off:
            taken += _trimmed(seen.discounts, off)
    return Settled(receipt=Receipt(lines=tuple(lines)), discounts=tuple(taken))


def as_told(document: Document) -> Settled:
    """The receipt at the prices that stand there, with no discount of ours: what is always true."""
    return Settled(receipt=Receipt(lines=tuple([_line(each, each.total_minor) for each in document.positions])))


def seen_lines(receipt: Receipt, calculation: Calculation) -> dict[int, SeenLine]:
    """What a quote told of each line."""
    discounts = by_line(calculation.discounts)
    paid = {line.number: line.paid_by_points_minor for line in calculation.lines}
    return {
        line.number: SeenLine(
            line.quantity_thousandths, line.amount_minor, discounts.get(line.number, ()), paid.get(line.number, 0)
        )
        for line in receipt.lines
    }


def by_line(given: Iterable[DiscountGiven]) -> dict[int, tuple[DiscountTaken, ...]]:
    """Discounts of a calculation, in its order, as a sale names them."""
    rows = sorted(given, key=attrgetter("line"))
    return {number: tuple(map(DiscountTaken.whole, group)) for number, group in groupby(rows, key=attrgetter("line"))}


def explains(document: Document, calculation: Calculation, is_paid: Callable[[Position], int]) -> bool:
    """Whether the quote's discounts are what the positions lack of their price times quantity, one and all."""
    discounts = {line.number: line.discount_minor for line in calculation.lines}
    amounts = {line.number: line.amount_minor for line in calculation.lines}
    return all(
        amounts[each.index] - discounts[each.index] == each.total_minor + is_paid(each) for each in document.positions
    )


def _line(position: Position, amount_minor: int) -> Line:
    least = smallest(position.minimum_price_minor, position.quantity_thousandths)
    return Line(
        number=position.index,
        sku=position.sku,
        name=position.name,
        quantity_thousandths=position.quantity_thousandths,
        amount_minor=amount_minor,
        minimum_price_minor=min(least, amount_minor),
    )


def _seen(position: Position, draft: Draft | None) -> SeenLine | None:
    """The position as it was quoted; None when it has changed since."""
    seen = draft.lines.get(position.index) if draft is not None else None
    if seen is None or seen.quantity_thousandths != position.quantity_thousandths:
        return None
    return seen if position.total_minor <= seen.gross_minor else None


def _gross_to_quote(position: Position, draft: Draft | None) -> int:
    seen = _seen(position, draft)
    if seen is None:
        return position.total_minor
    left = seen.gross_minor - seen.discount_minor
    return seen.gross_minor if position.total_minor in (left, left - seen.paid_minor) else position.total_minor


def _paid_parts(document: Document, draft: Draft | None) -> Sequence[int]:
    """What points took off each position's total: nothing where they are a payment beside it."""
    nothing = [0] * len(document.positions)
    bonus = document.bonus_minor
    if not bonus or not totals_lack_points(document, draft):
        return nothing
    told = [seen.paid_minor if (seen := _seen(each, draft)) is not None else 0 for each in document.positions]
    if sum(told) == bonus:
        return told
    weights = [each.total_minor for each in document.positions]
    return allocate(bonus, weights if any(weights) else [1] * len(weights))


def totals_lack_points(document: Document, draft: Draft | None) -> bool:
    """Whether points were taken off the positions, and are not a payment of them.

    What was quoted says so; without it, the payments: then money alone makes up the total.
    """
    if draft is not None and draft.lines:
        before = after = 0
        for position in document.positions:
            seen = _seen(position, draft)
            if seen is None or not seen.paid_minor:
                continue
            left = seen.gross_minor - seen.discount_minor
            before += position.total_minor in (left, seen.gross_minor)
            after += position.total_minor in (left - seen.paid_minor, seen.gross_minor - seen.paid_minor)
        if before != after:
            return after > before
    money = sum([paid.amount_minor for paid in document.payments if not paid.is_bonus])
    return money in (document.total_minor, document.total_minor - document.discarded_minor)


def with_held(document: Document, draft: Draft | None, held_minor: int) -> Document:
    """The document with a payment by points that it does not name, where it was made: they were reserved and never
    given back, and it names no payment of its client's at all, or what was paid comes out with just them."""
    if not held_minor or document.bonus_minor:
        return document
    by_points = Paid(kind=BONUS, fiscal=False, amount_minor=held_minor)
    named = replace(document, payments=(*document.payments, by_points))
    if not document.payments:
        same = bool(document.who) and (draft is None or draft.who.same(document.who))
        return named if same else document
    money = sum([paid.amount_minor for paid in document.payments])
    whole = (document.total_minor, document.total_minor - document.discarded_minor)
    taken_off = money in whole and _all_lack_points(document, draft)
    return named if money + held_minor in whole or taken_off or discounts_beside(named, draft) else document


def _all_lack_points(document: Document, draft: Draft | None) -> bool:
    """Whether each position costs what our discount and points have left of it."""
    seen = [(each, _seen(each, draft)) for each in document.positions]
    if not any(known is not None and known.paid_minor for _, known in seen):
        return False
    return all(
        known is not None and each.total_minor == known.gross_minor - known.discount_minor - known.paid_minor
        for each, known in seen
    )


def lacks_money(document: Document) -> bool:
    """Whether less was paid than the totals come to: something was taken off that is not in them."""
    paid = sum([each.amount_minor for each in document.payments])
    return 0 < paid < document.total_minor - document.discarded_minor


def discounts_beside(document: Document, draft: Draft | None) -> bool:
    """Whether the totals are those before our discounts, and what was paid says that all of these were taken off."""
    if draft is None or not lacks_money(document):
        return False
    discount = 0
    for position in document.positions:
        seen = _seen(position, draft)
        if seen is None or position.total_minor != seen.gross_minor:
            return False
        discount += seen.discount_minor
    paid = sum([each.amount_minor for each in document.payments])
    wanted = document.total_minor - discount
    return bool(discount) and paid in (wanted, wanted - document.discarded_minor)


def _trimmed(discounts: Sequence[DiscountTaken], off_minor: int) -> list[DiscountTaken]:
    """The discounts of a line, of which `off_minor` was taken in all."""
    whole = sum([each.amount_minor for each in discounts])
    if off_minor == whole:
        return list(discounts)
    parts = allocate(off_minor, [each.amount_minor for each in discounts])
    return [replace(each, amount_minor=part) for each, part in zip(discounts, parts, strict=True) if part]
