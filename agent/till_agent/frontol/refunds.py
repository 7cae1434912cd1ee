"""`confirm` of goods that come back: points of the sale are given back and taken back, line by line.

The money is with the customer already: what the loyalty programme can't do about it is no reason to stop Frontol,
unless the same call may succeed later.
"""

import logging

import msgspec

from till_agent.api import Message, ReturnLineRequest, ReturnRequest, Reversed
from till_agent.exceptions import DeskProblem
from till_agent.frontol.answers import Body, good, windows
from till_agent.frontol.counter import Counter
from till_agent.frontol.shapes import Document
from till_agent.frontol.slips import slips_of
from till_agent.ports import Entry

log = logging.getLogger(__name__)

RETURN = "return"
_answers = msgspec.json.Decoder(Reversed)


class _Sku(msgspec.Struct):
    number: int
    sku: str


class _Lines(msgspec.Struct):
    lines: tuple[_Sku, ...]


class _Sold(msgspec.Struct):
    receipt: _Lines


_sold = msgspec.json.Decoder(_Sold)


class Refunding:
    """Commits returns."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    async def confirm(self, document: Document) -> Body:
        """Success when the return is on the disk, also before, and when there is nothing to be done about it."""
        counter = self._counter
        if not document.uid:
            raise counter.refusal("request_bad")
        desk = counter.desk
        earlier = await desk.find(RETURN, document.uid)
        if earlier is not None:
            return await self._answer(earlier)
        if not document.reference_uid:
            words = counter.words(desk.programme)
            return good(cashierInformation=[{"text": words.frontol("return_without_receipt")}])
        try:
            await self._give_back(document)
        except DeskProblem as exc:
            if exc.retryable or exc.status >= 500:
                raise
            return self._nothing_done(document, exc)
        counter.agent.committed()
        entry = await desk.find(RETURN, document.uid)
        return await self._answer(entry) if entry is not None else good()

    async def _give_back(self, document: Document) -> None:
        request = ReturnRequest(
            sale_uid=document.reference_uid,
            lines=await self._lines(document),
            number=document.number,
            cashier=document.cashier,
        )
        await self._counter.desk.give_back(document.uid, request, print_slip=False)

    async def _lines(self, document: Document) -> tuple[ReturnLineRequest, ...]:
        """Lines of the sale; a position that does not name one is told by its goods, as far as the sale is of this
        till, and else by its place."""
        unnamed = [each for each in document.positions if not each.reference_index]
        numbers: dict[str, list[int]] = {}
        if unnamed:
            sale = await self._counter.desk.find("sale", document.reference_uid)
            for line in _sold.decode(sale.body).receipt.lines if sale is not None else ():
                numbers.setdefault(line.sku, []).append(line.number)
        asked: dict[int, int] = {}
        for each in document.positions:
            same_goods = numbers.get(each.sku)
            number = each.reference_index or (same_goods.pop(0) if same_goods else each.index)
            asked[number] = asked.get(number, 0) + each.quantity_thousandths
        return tuple(
            [
                ReturnLineRequest(number=number, quantity_thousandths=quantity)
                for number, quantity in asked.items()
                if quantity
            ]
        )

    def _nothing_done(self, document: Document, exc: DeskProblem) -> Body:
        """The cashier is told why; the log too."""
        log.warning(
            "goods came back by Frontol, and the points are as before", extra={"uid": document.uid, "code": exc.code}
        )
        counter = self._counter
        text = counter.agent.cashier(exc.code, exc.status, exc.extras)
        counter.agent.events.publish("alert", Message(code=exc.code, text=text, level="warning"))
        return good(cashierInformation=[{"text": text}])

    async def _answer(self, entry: Entry) -> Body:
        """Made from what is stored alone."""
        answer = _answers.decode(entry.answer)
        return good(
            cashierInformation=windows(answer.messages),
            printingInformation=await slips_of(self._counter, entry),
        )
