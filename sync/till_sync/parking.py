"""Finding the operation that the cloud can't take, and parking it: pure but for the clock that is handed in.

A batch that fails for what is in it is halved until one op is left; ops before it and behind it go through meanwhile.
The one that fails by itself again and again, by a cloud that takes another push right afterwards, is parked: a
`ParkedOp` goes out in its place, with its own fingerprint, so that the chain stays whole. Its bytes stay in the
journal. Nothing of this is stored: after a restart the same is found out anew. Decision: docs/decisions/0018.
"""

import logging
from collections.abc import Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from till_sync.exceptions import CloudFailed, CloudRefused, NotOurCloud, OpTooLarge, PushBlocked, SyncError
from till_sync.ports import Clock
from till_sync.wire import Count, ParkedOp, PushRequest

log = logging.getLogger(__name__)

PARKED_PROTOCOL = 3
"""Former clouds would take a parked op for one with other bytes, and halt the till for good."""

FAILURES_BEFORE_SEARCH = 2
"""A 500 may be an accident, and a stranger's answer too: the same batch goes once more, after the usual wait. What the
cloud has considered (400, 422) it says at once.
"""

PARK_WAITS_MS = (40_000,) * 23
"""Between the tries of an op by itself: 24 of them, over a quarter of an hour, so that neither a restart, nor a release
that is taken back, nor one broken backend among good ones costs an op its place in the ledger. A good op fails in all
of them by accident once in 2^24 at the most.
"""

BLOCKED_WAIT_MS = 60_000
BLOCKED_TRIES = 3
"""The same for an op that something before the cloud won't let through. Nothing is decided by it, so it is short."""

PARKED_IN_A_ROW = 3
"""With no op between them that went through. If all are refused it is not the ops, and the line waits for a person."""

REASON_LIMIT = 80

_CONSIDERED = frozenset({400, 413, 422})
"""Statuses of a refusal that speak of what was sent."""

_OF_THE_WAY = frozenset({"digest_mismatch", "encoding_broken", "parameter_invalid"})
"""Codes of such a refusal that speak of how it was sent."""


T = TypeVar("T")


class _Subject(Struct, frozen=True):
    member_id: str = ""


class _Result(Struct, frozen=True):
    redeemed_points: Count = 0


class _Head(Struct, frozen=True):
    """What is told of an op whose bytes don't go out."""

    kind: str = ""
    uid: str = ""


class _Spent(Struct, frozen=True):
    """What a sale spent of whose points."""

    subject: _Subject = _Subject()
    result: _Result = _Result()


