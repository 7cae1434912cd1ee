"""Voids and returns: what goes back is worked out in the journal's turn, since it depends on what is back already.

A void is of a sale of this till. Goods of another till's sale are taken back by what the cloud says of it; the op names
that sale's op, and the cloud counts all of it again.
"""

from functools import partial
from typing import NamedTuple

from msgspec import Struct

from till_agent.api import ReturnRequest, Reversed
from till_agent.desk.answers import Answered, encode
from till_agent.desk.balances import Figures
from till_agent.desk.bench import BIG_BODY_BYTES, Bench, sale_body, work
from till_agent.desk.clock import store_clock
from till_agent.desk.digests import RequestDigest
from till_agent.desk.elsewhere import Elsewhere, is_meant, own_backs, reversals
from till_agent.desk.found import Found
from till_agent.desk.problems import of_return, problem
from till_agent.desk.views import View, reversal_messages
from till_agent.ports import Committed, Draft, Entry, JournalReader
from till_agent.texts import Words
from till_loyalty import returns
from till_loyalty.coupons import coupons_back
from till_loyalty.exceptions import ReturnError
from till_loyalty.programme import Programme
from till_loyalty.receipt import Usage
from till_loyalty.results import Calculation, Reversal
from till_sync.asking import SaleAnswer
from till_sync.ops import ReturnBody, SaleBody, Subject, VoidBody, encode_body

SALE = "sale"
VOID = "void"
RETURN = "return"


class Sold(Struct, frozen=True, kw_only=True):
    """A committed sale and whose it is, as known now. `told` is what the cloud says of it, None when it does not.

    `result` is the cloud's calculation where it told one, else this till's. `usage` are the coupons that it used.
    `number` and `local_time` are those that stand on its receipt; the time may be a date alone.
    """

    uid: str
    op: str
    number: str
    local_time: str
    subject: Subject
    result: Calculation
    usage: tuple[Usage, ...]
    told: SaleAnswer | None
    found: Found | None
    figures: Figures | None
    view: View | None
    words: Words
    programme: Programme | None


class _Receipt(NamedTuple):
    """Which sale it is, to machines and to people."""

    uid: str
    op: str
    number: str
    local_time: str


