"""A sale at the cloud: counted again by the same engine, then written to the member's ledger."""

import sqlite3

import msgspec

from till_cloud.ingest.consequences import after_sale
from till_cloud.ingest.context import Context, Flag, Rejected, Verdict
from till_cloud.ingest.counting import (
    BLOCKED,
    Counted,
    Wish,
    count,
    discount_flags,
    figures,
    gives_the_same,
    why_different,
)
from till_cloud.ingest.covering import Promise, promised, settle, spend
from till_cloud.ingest.subjects import find, make
from till_cloud.ledger.account import Account, Draft, IssuedLot
from till_cloud.ledger.issuing import lots_of_sale
from till_cloud.registry import Version
from till_cloud.store import ops, wallet
from till_loyalty.results import Calculation, canonical_bytes
from till_sync.ops import OpId, SaleBody


def apply_sale(context: Context, op_id: OpId, body: SaleBody) -> Verdict:
    """Count, spend what a hold or a grant covers, issue a lot.

    Rejected: `sale_repeated`, `subject_invalid`, a receipt's code.
    """
    if context.book.has_sale(context.till, body.uid):
        raise Rejected("sale_repeated", f"expected each sale once, not {body.uid} again")
    version, notes = _version(context, body)
    account = find(context, body.subject)
    if account is None and body.subject.key:
        # Counted for somebody first: a sale that is refused leaves no member behind.
        count(context, version, body, Account(member_id="", status="provisional", tier=""), Wish())
        account = make(context, body.subject)
    promise = promised(context, version, body, account)
    counting = count(context, version, body, account, promise.wish(version, body))
    counted = counting.result
    same = figures(counted) == figures(body.result)
    code = promise.code or ("" if same else why_different(version, body))
    flags = [*notes, *discount_flags(version, counting)]
    draft, position, overdrawn = _write(context, op_id, body, account, promise, version, counting)
    flags += overdrawn
    flags += _use_wallet(context, body, account)
    context.book.keep_sale(
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


def _use_wallet(context: Context, body: SaleBody, account: Account | None) -> list[Flag]:
    """Wallet codes that the sale used up. The sale stands whatever they are: one that was used before is for staff."""
    if account is None or account.status in BLOCKED or not body.wallet:
        return []
    if wallet.use(context.book.connection, account.member_id, body.wallet, context.book.now_ms // 1000):
        return []
    return [Flag("wallet_used", _net(body.result), _net(body.result), "a wallet code that an earlier sale used")]


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


def _write(
    context: Context,
    op_id: OpId,
    body: SaleBody,
    account: Account | None,
    promise: Promise,
    version: Version | None,
    counting: Counted,
) -> tuple[Draft | None, int, tuple[Flag, ...]]:
    """Post the sale; answers the draft, the ledger position, 0 when nothing moved, and what was overdrawn."""
    book, counted = context.book, counting.result
    if account is None:
        return None, 0, ()
    spent = counted.redeemed_points
    flags: tuple[Flag, ...] = ()
    draft = Draft(account, held=account.held - promise.held, granted=account.granted - promise.ungranted(spent))
    if promise.stands and (spent or account.debt):
        book.load_lots(account)
        flags = spend(context, draft, promise, spent)
        draft.settle_debt()
    if not promise.stands and not counted.earned_points:
        return draft, 0, ()
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
    settle(context, op_id, promise, spent)
    return draft, position if draft.moves else 0, flags


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
