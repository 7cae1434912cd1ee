"""The sale desk: everything that cash software can ask, apart from HTTP.

Each call answers from this machine; only `hold`, one-time codes and, of somebody whom this till does not hold,
`identify`, quotes and registrations ask the cloud, and returns about sales elsewhere. Whatever a call asks, it waits
for one budget in all, and for one of one-time codes besides where it asks for such. Errors are DeskProblem.
"""

from collections.abc import Mapping
from dataclasses import replace

from till_agent.api import (
    Coupon,
    Hold,
    HoldCreate,
    Identify,
    Member,
    Quote,
    QuoteRequest,
    ReturnRequest,
    SaleRequest,
    SaleView,
)
from till_agent.desk.answers import Answered
from till_agent.desk.asking import coupon
from till_agent.desk.bench import Bench
from till_agent.desk.codes import Codes
from till_agent.desk.holding import Holding, open_holds
from till_agent.desk.lending import Lending, lending_of
from till_agent.desk.lookup import Lookup
from till_agent.desk.open_receipts import OpenReceipts
from till_agent.desk.parts import DeskParts, DeskSettings
from till_agent.desk.patience import bounded
from till_agent.desk.problems import problem
from till_agent.desk.quoting import Quoting
from till_agent.desk.recent import Recent
from till_agent.desk.registering import Registering
from till_agent.desk.reversing import Reversing
from till_agent.desk.selling import Selling
from till_agent.exceptions import DeskProblem
from till_agent.member_api import CardAttach, CodeAnswer, CodeRequest, MemberCreate
from till_agent.page_api import MembersFound, Sales, SoldLines
from till_agent.ports import Entry, StoredHold
from till_agent.texts import NO_VALUES, Words, supported
from till_loyalty.programme import Programme


