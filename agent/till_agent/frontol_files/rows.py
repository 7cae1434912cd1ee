"""What the rows of a sales report mean to us: their types, and which of their fields are read.

Field numbers count from 1, as Frontol's integrators do. Types not named here are counted and passed by.
"""

from msgspec import Struct

from till_agent.frontol_files.exceptions import RowRefused
from till_agent.frontol_files.numbers import moment, whole

FIELDS_LIMIT = 44
"""Fields that a row may have; a `;` that ends it is no field."""
STANDS_FOR_SEMICOLON = "\u00a4"

OPENED, CLOSED, CANCELLED, RETURN_CLOSED = 42, 55, 56, 58
SOLD = frozenset({1, 11})
TAKEN_BACK = frozenset({2, 12})
"""Storno: a line that was registered and is not sold after all."""
LINE_DISCOUNTS = frozenset({15, 17})
DOCUMENT_DISCOUNTS = frozenset({35, 37})
ROUNDING = 38
EARNED, EARNED_BACK, PAID_BY_BONUS, BONUS_BACK = 9, 10, 32, 33
PREPAID, NOT_FISCAL, PAID = 34, 36, 40
SPLIT = frozenset({43, 82, 83, 84, 85, 86, 87})
"""Sums that stand elsewhere already, split over lines or groups: never added to anything."""
OF_OTHERS = frozenset({3, 4, 6, 14, 16, 21, 22, 23, 24, 25, 26, 27, 29, 30, 31, 45, 49, 50, 51, 57, 60, 61, 62, 63, 64})
KNOWN_BESIDES = LINE_DISCOUNTS | SPLIT | OF_OTHERS | {65, 88, 120, 121}
"""Types that say nothing that we need: prices again, taxes, fiscal data, cash, counters, shifts."""

ENDS = frozenset({CLOSED, CANCELLED, RETURN_CLOSED})
BEGINS = frozenset({OPENED}) | SOLD
READ = (
    BEGINS
    | ENDS
    | TAKEN_BACK
    | DOCUMENT_DISCOUNTS
    | {ROUNDING, EARNED, EARNED_BACK, PAID_BY_BONUS, BONUS_BACK, PREPAID, NOT_FISCAL, PAID}
)
_NEEDED = dict.fromkeys(SOLD | TAKEN_BACK, 16) | dict.fromkeys(ENDS | {OPENED}, 14)
_NEEDED_ELSE = 12
"""The last field that each type is read for and can't do without; a row that ends before it was cut off."""


class Row(Struct, frozen=True):
    """A row of a type that we read."""

    line: int
    number: int
    type: int
    fields: list[str]

    def text(self, field: int) -> str:
        """A field's text without blanks around it; "" where the row ends before it."""
        return self.fields[field - 1].strip() if field <= len(self.fields) else ""

    @property
    def moment(self) -> str:
        """When, by the till's clock."""
        return moment(self.text(2), self.text(3))

    @property
    def document(self) -> tuple[str, str, str]:
        """Till, shift and number of the document that the row is of."""
        named = self.text(26).split("/")
        if len(named) == 3 and all(part.strip().isdigit() for part in named):
            return _bare(named[0]), _bare(named[1]), _bare(named[2])
        return _bare(self.text(5)), _bare(self.text(14)), _bare(self.text(6))


def type_of(text: str) -> int:
    """The type of a row as it stands. RowRefused when it has none."""
    if "\x00" in text:
        raise RowRefused("text", "expected text, not zero bytes as a power cut leaves them")
    parts = text.split(";", 4)
    if len(parts) < 4:
        raise RowRefused("field_count", f"expected a row of at least four fields, not {len(parts)}")
    return whole(parts[3])


def read_row(line: int, text: str, kind: int) -> Row:
    """A row of a type in READ. RowRefused when it was cut off, or has more fields than any."""
    fields = text.split(";")
    if fields[-1] == "" and len(fields) > 1:
        fields.pop()
    needed = _NEEDED.get(kind, _NEEDED_ELSE)
    if not needed <= len(fields) <= FIELDS_LIMIT:
        raise RowRefused("field_count", f"expected {needed} to {FIELDS_LIMIT} fields of type {kind}, not {len(fields)}")
    return Row(line, whole(fields[0]), kind, fields)


def unescaped(text: str) -> str:
    """A value as it was before Frontol wrote it."""
    return text.replace(STANDS_FOR_SEMICOLON, ";")


def cards_of(text: str) -> tuple[str, ...]:
    """Card numbers of a document, each without the prefix by which Frontol tells how it was given."""
    found = [part.strip().lstrip("@#$").strip() for part in unescaped(text).split("|")]
    return tuple(dict.fromkeys([each for each in found if each]))


def _bare(text: str) -> str:
    number = text.strip()
    return number.lstrip("0") or "0" if number.isdigit() else number
