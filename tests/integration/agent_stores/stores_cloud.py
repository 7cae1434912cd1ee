"""A cloud of a few lines, as the tests' measure: who has which balance, and which own ops are in it."""

import copy
from typing import Any

import msgspec

from till_sync.wire import ChangesAnswer, HelloAnswer, MemberRow, OpResult, PushRequest
from unit.agent_stores.stores_kit import TILL


class ModelCloud:
    """Applies a till's ops in sequence, remembers verdicts, gives pages of changed members.

    An op's body is `{"uid": ..., "subject": ..., "points": ...}`. `skew` is what it changes of the till's figure.
    """

    def __init__(self) -> None:
        self.incarnation = 1
        self.epoch = 0
        self.acked = 0
        self.head = ""
        self.balances: dict[str, int] = {}
        self.owners: dict[str, str] = {}
        self.changed: dict[str, int] = {}
        self.clock = 0
        self.verdicts: dict[tuple[int, int], OpResult] = {}
        self.applied: dict[tuple[int, int], str] = {}

    def add(self, member_id: str, balance: int, *tags: str) -> None:
        """A member of the chain."""
        self.balances[member_id] = balance
        self.owners.update(dict.fromkeys(tags, member_id))
        self._touch(member_id)

    def _touch(self, member_id: str) -> None:
        self.clock += 1
        self.changed[member_id] = self.clock

    def change(self, member_id: str, points: int) -> None:
        """Something that happened at another till."""
        self.balances[member_id] += points
        self._touch(member_id)

    def push(self, batch: PushRequest, skew: int = 0) -> tuple[int, tuple[OpResult, ...]]:
        """(acked_seq, results), as the real one gives them; AssertionError for what the real one refuses."""
        assert batch.epoch >= self.epoch, "stale_epoch"
        if batch.epoch > self.epoch:
            assert batch.first_seq == 1, "a new epoch begins at 1"
            self.epoch, self.acked, self.head = batch.epoch, 0, ""
        assert batch.first_seq <= self.acked + 1, "seq_gap"
        if batch.first_seq == self.acked + 1:
            assert batch.prev_hash == self.head, "chain_mismatch"
        results = [self._apply(batch.epoch, op.seq, op.fingerprint, bytes(op.body), skew) for op in batch.ops]
        if batch.ops[-1].seq >= self.acked:
            self.acked, self.head = batch.ops[-1].seq, batch.head_hash
        return self.acked, tuple(results)

    def _apply(self, epoch: int, seq: int, fingerprint: str, raw: bytes, skew: int) -> OpResult:
        if seq <= self.acked:
            assert self.applied[epoch, seq] == fingerprint, "fingerprint_mismatch"
            return msgspec.structs.replace(self.verdicts[epoch, seq], status="duplicate")
        body: dict[str, Any] = msgspec.json.decode(raw)
        subject, points = body["subject"], body["points"] + skew
        member_id = subject if subject.startswith("m-") else self.owners.get(subject, f"m-of-{subject}")
        if not subject.startswith("m-") and subject not in self.owners:
            self.add(member_id, 0, subject)
        self.change(member_id, points)
        result = OpResult(
            seq=seq,
            status="adjusted" if skew else "applied",
            member_id=member_id,
            balance=self.balances[member_id],
            effect_points=points,
        )
        self.verdicts[epoch, seq] = result
        self.applied[epoch, seq] = fingerprint
        return result

    def page(self, cursor: str, limit: int) -> ChangesAnswer:
        """Members changed since the cursor, as of now."""
        since = int(cursor or 0)
        newer = sorted((when, member_id) for member_id, when in self.changed.items() if when > since)
        rows = tuple(
            MemberRow(
                member_id=member_id,
                balance=self.balances[member_id],
                tags=tuple(sorted(tag for tag, owner in self.owners.items() if owner == member_id)),
            )
            for _when, member_id in newer[:limit]
        )
        return ChangesAnswer(
            incarnation=f"i-{self.incarnation}",
            rows=rows,
            next=str(newer[:limit][-1][0]) if rows else cursor or "0",
            more=len(newer) > limit,
            epoch=self.epoch,
            acked_seq=self.acked,
            server_time_ms=1_000 + self.clock,
        )

    def hello(self) -> HelloAnswer:
        """What it holds of the till."""
        return HelloAnswer(
            incarnation=f"i-{self.incarnation}",
            till=TILL,
            store="s",
            epoch=self.epoch,
            acked_seq=self.acked,
            head_hash=self.head,
            server_time_ms=1_000 + self.clock,
        )

    def backup(self) -> "ModelCloud":
        """A copy to restore from."""
        return copy.deepcopy(self)
