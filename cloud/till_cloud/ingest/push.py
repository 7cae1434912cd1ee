"""A batch of ops: checked as a whole, applied op by op, answered after the commit that the caller makes.

All ops of a batch share one book, written at its end. When something unexpected breaks, the batch is undone and applied
again with care (`till_cloud.ingest.careful`), so that the op which breaks is found.
"""

import re
import sqlite3
from collections.abc import Callable

import msgspec

from till_cloud import windows
from till_cloud.exceptions import RefusedError
from till_cloud.granting import begin_epoch, close_left_behind, return_forgotten_vouchers
from till_cloud.holding import FORGOTTEN_AFTER_MS, HOLD_ID, release_forgotten
from till_cloud.ingest import poison
from till_cloud.ingest.careful import one_by_one
from till_cloud.ingest.context import Context, Rejected, Verdict
from till_cloud.ingest.covering import apply_grant_release
from till_cloud.ingest.registering import apply_attach, apply_register
from till_cloud.ingest.reversals import apply_release, apply_return, apply_void
from till_cloud.ingest.sales import apply_sale
from till_cloud.ingest.subjects import find
from till_cloud.ledger.account import Account
from till_cloud.ledger.book import Book
from till_cloud.registry import Registry
from till_cloud.store import meta, ops, tills
from till_loyalty.exceptions import LedgerError, ReceiptError, ReturnError, invariant
from till_sync.ops import (
    NEWEST_PROTOCOL,
    OP_BODY_LIMIT_BYTES,
    PROTOCOL,
    AttachCardBody,
    GrantReleaseBody,
    HoldReleaseBody,
    OpBody,
    OpId,
    RegisterBody,
    ReturnBody,
    SaleBody,
    VoidBody,
    decode_body,
    fingerprint,
)
from till_sync.wire import Limits, OpResult, PushAnswer, PushRequest, WireOp

UID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SALT_LIMIT = 128
HASH_LIMIT = 128
"""Characters of a salt or a chain hash; ours are hex of 16 and 32 bytes."""

CONTROL_PROTOCOL = 3
"""From here on a push may have no ops: a till asks so whether pushes get through, before it lays a failure to an op."""


