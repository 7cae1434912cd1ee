"""Every problem of the sale desk: its HTTP status and whether the same request may succeed later.

Each code has a sentence for the cashier in every language (`till_agent/data/texts`), which a test holds true.
"""

from types import MappingProxyType
from typing import Any, NamedTuple

from till_agent.exceptions import DeskProblem
from till_loyalty.exceptions import IdentifierError, ReceiptError, ReturnError


class Kind(NamedTuple):
    """How a problem is answered."""

    status: int
    retryable: bool = False


PROBLEMS = MappingProxyType(
    {
        # the till itself
        "till_not_enrolled": Kind(503),
        "till_retired": Kind(503),
        "journal_unavailable": Kind(503, retryable=True),
        # who is buying
        "identifier_invalid": Kind(422),
        "identifier_choice": Kind(422),
        "bank_card": Kind(422),
        "identifier_ambiguous": Kind(409),
        "reference_unknown": Kind(404),
        "wallet_invalid": Kind(422),
        "wallet_other_chain": Kind(422),
        "wallet_key_unknown": Kind(409, retryable=True),
        "wallet_expired": Kind(409),
        "wallet_stale": Kind(409),
        "wallet_used": Kind(409),
        "wallet_static": Kind(409),
        "member_unknown": Kind(409),
        "member_not_here": Kind(409, retryable=True),
        "member_blocked": Kind(409),
        "member_provisional": Kind(409),
        # becoming a member
        "registration_disabled": Kind(409),
        "registration_unavailable": Kind(503, retryable=True),
        "birth_date_invalid": Kind(422),
        "card_taken": Kind(409),
        "phone_mismatch": Kind(409),
        "code_unchecked": Kind(503, retryable=True),
        "codes_not_sent": Kind(409),
        "code_not_sent": Kind(503, retryable=True),
        "too_many_codes": Kind(429, retryable=True),
        "too_busy": Kind(503, retryable=True),
        # the receipt
        "receipt_invalid": Kind(422),
        "receipt_empty": Kind(422),
        "receipt_too_large": Kind(422),
        "line_number_repeated": Kind(422),
        "minimum_price_too_high": Kind(422),
        "local_time_invalid": Kind(422),
        "codes_too_many": Kind(422),
        "discount_line_unknown": Kind(422),
        "discount_invalid": Kind(422),
        "discount_too_large": Kind(422),
        # what was sold before
        "uid_conflict": Kind(409),
        "sale_exists": Kind(409),
        "sale_unknown": Kind(404),
        "sale_elsewhere": Kind(409, retryable=True),
        "sale_ambiguous": Kind(409),
        "sale_voided": Kind(409),
        "sale_has_returns": Kind(409),
        # goods brought back
        "return_invalid": Kind(422),
        "return_line_unknown": Kind(422),
        "return_nothing_asked": Kind(422),
        "return_quantity_exceeds": Kind(409),
        "return_amount_exceeds": Kind(409),
        "return_nothing_left": Kind(409),
        # spending points
        "redemption_disabled": Kind(409),
        "redemption_needs_hold": Kind(409),
        "redemption_exceeds": Kind(409),
        "hold_unknown": Kind(404),
        "hold_expired": Kind(409),
        "hold_used": Kind(409),
        "hold_mismatch": Kind(409),
        "hold_refused": Kind(409),
        "proof_required": Kind(409),
        "proof_invalid": Kind(409),
        "pin_wrong": Kind(409),
        "pin_locked": Kind(409),
        "pin_not_set": Kind(409),
        "insufficient_points": Kind(409),
        "points_lent": Kind(409, retryable=True),
        "offline_limit": Kind(409, retryable=True),
        "voucher_invalid": Kind(422),
        "voucher_elsewhere": Kind(409),
        "voucher_expired": Kind(409),
        "voucher_used": Kind(409),
        "cloud_unreachable": Kind(503, retryable=True),
        # slips
        "no_printer": Kind(409),
    }
)


def problem(code: str, detail: str, *, pointer: str = "", **extras: Any) -> DeskProblem:
    """The problem `code`, ready to raise; `extras` go out with it and fill the cashier's sentence."""
    kind = PROBLEMS[code]
    return DeskProblem(code, kind.status, detail, retryable=kind.retryable, pointer=pointer, extras=extras)


def of_receipt(error: ReceiptError) -> DeskProblem:
    """A receipt that the rules refuse."""
    code = error.code if error.code in PROBLEMS else "receipt_invalid"
    return problem(code, str(error), pointer=error.pointer)


def of_return(error: ReturnError, **extras: int) -> DeskProblem:
    """Goods that can't be given back as asked."""
    code = f"return_{error.code}"
    return problem(code if code in PROBLEMS else "return_invalid", str(error), pointer=error.pointer, **extras)


def of_identifier(error: IdentifierError, pointer: str) -> DeskProblem:
    """What was scanned or keyed is no identifier; `reason` in the extras says what is wrong with it."""
    code = "bank_card" if error.code == "bank_card" else "identifier_invalid"
    return problem(code, str(error), pointer=pointer, reason=error.code)
