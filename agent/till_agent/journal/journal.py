"""The journal's async face: what the sale desk, the push loop and the command line use. All calls on the loop."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol, TypeVar

from msgspec import Struct

from till_agent.api import QueuedOp
from till_agent.exceptions import JournalCorrupt
from till_agent.journal import carry, listing, marks, outbox, schema, verify
from till_agent.journal.changes import NOTHING, pack_change
from till_agent.journal.exceptions import DamagedError
from till_agent.journal.figures import Figures, LimitWatch
from till_agent.journal.holdstore import DiskHoldStore
from till_agent.journal.listing import LIST_LIMIT
from till_agent.journal.open import open_session
from till_agent.journal.place import OpenReport, Place
from till_agent.journal.pruning import KEEP_DAYS, sweep
from till_agent.journal.reader import EntryReader
from till_agent.journal.rebuilding import EffectSink, Rebuilding
from till_agent.journal.session import Session
from till_agent.journal.writer import STOP_WAIT_SECONDS, Reopened, Writer
from till_agent.ports import Committed, Draft, Entry
from till_agent.registrations import KEPT_LIMIT, KINDS
from till_sync.exceptions import HistoryConflict
from till_sync.ops import OpId
from till_sync.wire import HelloAnswer, OpResult, PushRequest

_log = logging.getLogger(__name__)

T = TypeVar("T")

VERDICTS_AT_ONCE = 250
"""Verdicts of one transaction: a sale that comes meanwhile waits for one, a millisecond and a sync, or shares it."""


class VerdictSink(Protocol):
    """Where verdicts go besides the journal: `till_agent.cache.CacheStore`."""

    async def record_results(self, epoch: int, results: tuple[OpResult, ...]) -> None:
        """Balances after own ops, by the cloud."""
        ...


class _Written(Struct, frozen=True):
    """A commit and the draft it came from; None for a replay."""

    committed: Committed
    draft: Draft | None
    change: bytes


class DiskJournal:
    """Implements `till_agent.ports.Journal` and `till_sync.ports.Outbox`.

    When `commit` returns, the row is on the disk, and its effect is in `effects` and its hold resolved in `holds`:
    both happen on the loop after the commit and before anyone who waits for it goes on, even if the caller was
    cancelled meanwhile.
    """

    def __init__(
        self,
        place: Place,
        effects: EffectSink,
        verdicts: VerdictSink | None = None,
        *,
        begins_anew: bool = False,
    ) -> None:
        self._place = place
        self._begins_anew = begins_anew
        self._floor: tuple[int, int] | None = None
        self._effects = effects
        self._verdicts = verdicts
        self._figures = Figures(place.till, 0, 0, 0, 0, 0, 0, 0)
        self._at_last_batch = (0, 0)
        self._limits = LimitWatch()
        self._reports: list[OpenReport] = []
        self.opened = 0
        """How often the file was opened: at the start, and after trouble, perhaps as another."""
        self._writer = Writer(lambda: open_session(place), on_opened=self._opened, on_figures=self._note_figures)
        self._rebuilding = Rebuilding(self._writer, place, effects)
        self.caught_up = self._rebuilding.caught_up
        self.holds = DiskHoldStore(self._writer, place.clock)

    @property
    def is_caught_up(self) -> bool:
        """False while a journal that took the place of another is read."""
        return self._rebuilding.is_caught_up

    @property
    def figures(self) -> Figures:
        """Where the journal stands, as of the last commit."""
        return self._figures

    @property
    def report(self) -> OpenReport:
        """What the last opening found; the first one's damage is kept when a later one found nothing."""
        return next((each for each in reversed(self._reports) if each.reason), self._reports[-1])

    @property
    def transactions(self) -> int:
        """Transactions that were synced; fewer than commits, because those that arrive together share one."""
        return self._writer.transactions

    @property
    def writer_is(self) -> Literal["dead", "disk", "work"]:
        """What the writer thread does; from any thread."""
        return self._writer.state

    def probe(self) -> "asyncio.Future[None]":
        """Work that does nothing: done as soon as the writer thread comes to it. Raises as `commit` does."""
        return self._writer.submit(lambda _session: None, writes=False)

    async def start(self, floor: tuple[int, int] | None = None) -> None:
        """Open the file and rebuild the effects of ops after `floor`, the last own op (epoch, seq) that every cached
        balance includes; None when no balance is cached: then those that the cloud has not acknowledged.

        Raises JournalUnavailable (JournalInUse, JournalTooNew) when there is no disk to write to; never for a bad file.
        """
        self._floor = floor
        await self._writer.start()
        try:
            await self._rebuilding.load(floor)
        except JournalCorrupt as exc:  # among rows that the opening had no time for
            await self._begin_anew("chain", str(exc), self._place.keeper.last_epoch, exc)

    async def stop(self, wait_seconds: float = STOP_WAIT_SECONDS) -> bool:
        """Write what waits, close. False when the disk did not answer in time."""
        self._rebuilding.stop()
        is_closed = await self._writer.stop(wait_seconds)
        if is_closed:
            await self._rebuilding.put_down(self._figures)
        return is_closed

    async def commit(self, decide: Callable[[EntryReader], Draft | Entry]) -> Committed:
        """See `till_agent.ports.Journal.commit`. Also raises HoldNotOpen when the draft names a spent hold."""

        def run(session: Session) -> _Written:
            committed, draft = session.commit(decide)
            return _Written(committed, draft, pack_change(draft.kind, draft.body) if draft else NOTHING)

        written = await self._writer.submit(run, writes=True, after=self._committed)
        return written.committed

    async def read(self, query: Callable[[EntryReader], T]) -> T:
        """See `till_agent.ports.Journal.read`."""
        return await self._writer.submit(lambda session: query(session.reader), writes=False)

    async def waiting(self) -> int:
        """Ops that the cloud has not acknowledged, over all epochs."""
        return self._figures.waiting

    async def next_batch(self, *, max_ops: int, max_bytes: int, incarnation: str) -> PushRequest | None:
        """The oldest waiting ops of one epoch, each checked against the chain while it is read.

        JournalCorrupt when one is not as it was written: nothing of such a batch leaves the till.
        """
        try:
            return await self._gather(max_ops, max_bytes, incarnation)
        except JournalCorrupt as exc:
            await self._begin_anew("chain", str(exc), self._place.keeper.last_epoch, exc)
            return await self._gather(max_ops, max_bytes, incarnation)

    async def batch_after(
        self, last: tuple[int, int], *, max_ops: int, max_bytes: int, incarnation: str
    ) -> PushRequest | None:
        """What follows `last` in its epoch, checked as by `next_batch`; JournalCorrupt changes nothing here."""
        return await self._gather(max_ops, max_bytes, incarnation, last)

    async def _gather(
        self, max_ops: int, max_bytes: int, incarnation: str, last: tuple[int, int] = (0, 0)
    ) -> PushRequest | None:
        now, before = (self._figures.epoch, self._figures.last_seq), self._at_last_batch
        self._at_last_batch = now
        slice_ops = outbox.SLICE_OPS if now == before else outbox.SLICE_OPS_SELLING
        builder = outbox.BatchBuilder(max_ops, max_bytes, last, slice_ops=slice_ops)
        while not builder.full:
            epoch, first, room = builder.epoch, builder.next_seq, builder.room
            part = await self._writer.submit(_slice_reader(epoch, first, room), writes=False)
            if part is None:
                break
            builder.add(part)
        return builder.request(incarnation, self._place.clock, self._figures.waiting)

    async def record(self, epoch: int, acked_seq: int, results: tuple[OpResult, ...]) -> None:
        """Store verdicts and the acknowledged position, then hand the verdicts to the cache.

        The position comes with the last of them: until then they are as those of ops whose answer was lost.
        HistoryConflict when they speak of ops that were never made; then none is stored.
        """
        upto = max(acked_seq, max([result.seq for result in results], default=0))
        for first in range(0, max(1, len(results)), VERDICTS_AT_ONCE):
            part = results[first : first + VERDICTS_AT_ONCE]
            is_last = first + VERDICTS_AT_ONCE >= len(results)
            await self._writer.submit(_recorder(epoch, acked_seq if is_last else 0, part, upto), writes=True)
        if self._verdicts is not None:
            await self._verdicts.record_results(epoch, results)

    async def reconcile(self, hello: HelloAnswer) -> None:
        """Take the cloud's account of what it holds; ops that it lost wait again, and count as pending again.

        HistoryConflict when it can't be the past of this journal; then nothing is changed. Where a journal may begin
        anew, that is an old copy: it is put aside, and what it has waiting comes again under ids of a new epoch.
        """

        def run(session: Session) -> tuple[int, int] | None:
            return outbox.reconcile_with(session, hello)

        try:
            lost_after = await self._writer.submit(run, writes=True)
        except HistoryConflict as exc:
            if hello.till != self._place.till or exc.code == marks.PRUNED_CODE:
                raise
            await self._begin_anew(carry.OLD_COPY, str(exc), hello.epoch, exc)
            lost_after = await self._writer.submit(run, writes=True)
        if lost_after is not None:
            _log.warning("the cloud holds own ops only up to %d:%d; the later ones are sent again", *lost_after)
            await self._rebuilding.load_from(schema.row_id(*lost_after))

    async def list_ops(self, limit: int = LIST_LIMIT) -> list[QueuedOp]:
        """Ops from the oldest waiting one on; at most LIST_LIMIT."""
        return await self._writer.submit(lambda session: listing.waiting(session.reader, limit), writes=False)

    async def list_newest(self, limit: int = LIST_LIMIT) -> list[QueuedOp]:
        """The newest ops, of whatever epoch, newest first; at most LIST_LIMIT."""
        return await self._writer.submit(lambda session: listing.newest(session.reader, limit), writes=False)

    async def list_rejected(self, limit: int = LIST_LIMIT, verdict: str = "rejected") -> list[QueuedOp]:
        """Ops that the cloud refused, or `adjusted`, newest first; at most LIST_LIMIT."""
        return await self._writer.submit(lambda session: listing.judged(session.reader, verdict, limit), writes=False)

    async def show(self, op_id: OpId) -> tuple[QueuedOp, bytes] | None:
        """One op as the lists show it, and its body; None when there is none."""
        return await self._writer.submit(lambda session: listing.one(session.reader, op_id), writes=False)

    def also_reads(self, own_ops: Callable[[], Awaitable[None]]) -> None:
        """What else is read again of a journal that took the place of another: its ops have other ids."""
        self._rebuilding.also_reads = own_ops

    async def registrations(self, floor: tuple[int, int] | None) -> list[Entry]:
        """Registrations and attached cards after `floor`, the last own op that the cache includes, in order. A bad row
        is answered as by `next_batch`."""
        after = schema.row_id(*floor) if floor is not None else 0

        def run(session: Session) -> list[Entry]:
            found = [each for kind in KINDS for each in session.reader.of_kind(kind, after, KEPT_LIMIT)]
            return sorted(found, key=lambda entry: entry.op_id)

        try:
            return await self._writer.submit(run, writes=False)
        except JournalCorrupt as exc:
            await self._begin_anew("chain", str(exc), self._place.keeper.last_epoch, exc)
            return await self._writer.submit(run, writes=False)

    async def verify(self) -> int:
        """Check every row, letting commits through between slices. Gives how many; raises JournalCorrupt."""
        slices = await self._writer.submit(lambda session: list(verify.slices(session.reader)), writes=False)
        rows = 0
        for epoch, first, last in slices:
            rows += await self._writer.submit(_checker(epoch, first, last), writes=False)
        return rows

    async def prune(self, days: int = KEEP_DAYS) -> int:
        """Let go of rows that are older and that nobody needs here any more; gives how many. Sales go on between."""
        return await sweep(self._writer, self._place, days)

    async def _begin_anew(self, code: str, detail: str, epoch: int, exc: Exception) -> None:
        """Put the file aside and go on in a new epoch above `epoch`; raises `exc` where that may not be.

        Of a till that exists twice each would put the other in the wrong again and again: so only a few times a day.
        """
        if not self._begins_anew or carry.replaced_of_late(self._place) >= carry.REPLACED_A_DAY_LIMIT:
            raise exc
        before = self._figures

        def put_aside() -> None:
            self._place.keeper.raise_to(epoch)
            carry.put_aside(self._place, DamagedError(code, detail))

        await self._writer.replace(put_aside)
        self._effects.forget((before.epoch, before.last_seq))
        await self._rebuilding.load(self._floor)

    def _opened(self, reopened: Reopened) -> None:
        """The file was opened, at start or after trouble: take from it what the loop was not told of."""
        self.opened += 1
        self._reports = [*self._reports[-1:], reopened.report] if not reopened.report.reason else [reopened.report]
        before = self._figures
        self._note_figures(reopened.figures)
        self._rebuilding.take_effects(reopened.effects)
        self._rebuilding.take_changes(reopened.changes)
        self.holds.load(reopened.holds)
        if before.last_seq and before.epoch != reopened.figures.epoch:
            # What was put aside came again under other ids: each of its ops would count twice.
            self._effects.forget((before.epoch, before.last_seq))
            self._rebuilding.load_later(self._floor)

    def _note_figures(self, figures: Figures) -> None:
        self._figures = figures
        self._limits.note(figures, self._place.clock.wall_ms())

    def _committed(self, written: _Written) -> None:
        draft = written.draft
        if draft is None:
            return
        op_id = written.committed.entry.op_id
        identity = schema.row_id(op_id.epoch, op_id.seq)
        if draft.effect_points:
            self._effects.add_row(identity, draft.subject.key, draft.effect_points)
        if written.change:
            self._effects.add_change(identity, draft.subject.key, written.change)
        if draft.hold:
            self.holds.resolved_by(draft)


async def open_journal(
    place: Place,
    effects: EffectSink,
    verdicts: VerdictSink | None = None,
    *,
    floor: tuple[int, int] | None = None,
) -> DiskJournal:
    """A started journal; see `DiskJournal.start`."""
    journal = DiskJournal(place, effects, verdicts)
    await journal.start(floor)
    return journal


def _slice_reader(epoch: int, first: int, room: int) -> "Callable[[Session], outbox.Slice | None]":
    return lambda session: outbox.read_slice(session, epoch, first, room)


def _recorder(epoch: int, acked_seq: int, part: tuple[OpResult, ...], upto: int) -> "Callable[[Session], None]":
    return lambda session: outbox.record_results(session, epoch, acked_seq, part, upto)


def _checker(epoch: int, first: int, last: int) -> Callable[[Session], int]:
    return lambda session: verify.check_rows(session.reader, epoch, first, last)
