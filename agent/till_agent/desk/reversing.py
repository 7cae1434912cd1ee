"""Voids and returns: what goes back is worked out in the journal's turn, since it depends on what is back already."""

from functools import partial

from msgspec import Struct

from till_agent.api import ReturnRequest, Reversed
from till_agent.desk.answers import Answered, encode, request_digest
from till_agent.desk.balances import Figures
from till_agent.desk.bench import BIG_BODY_BYTES, Bench, sale_body, same_request, work
from till_agent.desk.clock import store_clock
from till_agent.desk.finding import Found
from till_agent.desk.problems import of_return, problem
from till_agent.desk.views import View, reversal_messages
from till_agent.ports import Draft, Entry, JournalReader
from till_agent.texts import Words
from till_loyalty import returns
from till_loyalty.coupons import coupons_back
from till_loyalty.exceptions import ReturnError
from till_loyalty.programme import Programme
from till_loyalty.receipt import Usage
from till_loyalty.results import Calculation, Reversal
from till_sync.ops import ReturnBody, SaleBody, VoidBody, decode_body, encode_body

SALE = "sale"
VOID = "void"
RETURN = "return"


class Sold(Struct, frozen=True, kw_only=True):
    """A committed sale and whose it is, as known now."""

    entry: Entry
    body: SaleBody
    found: Found | None
    figures: Figures | None
    view: View | None
    words: Words
    programme: Programme | None


class Reversing:
    """Cancels whole sales, and takes goods back."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def void(self, sale_uid: str, *, language: str | None) -> Answered:
        """Cancel a sale; again, the same answer. DeskProblem sale_unknown, sale_has_returns."""
        sold = await self._sold(sale_uid, "", language)
        digest = request_digest(self._bench.identity.identifier_key, VOID, sale_uid)
        return await self._commit(partial(self._decide_void, sold=sold, digest=digest))

    async def give_back(self, uid: str, request: ReturnRequest, *, language: str | None) -> Answered:
        """Take goods back; the same request again, the same answer. DeskProblem sale_unknown, sale_voided, return_*."""
        sold = await self._sold(request.sale_uid, "/sale_uid", language)
        digest = request_digest(self._bench.identity.identifier_key, RETURN, uid, request)
        return await self._commit(partial(self._decide_return, uid=uid, request=request, sold=sold, digest=digest))

    async def _sold(self, sale_uid: str, pointer: str, language: str | None) -> Sold:
        bench = self._bench
        entry = await bench.read(lambda reader: reader.find(SALE, sale_uid))
        if entry is None:
            raise problem("sale_unknown", f"expected a sale of this till, not {sale_uid!r}", pointer=pointer)
        body = await work(len(entry.body), BIG_BODY_BYTES, sale_body, entry)
        found = bench.finder.by_subject(body.subject)
        figures = bench.balances.of(found) if found else None
        words = bench.words(language)
        view = bench.view(found, words) if found else None
        made_by = (body.result.programme_id, body.result.programme_version)
        programme = bench.parts.cache.programme_version(*made_by) if made_by[0] else None
        return Sold(entry=entry, body=body, found=found, figures=figures, view=view, words=words, programme=programme)

    async def _commit(self, decide: "partial[Draft | Entry]") -> Answered:
        committed = await self._bench.commit(decide)
        self._bench.print_first_slip(committed, None)
        return Answered(body=committed.entry.answer, replayed=committed.replayed)

    def _decide_void(self, reader: JournalReader, *, sold: Sold, digest: bytes) -> Draft | Entry:
        earlier = reader.find(VOID, sold.entry.uid)
        if earlier is not None:
            return same_request(earlier, digest)
        if any(entry.kind == RETURN for entry in reader.about(sold.entry.uid)):
            raise problem("sale_has_returns", "expected a sale of which nothing was brought back")
        reversal = _reverse(sold.body.result, [], None)
        return self._draft(reader, VOID, sold.entry.uid, sold, digest, reversal, sold.body.result.total_minor)

    def _decide_return(
        self, reader: JournalReader, *, uid: str, request: ReturnRequest, sold: Sold, digest: bytes
    ) -> Draft | Entry:
        earlier = reader.find(RETURN, uid)
        if earlier is not None:
            return same_request(earlier, digest)
        about = reader.about(sold.entry.uid)
        if any(entry.kind == VOID for entry in about):
            raise problem("sale_voided", "expected a sale that stands, not a voided one", pointer="/sale_uid")
        earlier_reversals = [reversal_of(entry) for entry in about]
        reversal = _reverse(sold.body.result, earlier_reversals, request)
        back = sum([row.amount_minor for each in (*earlier_reversals, reversal) for row in each.lines])
        return self._draft(reader, RETURN, uid, sold, digest, reversal, back)

    def _draft(
        self,
        reader: JournalReader,
        kind: str,
        uid: str,
        sold: Sold,
        digest: bytes,
        reversal: Reversal,
        back_minor: int,
    ) -> Draft:
        clock = self._bench.parts.clock
        day = store_clock(None, clock.wall_ms(), self._bench.identity.time_zone)
        made = VoidBody if kind == VOID else ReturnBody
        body = made(
            uid=uid,
            store=self._bench.identity.store,
            at_wall_ms=clock.wall_ms(),
            at_mono_ms=clock.mono_ms(),
            boot=clock.boot,
            sale_uid=sold.entry.uid,
            sale_op=str(sold.entry.op_id),
            subject=sold.body.subject,
            reversal=reversal,
            clock=day,
            usage=_coupons_again(sold, back_minor, day.business_date),
        )
        after = sold.figures.after(reversal.effect_points) if sold.figures else None
        answer = Reversed(
            uid=uid,
            sale_uid=sold.entry.uid,
            op=str(reader.next_op_id),
            reversal=reversal,
            member=sold.view.member(after) if sold.view and after else None,
            balance_after_points=after.balance if after else 0,
            messages=reversal_messages(sold.words, reversal, after),
        )
        return Draft(
            kind=kind,
            uid=uid,
            about_uid=sold.entry.uid,
            request_digest=digest,
            body=encode_body(body),
            answer=encode(answer),
            subject=sold.body.subject,
            effect_points=reversal.effect_points,
            at_wall_ms=body.at_wall_ms,
        )


def _coupons_again(sold: Sold, back_minor: int, on: str) -> tuple[Usage, ...]:
    """Uses of coupons that the member has back, now that goods of `back_minor` in all are back."""
    if sold.programme is None or not sold.body.result.coupons:
        return ()
    again = coupons_back(sold.programme, sold.body.result, returned_minor=back_minor, on=on)
    return tuple(
        [
            Usage(rule=row.rule, per=row.per, key=row.key, uses=-row.uses)
            for row in sold.body.usage
            # Limits of rules, of which nothing comes back, count amounts; coupons count uses alone.
            if row.rule in again and not row.amount
        ]
    )


def reversal_of(entry: Entry) -> Reversal:
    """What a void or return gave back."""
    body = decode_body(entry.body)
    if not isinstance(body, VoidBody | ReturnBody):
        raise TypeError(f"expected the body of a void or return, not of a {entry.kind}")
    return body.reversal


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
