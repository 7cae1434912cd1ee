"""`confirm` of goods that come back: points of the sale are given back and taken back, line by line.

The money is with the customer already: what the loyalty programme can't do about it is no reason to stop Frontol,
unless the same call may succeed later.
"""

import logging
from collections import Counter
from collections.abc import Iterable

import msgspec

from till_agent.api import Message, ReturnLineRequest, ReturnRequest, Reversed
from till_agent.desk.problems import problem
from till_agent.exceptions import DeskProblem
from till_agent.frontol.answers import Body, good, windows
from till_agent.frontol.counter import Counter as Till
from till_agent.frontol.shapes import Document, Position
from till_agent.frontol.slips import slips_of
from till_agent.page_api import SoldLine
from till_agent.ports import Entry

log = logging.getLogger(__name__)

RETURN = "return"
_answers = msgspec.json.Decoder(Reversed)


class Refunding:
    """Commits returns."""

    def __init__(self, counter: Till) -> None:
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
        """Lines of the sale. DeskProblem where positions stand there and nothing of any comes back: to name no line
        means all of them."""
        asked: Counter[int] = Counter()
        for each in document.positions:
            if each.reference_index:
                asked[each.reference_index] += each.quantity_thousandths
        unnamed = [each for each in document.positions if not each.reference_index]
        sold = await self._sold(document) if unnamed else ()
        for each in unnamed:
            _share(each, sold, asked)
        lines = tuple([ReturnLineRequest(number=number, quantity_thousandths=asked[number]) for number in +asked])
        if document.positions and not lines:
            raise problem("return_nothing_asked", "expected a quantity above 0 of some position")
        return lines

    async def _sold(self, document: Document) -> tuple[SoldLine, ...]:
        """Lines of a sale of this till with what is left of each; none of another's, nor where that can't be read."""
        try:
            return (await self._counter.desk.lines(document.reference_uid)).lines
        except DeskProblem:
            return ()

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


def _share(position: Position, sold: Iterable[SoldLine], asked: Counter[int]) -> None:
    """Add a position that names no line to what is asked for: by its goods, as far as something is left of them.

    The line of which just so much is left goes first. What is on no line is asked for all the same: the desk says why
    it can't come back.
    """
    wanted = position.quantity_thousandths
    same = [line for line in sold if line.code == position.sku]
    for line in sorted(same, key=lambda line: (line.left_thousandths - asked[line.number] != wanted, line.number)):
        part = min(wanted, line.left_thousandths - asked[line.number])
        if part > 0:
            asked[line.number] += part
            wanted -= part
    if wanted:
        asked[same[-1].number if same else position.index] += wanted
