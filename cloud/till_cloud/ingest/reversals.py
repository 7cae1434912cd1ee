"""Voids and returns at the cloud: counted from the cloud's own figures of the sale, never from the till's."""

from datetime import date
from typing import Literal

import msgspec

from till_cloud.holding import release_row
from till_cloud.ingest.consequences import after_reversal
from till_cloud.ingest.context import Context, Flag, Rejected, Verdict
from till_cloud.ingest.sales import sold
from till_cloud.ledger.account import Account, Draft
from till_cloud.ledger.issuing import time_zone_of
from till_cloud.merging import forward
from till_cloud.store import holds, ops
from till_loyalty.days import local_day
from till_loyalty.life import grace_until_ms
from till_loyalty.lots import open_uses
from till_loyalty.programme import Programme
from till_loyalty.results import Calculation, ReturnLine, Reversal, canonical_bytes
from till_loyalty.returns import reverse
from till_sync.ops import HoldReleaseBody, OpId, ReturnBody, VoidBody

_reversal: msgspec.json.Decoder[Reversal] = msgspec.json.Decoder(Reversal)


def apply_void(context: Context, op_id: OpId, body: VoidBody) -> Verdict:
    """Cancel a whole sale. Rejected: `sale_unknown`, `sale_voided`, `sale_returned`, `void_repeated`."""
    row, earlier = _sale(context, context.till, body.sale_uid)
    if earlier:
        raise Rejected("sale_returned", f"expected a sale of which nothing came back, not {row.uid}")
    if ops.has_reversal(context.book.connection, context.till, "void", body.uid):
        raise Rejected("void_repeated", f"expected each void once, not {body.uid} again")
    sale = sold(context, row)
    verdict = _apply(context, op_id, body, row, sale, [], reverse(sale))
    ops.void_sale(context.book.connection, context.till, row.uid)
    return verdict


def apply_return(context: Context, op_id: OpId, body: ReturnBody) -> Verdict:
    """Goods back, whole or in part. Rejected: `sale_unknown`, `sale_voided`, `return_repeated`, a return's code.

    The sale may be another till's: its op says whose. One that has not come here yet is `sale_unknown`.
    """
    row, earlier = _sale(context, _till_of(context, body), body.sale_uid)
    if ops.has_reversal(context.book.connection, context.till, "return", body.uid):
        raise Rejected("return_repeated", f"expected each return once, not {body.uid} again")
    sale = sold(context, row)
    asked = [
        ReturnLine(number=line.number, quantity_thousandths=line.quantity_thousandths, amount_minor=line.amount_minor)
        for line in body.reversal.lines
    ]
    counted = reverse(sale, [_reversal.decode(each.result) for each in earlier], asked)
    return _apply(context, op_id, body, row, sale, earlier, counted)


def apply_release(context: Context, op_id: OpId, body: HoldReleaseBody) -> Verdict:
    """Give a hold's points back. One that is not known is closed in advance: its request may still be on its way."""
    book = context.book
    row = holds.find(book.connection, body.hold)
    if row is None:
        closed = holds.HoldRow(
            hold=body.hold,
            till=context.till,
            member_id="",
            sale_uid="",
            points=0,
            state="released",
            made_at_ms=book.now_ms,
            expires_at_ms=book.now_ms,
            balance=0,
            held=0,
            position=0,
        )
        holds.add(book.connection, closed, resolved_by=str(op_id))
        return Verdict(status="applied", code="hold_unknown")
    if row.till != context.till:
        raise Rejected("hold_mismatch", "expected a hold of this till")
    account = book.account(row.member_id) if row.member_id else None
    if row.state != "open":
        return Verdict(status="applied", code=f"hold_{row.state}", account=account)
    release_row(book, row, resolved_by=str(op_id))
    return Verdict(status="applied", account=account)


def _till_of(context: Context, body: ReturnBody) -> str:
    """The till that made the sale, by the sale's op."""
    try:
        return OpId.parse(body.sale_op).till
    except ValueError:  # ops of before returns at other tills name none
        return context.till


