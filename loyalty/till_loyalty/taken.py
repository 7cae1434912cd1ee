"""Discounts that the cash software took off already: facts, to be counted on, never to be worked out again.

Decision: docs/decisions/0011-discounts-taken-are-facts.md.
"""

from collections.abc import Sequence

from till_loyalty.discounts import Discounted
from till_loyalty.exceptions import ReceiptError
from till_loyalty.money import WHOLE_PERCENT
from till_loyalty.programme import Programme
from till_loyalty.receipt import Line
from till_loyalty.results import DiscountGiven


def discounts_taken(programme: Programme | None, lines: Sequence[Line], taken: Sequence[DiscountGiven]) -> Discounted:
    """What `taken` leaves of the lines' prices; of no rule is asked whether it still holds.

    What a row says of prices and suppliers is not trusted: the price is what the rows before it left, and who pays is
    what the programme says of the rule. A rule that the programme does not know keeps what its row says of the
    supplier. Rows of amount 0 are left out. ReceiptError: `discount_line_unknown`, `discount_invalid` (below 0),
    `discount_too_large` (more than the line costs); pointers as in `/discounts/0/line`.
    """
    result = Discounted([0] * len(lines), [], [])
    if not taken:
        return result
    places = {line.number: place for place, line in enumerate(lines)}
    rules = {} if programme is None else {rule.id: rule for rule in programme.rules}
    for index, row in enumerate(taken):
        place = places.get(row.line)
        if place is None:
            raise _refusal(index, "line", f"expected a line of the receipt, not {row.line}", "discount_line_unknown")
        left = lines[place].amount_minor - result.line_money[place]
        if row.amount_minor < 0:
            raise _refusal(
                index, "amount_minor", f"expected 0 or more off a line, not {row.amount_minor}", "discount_invalid"
            )
        if row.amount_minor > left:
            sentence = f"expected at most {left} off line {row.line}, not {row.amount_minor}"
            raise _refusal(index, "amount_minor", sentence, "discount_too_large")
        if not row.amount_minor:
            continue
        result.line_money[place] += row.amount_minor
        supplier, share = row.supplier, min(max(row.supplier_share_basis_points, 0), WHOLE_PERCENT)
        if row.rule in rules:
            funding = rules[row.rule].funded_by
            supplier, share = (funding.supplier, funding.share_basis_points) if funding else ("", 0)
        result.given.append(
            DiscountGiven(
                rule=row.rule,
                line=row.line,
                base_minor=left,
                amount_minor=row.amount_minor,
                supplier=supplier,
                supplier_share_basis_points=share,
            )
        )
    return result


def _refusal(index: int, name: str, sentence: str, code: str) -> ReceiptError:
    return ReceiptError(sentence, pointer=f"/discounts/{index}/{name}", code=code)
