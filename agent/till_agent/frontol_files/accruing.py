"""From a document of a report to an operation of the journal: a sale, a return, or a void, by the sale desk itself.

The uid is the document's, and the request is made from what is stored of it, so that doing it again after a crash
finds the operation there. Nothing is printed: the customer has gone.
"""

import logging
from collections import Counter
from typing import Literal, Protocol

import msgspec
from msgspec import Struct

from till_agent.api import Identify, ReturnLineRequest, ReturnRequest, Reversed, Sale, SaleRequest
from till_agent.bridge.context import Answered
from till_agent.exceptions import DeskProblem, JournalCorrupt, JournalUnavailable
from till_agent.frontol_files.documents import Document
from till_agent.journal import DiskJournal
from till_agent.page_api import SoldLine, SoldLines
from till_loyalty.allocation import allocate
from till_loyalty.receipt import Line, Receipt
from till_sync.ops import Payment

log = logging.getLogger(__name__)

LINE_CODE_LIMIT = 100


class DeskForReports(Protocol):
    """The calls of `till_agent.desk.Desk` that are made here."""

    async def sell(self, uid: str, request: SaleRequest) -> Answered: ...
    async def lines(self, uid: str) -> SoldLines: ...
    async def give_back(self, uid: str, request: ReturnRequest, language: str | None = None) -> Answered: ...
    async def void(self, sale_uid: str, language: str | None = None) -> Answered: ...


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of it: `accrued`, `matched` (the journal had it already), or `found` with why it could not be."""

    state: Literal["accrued", "matched", "found"]
    sale_uid: str = ""
    finding: str = ""
    detail: str = ""
    points: int = 0


class TryLater(Exception):  # noqa: N818 - no error: the till is busy with something else
    """Raised when the journal takes nothing just now; nothing was written."""


class Accruer:
    """Writes documents into the journal. Used on the loop."""

    def __init__(self, desk: DeskForReports, journal: DiskJournal) -> None:
        self._desk = desk
        self._journal = journal

    async def sale(self, document: Document) -> Outcome:
        """A sale by the report's lines, its card, payments and local time."""
        request = sale_request(document)
        try:
            answered = await self._desk.sell(document.uid, request)
        except DeskProblem as exc:
            return self._refused(exc, document.uid)
        answer = msgspec.json.decode(answered.body, type=Sale)
        return Outcome(state="accrued", sale_uid=document.uid, points=answer.calculation.earned_points)

    async def give_back(self, document: Document, sale_uid: str) -> Outcome:
        """Goods of the sale that came back. Each line must be one of the sale's."""
        try:
            earlier = await self._journal.read(lambda reader: reader.find("return", document.uid))
        except (JournalUnavailable, JournalCorrupt) as exc:
            raise TryLater(str(exc)) from exc
        if earlier is not None:
            # Written before the power went: what is left of the sale's lines is without it already.
            answer = msgspec.json.decode(earlier.answer, type=Reversed)
            return Outcome(state="accrued", sale_uid=document.uid, points=answer.reversal.effect_points)
        lines = _lines_back(document, await self._sold(sale_uid))
        if not lines:
            return Outcome(state="found", finding="return_unclear", sale_uid=sale_uid)
        request = ReturnRequest(
            sale_uid=sale_uid, lines=lines, number=document.number[:64], cashier=document.cashier[:64]
        )
        try:
            answered = await self._desk.give_back(document.uid, request)
        except DeskProblem as exc:
            return self._refused(exc, document.uid)
        answer = msgspec.json.decode(answered.body, type=Reversed)
        return Outcome(state="accrued", sale_uid=document.uid, points=answer.reversal.effect_points)

    async def _sold(self, sale_uid: str) -> tuple[SoldLine, ...]:
        """The sale's lines with what is left of each; none of a sale that this till does not know."""
        try:
            return (await self._desk.lines(sale_uid)).lines
        except DeskProblem as exc:
            if exc.retryable:
                raise TryLater(exc.code) from exc
            return ()

    async def void(self, sale_uid: str) -> Outcome:
        """Cancel a sale of the journal: the document behind it was cancelled, or has come twice."""
        try:
            answered = await self._desk.void(sale_uid)
        except DeskProblem as exc:
            return self._refused(exc, sale_uid)
        answer = msgspec.json.decode(answered.body, type=Reversed)
        return Outcome(state="accrued", sale_uid=sale_uid, points=answer.reversal.effect_points)

    def _refused(self, problem: DeskProblem, uid: str) -> Outcome:
        if problem.code == "uid_conflict":
            # There is one operation of that uid, and there can be no other: what it is about is counted.
            return Outcome(state="matched", sale_uid=uid, detail="uid_conflict")
        if problem.retryable and problem.code != "sale_elsewhere":
            raise TryLater(problem.code) from problem
        log.info("a document of a report could not be journalled: %s", problem.code)
        return Outcome(state="found", finding="refused", detail=problem.code, sale_uid="")


def sale_request(document: Document) -> SaleRequest:
    """What cash software would have sent. Where points paid a part, only the rest earns: no hold covers them here."""
    weights = [line.amount_minor for line in document.lines]
    off = [0] * len(weights)
    if document.bonus_minor and sum(weights) >= document.bonus_minor:
        off = allocate(document.bonus_minor, weights)
    lines = [
        Line(
            number=number,
            sku=line.code[:LINE_CODE_LIMIT],
            name=line.name,
            amount_minor=line.amount_minor - less,
            quantity_thousandths=line.quantity_thousandths,
        )
        for number, (line, less) in enumerate(zip(document.lines, off, strict=True), 1)
    ]
    return SaleRequest(
        receipt=Receipt(lines=tuple(lines)),
        member=Identify(reference=document.references[0]) if document.references else None,
        payments=tuple([Payment(kind=each.kind, amount_minor=each.amount_minor) for each in document.paid]),
        number=document.number[:64],
        shift=document.shift[:64],
        cashier=document.cashier[:64],
        local_time=document.local_time,
        print_slip=False,
    )


def _lines_back(document: Document, sold: tuple[SoldLine, ...]) -> tuple[ReturnLineRequest, ...] | None:
    """Which lines of the sale came back, of what is left of them; None when one of them can't be told."""
    left = {line.number: line.left_thousandths for line in sold}
    back: Counter[int] = Counter()
    for line in document.lines:
        wanted = line.quantity_thousandths
        same = [each for each in sold if each.code == line.code[:LINE_CODE_LIMIT]]
        # The line of just that quantity first, as a receipt with the same goods twice has it.
        for each in sorted(same, key=lambda each: (left[each.number] != wanted, each.number)):
            part = min(wanted, left[each.number])
            if part:
                left[each.number] -= part
                back[each.number] += part
                wanted -= part
        if wanted:
            return None
    return tuple([ReturnLineRequest(number=number, quantity_thousandths=back[number]) for number in sorted(back)])
