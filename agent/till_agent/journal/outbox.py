"""The journal as the push loop sees it: batches whose chain was checked, verdicts, and the cloud's account of us."""

import msgspec
from msgspec import Struct

from till_agent.journal import schema
from till_agent.journal.chain import FIRST
from till_agent.journal.marks import PRUNED_CODE
from till_agent.journal.reader import CheckedRow, EpochState
from till_agent.journal.session import Session
from till_sync.exceptions import HistoryConflict
from till_sync.ops import (
    PROTOCOL,
    SEALED_PROTOCOL,
    SLOW_PHONE_PROTOCOL,
    OpId,
    fingerprint,
    is_sealed,
    names_slow_phone,
    protocol_of,
)
from till_sync.ports import Clock
from till_sync.wire import HelloAnswer, OpResult, PushRequest, WireOp

SLICE_OPS = 50
"""Ops read before commits get their turn; about a millisecond and a half."""
SLICE_OPS_SELLING = 20
"""The same where somebody sells: a fifth more work for as many ops, of which a sale waits for less."""
ENVELOPE_BYTES = 128
"""What `{"seq":...,"fingerprint":"...","body":...}` adds to a body, rounded up."""


class Slice(Struct, frozen=True):
    """Checked rows from one turn of the writer, and the epoch they are of."""

    state: EpochState
    previous: bytes
    rows: list[CheckedRow]


def read_slice(session: Session, epoch: int, first_seq: int, limit: int) -> Slice | None:
    """Up to `limit` waiting ops, each checked against the chain; None when none waits. Raises JournalCorrupt.

    With `epoch` 0 it begins at the oldest waiting op; an older epoch goes out whole before a newer one begins.
    """
    state = next((each for each in session.epochs if each.waiting and epoch in (0, each.epoch)), None)
    if state is None:
        return None
    first = first_seq if epoch else state.acked_seq + 1
    if first > state.last_seq:
        return None
    previous = session.reader.hash_of(state.epoch, first - 1)
    rows = list(session.reader.stretch(state.epoch, first, state.last_seq, limit))
    return Slice(state, previous, rows)


class BatchBuilder:
    """Gathers slices until the batch is full: of the oldest waiting ops, or of those after `last` (epoch, seq)."""

    def __init__(
        self, max_ops: int, max_bytes: int, last: tuple[int, int] = (0, 0), *, slice_ops: int = SLICE_OPS
    ) -> None:
        self._last = last
        self._slice_ops = slice_ops
        self._max_ops = max_ops
        self._left_bytes = max_bytes
        self._ops: list[WireOp] = []
        self._first: Slice | None = None
        self._head = FIRST
        self._protocol = PROTOCOL
        self.full = False

    @property
    def epoch(self) -> int:
        """Of the ops gathered; before the first that of `last`, or 0."""
        return self._first.state.epoch if self._first else self._last[0]

    @property
    def next_seq(self) -> int:
        """What the next slice begins with."""
        return (self._ops[-1].seq if self._ops else self._last[1]) + 1

    @property
    def room(self) -> int:
        """Ops to ask for next."""
        return min(self._slice_ops, self._max_ops - len(self._ops))

    def add(self, part: Slice) -> None:
        """Take as many of a slice's ops as fit; the first op of a batch always does.

        An op of a later protocol than those before it begins a batch: a cloud that refuses it takes the others first.
        """
        if self._first is None:
            self._first = part
        for checked in part.rows:
            size = len(checked.row.body) + ENVELOPE_BYTES
            protocol = _protocol(checked)
            no_room = len(self._ops) >= self._max_ops or size > self._left_bytes
            if self._ops and (no_room or protocol > self._protocol):
                self.full = True
                return
            self._protocol = max(self._protocol, protocol)
            self._left_bytes -= size
            self._ops.append(
                WireOp(seq=checked.op_id.seq, fingerprint=checked.fingerprint, body=msgspec.Raw(checked.row.body))
            )
            self._head = checked.hash
        self.full = len(self._ops) >= self._max_ops or self._left_bytes <= 0

    def request(self, incarnation: str, clock: Clock, waiting: int) -> PushRequest | None:
        """The batch, or None when nothing was gathered. `waiting`: ops without an answer now, this batch's too, and
        those under way."""
        if self._first is None or not self._ops:
            return None
        before = self._ops[0].seq - 1 - self._first.state.acked_seq
        return PushRequest(
            protocol=self._protocol,
            epoch=self._first.state.epoch,
            salt=self._first.state.salt,
            incarnation=incarnation,
            first_seq=self._ops[0].seq,
            prev_hash=self._first.previous.hex(),
            head_hash=self._head.hex(),
            sent_wall_ms=clock.wall_ms(),
            sent_mono_ms=clock.mono_ms(),
            boot=clock.boot,
            ops=tuple(self._ops),
            remaining=max(0, waiting - before - len(self._ops)),
        )


