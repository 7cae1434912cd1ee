"""Operations that can't be applied for no fault of the environment: when to call one so, and how it is recorded.

Decision: docs/decisions/0018. A verdict stands for ever, so it is given only where an op broke our code twice, while
others of its kind go through, and seldom: a cloud that breaks over everything is the one that is broken.
"""

import logging
import sqlite3
from pathlib import PurePath
from types import TracebackType

import msgspec
from msgspec import Struct

from till_cloud.exceptions import RefusedError, StoreError
from till_cloud.store import holds, ops, poison
from till_loyalty.exceptions import LoyaltyError, ProgrammeError, invariant
from till_sync.ops import OpId
from till_sync.wire import OpResult, ParkedOp, PushRequest, WireOp

log = logging.getLogger(__name__)

PARKED_PROTOCOL = 3
"""The protocol that brought parked ops."""

WINDOW_MS = 3_600_000
TILL_LIMIT = 3
CHAIN_LIMIT = 10
"""Unmarked poison and parked ops within an hour, of one till and of the chain. A rule of ours that breaks over a rare
receipt meets a few; more than that is a defect of this release or of its set-up, and then everything waits at the
tills, where nothing is lost, instead of being rejected. Staff who mark what they have looked at make room.
"""

RETRY_AFTER_MS = 60_000
"""When to come back to a cloud that has to be mended first."""

TRIES = 2
"""An op is tried so often by itself before it is called poison: what works the second time was no fault of the op."""

FINGERPRINT_LENGTH = 64

_parked = msgspec.json.Decoder(ParkedOp)


class Failure(Struct, frozen=True):
    """What broke: the exception's class and where it was raised. Never its message, which may quote a person."""

    reason: str
    place: str

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        return cls(type(error).__name__, _place(error.__traceback__))


def is_environment(error: BaseException) -> bool:
    """Whether the disk, memory, a set-up or a half-done release is to blame, so that no op may be judged by it."""
    if type(error) in (sqlite3.DatabaseError, LoyaltyError):
        return True  # a damaged file; a store's time zone that is gone
    return isinstance(
        error, sqlite3.OperationalError | MemoryError | OSError | ImportError | StoreError | ProgrammeError
    )


def broken(error: BaseException) -> Exception:
    """What a push answers that failed for no op's fault: 503, so that the tills keep everything and come back."""
    if isinstance(error, sqlite3.OperationalError):
        return error  # the writer's own matter: it says `store_unavailable`
    failure = Failure.of(error)
    log.critical("The cloud can't apply operations: %s at %s", failure.reason, failure.place)
    return later(f"expected to apply the operations, but {failure.reason} at {failure.place}")


