"""A till's question about a sale of the chain: goods come back to any till, and the cloud knows what was sold at all.

Reads only. What is told of the member is the id that tills know anyway: no name, no phone, no card.
"""

import sqlite3

import msgspec
from msgspec import Struct

from till_cloud.exceptions import RefusedError
from till_cloud.ingest.context import Rejected
from till_cloud.ingest.sales import counted_of
from till_cloud.store import ops, people
from till_loyalty.receipt import StoreClock, Usage
from till_loyalty.results import Reversal
from till_sync.asking import SaleAnswer, SaleChoice, SaleQuestion, SaleReversal
from till_sync.ops import OpId, Subject

SALES_READ = 200
"""Sales of one uid that are looked at for a receipt's number or date. Where uids are that common, the till is named."""
CHOICES_TOLD = 10
"""As many as a cashier may be asked to choose from."""
REVERSALS_TOLD = 1_000
"""Voids and returns of one sale; a real one has a handful, and the answer must have an end."""

_reversal: msgspec.json.Decoder[Reversal] = msgspec.json.Decoder(Reversal)


class _Facts(Struct, frozen=True):
    tier: str = ""


class _Total(Struct, frozen=True):
    total_minor: int = 0


class _Head(Struct, frozen=True):
    """What is told of a sale's body; the lines are passed by."""

    at_wall_ms: int = 0
    number: str = ""
    tier: str = ""
    clock: StoreClock | None = None
    facts: _Facts | None = None
    subject: Subject = Subject()
    usage: tuple[Usage, ...] = ()
    result: _Total = _Total()

    @property
    def date(self) -> str:
        return "" if self.clock is None else self.clock.business_date


_head: msgspec.json.Decoder[_Head] = msgspec.json.Decoder(_Head)


class _Hit(Struct, frozen=True):
    row: ops.SaleRow
    store: str
    head: _Head


def answer_sale(connection: sqlite3.Connection, question: SaleQuestion, now_ms: int) -> SaleAnswer:
    """The one sale that fits the question. RefusedError `sale_unknown` 404, `sale_ambiguous` 409 with `choices`."""
    rows = ops.sales_called(
        connection, question.sale_uid, till=question.of_till, store=question.of_store, limit=SALES_READ + 1
    )
    hits = [hit for row, store in rows[:SALES_READ] if (hit := _hit(connection, row, store, question)) is not None]
    if len(hits) > 1 or len(rows) > SALES_READ:
        choices = tuple([_choice(hit) for hit in hits[:CHOICES_TOLD]])
        detail = "expected a question that fits one sale, not several: name the till"
        raise RefusedError(409, "sale_ambiguous", detail, choices=choices, more=len(hits) > CHOICES_TOLD)
    if not hits:
        raise _unknown(question)
    return _answer(connection, hits[0], question, now_ms)


def _hit(connection: sqlite3.Connection, row: ops.SaleRow, store: str, question: SaleQuestion) -> _Hit | None:
    """The sale, when its receipt has the number and the date that were asked for."""
    raw = ops.body(connection, OpId(row.till, row.epoch, row.seq))
    if raw is None:
        return None
    head = _head.decode(raw)
    if (question.number and question.number != head.number) or (question.date and question.date != head.date):
        return None
    return _Hit(row, store, head)


def _answer(connection: sqlite3.Connection, hit: _Hit, question: SaleQuestion, now_ms: int) -> SaleAnswer:
    row, head = hit.row, hit.head
    made = ops.reversals_made(connection, row.till, row.uid, limit=REVERSALS_TOLD + 1)
    if len(made) > REVERSALS_TOLD:
        raise RefusedError(409, "sale_too_long", f"expected a sale of at most {REVERSALS_TOLD} returns")
    try:
        result = counted_of(connection, row)
    except Rejected as error:
        raise _unknown(question) from error
    return SaleAnswer(
        till=row.till,
        store=hit.store,
        sale_uid=row.uid,
        op=str(OpId(row.till, row.epoch, row.seq)),
        number=head.number,
        date=head.date,
        at_wall_ms=head.at_wall_ms,
        subject=Subject(member_id=people.kept(connection, row.member_id)) if row.member_id else head.subject,
        tier=head.tier or ("" if head.facts is None else head.facts.tier),
        voided=row.voided,
        result=result,
        reversals=tuple(
            [
                SaleReversal(op=str(op_id), kind=each.kind, uid=each.uid, reversal=_reversal.decode(each.result))
                for op_id, each in made
            ]
        ),
        # Coupons count uses alone; limits of rules, of which a return gives nothing back, count amounts.
        usage=tuple([use for use in head.usage if not use.amount]),
        server_time_ms=now_ms,
    )


def _choice(hit: _Hit) -> SaleChoice:
    return SaleChoice(
        till=hit.row.till,
        store=hit.store,
        number=hit.head.number,
        date=hit.head.date,
        at_wall_ms=hit.head.at_wall_ms,
        total_minor=hit.head.result.total_minor,
    )


def _unknown(question: SaleQuestion) -> RefusedError:
    return RefusedError(404, "sale_unknown", f"expected a sale that came to the cloud, not {question.sale_uid}")