class _Open:
    """The desk of an enrolled till."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.quoting = Quoting(bench)
        self.selling = Selling(bench)
        self.reversing = Reversing(bench)
        self.holding = Holding(bench)
        self.lookup = Lookup(bench)
        self.recent = Recent(bench)
        self.codes = Codes(bench)
        self.registering = Registering(bench, self.codes)


class Desk:
    """One per agent, used on its loop. Until the till is enrolled every call raises DeskProblem `till_not_enrolled`."""

    def __init__(self, parts: DeskParts) -> None:
        self._parts = parts
        self._open = _Open(Bench(parts, parts.identity)) if parts.identity is not None else None
        self.receipts = OpenReceipts(parts.clock.mono_ms)

    def mono_ms(self) -> int:
        """What the budgets of calls are measured by."""
        return self._parts.clock.mono_ms()

    def use(self, settings: DeskSettings) -> None:
        """Work by these from the next call on; what is under way ends by those before. `cloud_budget_ms` stays."""
        self._parts = replace(self._parts, settings=settings)
        if self._open is not None:
            self._open.bench.parts = self._parts

    @bounded
    async def identify(self, request: Identify, language: str | None = None, *, alone: bool = False) -> Member:
        """Who was scanned or keyed. Somebody not known here is no error: `known` is false, and sales accrue to them.

        `alone`: the cloud is not asked. Of a list of thousands nobody waits for one, and the cloud answers a till so
        many questions an hour, which are for customers who stand there.
        """
        bench = self._enrolled().bench
        found = await bench.meeting.find(request, alone=alone)
        if found.voucher is not None:
            await self._enrolled().holding.covering.check(found.voucher)
        return bench.view(found, bench.words(language)).member(bench.balances.of(found))

    @bounded
    async def quote(self, request: QuoteRequest, *, of_sale: bool = False) -> Quote:
        """What the receipt would give; changes nothing. `of_sale`: for a sale that was made, which waits for no call
        that is none, and does not ask the cloud who somebody is."""
        quote = await self._enrolled().quoting.quote(request, of_sale=of_sale)
        self.receipts.touched(request.sale_uid)
        return quote

    @bounded
    async def coupon(self, code: str, reference: str | None = None, language: str | None = None) -> Coupon:
        """Whether a coupon's code is good for this member, here and now; may ask the cloud, within the budget."""
        return await coupon(self._enrolled().bench, code, reference, language)

    @bounded
    async def hold(self, request: HoldCreate) -> Hold:
        """Reserve points at the cloud, within the budget."""
        held = await self._enrolled().holding.hold(request)
        self.receipts.touched(request.sale_uid)
        return held

    async def release(self, hold: str) -> None:
        """Give a hold back; idempotent."""
        await self._enrolled().holding.release(hold)

    async def sell(self, uid: str, request: SaleRequest) -> Answered:
        """Commit a sale: durable when this returns. The same uid and request get the same bytes for ever."""
        answered = await self._enrolled().selling.sell(uid, request)
        self.receipts.finished(uid)
        return answered

    @bounded
    async def void(self, sale_uid: str, language: str | None = None, *, print_slip: bool = True) -> Answered:
        """Cancel a whole sale of which nothing was returned; idempotent."""
        return await self._enrolled().reversing.void(sale_uid, language=language, print_slip=print_slip)

    @bounded
    async def give_back(
        self, uid: str, request: ReturnRequest, language: str | None = None, *, print_slip: bool = True
    ) -> Answered:
        """Take goods back, in part or all that is left. The same uid and request get the same bytes for ever."""
        return await self._enrolled().reversing.give_back(uid, request, language=language, print_slip=print_slip)

    async def sale(self, uid: str) -> SaleView:
        """A sale as it stands."""
        return await self._enrolled().lookup.sale(uid)

    async def sales(self, limit: int, before: int = 0) -> Sales:
        """The newest sales of this till, or those before a place of the list."""
        return await self._enrolled().recent.sales(limit, before)

    @bounded
    async def lines(self, uid: str) -> SoldLines:
        """The lines of a sale of this till, and what of each may still come back."""
        return await self._enrolled().recent.lines(uid)

    async def members(self, query: str, limit: int, language: str | None = None) -> MembersFound:
        """Members by what a person remembers of their own name and numbers."""
        return await self._enrolled().recent.members(query, limit, language)

    @bounded
    async def register(self, request: MemberCreate, *, commit: bool = True) -> Answered:
        """Register a person: what is still needed, or a member, durable when this returns; `commit` False: a try."""
        if request.phone:
            await self._meet(Identify(phone=request.phone))
        return await self._enrolled().registering.register(request, commit=commit)

    @bounded
    async def attach_card(self, reference: str, request: CardAttach) -> Answered:
        """Give a member a card; durable when this returns."""
        await self._meet(Identify(card=request.card), Identify(reference=reference))
        return await self._enrolled().registering.attach(reference, request)

    @bounded
    async def confirm(self, request: CodeRequest) -> CodeAnswer:
        """Have a code sent, or hand one in, for a large redemption; asks the cloud within a budget of its own."""
        return await self._enrolled().codes.to_spend(request)

    async def entry(self, kind: str, uid: str) -> Entry:
        """The journal's row of a `sale`, `void` or `return`: what a slip is made from."""
        return await self._enrolled().lookup.entry(kind, uid)

    async def release_abandoned(self) -> int:
        """Give back holds that no sale can use any more; to be called after a start and every few seconds."""
        return await self._open.holding.release_abandoned() if self._open is not None else 0

    async def give_back_grants(self) -> int:
        """Give back what the cloud recalled of this till's grants, and those that ended; after each page, and now and
        then. How many were."""
        return await self._open.holding.give_back_grants() if self._open is not None else 0

    async def find(self, kind: str, uid: str) -> Entry | None:
        """The same row, or None where there is none."""
        return await self._enrolled().bench.read(lambda reader: reader.find(kind, uid))

    def open_holds(self, sale_uid: str) -> list[StoredHold]:
        """Holds of a sale that are neither used nor given back, as the disk remembers them: also of a former run."""
        return open_holds(self._enrolled().bench, sale_uid)

    @property
    def programme(self) -> Programme | None:
        """What is sold by; None before the first pull."""
        current = self._enrolled().bench.programme
        return current.programme if current is not None else None

    @property
    def sends_codes(self) -> bool:
        """Whether a new member's phone is proven by a one-time code, here and now."""
        programme = self.programme
        return programme is not None and programme.registration.code and self._enrolled().codes.sent

    def reads_wallet(self, text: str) -> bool:
        """Whether a text is written as a wallet code, good or not."""
        return self._open is not None and self._open.bench.wallets.reads(text)

    def codes_on_trust(self) -> int:
        """Wallet codes taken since the start by their proof alone, because nobody could tell the time."""
        return self._open.bench.wallets.on_trust if self._open is not None else 0

    def lending(self) -> Lending:
        """What this till has been granted, and spent within the floor limit."""
        return lending_of(self._open.bench) if self._open is not None else Lending()

    def sentence(
        self, code: str, values: Mapping[str, int | str] = NO_VALUES, *, status: int = 500, language: str | None = None
    ) -> str:
        """What to tell the cashier about a problem: `values` are its extras; a code of no sentence of its own gets a
        general one by HTTP `status`."""
        if self._open is not None:
            words = self._open.bench.words(language)
        else:
            words = Words(supported(language, self._parts.settings.language))
        return words.problem(code, values, status=status)

    async def _meet(self, *people: Identify) -> None:
        """Ask the cloud about those who may be members already; what is wrong with a number is told by others.
        DeskProblem `too_busy`: whoever has waited their time for a turn does not wait for another."""
        if not self._parts.cache.window_days:
            return
        for who in people:
            try:
                await self._enrolled().bench.meeting.find(who)
            except DeskProblem as exc:
                if exc.code == "too_busy":
                    raise

    def _enrolled(self) -> _Open:
        if self._open is None:
            raise problem("till_not_enrolled", "expected an enrolled till: run `tillside agent enrol CODE`")
        return self._open
