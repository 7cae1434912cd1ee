"""Cash software in the simulation: it asks again until it is answered, and remembers every answer it ever got."""

import asyncio
import contextlib
from random import Random
from typing import Any

import msgspec
from msgspec import Struct

from simulation.chain import MEMBERS, STRANGERS, card, phone
from simulation.till import Died, SimulatedTill
from till_agent.api import HoldCreate, Identify, QuoteRequest, ReturnLineRequest, ReturnRequest, SaleRequest
from till_agent.desk.answers import Answered
from till_agent.exceptions import DeskProblem
from till_loyalty.receipt import Line, Receipt

A_MOMENT_S = 1.0
"""What lies between the till's look at its clock and the answer."""
HOLD_S = 600.0
"""As long as a hold lasts that nobody asked to last longer."""
GONE_FOR_AGE = frozenset({"uid_conflict", "hold_used", "hold_unknown", "sale_unknown"})
"""What a document hears whose row was let go of: its uid, the hold that it spent, or the sale that it names and that
went with it, is told first."""
TRIES_OF_A_MINUTE = frozenset({"journal_unavailable", "cloud_unreachable"})
"""Problems that pass: the cash software tries again."""


class Document(Struct):
    """A sale, void or return: what was asked, and the first answer. `refused`: a problem's code that ended it."""

    kind: str
    uid: str
    about: str
    request: Any
    answer: bytes | None = None
    refused: str = ""
    ends_at: float = 0.0
    """When the hold that the request names ends, in seconds of the simulation; 0: there is none."""

    @property
    def open(self) -> bool:
        return self.answer is None and not self.refused


class BrokenPromiseError(AssertionError):
    """Raised when the same document gets another answer than before."""