def _went(session: Session, state: EpochState, acked_seq: int) -> bool:
    """Whether any row after `acked_seq` that the cloud had acknowledged is not here any more."""
    if acked_seq >= state.acked_seq or not session.reader.has_links:
        return False
    bounds = (schema.row_id(state.epoch, acked_seq + 1), schema.row_id(state.epoch, state.last_seq))
    return session.connection.execute(schema.LINKS_OF, bounds).fetchone() is not None


def _is_there(session: Session, state: EpochState, hello: HelloAnswer) -> bool:
    """Whether the cloud, which is past this epoch, holds all of it: ops wait here as not acknowledged when it was
    restored from an old backup, and then from a newer one.
    """
    end = next((each for each in hello.former if each.epoch == state.epoch), None)
    if end is None or end.seq != state.last_seq:
        # Of more than we have, of which none can be compared, an epoch was given up because rows were lost.
        return end is not None and end.seq > state.last_seq
    last = session.reader.by_op(OpId(session.till, state.epoch, state.last_seq))
    return last is not None and fingerprint(last.op_id, state.salt, last.body) == end.fingerprint


def _protocol(checked: CheckedRow) -> int:
    """The protocol that brought such ops."""
    row = checked.row
    if names_slow_phone(row.body):
        return SLOW_PHONE_PROTOCOL
    if row.kind == "register" and is_sealed(row.body):
        return SEALED_PROTOCOL
    return protocol_of(row.kind, row.hold)


def record_results(session: Session, epoch: int, acked_seq: int, results: tuple[OpResult, ...], upto: int) -> None:
    """Store verdicts of an answer about ops up to `upto`, and the acknowledged position unless it is 0; HistoryConflict
    when some of these ops were never made."""
    state = next((each for each in session.epochs if each.epoch == epoch), None)
    if state is None:
        raise HistoryConflict(f"expected an answer about an epoch of this journal, not {epoch}")
    if upto > state.last_seq:
        raise HistoryConflict(f"expected ops of epoch {epoch} up to {state.last_seq}, not an answer about {upto}")
    session.record(epoch, acked_seq, results)


def reconcile_with(session: Session, hello: HelloAnswer) -> tuple[int, int] | None:
    """Make the acknowledged positions what the cloud says they are; nothing is changed unless all of it fits.

    Gives (epoch, seq) of the earliest op that the cloud lost and must get again (it was restored from an older
    backup), else None. Raises HistoryConflict when this journal can't be what the cloud has seen.
    """
    if hello.till != session.till:
        raise HistoryConflict(f"expected the cloud to speak of till {session.till!r}, not {hello.till!r}")
    if hello.epoch > session.epochs[-1].epoch:
        raise HistoryConflict(
            f"expected the cloud at epoch {session.epochs[-1].epoch} or before, not {hello.epoch}: this journal is an "
            "old copy, or another till has this one's name"
        )
    moves: list[tuple[EpochState, int]] = []
    for state in session.epochs:
        target = _position(session, state, hello)
        if target != state.acked_seq:
            moves.append((state, target))
    lost = [(state.epoch, target) for state, target in moves if target < state.acked_seq]
    for state, target in moves:
        session.move_acked(state.epoch, target)
    return min(lost, default=None)


def _position(session: Session, state: EpochState, hello: HelloAnswer) -> int:
    """Where the cloud stands in one of our epochs."""
    held = hello.acked_seq if state.epoch == hello.epoch else 0
    if state.epoch >= hello.epoch and _went(session, state, held):
        raise HistoryConflict(
            f"expected the cloud to hold op {state.epoch}:{held} and those after it, which were let go of "
            "here for their age: it was restored from a backup that is older than what this till keeps",
            code=PRUNED_CODE,
        )
    if state.epoch > hello.epoch:
        return 0
    current = state.epoch == session.epochs[-1].epoch
    if state.epoch < hello.epoch:
        # A newer epoch begins only when the one before is through; the cloud will take nothing of this one any more.
        if state.waiting and not _is_there(session, state, hello):
            raise HistoryConflict(
                f"expected epoch {state.epoch} to be through before {hello.epoch}, not {state.waiting} ops waiting"
            )
        return state.last_seq
    if hello.acked_seq > state.last_seq:
        if current:
            raise HistoryConflict(
                f"expected the cloud to hold at most op {state.epoch}:{state.last_seq}, not {hello.acked_seq}: the "
                "journal has lost rows"
            )
        # This epoch was given up because rows were lost, and the cloud has them all.
        return state.last_seq
    if not current and not state.waiting and hello.acked_seq >= state.acked_seq:
        return state.acked_seq  # nothing of it will be sent, so there is nothing to compare
    if hello.acked_seq and session.reader.hash_of(state.epoch, hello.acked_seq).hex() != hello.head_hash:
        raise HistoryConflict(
            f"expected the cloud's op {state.epoch}:{hello.acked_seq} to be ours, not another: its chain differs"
        )
    # Never forward: ops that the cloud holds and whose answer was lost are sent once more, for their verdicts.
    return min(hello.acked_seq, state.acked_seq)
