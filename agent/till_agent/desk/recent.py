"""What the pages list: sales of this till, their lines, and members by what a person remembers.

Reads in slices: a page of the list must not keep a sale from being written.
"""

from collections.abc import Sequence
from functools import partial

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from till_agent.cache.matching import wanted
from till_agent.desk.bench import BIG_BODY_BYTES, Bench, sale_body, work
from till_agent.desk.elsewhere import Back, Elsewhere, own_backs, reversals
from till_agent.desk.found import Found
from till_agent.desk.lookup import state_of, sync_of
from till_agent.desk.problems import problem
from till_agent.desk.reversing import SALE, VOID
from till_agent.desk.views import tier_title
from till_agent.journal.schema import row_id
from till_agent.page_api import FoundMember, MembersFound, SaleRow, Sales, SaleState, SoldLine, SoldLines
from till_agent.ports import Entry, JournalReader
from till_loyalty.receipt import Line
from till_loyalty.results import Calculation, Reversal
from till_sync.ops import OpId, SaleBody, Subject

SLICE_SALES = 8
"""Sales that are read in one turn of the journal's thread: about a millisecond, between commits."""
SLICE_BYTES = 256 * 1024
"""The same for large receipts; a single one above it is a turn of its own."""


class _Clock(Struct):
    local_time: str = ""


class _Head(Struct):
    """What the list needs of a sale's body; the receipt, which is most of it, is passed by."""

    subject: Subject
    clock: _Clock
    number: str = ""
    cashier: str = ""


class _Member(Struct):
    name_masked: str = ""
    phone_masked: str = ""
    card_masked: str = ""


class _Totals(Struct):
    total_minor: int
    discount_minor: int = 0
    redeemed_points: int = 0
    earned_points: int = 0


class _Answer(Struct):
    calculation: _Totals
    member: _Member | None = None


class _Whole(Struct):
    calculation: Calculation


_head_decoder = msgspec.json.Decoder(_Head)
_answer_decoder = msgspec.json.Decoder(_Answer)
_whole_decoder = msgspec.json.Decoder(_Whole)


class Recent:
    """Lists; changes nothing."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._elsewhere = Elsewhere(bench.parts.sales, bench.parts.settings.cloud_budget_ms)

    async def sales(self, limit: int, before: int) -> Sales:
        """The newest sales, or those before a place of the list, newest first."""
        places = await self._bench.read(lambda reader: reader.sales(before, limit + 1))
        rows: list[SaleRow] = []
        for ops in _slices(places[:limit]):
            rows += await self._bench.read(partial(_rows, ops=ops))
        slips = self._bench.parts.slips
        shown = tuple([replace(row, slip=slips.state(SALE, row.uid).state) for row in rows])
        return Sales(sales=shown, before=shown[-1].cursor if shown and len(places) > limit else 0)

    async def lines(self, uid: str) -> SoldLines:
        """The lines of a sale of this till and what of each may still come back; DeskProblem `sale_unknown`.

        The cloud is asked what came back elsewhere, within the budget.
        """
        entry = await self._bench.read(lambda reader: reader.find(SALE, uid))
        if entry is None:
            raise problem("sale_unknown", f"expected a sale of this till, not {uid!r}")
        body = await work(len(entry.body), BIG_BODY_BYTES, sale_body, entry)
        told = await self._elsewhere.told(entry, body)
        result = body.result if told is None else told.result

        def query(reader: JournalReader) -> tuple[bool, list[Reversal]]:
            own = own_backs(reader, uid, str(entry.op_id))
            return any(each.kind == VOID for each in own), reversals(reader, own, told)

        voided, back = await self._bench.read(query)
        voided = voided or (told is not None and told.voided)
        return await work(len(entry.body), BIG_BODY_BYTES, _lines, body, result, back, voided)

    async def members(self, query: str, limit: int, language: str | None = None) -> MembersFound:
        """Members whom this till knows and whom `query` may mean; those who registered here just now are among them."""
        asked = wanted(query)
        if asked.is_nothing:
            return MembersFound(members=())
        bench = self._bench
        hits = await bench.parts.cache.finder.find(asked, limit)
        found = [bench.finder.by_subject(Subject(member_id=each.row.member_id)) for each in hits.members]
        known = {each.subject.key: each for each in found if each is not None}
        fitting = [
            person
            for person in bench.parts.registrations.people()
            if asked.fits(person.name_masked, person.phone_masked, person.card_masked)
        ][: limit + 1]
        await bench.finder.learn_tags([person.tags[0] for person in fitting])
        for person in fitting:
            new = bench.finder.by_tag(person.tags[0])
            if new is not None:
                known.setdefault(new.subject.key, new)
        shown = [self._shown(each, language) for each in known.values() if each.cached is not None]
        return MembersFound(members=tuple(shown[:limit]), more=hits.more or len(shown) > limit, partial=hits.partial)

    def _shown(self, found: Found, language: str | None) -> FoundMember:
        row = found.cached.row if found.cached is not None else None
        if row is None:
            raise TypeError("expected somebody with a row")
        return FoundMember(
            reference=found.subject.key,
            status=row.status,
            balance_points=self._bench.balances.of(found).balance,
            tier=row.tier,
            tier_title=tier_title(self._bench.words(language), row.tier),
            name_masked=row.name_masked,
            phone_masked=row.phone_masked,
            card_masked=row.card_masked,
        )


def _slices(places: Sequence[tuple[OpId, int]]) -> list[list[OpId]]:
    """Sales that are read together, by count and by the size of their bodies."""
    slices: list[list[OpId]] = []
    room = 0
    for op_id, size in places:
        if not slices or len(slices[-1]) >= SLICE_SALES or size > room:
            slices.append([])
            room = SLICE_BYTES
        slices[-1].append(op_id)
        room -= size
    return slices


def _rows(reader: JournalReader, *, ops: list[OpId]) -> list[SaleRow]:
    """In the journal's thread."""
    return [_row(reader, entry) for op_id in ops if (entry := reader.by_op(op_id)) is not None]


