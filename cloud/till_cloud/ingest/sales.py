"""A sale at the cloud: counted again by the same engine, then written to the member's ledger."""

import msgspec

from till_cloud.ingest.context import Context, Flag, Rejected, Verdict
from till_cloud.ingest.subjects import find, make
from till_cloud.ledger.account import Account, Draft
from till_cloud.ledger.issuing import lots_of_sale
from till_cloud.registry import Version
from till_cloud.store import holds, ops
from till_loyalty.engine import calculate, empty_calculation
from till_loyalty.receipt import MemberState, check_receipt
from till_loyalty.results import Calculation, canonical_bytes
from till_sync.ops import OpId, SaleBody

BLOCKED = frozenset({"blocked", "removed"})


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
        check_receipt(body.receipt)  # before a member is made for it; the count checks every other receipt
        account = make(context, body.subject)
    promise = _promise(context, body, account)
    counted = _count(version, body, account, promise)
    draft, position = _write(context, op_id, body, account, promise, counted)
    same = _figures(counted) == _figures(body.result)
    ops.add_sale(
        connection,
        op_id,
        body.uid,
        member_id="" if account is None else account.member_id,
        position=position,
        result=None if same else canonical_bytes(counted),
    )
    code = promise.code or ("" if same else "points_differ")
    flags = [*notes]
    if code:
        flags.append(Flag(code, _net(body.result), _net(counted)))
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
        active = context.registry.active(connection)
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


def _count(version: Version | None, body: SaleBody, account: Account | None, promise: _Promise) -> Calculation:
    """The cloud's figures. A redemption that no hold covers is not spent, but the money was taken: see `_unspent`."""
    if version is None:
        return empty_calculation(body.receipt)
    if account is None:
        return calculate(version.programme, None, body.receipt, body.clock)
    blocked = account.status in BLOCKED
    hold = promise.hold
    if hold is not None:
        state = MemberState(tier=account.tier, spendable_points=max(hold.spendable_then, hold.points), blocked=blocked)
        return calculate(version.programme, state, body.receipt, body.clock, redeem_points=promise.points)
    claimed = max(body.result.redeemed_points, 0)
    if not claimed:
        return calculate(version.programme, MemberState(tier=account.tier, blocked=blocked), body.receipt, body.clock)
    needed = max(claimed, version.programme.redemption.minimum_balance_points)
    state = MemberState(tier=account.tier, spendable_points=needed, blocked=blocked)
    return _unspent(calculate(version.programme, state, body.receipt, body.clock, redeem_points=claimed))


def _unspent(counted: Calculation) -> Calculation:
    """The same sale with nothing taken from the member.

    Points are earned on the money that was paid. Neither now nor on a return does a point move for what no hold
    covered: otherwise returning the goods would pay out points that were never spent.
    """
    return msgspec.structs.replace(
        counted,
        redeemed_points=0,
        lines=tuple([msgspec.structs.replace(line, redeemed_points=0) for line in counted.lines]),
    )


def _write(
    context: Context, op_id: OpId, body: SaleBody, account: Account | None, promise: _Promise, counted: Calculation
) -> tuple[Draft | None, int]:
    """Post the sale; answers the draft and the ledger position, 0 when nothing moved."""
    book, hold = context.book, promise.hold
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
    draft.earn_lots(lots_of_sale(book, context.till, counted))
    if draft.moves:
        book.post(draft, kind="sale", op=op_id, uid=body.uid, position=position)
    else:
        book.touch(draft, position)
    if hold is not None:
        holds.resolve(book.connection, hold.hold, "used", str(op_id))
    return draft, position if draft.moves else 0


def _figures(counted: Calculation) -> tuple[object, ...]:
    """What must be equal at both ends. What could have been spent, and why, may differ: the till knew less."""
    return (
        counted.total_minor,
        counted.payable_minor,
        counted.redeemed_points,
        counted.redeemed_minor,
        counted.earned_points,
        counted.lines,
    )


def _net(counted: Calculation) -> int:
    return counted.earned_points - counted.redeemed_points


def sold(context: Context, row: ops.SaleRow) -> Calculation:
    """The cloud's calculation of a stored sale. Lines as sold are in it, so a return needs no programme."""
    if row.result is not None:
        return _calculation.decode(row.result)
    raw = ops.body(context.book.connection, OpId(row.till, row.epoch, row.seq))
    if raw is None:
        raise Rejected("sale_unknown", f"the body of sale {row.uid} is not there")
    return _result_only.decode(raw).result


class _ResultOnly(msgspec.Struct, frozen=True):
    result: Calculation


_calculation: msgspec.json.Decoder[Calculation] = msgspec.json.Decoder(Calculation)
_result_only: msgspec.json.Decoder[_ResultOnly] = msgspec.json.Decoder(_ResultOnly)
