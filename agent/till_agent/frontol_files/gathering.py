"""Rows to documents: each row goes to the document that it names, and the one that closes it gives the document.

A row whose number its document has had already is passed by, so that rows written twice count once. Split sums are
never added to anything.
"""

import re
from collections import Counter

from msgspec import Struct

from till_agent.frontol.naming import document_uid, normal_uid
from till_agent.frontol_files import rows
from till_agent.frontol_files.documents import LINES_LIMIT, Document, Gathering, Goods, Kind, Paid
from till_agent.frontol_files.exceptions import RowRefused
from till_agent.frontol_files.goods import lines_of, take_back
from till_agent.frontol_files.numbers import scaled
from till_agent.frontol_files.report import Head
from till_agent.frontol_files.rows import Row

OPEN_LIMIT = 500
"""Documents that may be open at once: put aside at tills of one report. Past it the oldest will not be closed."""
ROWS_LIMIT = 20_000
"""Rows of one document that are read: twice as many as the largest receipt has."""
OPEN_ROWS_LIMIT = 50_000
"""Of all open documents together: some 20 MB. They are written down after every slice."""
QUANTITY_DIGITS = 3
SALE, RETURN = "0", "1"
PAYMENT_KINDS = {"0": "cash", "1": "card", "9": "card"}
"""Field 10 of a payment; whatever else there is, is `other`."""
EXTERNAL = "1"
"""Field 10 of a row about bonuses: of an outside system. Frontol's own are its own affair: a kind of payment."""
FREE_PRICE = "free-price"
"""Code of goods that were sold by a price alone."""

_OWN_UID = re.compile(r"tillside[._-]?uid\s*[=:]\s*\"?([^|;\"\s,}]+)", re.IGNORECASE)
_OWN_BASE = re.compile(r"tillside[._-]?base\s*[=:]\s*\"?([^|;\"\s,}]+)", re.IGNORECASE)
"""What our scenario keeps in a document's user values: the uid of its sale, and that of the sale goods come back of."""


class Refused(Struct, frozen=True, kw_only=True):
    """A row that could not be taken."""

    line: int
    code: str
    detail: str


