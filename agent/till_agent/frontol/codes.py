"""The numbers of business errors in Frontol's answers: positive, one for each problem, never changed once given.

0 is good. Each has its sentence for the cashier in `till_agent/data/texts`; docs/reference/frontol.md has the table.
"""

from types import MappingProxyType

OTHER = 199
"""Of a problem that is newer than this table."""
UNAUTHORIZED = 110
NUMBERS = MappingProxyType(
    {
        # 1xx: the call itself
        "request_bad": 100,
        "action_unknown": 101,
        "agent_failed": 102,
        "too_busy": 103,
        "token_unknown": UNAUTHORIZED,
        # 2xx: the till
        "till_not_enrolled": 200,
        "journal_unavailable": 201,
        "journal_corrupt": 202,
        "cloud_unreachable": 203,
        "no_printer": 204,
        "till_retired": 205,
        # 3xx: who is buying
        "identifier_invalid": 300,
        "identifier_choice": 301,
        "bank_card": 302,
        "identifier_ambiguous": 303,
        "reference_unknown": 304,
        "member_unknown": 305,
        "member_blocked": 306,
        "member_provisional": 307,
        "client_missing": 308,
        "member_not_here": 309,
        "wallet_invalid": 320,
        "wallet_other_chain": 321,
        "wallet_key_unknown": 322,
        "wallet_expired": 323,
        "wallet_stale": 324,
        "wallet_used": 325,
        "wallet_static": 326,
        "voucher_invalid": 340,
        "voucher_elsewhere": 341,
        "voucher_expired": 342,
        "voucher_used": 343,
        # 4xx: becoming a member
        "registration_disabled": 400,
        "registration_unavailable": 401,
        "member_known": 402,
        "phone_needed": 403,
        "consent_needed": 404,
        "birth_date_invalid": 405,
        "card_taken": 406,
        "phone_mismatch": 407,
        "code_sent": 410,
        "code_wrong": 411,
        "code_expired": 412,
        "code_spent": 413,
        "code_not_sent": 414,
        "codes_not_sent": 415,
        "code_unchecked": 416,
        "too_many_codes": 417,
        # 5xx: the receipt
        "receipt_invalid": 500,
        "receipt_empty": 501,
        "receipt_too_large": 502,
        "line_number_repeated": 503,
        "minimum_price_too_high": 504,
        "local_time_invalid": 505,
        "codes_too_many": 506,
        "discount_line_unknown": 507,
        "discount_invalid": 508,
        "discount_too_large": 509,
        # 6xx: what was sold before, goods brought back
        "uid_conflict": 600,
        "sale_exists": 601,
        "sale_unknown": 602,
        "sale_elsewhere": 603,
        "sale_ambiguous": 604,
        "sale_voided": 605,
        "sale_has_returns": 606,
        "return_invalid": 620,
        "return_line_unknown": 621,
        "return_nothing_asked": 622,
        "return_quantity_exceeds": 623,
        "return_amount_exceeds": 624,
        "return_nothing_left": 625,
        # 7xx: paying by points
        "redemption_disabled": 700,
        "redemption_needs_hold": 701,
        "redemption_exceeds": 702,
        "hold_unknown": 703,
        "hold_expired": 704,
        "hold_used": 705,
        "hold_mismatch": 706,
        "hold_refused": 707,
        "insufficient_points": 708,
        "points_lent": 709,
        "offline_limit": 710,
        "proof_required": 711,
        "proof_invalid": 712,
        "pin_wrong": 713,
        "pin_locked": 714,
        "pin_not_set": 715,
    }
)


def number_of(code: str) -> int:
    """The number of a problem's stable code."""
    return NUMBERS.get(code, OTHER)
