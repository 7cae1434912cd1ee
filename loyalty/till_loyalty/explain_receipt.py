"""What a programme gives one receipt and why, as lines of text: for whoever tries a programme out."""

from collections.abc import Iterator

from till_loyalty.engine import calculate
from till_loyalty.explain_result import Explained, explain
from till_loyalty.explain_words import Words
from till_loyalty.programme import Programme
from till_loyalty.results import Calculation
from till_loyalty.simulation import read_past


def explain_receipt(programme: Programme, document: bytes | str, language: str) -> Iterator[str]:
    """Lines of text about a receipt in the form that `tillside programme simulate` reads, one of them.

    Totals first, then the whole receipt in the order of work, each rule's lines below it. ReceiptError when the
    document is no receipt, or its receipt contradicts itself.
    """
    past = read_past(document, 1)
    result = calculate(
        programme,
        past.member,
        past.receipt,
        past.clock,
        redeem_points=past.redeem_points,
        place=past.place,
        codes=past.codes,
    )
    return _lines(programme, result, language)


def _lines(programme: Programme, result: Calculation, language: str) -> Iterator[str]:
    words = Words(programme, language)
    yield words.say("result", "total", total=words.money(result.total_minor), payable=words.money(result.payable_minor))
    if result.earned_points:
        yield words.say("result", "total_earned", points=words.points(result.earned_points))
    if result.redeemed_points:
        yield words.say("result", "total_redeemed", points=words.points(result.redeemed_points))
    for each in explain(programme, result, language):
        yield _indent(each) + each.text


def _indent(each: Explained) -> str:
    return "    " if each.line and each.kind in ("accrual", "discount", "redemption") else "  "