def later(detail: str) -> RefusedError:
    """503 `cloud_defect`."""
    headers = {"Retry-After": str(RETRY_AFTER_MS // 1000)}
    return RefusedError(503, "cloud_defect", detail, retryable=True, headers=headers)


def check_parked(request: PushRequest, op: WireOp) -> None:
    """RefusedError 422 unless a parked op can be recorded. Its fingerprint is taken on trust: the chain holds it."""
    pointer = f"/ops/{op.seq - request.first_seq}"
    if request.protocol < PARKED_PROTOCOL:
        detail = f"expected protocol {PARKED_PROTOCOL} with a parked op, not {request.protocol}"
        raise RefusedError(422, "batch_malformed", detail, pointer=pointer)
    if len(op.fingerprint) != FINGERPRINT_LENGTH or not set(op.fingerprint) <= set("0123456789abcdef"):
        detail = "expected the stored op's fingerprint, a hex SHA-256"
        raise RefusedError(422, "batch_malformed", detail, pointer=f"{pointer}/fingerprint")
    try:
        _parked.decode(op.body)
    except msgspec.DecodeError as error:
        detail = f"expected what stands for a parked op: {error}"
        raise RefusedError(422, "batch_malformed", detail, pointer=f"{pointer}/body") from None


def record_parked(connection: sqlite3.Connection, op_id: OpId, op: WireOp, now_ms: int) -> OpResult:
    """The verdict on an op whose bytes never came: rejected `parked`. They stay in the till's journal."""
    stands = _parked.decode(op.body)
    detail = f"the till could not send it: {_plain(stands.reason)}, {stands.size_bytes} bytes"
    member_id, points = _unspent(connection, op_id, stands)
    if points:
        detail += f"; it spent {points} points that are not taken, though the money was given"
    verdict = OpResult(seq=op_id.seq, status="rejected", code="parked")
    named = {"kind": _plain(stands.op_kind) or "unknown", "uid": _plain(stands.uid)}
    failure = Failure(_plain(stands.reason), "")
    _record(connection, op_id, op, verdict, named, failure, detail, now_ms, member_id=member_id, till_points=-points)
    return verdict


def _unspent(connection: sqlite3.Connection, op_id: OpId, stands: ParkedOp) -> tuple[str, int]:
    """Whose points a parked sale spent, and how many: held for it, or, if that is more, by its till's word."""
    held = holds.open_of_sale(connection, op_id.till, stands.uid)
    member_id = held[0][0] if held else _plain(stands.member_id)
    return member_id, max(sum(points for _, points in held), stands.redeemed_points)


def record_poison(
    connection: sqlite3.Connection,
    op_id: OpId,
    op: WireOp,
    verdict: OpResult,
    failure: Failure,
    *,
    kind: str,
    uid: str,
    now_ms: int,
) -> None:
    """Store the verdict on an op that broke our code, with the class of the error and its place."""
    detail = f"{failure.reason} at {failure.place}"
    _record(connection, op_id, op, verdict, {"kind": kind, "uid": uid}, failure, detail, now_ms)


def check_limits(connection: sqlite3.Connection, till: str, now_ms: int) -> None:
    """RefusedError 503 when poison has become too common to be the ops' own fault; the caller undoes the batch."""
    chain, own = poison.lately(connection, till, now_ms - WINDOW_MS)
    if own <= TILL_LIMIT and chain <= CHAIN_LIMIT:
        return
    log.critical(
        "Operations are no longer rejected as poison or parked: %d of the chain, %d of till %s within the hour. "
        "Mend the cloud, or look at them (`tillside cloud ops rejected`) and mark them (`cloud ops resolve`)",
        chain,
        own,
        till,
    )
    raise later("expected fewer operations that can't be applied: see the cloud's log and `cloud ops rejected`")


def _record(
    connection: sqlite3.Connection,
    op_id: OpId,
    op: WireOp,
    verdict: OpResult,
    named: dict[str, str],
    failure: Failure,
    detail: str,
    now_ms: int,
    *,
    member_id: str = "",
    till_points: int = 0,
) -> None:
    row = ops.op_row(
        op_id,
        kind=named["kind"],
        uid=named["uid"],
        fingerprint=op.fingerprint,
        body=bytes(op.body),
        verdict=verdict,
        now_ms=now_ms,
    )
    ops.add_ops(connection, [row])
    poison.add(connection, op_id, reason=failure.reason, detail=detail, now_ms=now_ms)
    ops.add_flag(
        connection,
        op_id,
        code=verdict.code,
        member_id=verdict.member_id or member_id,
        till_points=till_points,
        cloud_points=0,
        detail=detail,
        now_ms=now_ms,
    )


def _place(trace: TracebackType | None) -> str:
    """Module, line and function of the innermost frame, `invariant` itself aside."""
    place = ""
    while trace is not None and not (place and trace.tb_frame.f_code is invariant.__code__):
        code = trace.tb_frame.f_code
        module = trace.tb_frame.f_globals.get("__name__") or PurePath(code.co_filename).name
        place = f"{module}:{trace.tb_lineno} {code.co_name}"
        trace = trace.tb_next
    return place[:200]


def _plain(text: str) -> str:
    """At most 64 characters of a till's word, and none that a terminal obeys."""
    return "".join(char for char in text[:64] if char.isprintable())
