"""The journal's way to the cloud: batches in sequence, sent until an answer to that very batch acknowledges them.

Of a long queue the verdicts on a batch are stored while the next one is under way. The journal's acknowledged position
moves with them and in order, so whatever fails, what the journal has no verdict on goes out again.
"""

import asyncio
import logging
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from till_sync.ahead import Ahead
from till_sync.batch_size import BatchSize
from till_sync.client import CloudClient
from till_sync.exceptions import (
    AnswerMismatch,
    BatchTooLarge,
    CloudFailed,
    CloudRefused,
    CloudUnreachable,
    HistoryConflict,
    IncarnationChanged,
    NotOurCloud,
    OpTooLarge,
    SyncError,
)
from till_sync.parking import PARK_WAITS_MS, PARKED_PROTOCOL, Culprit, control, is_strange, speaks_of_ops
from till_sync.pieces import encode_push
from till_sync.ports import AheadOutbox, Clock, Outbox
from till_sync.wire import HelloAnswer, Limits, PushAnswer, PushRequest

log = logging.getLogger(__name__)

FIRST_BATCH_OPS = 100
"""About 150 KB: a second on a slow mobile line, and a first measure of what the line bears."""

MOST_BATCH_OPS = 5_000
"""Whatever the cloud takes: more at once gains nothing and makes a lost answer dear."""

MOST_BATCH_BYTES = 16 * 1024 * 1024

LEAST_BATCH_BYTES = 64 * 1024
"""Never asked for less: a batch of one op is the outbox's answer to any limit that is too small."""

RESEND_AGE_MS = 30_000
"""An unanswered batch is sent again as it is for so long; later what its envelope says (times, `remaining`) would
mislead the cloud, which allows a minute for it.
"""

RESENDS_BEFORE_SPLIT = 1
"""A batch that ran out of time is sent once more as it is; then a smaller one takes its place."""


class PushCounts(Struct):
    """Since the start: ops acknowledged, ops sent more than once, and verdicts that were not `applied`.

    A `duplicate` counts under its first verdict too, since this till had not heard it. `parked` are among `rejected`.
    """

    pushed: int = 0
    resent: int = 0
    adjusted: int = 0
    rejected: int = 0
    duplicate: int = 0
    parked: int = 0


class Pushed(Struct, frozen=True):
    """One step: how many ops were acknowledged, whether more may wait, and the wait that the cloud asked for."""

    ops: int
    more: bool
    wait_ms: int = 0


class _Batch(Struct):
    """A batch under way: its bytes are made once and go out the same each time. `opened`: as the outbox had it before
    it was read."""

    request: PushRequest
    encoded: bytes
    opened: int
    made_mono_ms: int
    first_seq: int
    last_seq: int
    timeouts: int = 0


