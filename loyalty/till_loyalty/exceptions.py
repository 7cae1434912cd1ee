"""Errors of the loyalty rules.

LoyaltyError
├── ProgrammeError      the programme document cannot be used
├── IdentifierError     what was scanned or keyed is not a usable identifier
├── ReceiptError        the receipt contradicts itself
├── ReturnError         goods can't be given back this way
├── LedgerError         the member's lots don't allow this movement
└── InvariantError      our own arithmetic is wrong; never the caller's fault
"""


class LoyaltyError(Exception):
    """Base of every error that `till_loyalty` raises on purpose; `code` is stable and may be matched on."""

    code = "loyalty_error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class ProgrammeError(LoyaltyError):
    """Raised when a programme document is not valid; `problems` lists every fault with its place."""

    code = "programme_invalid"

    def __init__(self, problems: "tuple[str, ...]") -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class IdentifierError(LoyaltyError):
    """Raised when a code, card or phone cannot be a member's identifier (codes: see `identifiers`)."""

    code = "identifier_invalid"


class ReceiptError(LoyaltyError):
    """Raised when a receipt contradicts itself; `pointer` is the JSON pointer of the bad part."""

    code = "receipt_invalid"

    def __init__(self, message: str, *, pointer: str, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.pointer = pointer


class ReturnError(LoyaltyError):
    """Raised when a return names goods that were not sold or were given back already."""

    code = "return_invalid"

    def __init__(self, message: str, *, pointer: str = "", code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.pointer = pointer


class LedgerError(LoyaltyError):
    """Raised when lots don't allow a movement: `points_insufficient`, `points_spent`, `lot_unknown`, `lot_repeated`."""

    code = "ledger_refused"


class InvariantError(LoyaltyError):
    """Raised when a sum does not add up; a defect in Tillside, to be reported, never to be ignored."""

    code = "invariant_broken"


def invariant(holds: bool, message: str) -> None:
    """Stop with InvariantError unless `holds`; unlike `assert` it stays in optimised runs."""
    if not holds:
        raise InvariantError(message)
