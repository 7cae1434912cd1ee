"""Documents as rows gather to them: opened, filled, closed. Nothing here reads files or waits.

Gatherings and documents may be stored; a card number never is: `cards` of both hold what stood in the report for as
long as the memory does, `references` what the till calls these members (a member's id, or a tag).
"""

from typing import Literal

from msgspec import Struct

Kind = Literal["sale", "return", "cancel"]
LINES_LIMIT = 10_000
"""As many as a receipt may have."""


class Goods(Struct, kw_only=True):
    """A line as it was registered. `final_minor`: after the till's discounts."""

    code: str
    name: str
    quantity_thousandths: int
    final_minor: int


class Paid(Struct, frozen=True, kw_only=True):
    """Money, by kind: cash, card, other."""

    kind: str
    amount_minor: int


class Gathering(Struct, kw_only=True):
    """A document whose end has not come. `cards` must be empty when it is stored."""

    till: str
    shift: str
    number: str
    line: int
    numbers: set[int] = set()
    cards: list[str] = []
    references: list[str] = []
    unnamed: int = 0
    """Cards that named nobody."""
    goods: list[Goods] = []
    paid: list[Paid] = []
    bonus_minor: int = 0
    earned_minor: int = 0
    discount_minor: int = 0
    rounding_minor: int = 0
    base: str = ""
    user_values: str = ""
    doubts: set[str] = set()

    @property
    def key(self) -> tuple[str, str, str]:
        """Till, shift and number."""
        return (self.till, self.shift, self.number)


class Line(Struct, frozen=True, kw_only=True):
    """A line of a closed document; `amount_minor` is after the till's discounts and before points."""

    code: str
    name: str
    quantity_thousandths: int
    amount_minor: int


class Document(Struct, frozen=True, kw_only=True):
    """A closed document. `close_number` is field 1 of the row that closed it: unique within a database.

    `bonus_minor`: paid by points of an outside system; `earned_minor`: accrued by one, as the report says. `doubts`:
    codes of what keeps its lines from being a receipt.
    """

    database: str
    report: str
    close_number: int
    till: str
    shift: str
    number: str
    kind: Kind
    uid: str
    local_time: str
    cashier: str
    total_minor: int
    lines: tuple[Line, ...] = ()
    paid: tuple[Paid, ...] = ()
    bonus_minor: int = 0
    earned_minor: int = 0
    base: str = ""
    base_uid: str = ""
    cards: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    unnamed: int = 0
    doubts: tuple[str, ...] = ()
    line: int = 0

    @property
    def goods_minor(self) -> int:
        """What the goods came to before points."""
        return sum([line.amount_minor for line in self.lines])

    def __repr__(self) -> str:
        """Without cards: reprs end up in logs."""
        return f"Document({self.kind} {self.till}/{self.shift}/{self.number})"