class Counts(Struct, kw_only=True):
    """What a stretch of rows was."""

    rows: int = 0
    passed_by: int = 0
    """Of types that say nothing we need."""
    unknown: int = 0
    """Of types that nobody has told us of."""
    repeated: int = 0
    closed: int = 0
    other_documents: int = 0
    """Closed, and neither sale nor return: cash in, stocktaking, and the like."""

    def add(self, other: "Counts") -> None:
        """Sum, field by field."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Gatherer:
    """One report being read. `exponent`: digits after the point of its money that count."""

    def __init__(self, head: Head, *, exponent: int = 2, open_documents: list[Gathering] | None = None) -> None:
        self._head = head
        self._exponent = exponent
        self.open: dict[tuple[str, str, str], Gathering] = {each.key: each for each in open_documents or []}
        self._open_rows = sum([len(each.numbers) for each in self.open.values()])
        self.closed: list[Document] = []
        self.refused: list[Refused] = []
        self.counts = Counts()
        self.unknown_types: Counter[int] = Counter()

    def add(self, line: int, text: str) -> None:
        """Take one row; whatever is wrong with it is noted, never raised."""
        self.counts.rows += 1
        try:
            kind = rows.type_of(text)
            if kind not in rows.READ:
                self._pass_by(kind)
                return
            self._take(rows.read_row(line, text, kind))
        except RowRefused as exc:
            self.refused.append(Refused(line=line, code=exc.code, detail=str(exc)))
            self._doubt(text)

    def take(self) -> tuple[list[Document], list[Refused], Counts]:
        """What has come since the last call."""
        found = (self.closed, self.refused, self.counts)
        self.closed, self.refused, self.counts = [], [], Counts()
        return found

    def _pass_by(self, kind: int) -> None:
        if kind in rows.KNOWN_BESIDES:
            self.counts.passed_by += 1
        else:
            self.counts.unknown += 1
            self.unknown_types[kind] += 1

    def _doubt(self, text: str) -> None:
        """A row that was refused may have been a line: its document is no receipt any more."""
        fields = text.split(";")
        wanted = fields[5].strip() if len(fields) > 5 else ""
        for each in self.open.values():
            if not wanted or each.number == (wanted.lstrip("0") or "0"):
                each.doubts.add("rows_refused")

    def _take(self, row: Row) -> None:
        gathered = self.open.get(row.document)
        if gathered is None:
            if row.type not in rows.BEGINS and row.type not in rows.ENDS:
                # A row that follows its document's end, or whose document began before this report did.
                self.counts.passed_by += 1
                return
            gathered = self._begin(row)
        if row.number in gathered.numbers:
            self.counts.repeated += 1
            return
        if row.type in rows.ENDS:
            self._end(row, gathered)
            return
        if len(gathered.numbers) >= ROWS_LIMIT:
            gathered.doubts.add("too_many_lines")
            return
        self._fill(row, gathered)
        gathered.numbers.add(row.number)
        self._open_rows += 1
        while self._open_rows > OPEN_ROWS_LIMIT and len(self.open) > 1:
            self._let_go(next(key for key in self.open if key != gathered.key))

    def _begin(self, row: Row) -> Gathering:
        till, shift, number = row.document
        # Mutable fields are given here: a default would be one object for all.
        gathered = Gathering(
            till=till,
            shift=shift,
            number=number,
            line=row.line,
            numbers=set(),
            cards=[],
            references=[],
            goods=[],
            paid=[],
            doubts=set(),
        )
        if len(self.open) >= OPEN_LIMIT:
            self._let_go(next(iter(self.open)))
        self.open[gathered.key] = gathered
        return gathered

    def _let_go(self, key: tuple[str, str, str]) -> None:
        """Of a document whose end will not come."""
        lost = self.open.pop(key)
        self._open_rows -= len(lost.numbers)
        self.refused.append(
            Refused(line=lost.line, code="never_closed", detail=f"document {'/'.join(key)} was never closed")
        )

    def _fill(self, row: Row, gathered: Gathering) -> None:
        kind = row.type
        if kind == rows.OPENED:
            self._note_document(row, gathered)
        elif kind in rows.SOLD or kind in rows.TAKEN_BACK:
            self._note_goods(row, gathered)
        elif kind in rows.DOCUMENT_DISCOUNTS:
            gathered.discount_minor += abs(self._money(row, 12))
        elif kind == rows.ROUNDING:
            gathered.rounding_minor += abs(self._money(row, 12))
        elif kind in (rows.EARNED, rows.EARNED_BACK):
            if _is_external(row):
                gathered.earned_minor += abs(self._money(row, 12))
        elif kind in (rows.PAID_BY_BONUS, rows.BONUS_BACK) and _is_external(row):
            gathered.bonus_minor += abs(self._money(row, 12))
        else:
            self._note_payment(row, gathered)

    def _note_document(self, row: Row, gathered: Gathering) -> None:
        known = set(gathered.cards)
        gathered.cards += [each for each in rows.cards_of(row.text(8)) if each not in known]
        gathered.user_values = _own_values(row.text(34)) or gathered.user_values
        gathered.base = row.text(25) or gathered.base

    def _note_goods(self, row: Row, gathered: Gathering) -> None:
        """A line, or a storno; signs are the type's: Frontol turns some of a return's numbers about."""
        code, name = _goods_named(row)
        quantity = abs(scaled(row.text(11), QUANTITY_DIGITS))
        final_minor = abs(self._money(row, next((field for field in (16, 12, 20) if row.text(field)), 16)))
        if row.type in rows.TAKEN_BACK:
            if not take_back(gathered.goods, code, quantity, final_minor):
                gathered.doubts.add("storno_unmatched")
        elif len(gathered.goods) >= LINES_LIMIT:
            gathered.doubts.add("too_many_lines")
        else:
            gathered.goods.append(Goods(code=code, name=name, quantity_thousandths=quantity, final_minor=final_minor))

    def _note_payment(self, row: Row, gathered: Gathering) -> None:
        kind = PAYMENT_KINDS.get(_plain_number(row.text(10)), "other") if row.type == rows.PAID else "other"
        gathered.paid.append(Paid(kind=kind, amount_minor=self._money(row, 12)))

    def _end(self, row: Row, gathered: Gathering) -> None:
        del self.open[gathered.key]
        self._open_rows -= len(gathered.numbers)
        self._note_document(row, gathered)
        operation = _plain_number(row.text(13))
        kind: Kind
        if row.type == rows.CANCELLED:
            kind = "cancel"
        elif row.type == rows.RETURN_CLOSED or operation == RETURN:
            kind = "return"
        elif operation == SALE:
            kind = "sale"
        else:
            self.counts.other_documents += 1
            return
        self.counts.closed += 1
        self.closed.append(self._document(row, gathered, kind))

    def _document(self, row: Row, gathered: Gathering, kind: Kind) -> Document:
        total_minor = abs(self._money(row, 12))
        gathered.paid = _net(gathered.paid)
        lines, wrong = lines_of(gathered, total_minor)
        doubts = set(gathered.doubts)
        if wrong and kind == "sale":
            doubts.add(wrong)
        own = _OWN_UID.search(gathered.user_values)
        base = _OWN_BASE.search(gathered.user_values)
        uid = normal_uid(own[1]) if own else ""
        earned = self._optional_money(row, 18) or gathered.earned_minor
        return Document(
            database=self._head.database,
            report=self._head.report,
            close_number=row.number,
            till=gathered.till,
            shift=gathered.shift,
            number=gathered.number,
            kind=kind,
            uid=uid or document_uid(*gathered.key),
            local_time=row.moment,
            cashier=row.text(7)[:64],
            total_minor=total_minor,
            lines=lines,
            paid=tuple(gathered.paid),
            bonus_minor=gathered.bonus_minor,
            earned_minor=earned,
            base=gathered.base,
            base_uid=normal_uid(base[1]) if base else "",
            cards=tuple(gathered.cards),
            references=tuple(gathered.references),
            unnamed=gathered.unnamed,
            doubts=tuple(sorted(doubts)),
            line=row.line,
        )

    def _money(self, row: Row, field: int) -> int:
        return scaled(row.text(field), self._exponent)

    def _optional_money(self, row: Row, field: int) -> int:
        try:
            return abs(self._money(row, field))
        except RowRefused:
            return 0


def _own_values(text: str) -> str:
    """Of a document's user values ours alone: an open document is written down, and others may keep phones there."""
    values = rows.unescaped(text)
    return "|".join([found[0] for each in (_OWN_UID, _OWN_BASE) if (found := each.search(values))])


def _goods_named(row: Row) -> tuple[str, str]:
    """Code and name. By a setting of Frontol's the name follows the code behind the sign that stands for `;`."""
    code, _, name = row.text(8).partition(rows.STANDS_FOR_SEMICOLON)
    return (code.strip() or row.text(19) or FREE_PRICE)[:100], name.strip()[:500]


def _is_external(row: Row) -> bool:
    return _plain_number(row.text(10)) == EXTERNAL


def _plain_number(text: str) -> str:
    """`1`, also where it is written `1,00` or `01`."""
    head = re.split(r"[.,]", text.strip(), maxsplit=1)[0].lstrip("0")
    return head or "0"


def _net(paid: list[Paid]) -> list[Paid]:
    """One sum a kind: change is a payment below zero, and a return's payments may all be."""
    sums: dict[str, int] = {}
    for each in paid:
        sums[each.kind] = sums.get(each.kind, 0) + each.amount_minor
    return [Paid(kind=kind, amount_minor=abs(amount)) for kind, amount in sums.items() if amount]