class Ingest:
    """Applies pushes, of every till. Keeps parsed programmes, and which kinds of ops were applied since the start."""

    def __init__(self, registry: Registry, *, limits: Limits, new_id: Callable[[], str]) -> None:
        self._registry = registry
        self._limits = limits
        self._new_id = new_id
        self._sound: set[str] = set()

    def check(self, request: PushRequest) -> None:
        """Refuse what needs no database: 426, 413, and 400 or 422 for a batch that contradicts itself."""
        if not PROTOCOL <= request.protocol <= NEWEST_PROTOCOL:
            raise RefusedError(
                426,
                "protocol_unsupported",
                f"expected protocol {PROTOCOL} to {NEWEST_PROTOCOL}, not {request.protocol}",
                expected=NEWEST_PROTOCOL,
            )
        if not request.ops and (request.protocol < CONTROL_PROTOCOL or request.head_hash != request.prev_hash):
            raise RefusedError(400, "batch_empty", "expected at least one op")
        if len(request.ops) > self._limits.max_ops:
            raise RefusedError(
                413,
                "batch_too_large",
                f"expected at most {self._limits.max_ops} ops, not {len(request.ops)}",
                limits=self._limits,
            )
        if request.epoch < 1 or request.first_seq < 1:
            raise RefusedError(422, "batch_malformed", "expected an epoch and a first_seq of at least 1")
        if not request.salt or len(request.salt) > SALT_LIMIT or len(request.head_hash) > HASH_LIMIT:
            raise RefusedError(422, "batch_malformed", f"expected a salt and hashes of at most {HASH_LIMIT} characters")
        for index, op in enumerate(request.ops):
            if op.seq != request.first_seq + index:
                detail = f"expected seq {request.first_seq + index}, not {op.seq}"
                raise RefusedError(422, "batch_malformed", detail, pointer=f"/ops/{index}/seq")
            if op.parked:
                poison.check_parked(request, op)

    def push(self, connection: sqlite3.Connection, till_id: str, request: PushRequest, now_ms: int) -> PushAnswer:
        """Apply a checked batch within the caller's transaction, which ends with the batch or not at all.

        RefusedError: 409 `stale_epoch`, `salt_mismatch`, `seq_gap`, `chain_mismatch`; 422 `fingerprint_mismatch`; 503
        `cloud_defect`, after which the caller undoes everything.
        """
        connection.execute("SAVEPOINT batch")
        try:
            answer = self._push(connection, till_id, request, now_ms, careful=False)
        except RefusedError:
            raise
        except Exception as error:
            # Whatever it is: an op's fault, or one of the environment, which no op is judged by.
            if poison.is_environment(error):
                raise poison.broken(error) from error
            connection.execute("ROLLBACK TO batch")
            answer = self._push_carefully(connection, till_id, request, now_ms)
        connection.execute("RELEASE batch")
        return answer

    def _push_carefully(
        self, connection: sqlite3.Connection, till_id: str, request: PushRequest, now_ms: int
    ) -> PushAnswer:
        try:
            return self._push(connection, till_id, request, now_ms, careful=True)
        except RefusedError:
            raise
        except Exception as error:
            # Not one op's fault, since those were caught.
            raise poison.broken(error) from error

    def _push(
        self, connection: sqlite3.Connection, till_id: str, request: PushRequest, now_ms: int, *, careful: bool
    ) -> PushAnswer:
        till = tills.till(connection, till_id)
        if till is None:
            raise RefusedError(401, "token_invalid", "expected the token of this till")
        acked = _position(till, request)
        results = self._duplicates(connection, till_id, request, acked)
        fresh = request.ops[len(results) :]
        if request.first_seq == acked + 1:
            _check_chain(till, request)
        if request.epoch > till.epoch > 0:
            begin_epoch(connection, till_id, request.epoch, now_ms)
        book = Book(connection, now_ms)
        context = Context(book, self._registry, till_id, request.epoch, self._new_id)
        if careful:
            results += one_by_one(context, request, fresh, _apply, _named, self._sound)
            book = Book(connection, now_ms)
        else:
            results += [_apply(context, request.salt, op) for op in fresh]
        if request.remaining == 0:
            release_forgotten(book, till_id)
            return_forgotten_vouchers(book, till_id, now_ms - FORGOTTEN_AFTER_MS)
            if fresh:  # not a late copy of a batch that was the last one once
                close_left_behind(book, till_id)
        book.flush()
        self._sound |= context.applied
        if any(op.parked for op in fresh):
            poison.check_limits(connection, till_id, now_ms)
        follows = request.first_seq == acked + 1  # a control push of a new epoch begins it, with no head
        head = request.head_hash if fresh or follows else till.head_hash
        acked_seq = request.ops[-1].seq if fresh else acked
        tills.advance(
            connection,
            till_id,
            epoch=request.epoch,
            salt=request.salt,
            acked_seq=acked_seq,
            head_hash=head,
            now_ms=now_ms,
        )
        return PushAnswer(
            incarnation=meta.incarnation(connection),
            acked_seq=acked_seq,
            results=tuple(results),
            server_time_ms=now_ms,
            limits=self._limits,
            head_hash=head,
        )

    def _duplicates(
        self, connection: sqlite3.Connection, till_id: str, request: PushRequest, acked: int
    ) -> list[OpResult]:
        """First verdicts of the ops that the cloud holds already; their bytes must be the same."""
        known = [op for op in request.ops if op.seq <= acked]
        if not known:
            return []
        stored = ops.verdicts(connection, till_id, request.epoch, known[0].seq, known[-1].seq)
        results: list[OpResult] = []
        for op in known:
            op_id = OpId(till_id, request.epoch, op.seq)
            first, verdict = stored[op.seq]
            # Of a parked op nobody has the bytes here; it may have been applied before, and then that verdict stands.
            if op.fingerprint != first or (not op.parked and fingerprint(op_id, request.salt, bytes(op.body)) != first):
                raise _other_bytes(op_id)
            results.append(verdict)
        return results


def _position(till: tills.TillRow, request: PushRequest) -> int:
    """The last seq that the cloud holds of the request's epoch; RefusedError when the batch does not follow it."""
    if request.epoch < till.epoch:
        detail = f"expected epoch {till.epoch}, not {request.epoch}: the journal was replaced since"
        raise RefusedError(409, "stale_epoch", detail, epoch=till.epoch)
    if request.epoch == till.epoch and request.salt != till.salt:
        raise RefusedError(409, "salt_mismatch", f"expected the salt that epoch {till.epoch} began with")
    acked = till.acked_seq if request.epoch == till.epoch else 0
    if request.first_seq > acked + 1:
        detail = f"expected first_seq {acked + 1} at most, not {request.first_seq}"
        raise RefusedError(409, "seq_gap", detail, expected_seq=acked + 1)
    return acked


def _check_chain(till: tills.TillRow, request: PushRequest) -> None:
    expected = till.head_hash if request.epoch == till.epoch else ""
    if request.prev_hash != expected:
        detail = f"expected prev_hash {expected!r}: the ops before seq {request.first_seq} are not those that came here"
        raise RefusedError(409, "chain_mismatch", detail, expected_seq=request.first_seq)


def _other_bytes(op_id: OpId) -> RefusedError:
    return RefusedError(422, "fingerprint_mismatch", f"expected the bytes that {op_id} was made of", seq=op_id.seq)