def _sale(context: Context, till: str, sale_uid: str) -> tuple[ops.SaleRow, list[ops.ReversalRow]]:
    """A till's sale that is not voided, and what was returned of it."""
    row = ops.sale(context.book.connection, till, sale_uid)
    if row is None:
        raise Rejected("sale_unknown", f"expected a sale of till {till[:40]}, not {sale_uid}")
    if row.voided:
        raise Rejected("sale_voided", f"expected a sale that stands, not {sale_uid}, which was voided")
    return row, ops.reversals(context.book.connection, till, sale_uid)


def _apply(
    context: Context,
    op_id: OpId,
    body: VoidBody | ReturnBody,
    row: ops.SaleRow,
    sale: Calculation,
    earlier: list[ops.ReversalRow],
    counted: Reversal,
) -> Verdict:
    """Move the points that `counted` asks for, keep it for later returns, and compare with what the till said."""
    book = context.book
    kind: Literal["void", "return"] = "void" if isinstance(body, VoidBody) else "return"
    account = book.account(row.member_id) if row.member_id else None
    draft, position = None, 0
    if account is not None and (counted.points_back or counted.points_taken):
        draft = _move(context, account, row, sale, earlier, counted, body)
        position = book.next_position()
        book.post(draft, kind=kind, op=op_id, uid=body.uid, about_uid=row.uid, position=position)
        forward(book, account, uid=body.uid)
    stored = ops.ReversalRow(kind, body.uid, position, canonical_bytes(counted))
    ops.add_reversal(book.connection, op_id, sale=row, number=len(earlier) + 1, row=stored)
    before, moved = [_reversal.decode(each.result) for each in earlier], [each.position for each in (*earlier, stored)]
    after_reversal(context, body, row, sale, before, counted, moved)
    effect = 0 if draft is None else draft.figures.effect_points
    said = body.reversal
    same = (said.points_back, said.points_taken) == (counted.points_back, counted.points_taken)
    code = "points_differ" if not same else ""
    if draft is not None and same and effect != counted.effect_points:
        # What expired in the sale's own lots is gone already: nobody had it, so nobody owes it.
        code = "points_forgiven" if draft.forgiven else "points_expired"
    flags = (Flag(code, said.effect_points, effect),) if code else ()
    return Verdict(
        status="adjusted" if code else "applied",
        code=code,
        account=account,
        tag=body.subject.tag,
        effect_points=effect,
        flags=flags,
    )


def _move(
    context: Context,
    account: Account,
    row: ops.SaleRow,
    sale: Calculation,
    earlier: list[ops.ReversalRow],
    counted: Reversal,
    body: VoidBody | ReturnBody,
) -> Draft:
    """Spent points back into their lots, then earned points out of the sale's own lots."""
    book, programme = context.book, _programme(context, sale)
    positions = [position for position in (row.position, *(each.position for each in earlier)) if position]
    uses = open_uses(move for move in book.moves(account.member_id, positions) if move.kind in {"use", "give_back"})
    own = book.lots_of(account.member_id, row.position) if row.position else []
    book.load_lots(account, [*own, *(int(use.lot_id) for use in uses)])
    draft = Draft(account)
    grace = None if programme is None else _grace_until_ms(context, body, programme)
    draft.give_back(uses, counted.points_back, now_ms=book.now_ms, grace_until_ms=grace)
    # Without any programme nothing was ever earned, so there is nothing that a policy could decide.
    draft.take_back(own, counted.points_taken, "debt" if programme is None else programme.return_policy)
    return draft


def _programme(context: Context, sale: Calculation) -> Programme | None:
    """The programme that the sale was counted by, else the active one: of their return policy and grace."""
    connection = context.book.connection
    version = context.registry.version(connection, sale.programme_id, sale.programme_version)
    version = version or context.active()
    return None if version is None else version.programme


def _grace_until_ms(context: Context, body: VoidBody | ReturnBody, programme: Programme) -> int | None:
    """How long points live that come back to an expired lot: from the return's own day, which is never after today."""
    if not programme.return_grace_days:
        return None
    time_zone = time_zone_of(context.book.connection, context.till)
    today = local_day(context.book.now_ms, time_zone)
    try:
        made = today if body.clock is None else date.fromisoformat(body.clock.business_date)
    except ValueError:
        made = today
    return grace_until_ms(programme, min(made, today), time_zone)