class Pusher:
    """Sends one batch at a time. Not safe for use by two tasks at once."""

    def __init__(
        self, client: CloudClient, outbox: Outbox, *, clock: Clock, park_waits_ms: Sequence[int] = PARK_WAITS_MS
    ) -> None:
        self._client = client
        self._outbox = outbox
        self._reads_ahead = outbox if isinstance(outbox, AheadOutbox) else None
        self._clock = clock
        self._ops = BatchSize(initial=FIRST_BATCH_OPS, ceiling=MOST_BATCH_OPS)
        self._bytes = BatchSize(initial=Limits().max_bytes, ceiling=MOST_BATCH_BYTES, floor=LEAST_BATCH_BYTES)
        self._batch: _Batch | None = None
        self._ahead: Ahead[_Batch] = Ahead()
        self._storing: asyncio.Task[None] | None = None
        self._culprit = Culprit(clock=clock, waits_ms=park_waits_ms)
        self._failed: _Batch | None = None
        self._protocol = 0
        self._known = (0, 0)
        self._sent = (0, 0)
        self.counts = PushCounts()

    @property
    def known_position(self) -> tuple[int, int]:
        """The last (epoch, seq) that the cloud can know of: sent from here, or in a hello that fitted the journal."""
        return max(self._known, self._sent)

    def greeted(self, hello: HelloAnswer) -> None:
        """The journal has been compared with this hello: start from there, with what the cloud takes."""
        self._batch = None
        self._ahead.drop()
        self._known = (hello.epoch, hello.acked_seq)
        self._protocol = hello.protocol
        self._ops.forget()
        self._bytes.forget()
        self._learn(hello.limits)

    async def step(self, incarnation: str) -> Pushed:
        """Send the oldest waiting ops, or again the batch that was not answered; store the verdicts. If the next batch
        is ready they are stored beside the next step, and `stored` waits for that; after an error nothing is under way.

        SyncError's children: those of the exchange, AnswerMismatch, IncarnationChanged, HistoryConflict, OpTooLarge.
        """
        try:
            batch = await self._next(incarnation)
            if batch is None:
                return Pushed(0, more=False)
            self._read_ahead(batch)
            return await self._send(batch)
        except BaseException as error:
            self._ahead.drop()
            await self._end_storing(error)
            raise

    async def stored(self) -> None:
        """Wait for the verdicts that are being stored; raises what storing them raised."""
        storing, self._storing = self._storing, None
        if storing is None:
            return
        try:
            await storing
        except BaseException:
            # What follows them must not be acknowledged before them: the next step begins where the journal stands.
            self._batch = None
            self._ahead.drop()
            raise

    async def _send(self, batch: _Batch) -> Pushed:
        count = batch.last_seq - batch.first_seq + 1
        started_ms = self._clock.mono_ms()
        self._count_sending(batch)
        try:
            answer = await self._client.push(batch.encoded)
        except BatchTooLarge as error:
            self._shrink(batch, count, error)
            return Pushed(0, more=True)
        except (CloudRefused, CloudFailed, NotOurCloud):
            self._failed = batch
            raise
        except CloudUnreachable as error:
            if error.code == "timeout":
                self._too_slow(batch, count)
            raise
        took_ms = self._clock.mono_ms() - started_ms
        check_answer(batch.request, answer, known=self.known_position)
        await self._ahead.settle()  # so that nothing moves in the journal while it is read
        await self.stored()
        storing = self._outbox.record(batch.request.epoch, batch.last_seq, answer.results)
        if self._ahead.is_ready and not answer.retry_after_ms:
            self._storing = asyncio.get_running_loop().create_task(storing, name="verdicts")
        else:
            await storing
        self._batch = None
        self._count_verdicts(answer)
        self._note_passed(batch)
        self._ops.done(count, took_ms)
        self._learn(answer.limits)
        return Pushed(count, more=True, wait_ms=answer.retry_after_ms)

    def suspects(self, error: SyncError) -> bool:
        """Whether the step that ended with `error` may have failed over one op, which the cloud would let us park, or
        which something before the cloud won't let through.

        Ask the cloud then how it is, and if it answers well, `doubt`. A 500 is an accident the first time.
        """
        parks = self._protocol >= PARKED_PROTOCOL or is_strange(error)
        if self._failed is None or not parks or not speaks_of_ops(error):
            return False
        return not self._culprit.is_accident(error)

    async def prove_line(self, error: SyncError) -> None:
        """After one op failed with `error` by itself: have the cloud take a push of none; SyncError when it does not.

        A hello says only that something answers: the backend that serves pushes may be another, or broken over them.
        """
        batch = self._failed
        if batch is None or batch.first_seq < batch.last_seq or is_strange(error):
            return
        request = control(batch.request)
        answer = await self._client.push(msgspec.json.encode(request))
        check_answer(request, answer, known=self.known_position)

    def doubt(self, error: SyncError) -> int:
        """Go on looking for that op, or park it; the wait in ms before the next step. Raises `error` if it is none."""
        batch, self._failed = self._failed, None
        self._batch = None
        if batch is None:
            raise error
        if is_strange(error) and batch.first_seq < batch.last_seq:
            # Some firewalls let nothing long through.
            self._ops.too_slow(batch.last_seq - batch.first_seq + 1)
        return self._culprit.failed(batch.request.epoch, batch.first_seq, batch.last_seq, error)

    async def _end_storing(self, error: BaseException) -> None:
        """Before a step ends with `error`, which is what is told: that storing failed too goes to the log."""
        if not isinstance(error, Exception) and self._storing is not None:  # cancelled: nobody waits for anything
            self._storing.cancel()
            self._storing = self._batch = None
        try:
            await self.stored()
        except Exception as failure:  # noqa: BLE001 - the ops go out again, and who stores their verdicts hears of it
            log.warning("Verdicts could not be stored: %r", failure)

    def _note_passed(self, batch: _Batch) -> None:
        parked = batch.request.ops[0].parked
        self._failed = None
        self._culprit.passed(batch.request.epoch, batch.last_seq, parked=parked)
        if parked:
            # What was too large is out of the way: batches may grow again.
            self._ops.forget()
            self._bytes.forget()

    async def _next(self, incarnation: str) -> _Batch | None:
        batch = self._batch
        if batch is not None and self._may_go(batch, incarnation):
            return batch
        most_ops = min(self._ops.current, self._culprit.most_ops or self._ops.current)
        ahead = self._ahead.take()
        if ahead is not None and self._may_go(ahead, incarnation) and self._is_due(ahead, most_ops):
            self._batch = ahead
            return ahead
        await self.stored()
        opened = self._opened
        request = await self._outbox.next_batch(
            max_ops=most_ops, max_bytes=self._bytes.current, incarnation=incarnation
        )
        if request is None:
            self._batch = None
            return None
        self._batch = await self._made(self._culprit.stand_in(request), opened)
        return self._batch

    def _read_ahead(self, batch: _Batch) -> None:
        """Read what follows `batch` while that is under way: the cloud would wait for it else."""
        outbox = self._reads_ahead
        if batch.request.remaining > 0 and self._culprit.most_ops is None and outbox is not None:
            self._ahead.begin(self._following(outbox, batch))

    async def _following(self, outbox: AheadOutbox, batch: _Batch) -> _Batch | None:
        if self._storing is not None:
            await asyncio.wait({self._storing})
        opened = outbox.opened
        request = await outbox.batch_after(
            (batch.request.epoch, batch.last_seq),
            max_ops=self._ops.expected,
            max_bytes=self._bytes.current,
            incarnation=batch.request.incarnation,
        )
        return None if request is None else await self._made(request, opened)

    @property
    def _opened(self) -> int:
        return self._reads_ahead.opened if self._reads_ahead is not None else 0

    def _may_go(self, batch: _Batch, incarnation: str) -> bool:
        """Whether what was read before still is what the journal holds and this cloud may be told."""
        is_fresh = self._clock.mono_ms() - batch.made_mono_ms <= RESEND_AGE_MS
        return is_fresh and batch.opened == self._opened and batch.request.incarnation == incarnation

    def _is_due(self, ahead: _Batch, most_ops: int) -> bool:
        """Whether what was read ahead is as large as what would be read now."""
        searching = self._culprit.most_ops is not None
        fits = ahead.last_seq - ahead.first_seq < most_ops and len(ahead.encoded) <= self._bytes.current
        return fits and not searching

    async def _made(self, request: PushRequest, opened: int) -> _Batch:
        first_seq, last_seq = check_order(request)
        made_mono_ms = self._clock.mono_ms()
        return _Batch(request, await encode_push(request), opened, made_mono_ms, first_seq, last_seq)

    def _count_sending(self, batch: _Batch) -> None:
        epoch, last_sent = self._sent
        if epoch == batch.request.epoch:
            self.counts.resent += max(0, min(last_sent, batch.last_seq) - batch.first_seq + 1)
        self._sent = max(self._sent, (batch.request.epoch, batch.last_seq))

    def _count_verdicts(self, answer: PushAnswer) -> None:
        self.counts.pushed += len(answer.results)
        self.counts.duplicate += sum(result.status == "duplicate" for result in answer.results)
        verdicts = [result.first or result.status for result in answer.results]
        self.counts.adjusted += verdicts.count("adjusted")
        self.counts.rejected += verdicts.count("rejected")
        self.counts.parked += sum(result.code == "parked" for result in answer.results)

    def _shrink(self, batch: _Batch, count: int, error: BatchTooLarge) -> None:
        self._batch = None
        self._ahead.drop()
        if count == 1:
            size = len(batch.encoded)
            self._failed = batch
            raise OpTooLarge(f"operation {batch.first_seq} takes {size} bytes alone; the cloud takes less") from error
        self._ops.refused(count)
        self._bytes.refused(len(batch.encoded))

    def _too_slow(self, batch: _Batch, count: int) -> None:
        batch.timeouts += 1
        if batch.timeouts > RESENDS_BEFORE_SPLIT and count > 1:
            self._batch = None
            self._ops.too_slow(count)

    def _learn(self, limits: Limits) -> None:
        self._ops.limit(limits.max_ops)
        self._bytes.limit(limits.max_bytes)


