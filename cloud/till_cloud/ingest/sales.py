"""A sale at the cloud: counted again by the same engine, then written to the member's ledger."""

import sqlite3

import msgspec

from till_cloud.ingest.consequences import after_sale
from till_cloud.ingest.context import Context, Flag, Rejected, Verdict
from till_cloud.ingest.counting import Counted, Wish, count, discount_flags, figures, gives_the_same, why_different
from till_cloud.ingest.subjects import find, make
from till_cloud.ledger.account import Account, Draft, IssuedLot
from till_cloud.ledger.issuing import lots_of_sale
from till_cloud.registry import Version
from till_cloud.store import holds, ops
from till_loyalty.results import Calculation, canonical_bytes
from till_sync.ops import OpId, SaleBody


class _Promise(msgspec.Struct, frozen=True):
    """What the cloud had promised for this sale. `code` says why points may not be spent, "" when they may."""

    hold: holds.HoldRow | None
    points: int
    code: str


def apply_sale(context: Context, op_id: OpId, body: SaleBody) -> Verdict:
    """Count, spend what a hold covers, issue a lot. Rejected: `sale_repeated`, `subject_invalid`, a receipt's code."""
    connection = context.book.connection
    if ops.has_sale(connection, context.till, body.uid):
        raise Rejected("sale_repeated", f"expected each sale once, not {body.uid} again")
    version, notes = _version(context, body)
    account = find(context, body.subject)
    if account is None and body.subject.key:
        # Counted for somebody first: a sale that is refused leaves no member behind.
        count(context, version, body, Account(member_id="", status="provisional", tier=""), Wish())
        account = make(context, body.subject)
    promise = _promise(context, body, account)
    counting = count(context, version, body, account, _wish(version, body, promise))
    counted = counting.result
    same = figures(counted) == figures(body.result)
    code = promise.code or ("" if same else why_different(version, body))
    flags = [*notes, *discount_flags(version, counting)]
    draft, position = _write(context, op_id, body, account, promise, version, counting)
    ops.add_sale(
        connection,
        op_id,
        body.uid,
        member_id="" if account is None else account.member_id,
        position=position,
        result=None if gives_the_same(counted, body.result) else canonical_bytes(counted),
    )
    if code:
        flags.append(Flag(code, _net(body.result), _net(counted)))
    after_sale(context, op_id, body, version, counting, account, position)
    return Verdict(
        status="applied" if same else "adjusted",
        code=code,
        account=account,
        tag=body.subject.tag,
        effect_points=0 if draft is None else draft.figures.effect_points,
        flags=tuple(flags),
    )


def _version(context: Context, body: SaleBody) -> tuple[Version | None, list[Flag]]:
    """The programme version to count by: the one that the till names, else the active one, and why."""
    connection, claimed = context.book.connection, body.result
    named = context.registry.version(connection, claimed.programme_id, claimed.programme_version)
    name = f"{claimed.programme_id[:60]} {claimed.programme_version}"
    if named is None:
        active = context.active()
        code = "programme_missing" if active is None else "programme_unknown"
        return active, [Flag(code, _net(claimed), 0, f"the till counted by {name}")]
    if body.programme_digest != named.digest:
        return named, [Flag("programme_digest", _net(claimed), 0, f"the till has another text of {name}")]
    return named, []


def _promise(context: Context, body: SaleBody, account: Account | None) -> _Promise:
    """The hold that the sale names, if it may be spent from: open, this till's, this member's, and large enough."""
    wanted = body.result.redeemed_points
    hold = holds.find(context.book.connection, body.hold) if body.hold else None
    mine = hold is not None and account is not None and (hold.till, hold.member_id) == (context.till, account.member_id)
    if hold is None or not mine:
        code = "hold_missing" if hold is None else "hold_mismatch"
        return _Promise(None, 0, code if wanted > 0 else "")
    if hold.state != "open":
        return _Promise(None, 0, f"hold_{hold.state}" if wanted > 0 else "")
    if wanted > hold.points:
        return _Promise(hold, hold.points, "hold_too_small")
    return _Promise(hold, max(wanted, 0), "")


def _wish(version: Version | None, body: SaleBody, promise: _Promise) -> Wish:
    """A redemption that no hold covers is not spent, but the money was taken: see `Wish`."""
    hold = promise.hold
    if hold is not None:
        return Wish(promise.points, max(hold.spendable_then, hold.points))
    claimed = max(body.result.redeemed_points, 0)
    if not claimed or version is None:
        return Wish()
    return Wish(claimed, max(claimed, version.programme.redemption.minimum_balance_points), covered=False)


def _write(
    context: Context,
    op_id: OpId,
    body: SaleBody,
    account: Account | None,
    promise: _Promise,
    version: Version | None,
    counting: Counted,
) -> tuple[Draft | None, int]:
    """Post the sale; answers the draft and the ledger position, 0 when nothing moved."""
    book, hold, counted = context.book, promise.hold, counting.result
    if account is None:
        return None, 0
    draft = Draft(account, held=account.held - (hold.points if hold is not None else 0))
    if hold is not None and (counted.redeemed_points or account.debt):
        book.load_lots(account)
        draft.spend(counted.redeemed_points)
        draft.settle_debt()
    if hold is None and not counted.earned_points:
        return draft, 0
    position = book.next_position()
    # After the spending: what this receipt earns can't be spent on it.
    if version is not None and version.needs.life:
        lots = lots_of_sale(book, context.till, version.programme, counted, counting.day.isoformat())
        draft.earn_lots(lots)
    elif version is not None and counted.earned_points:
        draft.earn_lots([IssuedLot(book.next_position(), counted.earned_points)])
    if draft.moves:
        book.post(draft, kind="sale", op=op_id, uid=body.uid, position=position)
    else:
        book.touch(draft, position)
    if hold is not None:
        holds.resolve(book.connection, hold.hold, "used", str(op_id))
    return draft, position if draft.moves else 0


def _net(counted: Calculation) -> int:
    return counted.earned_points - counted.redeemed_points


def sold(context: Context, row: ops.SaleRow) -> Calculation:
    """The cloud's calculation of a stored sale. Lines as sold are in it, so a return needs no programme."""
    return counted_of(context.book.connection, row)


def counted_of(connection: sqlite3.Connection, row: ops.SaleRow) -> Calculation:
    """The same by a connection alone; Rejected `sale_unknown` when the op's body is gone."""
    if row.result is not None:
        return _calculation.decode(row.result)
    raw = ops.body(connection, OpId(row.till, row.epoch, row.seq))
    if raw is None:
        raise Rejected("sale_unknown", f"the body of sale {row.uid} is not there")
    return _result_only.decode(raw).result


class _ResultOnly(msgspec.Struct, frozen=True):
    result: Calculation


_calculation: msgspec.json.Decoder[Calculation] = msgspec.json.Decoder(Calculation)
_result_only: msgspec.json.Decoder[_ResultOnly] = msgspec.json.Decoder(_ResultOnly)
