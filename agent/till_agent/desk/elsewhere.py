"""Sales as the cloud knows them: of other tills, and what other tills took back of this one's.

A return is rare and somebody waits for it, so it asks; within the bridge's budget, and only while the line is up.
"""

import logging
from typing import Literal, NamedTuple

import msgspec

from till_agent.api import ReturnRequest, SoldAt
from till_agent.desk.patience import ask
from till_agent.desk.problems import problem
from till_agent.exceptions import CloudUnreachable, SaleRefused
from till_agent.ports import Entry, JournalReader, SaleGateway
from till_loyalty.results import Reversal
from till_sync.asking import SaleAnswer, SaleQuestion
from till_sync.ops import OpId, ReturnBody, SaleBody, VoidBody, decode_body

log = logging.getLogger(__name__)

NOWHERE = SoldAt()
"""Nothing is known of the receipt but its uid."""
POINTER = "/sale_uid"


class Elsewhere:
    """Asks the cloud about sales. `gateway` is None where there is no cloud to ask."""

    def __init__(self, gateway: SaleGateway | None, budget_ms: int) -> None:
        self._gateway = gateway
        self._budget_ms = budget_ms

    async def find(self, request: ReturnRequest) -> SaleAnswer:
        """A sale that this till's journal does not have. DeskProblem sale_unknown, sale_elsewhere (no line),
        sale_ambiguous with `choices`, sale_voided."""
        unknown = f"expected a sale of the chain, not {request.sale_uid!r}"
        gateway, budget_ms = self._gateway, self._budget_ms
        if gateway is None:
            raise problem("sale_unknown", f"expected a sale of this till, not {request.sale_uid!r}", pointer=POINTER)
        where = request.sold_at or NOWHERE
        if not gateway.online:
            raise _no_line("the cloud is out of reach")
        question = SaleQuestion(
            sale_uid=request.sale_uid,
            of_till=where.till,
            of_store=where.store,
            number=where.number,
            date=where.date,
        )
        try:
            found = await ask(budget_ms, lambda: gateway.find(question, budget_ms=budget_ms))
        except CloudUnreachable as exc:
            raise _no_line(str(exc)) from exc
        except SaleRefused as exc:
            if exc.code != "sale_ambiguous":
                raise problem("sale_unknown", unknown, pointer=POINTER) from exc
            choices = msgspec.to_builtins(exc.choices)
            detail = "expected `sold_at` to name one sale, not several"
            raise problem("sale_ambiguous", detail, pointer="/sold_at", choices=choices) from exc
        if found.voided:
            raise problem("sale_voided", "expected a sale that stands, not a voided one", pointer=POINTER)
        return found

    async def told(self, entry: Entry, body: SaleBody) -> SaleAnswer | None:
        """What the cloud says of a sale of this till, so that goods that came back to other tills count; None when it
        does not say: the journal alone decides then, and the cloud counts all of it again."""
        gateway, budget_ms = self._gateway, self._budget_ms
        if gateway is None or not gateway.online:
            return None
        question = SaleQuestion(sale_uid=entry.uid, of_till=entry.op_id.till)
        try:
            found = await ask(budget_ms, lambda: gateway.find(question, budget_ms=budget_ms))
        except (CloudUnreachable, SaleRefused) as exc:
            log.info("sale %s could not be asked about: %s", entry.op_id, exc)
            return None
        return found if _is_same(found, entry, body) else None


class Back(NamedTuple):
    """What a void or a return at this till gave back."""

    op_id: OpId
    kind: Literal["void", "return"]
    uid: str
    reversal: Reversal


def back_of(entry: Entry) -> tuple[Back, str]:
    """What an entry gave back, and the op of the sale it speaks of."""
    body = decode_body(entry.body)
    if not isinstance(body, VoidBody | ReturnBody):
        raise TypeError(f"expected the body of a void or return, not of a {entry.kind}")
    kind: Literal["void", "return"] = "void" if isinstance(body, VoidBody) else "return"
    return Back(entry.op_id, kind, entry.uid, body.reversal), body.sale_op


def own_backs(reader: JournalReader, sale_uid: str, sale_op: str) -> list[Back]:
    """This till's voids and returns of one sale: not those of another till's sale that has the same uid.

    They are told apart by the till alone. A sale that was journalled anew, from a file that was put aside, has another
    id since, and what was done to it still names the one of before.
    """
    till = _till_of(sale_op)
    return [back for back, about in map(back_of, reader.about(sale_uid)) if _till_of(about) == till]


def reversals(reader: JournalReader, own: list[Back], told: SaleAnswer | None) -> list[Reversal]:
    """All that came back of a sale, each once: as the cloud counted it where it did, and what waits to get there.

    It is known there by its kind and uid: its id may be of before it was journalled anew. What the cloud rejected moved
    nothing, so it does not count; without the cloud's word it does, to be on the safe side.
    """
    if told is None:
        return [back.reversal for back in own]
    counted = {(_till_of(each.op), each.kind, each.uid) for each in told.reversals}
    waiting = [
        back.reversal
        for back in own
        if (back.op_id.till, back.kind, back.uid) not in counted and not _rejected(reader, back.op_id)
    ]
    return [*(each.reversal for each in told.reversals), *waiting]


def is_meant(body: SaleBody, till: str, where: SoldAt | None) -> bool:
    """Whether a sale of this till is the one that stands on the receipt."""
    if where is None:
        return True
    known = (till, body.store, body.number, body.clock.business_date)
    return all(
        wanted in ("", have)
        for wanted, have in zip((where.till, where.store, where.number, where.date), known, strict=True)
    )


def _is_same(found: SaleAnswer, entry: Entry, body: SaleBody) -> bool:
    """Whether the cloud speaks of this very sale. One that was journalled anew has another id there, for good; and one
    of a journal that was lost may have had the same uid, and is told apart by its receipt and its moment."""
    if found.op == str(entry.op_id):
        return True
    return (found.number, found.date, found.at_wall_ms) == (body.number, body.clock.business_date, body.at_wall_ms)


def _till_of(op: str) -> str:
    return op.rsplit(":", 2)[0]


def _rejected(reader: JournalReader, op_id: OpId) -> bool:
    verdict = reader.verdict(op_id)
    return verdict is not None and "rejected" in (verdict.status, verdict.first)


def _no_line(why: str) -> Exception:
    return problem(
        "sale_elsewhere",
        f"expected a sale of this till, or a line to the cloud that knows the others: {why}"[:300],
        pointer=POINTER,
    )
