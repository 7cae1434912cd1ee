"""A receipt counted by the programme that is in force here, beside the loop where it is a large one."""

from functools import partial

from till_agent.desk.bench import BIG_RECEIPT_LINES, work
from till_agent.desk.knowing import Known
from till_agent.desk.problems import of_receipt
from till_agent.ports import CachedProgramme
from till_loyalty import engine
from till_loyalty.exceptions import ReceiptError
from till_loyalty.receipt import Receipt
from till_loyalty.results import Calculation, DiscountGiven


async def calculated(
    programme: CachedProgramme | None,
    known: Known,
    receipt: Receipt,
    wish: int,
    taken: tuple[DiscountGiven, ...] | None,
) -> Calculation:
    """By the rules, or without any; `taken` None: a quote, for which the discounts are worked out."""
    try:
        if programme is None:
            # Without rules nothing may be spent; the sale is told so by what it gets.
            return engine.empty_calculation(receipt, redeem_points=wish, taken=taken or ())
        rules = partial(
            engine.calculate,
            redeem_points=wish,
            place=known.place,
            codes=known.codes,
            budgets=known.budgets,
            offline=known.offline,
            taken=taken,
        )
        size = len(receipt.lines)
        return await work(size, BIG_RECEIPT_LINES, rules, programme.programme, known.state, receipt, known.clock)
    except ReceiptError as exc:
        raise of_receipt(exc) from exc