class Culprit:
    """What is known of the op that the cloud can't take. Used by one pusher."""

    def __init__(self, *, clock: Clock, waits_ms: Sequence[int] = PARK_WAITS_MS) -> None:
        self._clock = clock
        self._waits_ms = tuple(waits_ms)
        self._epoch = self._first = self._last = 0
        self._failures = 0
        self._alone = (0, 0, False)
        self._tries = 0
        self._counts_from_ms = 0
        self._parked: tuple[int, int] | None = None
        self._reason = ""
        self._in_a_row = 0

    @property
    def most_ops(self) -> int | None:
        """Ops to send at most, from the oldest waiting one on; None while nothing is searched for."""
        if self._parked is not None:
            return 1
        if not self._last:
            return None
        return max(1, (self._last - self._first + 1) // 2)

    def stand_in(self, request: PushRequest) -> PushRequest:
        """The request with a parked op in the place of its bytes, if it begins with the one that is to be parked."""
        if self._parked is None:
            return request
        op = request.ops[0]
        if (request.epoch, op.seq) != self._parked or len(request.ops) > 1:
            # The cloud holds less or more than it did (another incarnation): look again.
            self.forget()
            return request
        body = bytes(op.body)
        head, spent = _read(body, _Head), _read(body, _Spent)
        stands = ParkedOp(
            uid=head.uid,
            op_kind=head.kind,
            size_bytes=len(body),
            reason=self._reason,
            member_id=spent.subject.member_id,
            redeemed_points=spent.result.redeemed_points,
        )
        parked = replace(op, body=msgspec.Raw(msgspec.json.encode(stands)), parked=True)
        return replace(request, protocol=max(request.protocol, PARKED_PROTOCOL), ops=(parked,))

    def is_accident(self, error: SyncError) -> bool:
        """Whether a batch that failed with `error` is to go once more as it is, before anything is suspected."""
        if not isinstance(error, CloudFailed | NotOurCloud) or self._last or self._parked:
            return False
        self._failures += 1
        return self._failures < FAILURES_BEFORE_SEARCH

    def failed(self, epoch: int, first: int, last: int, error: SyncError) -> int:
        """The ops `first` to `last` were refused by a cloud that is well: how long to wait until the next step, in ms.

        Of one op by itself a `control` push was taken since, or something before the cloud refused it.
        Raises `error` when it can't be laid to an op: all are refused. PushBlocked: not the cloud refuses this one.
        """
        if self._parked == (epoch, first):
            raise error  # it can't even take the word for it
        if first < last:
            self._halve(epoch, first, last, error)
            return 0
        return self._try_alone(epoch, first, error)

    def passed(self, epoch: int, last: int, *, parked: bool) -> None:
        """Everything up to `last` was answered."""
        if parked:
            self._parked = None
            self._in_a_row += 1
        else:
            self._in_a_row = 0
        self._failures = 0
        if epoch != self._epoch or last >= self._last:
            self._epoch = self._first = self._last = 0
        else:
            self._first = last + 1

    def forget(self) -> None:
        """Whatever was suspected, look anew."""
        self._epoch = self._first = self._last = self._failures = self._tries = self._counts_from_ms = 0
        self._alone = (0, 0, False)
        self._parked = None

    def _halve(self, epoch: int, first: int, last: int, error: SyncError) -> None:
        log.warning("The cloud can't take operations %d to %d (%s): looking for the one", first, last, error.code)
        self._epoch, self._first, self._last = epoch, first, last

    def _try_alone(self, epoch: int, seq: int, error: SyncError) -> int:
        now_ms = self._clock.mono_ms()
        blocked = isinstance(error, NotOurCloud)
        if self._alone != (epoch, seq, blocked):
            self._alone, self._tries, self._counts_from_ms = (epoch, seq, blocked), 0, now_ms
        if now_ms < self._counts_from_ms:
            return self._counts_from_ms - now_ms  # somebody asked before its time: that proves nothing more
        if blocked and self._tries >= BLOCKED_TRIES - 1:
            detail = f"something before the cloud refuses operation {seq}, and nothing else: a firewall? {error}"
            raise PushBlocked(detail, status=0)
        if self._tries < len(self._waits_ms):
            wait_ms = BLOCKED_WAIT_MS if blocked else self._waits_ms[self._tries]
            self._tries += 1
            self._counts_from_ms = now_ms + wait_ms
            return wait_ms
        if self._in_a_row >= PARKED_IN_A_ROW:
            raise error
        self._parked, self._reason = (epoch, seq), _reason_of(error)
        log.error("Operation %d:%d is parked, the cloud can't take it (%s): %s", epoch, seq, error.code, error)
        return 0


def control(request: PushRequest) -> PushRequest:
    """The same push without its ops: whoever takes it has a way for pushes of this till, up to the ledger's database.

    It says nothing of what waits, so that the cloud gives nothing back by it.
    """
    protocol = max(request.protocol, PARKED_PROTOCOL)
    return replace(request, protocol=protocol, ops=(), head_hash=request.prev_hash, remaining=-1)


def speaks_of_ops(error: SyncError) -> bool:
    """Whether `error` may be about what was sent: the cloud broke over it, or it is too large or malformed to it, or
    somebody on the way answered in its place.
    """
    if isinstance(error, CloudFailed | OpTooLarge) or is_strange(error):
        return True
    if not isinstance(error, CloudRefused) or error.retryable or error.code in _OF_THE_WAY:
        return False
    return error.status in _CONSIDERED


def is_strange(error: SyncError) -> bool:
    """Whether somebody else answered, over the connection that is the cloud's."""
    return isinstance(error, NotOurCloud) and error.code == NotOurCloud.code


def _read(body: bytes, kind: type[T]) -> T:
    """As much of a body as can be read: it may be broken, that is why it is parked."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return kind()


def _reason_of(error: SyncError) -> str:
    return error.code[:REASON_LIMIT]