class Reversing:
    """Cancels whole sales, and takes goods back."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._elsewhere = Elsewhere(bench.parts.sales, bench.parts.settings.cloud_budget_ms)

    async def void(self, sale_uid: str, *, language: str | None, print_slip: bool = True) -> Answered:
        """Cancel a sale of this till; again, the same answer. DeskProblem sale_unknown, sale_has_returns."""
        digest = self._bench.digests.plain(VOID, sale_uid)
        earlier, entry = await self._bench.read(
            lambda reader: (reader.find(VOID, sale_uid), reader.find(SALE, sale_uid))
        )
        if earlier is not None:
            return self._answered(Committed(entry=digest.same(earlier), replayed=True), print_slip=print_slip)
        if entry is None:
            raise problem("sale_unknown", f"expected a sale of this till, not {sale_uid!r}")
        body = await work(len(entry.body), BIG_BODY_BYTES, sale_body, entry)
        told = await self._elsewhere.told(entry, body)
        await self._bench.finder.learn_tags([body.subject.tag], of_sale=True)
        sold = self._sold_here(entry, body, told, language)
        return await self._commit(partial(self._decide_void, sold=sold, digest=digest), print_slip=print_slip)

    async def give_back(
        self, uid: str, request: ReturnRequest, *, language: str | None, print_slip: bool = True
    ) -> Answered:
        """Take goods back; the same request again, the same answer, with or without a line. DeskProblem sale_unknown,
        sale_elsewhere, sale_ambiguous, sale_voided, return_*. `print_slip` False: the cash software prints it, as where
        the request itself says so."""
        print_slip = print_slip and request.print_slip
        digest = self._bench.digests.plain(RETURN, uid, request)
        earlier, entry = await self._bench.read(
            lambda reader: (reader.find(RETURN, uid), reader.find(SALE, request.sale_uid))
        )
        if earlier is not None:
            committed = Committed(entry=digest.same(earlier), replayed=True)
            return self._answered(committed, print_slip=print_slip)
        sold = await self._sold(entry, request, language)
        decide = partial(self._decide_return, uid=uid, request=request, sold=sold, digest=digest)
        return await self._commit(decide, print_slip=print_slip)

    async def _sold(self, entry: Entry | None, request: ReturnRequest, language: str | None) -> Sold:
        """The sale that the request means: this till's `entry` of that uid, or another till's."""
        if entry is not None:
            body = await work(len(entry.body), BIG_BODY_BYTES, sale_body, entry)
            if is_meant(body, entry.op_id.till, request.sold_at):
                known = await self._elsewhere.told(entry, body)
                await self._bench.finder.learn_tags([body.subject.tag], of_sale=True)
                return self._sold_here(entry, body, known, language)
        told = await self._elsewhere.find(request)
        await self._bench.finder.learn_tags([told.subject.tag], of_sale=True)
        receipt = _Receipt(told.sale_uid, told.op, told.number, self._time_on_receipt(told))
        return self._known_now(receipt, told, told, language)

    def _time_on_receipt(self, told: SaleAnswer) -> str:
        """Of another till's sale: its store's clock, which is this till's only in the same store. Another store may be
        in another zone, and a sale may have been written down later than it was made: then its date alone is sure."""
        identity = self._bench.identity
        at = store_clock(None, told.at_wall_ms, identity.time_zone)
        return at.local_time if (told.store, told.date) == (identity.store, at.business_date) else told.date

    def _sold_here(self, entry: Entry, body: SaleBody, told: SaleAnswer | None, language: str | None) -> Sold:
        receipt = _Receipt(entry.uid, str(entry.op_id), body.number, body.clock.local_time)
        return self._known_now(receipt, body, told, language)

    def _known_now(
        self, receipt: "_Receipt", sale: SaleBody | SaleAnswer, told: SaleAnswer | None, language: str | None
    ) -> Sold:
        bench = self._bench
        result = told.result if told is not None else sale.result
        found = bench.finder.by_subject(sale.subject)
        words = bench.words(language)
        made_by = (result.programme_id, result.programme_version)
        return Sold(
            uid=receipt.uid,
            op=receipt.op,
            number=receipt.number,
            local_time=receipt.local_time,
            subject=sale.subject,
            result=result,
            usage=sale.usage,
            told=told,
            found=found,
            figures=bench.balances.of(found) if found else None,
            view=bench.view(found, words) if found else None,
            words=words,
            programme=bench.parts.cache.programme_version(*made_by) if made_by[0] else None,
        )

    async def _commit(self, decide: "partial[Draft | Entry]", *, print_slip: bool) -> Answered:
        return self._answered(await self._bench.commit(decide), print_slip=print_slip)

    def _answered(self, committed: Committed, *, print_slip: bool) -> Answered:
        if print_slip:
            self._bench.print_first_slip(committed, None)
        return Answered(body=committed.entry.answer, replayed=committed.replayed)

    def _decide_void(self, reader: JournalReader, *, sold: Sold, digest: RequestDigest) -> Draft | Entry:
        earlier = reader.find(VOID, sold.uid)
        if earlier is not None:
            return digest.same(earlier)
        kinds = {back.kind for back in own_backs(reader, sold.uid, sold.op)}
        if sold.told is not None:
            kinds |= {back.kind for back in sold.told.reversals}
        if RETURN in kinds:
            raise problem("sale_has_returns", "expected a sale of which nothing was brought back")
        reversal = _reverse(sold.result, [], None)
        return self._draft(reader, VOID, sold.uid, sold, digest, reversal, sold.result.total_minor)

    def _decide_return(
        self, reader: JournalReader, *, uid: str, request: ReturnRequest, sold: Sold, digest: RequestDigest
    ) -> Draft | Entry:
        earlier = reader.find(RETURN, uid)
        if earlier is not None:
            return digest.same(earlier)
        own = own_backs(reader, sold.uid, sold.op)
        if any(back.kind == VOID for back in own):
            raise problem("sale_voided", "expected a sale that stands, not a voided one", pointer="/sale_uid")
        earlier_reversals = reversals(reader, own, sold.told)
        reversal = _reverse(sold.result, earlier_reversals, request)
        back = sum([row.amount_minor for each in (*earlier_reversals, reversal) for row in each.lines])
        return self._draft(reader, RETURN, uid, sold, digest, reversal, back, cashier=request.cashier)

    def _draft(
        self,
        reader: JournalReader,
        kind: str,
        uid: str,
        sold: Sold,
        digest: RequestDigest,
        reversal: Reversal,
        back_minor: int,
        cashier: str = "",
    ) -> Draft:
        clock = self._bench.parts.clock
        day = store_clock(None, clock.wall_ms(), self._bench.identity.time_zone)
        made = VoidBody if kind == VOID else partial(ReturnBody, cashier=cashier)
        body = made(
            uid=uid,
            store=self._bench.identity.store,
            at_wall_ms=clock.wall_ms(),
            at_mono_ms=clock.mono_ms(),
            boot=clock.boot,
            sale_uid=sold.uid,
            sale_op=sold.op,
            subject=sold.subject,
            reversal=reversal,
            clock=day,
            usage=_coupons_again(sold, back_minor, day.business_date),
        )
        after = sold.figures.after(reversal.effect_points) if sold.figures else None
        answer = Reversed(
            uid=uid,
            sale_uid=sold.uid,
            op=str(reader.next_op_id),
            reversal=reversal,
            member=sold.view.member(after) if sold.view and after else None,
            balance_after_points=after.balance if after else 0,
            messages=reversal_messages(sold.words, reversal, after),
            sale_op=sold.op,
            sale_number=sold.number,
            sale_time=sold.local_time,
        )
        return Draft(
            kind=kind,
            uid=uid,
            about_uid=sold.uid,
            request_digest=digest.made,
            body=encode_body(body),
            answer=encode(answer),
            subject=sold.subject,
            effect_points=reversal.effect_points,
            at_wall_ms=body.at_wall_ms,
        )


def _coupons_again(sold: Sold, back_minor: int, on: str) -> tuple[Usage, ...]:
    """Uses of coupons that the member has back, now that goods of `back_minor` in all are back."""
    if sold.programme is None or not sold.result.coupons:
        return ()
    again = coupons_back(sold.programme, sold.result, returned_minor=back_minor, on=on)
    return tuple(
        [
            Usage(rule=row.rule, per=row.per, key=row.key, uses=-row.uses)
            for row in sold.usage
            # Limits of rules, of which nothing comes back, count amounts; coupons count uses alone.
            if row.rule in again and not row.amount
        ]
    )


def _reverse(sale: Calculation, earlier: list[Reversal], request: ReturnRequest | None) -> Reversal:
    lines = request.lines if request is not None and request.lines else None
    try:
        return returns.reverse(sale, earlier, lines)
    except ReturnError as exc:
        extras = _left(sale, earlier, request, exc) if exc.code == "quantity_exceeds" else {}
        raise of_return(exc, **extras) from exc


def _left(
    sale: Calculation, earlier: list[Reversal], request: ReturnRequest | None, error: ReturnError
) -> dict[str, int]:
    """How much of the line that `error` points at may still come back."""
    if request is None:
        return {}
    number = request.lines[int(error.pointer.split("/")[2])].number
    sold = sum(line.quantity_thousandths for line in sale.lines if line.number == number)
    back = sum(row.quantity_thousandths for each in earlier for row in each.lines if row.number == number)
    return {"line": number, "left_thousandths": sold - back}