def check_order(request: PushRequest) -> tuple[int, int]:
    """First and last seq of a batch from the outbox; HistoryConflict unless its ops are in sequence without a gap."""
    sequence = [op.seq for op in request.ops]
    if not sequence or sequence != list(range(request.first_seq, request.first_seq + len(sequence))):
        found = f"{sequence[:3]}..." if sequence else "none"
        raise HistoryConflict(
            f"expected ops in sequence from {request.first_seq}, not {found}", code="outbox_out_of_order"
        )
    return sequence[0], sequence[-1]


def check_answer(request: PushRequest, answer: PushAnswer, *, known: tuple[int, int]) -> None:
    """AnswerMismatch or IncarnationChanged unless `answer` is the verdict on this very batch.

    The cloud may hold more of this till than the batch (an answer that was lost, then a restart), but never more than
    was sent or greeted (`known`), and nothing of the batch may be left out.
    """
    if answer.incarnation != request.incarnation:
        raise IncarnationChanged("the answer comes from another incarnation of the cloud than the one greeted")
    last_seq = request.first_seq + len(request.ops) - 1
    if [result.seq for result in answer.results] != [op.seq for op in request.ops]:
        raise AnswerMismatch(
            f"expected one verdict each for {request.first_seq} to {last_seq}, not {len(answer.results)} verdicts"
            f" for others"
        )
    if answer.acked_seq < last_seq:
        raise AnswerMismatch(f"expected {last_seq} to be acknowledged, not only {answer.acked_seq}")
    if (request.epoch, answer.acked_seq) > max(known, (request.epoch, last_seq)):
        raise AnswerMismatch(f"expected at most {known[1]} to be acknowledged, not {answer.acked_seq}")
    if answer.acked_seq == last_seq and answer.head_hash not in ("", request.head_hash):
        raise AnswerMismatch("expected the chain hash of the last operation that was sent")
