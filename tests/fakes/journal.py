"""A journal in memory with the real one's order of things: one decision at a time, written whole or not at all."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from fakes.holds import FakeHoldStore
from fakes.pending import FakePending
from till_agent.exceptions import JournalUnavailable
from till_agent.journal.schema import row_id
from till_agent.ports import Committed, Draft, Entry, JournalReader
from till_sync.ops import OpId, decode_body
from till_sync.wire import OpResult

T = TypeVar("T")


class FakeReader:
    """Fits `till_agent.ports.JournalReader`."""

    def __init__(self, till: str, epoch: int) -> None:
        self.till = till
        self.epoch = epoch
        self.entries: list[Entry] = []
        self.verdicts: dict[OpId, OpResult] = {}

    @property
    def next_op_id(self) -> OpId:
        return OpId(self.till, self.epoch, len(self.entries) + 1)

    def find(self, kind: str, uid: str) -> Entry | None:
        return next((entry for entry in self.entries if (entry.kind, entry.uid) == (kind, uid)), None)

    def about(self, sale_uid: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.about_uid == sale_uid]

    def verdict(self, op_id: OpId) -> OpResult | None:
        return self.verdicts.get(op_id)

    def recent(self, limit: int) -> list[Entry]:
        return self.entries[::-1][:limit]

    def by_op(self, op_id: OpId) -> Entry | None:
        return next((entry for entry in self.entries if entry.op_id == op_id), None)

    def sales(self, before: int, limit: int) -> list[tuple[OpId, int]]:
        rows = [
            (entry.op_id, len(entry.body))
            for entry in reversed(self.entries)
            if entry.kind == "sale" and (not before or row_id(entry.op_id.epoch, entry.op_id.seq) < before)
        ]
        return rows[:limit]


class FakeJournal:
    """Fits `till_agent.ports.Journal`.

    Work waits its turn and yields the loop before and after, so that calls made at once do interleave around it. As in
    the real one, effects and holds are told of a commit before its caller goes on. `broken`: the disk refuses;
    `lose_answers`: it writes and then says that it did not.
    """

    def __init__(self, pending: FakePending, holds: FakeHoldStore, *, till: str = "t1", epoch: int = 1) -> None:
        self.reader = FakeReader(till, epoch)
        self.pending = pending
        self.holds = holds
        self.broken = False
        self.lose_answers = False
        self.before_turn: Callable[[], None] = lambda: None

    @property
    def entries(self) -> list[Entry]:
        return self.reader.entries

    async def commit(self, decide: Callable[[JournalReader], Draft | Entry]) -> Committed:
        await self._turn()
        self.before_turn()
        decision = decide(self.reader)
        if isinstance(decision, Entry):
            await asyncio.sleep(0)
            return Committed(entry=decision, replayed=True)
        if self.reader.find(decision.kind, decision.uid) is not None:
            raise AssertionError(f"a second {decision.kind} {decision.uid}")
        decode_body(decision.body)
        if decision.hold:
            self.holds.resolve(decision)
        entry = Entry(
            op_id=self.reader.next_op_id,
            kind=decision.kind,
            uid=decision.uid,
            about_uid=decision.about_uid,
            request_digest=decision.request_digest,
            body=decision.body,
            answer=decision.answer,
            at_wall_ms=decision.at_wall_ms,
        )
        self.reader.entries.append(entry)
        if decision.effect_points:
            self.pending.add(decision.subject, entry.op_id, decision.effect_points)
        self.pending.add_body(decision.subject, entry.op_id, decision.kind, decision.body)
        await asyncio.sleep(0)
        if self.lose_answers:
            raise JournalUnavailable("the fake disk wrote and did not say so")
        return Committed(entry=entry, replayed=False)

    async def read(self, query: Callable[[JournalReader], T]) -> T:
        await self._turn()
        return query(self.reader)

    async def _turn(self) -> None:
        await asyncio.sleep(0)
        if self.broken:
            raise JournalUnavailable("the fake disk is full")