def _row(reader: JournalReader, entry: Entry) -> SaleRow:
    head, answer = _head_decoder.decode(entry.body), _answer_decoder.decode(entry.answer)
    backs = own_backs(reader, entry.uid, str(entry.op_id))
    member = answer.member or _Member()
    return SaleRow(
        uid=entry.uid,
        cursor=row_id(entry.op_id.epoch, entry.op_id.seq),
        at_ms=entry.at_wall_ms,
        local_time=head.clock.local_time,
        number=head.number,
        cashier=head.cashier,
        total_minor=answer.calculation.total_minor,
        redeemed_points=answer.calculation.redeemed_points,
        earned_points=answer.calculation.earned_points,
        state=_state(entry, backs),
        sync=sync_of(reader.verdict(entry.op_id)),
        slip="none",
        member=bool(head.subject.key),
        name_masked=member.name_masked,
        phone_masked=member.phone_masked,
        card_masked=member.card_masked,
        discount_minor=answer.calculation.discount_minor,
    )


def _state(entry: Entry, backs: list[Back]) -> SaleState:
    """The whole calculation is read only of a sale of which something came back."""
    if not backs:
        return "committed"
    if any(back.kind == VOID for back in backs):
        return "voided"
    return state_of(_whole_decoder.decode(entry.answer).calculation, [back.reversal for back in backs])


def _lines(body: SaleBody, result: Calculation, back: list[Reversal], voided: bool) -> SoldLines:
    """What is left of each line: none of a sale that was voided, here or by the cloud's word."""
    gone: dict[int, tuple[int, int]] = {}
    for reversal in back:
        for row in reversal.lines:
            quantity, amount = gone.get(row.number, (0, 0))
            gone[row.number] = (quantity + row.quantity_thousandths, amount + row.amount_minor)
    named = {line.number: line for line in body.receipt.lines}
    lines: list[SoldLine] = []
    for line in result.lines:
        quantity, amount = gone.get(line.number, (0, 0))
        sold: Line | None = named.get(line.number)
        lines.append(
            SoldLine(
                number=line.number,
                code=sold.sku if sold else "",
                name=sold.name if sold else "",
                quantity_thousandths=line.quantity_thousandths,
                amount_minor=line.amount_minor,
                left_thousandths=0 if voided else line.quantity_thousandths - quantity,
                left_minor=0 if voided else line.amount_minor - amount,
            )
        )
    return SoldLines(uid=body.uid, lines=tuple(lines), state="voided" if voided else state_of(result, back))