def _apply(context: Context, salt: str, op: WireOp) -> OpResult:
    """Verdict on one new op, stored with it."""
    op_id = OpId(context.till, context.epoch, op.seq)
    if op.parked:
        return poison.record_parked(context.book.connection, op_id, op, context.book.now_ms)
    raw = bytes(op.body)
    if fingerprint(op_id, salt, raw) != op.fingerprint:
        raise _other_bytes(op_id)
    kind, uid = "unknown", ""
    begun_at = context.book.position
    try:
        body = _decode(raw)
        kind, uid = _KINDS[type(body)], body.uid
        verdict = _decide(context, op_id, body)
    except Rejected as rejection:
        verdict = _rejection(context, op_id, begun_at, rejection.code, rejection.detail)
    except (ReceiptError, ReturnError, LedgerError) as error:
        # The same receipt would fail again for ever: the rest of the queue must not wait for it. Any other error is
        # a defect of ours, in this op's way (poison) or in all (a store's time zone is gone): then the till keeps it.
        verdict = _rejection(context, op_id, begun_at, error.code, str(error))
    if verdict.status != "rejected":
        context.applied.add(kind)
        if verdict.account is not None and verdict.account.status != "removed":
            windows.see(context.book, context.place().store, verdict.account.member_id, changed_after=begun_at)
    connection, now_ms = context.book.connection, context.book.now_ms
    result = verdict.result(op_id, connection)
    row = ops.op_row(op_id, kind=kind, uid=uid, fingerprint=op.fingerprint, body=raw, verdict=result, now_ms=now_ms)
    context.book.keep_op(row)
    for flag in verdict.flags:
        ops.add_flag(
            connection,
            op_id,
            code=flag.code,
            member_id=result.member_id,
            till_points=flag.till_points,
            cloud_points=flag.cloud_points,
            detail=flag.detail,
            now_ms=now_ms,
        )
    return result


_KINDS: dict[type[OpBody], str] = {
    SaleBody: "sale",
    VoidBody: "void",
    ReturnBody: "return",
    HoldReleaseBody: "hold-release",
    RegisterBody: "register",
    AttachCardBody: "attach-card",
    GrantReleaseBody: "grant-release",
}


_WITHOUT_SUBJECT = HoldReleaseBody | GrantReleaseBody


def _named(context: Context, op: WireOp) -> tuple[str, str, Account | None]:
    """What can be said of an op that broke our code: kind, uid, and whose it is; nothing where that breaks too."""
    kind, uid = "unknown", ""
    try:
        body = _decode(bytes(op.body))
        kind, uid = _KINDS[type(body)], body.uid if UID.fullmatch(body.uid) else ""
        return kind, uid, None if isinstance(body, _WITHOUT_SUBJECT) else find(context, body.subject)
    except Exception:  # noqa: BLE001 - the op is known to break our code, here perhaps as well
        return kind, uid, None


def _decode(raw: bytes) -> OpBody:
    if len(raw) > OP_BODY_LIMIT_BYTES:
        raise Rejected("body_too_large", f"expected at most {OP_BODY_LIMIT_BYTES} bytes, not {len(raw)}")
    try:
        body = decode_body(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Rejected("body_invalid", f"expected an op's body: {error}") from None
    return body


def _decide(context: Context, op_id: OpId, body: OpBody) -> Verdict:
    if isinstance(body, HoldReleaseBody):
        if not HOLD_ID.fullmatch(body.hold):
            raise Rejected("hold_invalid", "expected a hold id of letters, digits and . _ : -")
        return apply_release(context, op_id, body)
    if isinstance(body, GrantReleaseBody):
        return apply_grant_release(context, body)
    if not UID.fullmatch(body.uid):
        raise Rejected("uid_invalid", "expected a uid of 1 to 64 letters, digits and . _ -")
    if isinstance(body, SaleBody):
        return apply_sale(context, op_id, body)
    # What else there is reads and changes members' rows, and those of sales.
    context.book.settle_purchases()
    context.book.settle_ops()
    if isinstance(body, VoidBody):
        return apply_void(context, op_id, body)
    if isinstance(body, RegisterBody):
        return apply_register(context, op_id, body)
    if isinstance(body, AttachCardBody):
        return apply_attach(context, body)
    return apply_return(context, op_id, body)


def _rejection(context: Context, op_id: OpId, begun_at: int, code: str, detail: str) -> Verdict:
    """The verdict on an op that changed nothing; `begun_at` is the book's position before it.

    An op that is refused half-way is a defect of ours: its points may have moved, so the batch fails as a whole.
    """
    invariant(context.book.position == begun_at, f"{op_id} was refused ({code}) after it had changed something")
    ops.add_flag(
        context.book.connection,
        op_id,
        code=code,
        member_id="",
        till_points=0,
        cloud_points=0,
        detail=detail[:500],
        now_ms=context.book.now_ms,
    )
    return Verdict(status="rejected", code=code)