class Cashier:
    """One per till. Every action draws from the random numbers that it is given."""

    def __init__(self, till: SimulatedTill, *, phones: bool = False) -> None:
        self.till = till
        self._phones = phones
        self.documents: dict[tuple[str, str], Document] = {}
        self._number = 0
        self._hold_ends = 0.0

    async def sell(self, random: Random, *, redeem: bool = False, who: int | None = None) -> None:
        """A receipt of a few lines for a member, a stranger or nobody, or for `who`; maybe in part by points."""
        self._number += 1
        self._hold_ends = 0.0
        uid = f"{self.till.name}-{self._number}"
        lines = tuple(
            Line(
                number=number,
                sku="tobacco" if random.randrange(12) == 0 else f"sku-{random.randrange(5)}",
                amount_minor=random.choice((1, 99, 1_000, 12_345, 50_000)),
                quantity_thousandths=random.choice((1_000, 3_000, 250)),
            )
            for number in range(1, random.randint(1, 4) + 1)
        )
        who = random.randrange(MEMBERS + STRANGERS + 1) if who is None else who
        member = self._named(who, random) if who < MEMBERS + STRANGERS else None
        if member is not None and self.till.cache.window_days:
            await self._meet(member)
        request = SaleRequest(receipt=Receipt(lines=lines), member=member)
        if redeem and member is not None:
            request = await self._with_points(uid, request, member, random)
        self.documents["sale", uid] = Document("sale", uid, "", request, ends_at=self._hold_ends)
        await self.ask(self.documents["sale", uid])

    def _named(self, who: int, random: Random) -> Identify:
        """By the card, or by the phone where people have phones: two strangers of one number are two people."""
        return Identify(phone=phone(who)) if self._phones and random.randrange(2) else Identify(card=card(who))

    async def _meet(self, member: Identify) -> None:
        """Who it is, which the till asks the cloud where it does not hold them."""
        with contextlib.suppress(Died, DeskProblem):
            await self.till.call(self.till.desk.identify(member))

    async def _with_points(self, uid: str, request: SaleRequest, member: Identify, random: Random) -> SaleRequest:
        """The same sale with what a hold could reserve; without, when it could not.

        A hold that the cloud was asked for in vain is tried once more: by then the till knows that there is no line.
        """
        points, hold = 0, None
        for _ in range(2):
            try:
                points = await self._spendable(request, member)
                if not points:
                    return request
                points = random.choice((points, random.randint(1, points)))
                hold = await self.till.call(self.till.desk.hold(HoldCreate(sale_uid=uid, member=member, points=points)))
                break
            except DeskProblem as problem:
                if problem.code not in TRIES_OF_A_MINUTE:
                    return request
            except Died:
                return request
        if hold is None:
            return request
        self._hold_ends = asyncio.get_running_loop().time() + hold.expires_in_ms / 1000
        if random.randrange(5) == 0:
            return request  # the member changed their mind, and the hold is forgotten
        if random.randrange(4) == 0:
            self.till.line.cut = True
        if random.randrange(4) == 0:
            await asyncio.sleep(random.uniform(0, HOLD_S * 2))  # the member looks for money, or has gone
        return msgspec.structs.replace(request, redeem_points=points, hold=hold.hold)

    async def _spendable(self, request: SaleRequest, member: Identify) -> int:
        wish = QuoteRequest(receipt=request.receipt, member=member, redeem_points=-1)
        return (await self.till.call(self.till.desk.quote(wish))).calculation.redeemed_points

    async def void(self, random: Random) -> None:
        """Cancel one of the last sales."""
        sale = self._some_sale(random)
        if sale is not None:
            document = self.documents.setdefault(("void", sale.uid), Document("void", sale.uid, sale.uid, None))
            await self.ask(document)

    async def give_back(self, random: Random) -> None:
        """Bring goods of one of the last sales back, in part or whole."""
        sale = self._some_sale(random)
        if sale is None:
            return
        self._number += 1
        uid = f"{self.till.name}-r{self._number}"
        line = random.choice(sale.request.receipt.lines)
        quantity = random.randint(1, line.quantity_thousandths)
        parts = (ReturnLineRequest(number=line.number, quantity_thousandths=quantity),)
        request = ReturnRequest(sale_uid=sale.uid, lines=parts if random.randrange(3) else ())
        self.documents["return", uid] = Document("return", uid, sale.uid, request)
        await self.ask(self.documents["return", uid])

    async def ask_again(self, random: Random) -> None:
        """Send some document once more, answered or not."""
        if self.documents:
            await self.ask(random.choice(list(self.documents.values())))

    async def ask(self, document: Document) -> None:
        """Send a document; the same one must get the same answer for ever."""
        if document.refused:
            return
        try:
            answered = await self.till.call(self._request(document))
        except Died:
            return
        except DeskProblem as problem:
            if problem.code in GONE_FOR_AGE and (document.kind, document.uid) in self.till.may_be_gone:
                return  # its row was let go of: it is not answered again, and not done again
            if problem.code not in TRIES_OF_A_MINUTE and document.answer is None:
                document.refused = problem.code
            elif problem.code not in TRIES_OF_A_MINUTE:
                raise BrokenPromiseError(f"{document.kind} {document.uid} was answered, now: {problem.code}") from None
            return
        if document.request is not None and b'"kept":false' in answered.body:
            return  # nobody's sale, while the disk is full: it went on and was not written, so it is sent again
        if document.answer is not None and document.answer != answered.body:
            raise BrokenPromiseError(f"{document.kind} {document.uid} got another answer than before")
        late = document.answer is None and 0 < document.ends_at < asyncio.get_running_loop().time() - A_MOMENT_S
        if late and document.request.redeem_points:
            raise BrokenPromiseError(f"7 {document.uid} spent points whose hold had ended")
        document.answer = answered.body
        self.till.worker.nudge()

    async def _request(self, document: Document) -> Answered:
        desk = self.till.desk
        if document.kind == "sale":
            return await desk.sell(document.uid, document.request)
        if document.kind == "void":
            return await desk.void(document.uid)
        return await desk.give_back(document.uid, document.request)

    def forget(self, known: set[tuple[str, str]]) -> None:
        """The till lost documents with its disk: what it does not know any more was never promised by this one."""
        for key in list(self.documents):
            if key not in known and self.documents[key].answer is not None:
                del self.documents[key]

    def _some_sale(self, random: Random) -> Document | None:
        sales = [each for each in self.documents.values() if each.kind == "sale" and each.answer is not None]
        return random.choice(sales[-8:]) if sales else None
