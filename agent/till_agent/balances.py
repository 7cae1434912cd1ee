"""What own ops have done to balances since the cloud's last word: the part of a balance that is unconfirmed.

Shown balance = the cached balance + the effects of own ops that it does not include (invariant 9; decision 0006).
Used on the loop only. An effect is added after its op is on the disk and before the caller of `commit` goes on, by the
journal itself; the sale desk may add it again, to no effect.
"""

import asyncio
from array import array
from bisect import bisect_left, bisect_right
from collections import deque

from till_agent.journal.schema import row_id
from till_agent.own_facts import OwnFacts
from till_agent.ports import OfflineSpent, PendingFacts
from till_sync.ops import OpId, Subject

SLICE = 100
"""Ops forgotten at once, some milliseconds: a page after a month without a line brings 100,000, and sales go on."""
ALL = 10**9
"""More ops than a journal keeps waiting."""


class _Effects:
    """Effects on one subject: row ids of ops, ascending, and points beside them."""

    __slots__ = ("ids", "points")

    def __init__(self) -> None:
        self.ids: array[int] = array("q")
        self.points: array[int] = array("q")

    def add(self, identity: int, points: int) -> bool:
        """False when the op is there already."""
        at = bisect_left(self.ids, identity)
        if at < len(self.ids) and self.ids[at] == identity:
            return False
        self.ids.insert(at, identity)
        self.points.insert(at, points)
        return True

    def after(self, identity: int) -> int:
        """Sum of the points of later ops."""
        return sum(self.points[bisect_right(self.ids, identity) :])

    def forget_first(self) -> None:
        """Drop the oldest op."""
        del self.ids[0], self.points[0]


class OwnEffects:
    """Implements `till_agent.ports.PendingBalances`.

    By subject key: a member or, while nobody knows whose it is, a tag. `effect` is asked for a member and all of the
    member's tags, so an op that was made under a tag counts for its member as soon as a page has told whose tag it is.
    Numbers are kept packed: 100,000 ops that wait must not cost as much memory as the agent itself.
    """

    def __init__(self) -> None:
        self._by_key: dict[str, _Effects] = {}
        # All ops in order, for forgetting them; `_in_order` is False after the cloud lost ops that count again.
        self._ids: deque[int] = deque()
        self._keys: deque[str] = deque()
        self._in_order = True
        self._facts = OwnFacts()
        # Up to this row id ops are being forgotten, slice by slice; 0 when none are.
        self._upto = 0
        self.forgotten = 0
        """The last row id up to which ops were to be forgotten."""

    def __len__(self) -> int:
        """Effects kept."""
        return len(self._ids)

    def add(self, subject: Subject, op_id: OpId, effect_points: int) -> None:
        """Count an op; one that is counted already stays as it is."""
        self.add_row(row_id(op_id.epoch, op_id.seq), subject.key, effect_points)

    def add_row(self, row_id: int, subject_key: str, effect_points: int) -> None:
        """The same by the op's row id in the journal."""
        self._counts_again(row_id)
        if not subject_key or not effect_points:
            return
        effects = self._by_key.get(subject_key)
        if effects is None:
            effects = self._by_key[subject_key] = _Effects()
        if effects.add(row_id, effect_points):
            self._in_order = self._in_order and not (self._ids and row_id < self._ids[-1])
            self._ids.append(row_id)
            self._keys.append(subject_key)

    def add_change(self, row_id: int, subject_key: str, packed: bytes) -> None:
        """What an op changed of facts (`till_agent.journal.changes.pack_change`)."""
        self._counts_again(row_id)
        self._facts.add_row(row_id, subject_key, packed)

    def changes(self) -> list[tuple[int, str, bytes]]:
        """All changes of facts that are counted, in order: row id, subject key, packed."""
        return self._facts.rows()

    def facts(self, keys: tuple[str, ...], included: tuple[int, int]) -> PendingFacts:
        """What ops on any of `keys` after `included` (epoch, seq) changed of the facts."""
        return self._facts.of(keys, included)

    def given(self, rule: str, included: tuple[int, int]) -> int:
        """What own sales after `included` took of a rule's budget."""
        return self._facts.given(rule, included)

    def offline_spent(self, member_id: str, included: tuple[int, int]) -> OfflineSpent:
        """What own ops after `included` did to this till's grant for a member, and floor spending that is kept."""
        return self._facts.offline_spent(member_id, included)

    @property
    def floor_points(self) -> int:
        """Floor spending of all members in own ops that are still kept."""
        return self._facts.floor_points

    def code_uses(self, coupon: str, code: str) -> int:
        """Uses of a coupon's code in own ops that are still kept."""
        return self._facts.code_uses(coupon, code)

    def speak_of(self, included: tuple[int, int]) -> frozenset[str]:
        """Whom ops after `included` (epoch, seq) speak of, by member id or tag."""
        after = row_id(*included)
        mine = [key for key, effects in self._by_key.items() if effects.ids and effects.ids[-1] > after]
        return frozenset([*mine, *self._facts.keys_after(after)])

    def effect(self, keys: tuple[str, ...], included: tuple[int, int]) -> int:
        """Sum of the effects on any of `keys` by ops after `included` (epoch, seq)."""
        after = row_id(*included)
        return sum(self._by_key[key].after(after) for key in set(keys) if key in self._by_key)

    def forget(self, included: tuple[int, int]) -> None:
        """Every cached balance includes all own ops up to `included`: their effects are never asked for again."""
        self._upto = 0
        self.forgotten = max(self.forgotten, row_id(*included))
        self._forget(row_id(*included), ALL)

    def forget_soon(self, included: tuple[int, int]) -> None:
        """The same, a slice a turn of the loop. What is not forgotten yet counts no more: whoever asks says after which
        op; only what all members took of the floor limit and of a code is counted until then, on the safe side."""
        going_on = self._upto > 0
        self._upto = max(self._upto, row_id(*included))
        self.forgotten = max(self.forgotten, self._upto)
        if not going_on:
            self._forget_on()

    def _forget_on(self) -> None:
        if not self._upto:
            return
        if self._forget(self._upto, SLICE):
            asyncio.get_running_loop().call_soon(self._forget_on)
        else:
            self._upto = 0

    def _counts_again(self, identity: int) -> None:
        """An op that the cloud lost, or that came from a journal put aside: it is not to be forgotten with the others,
        which are at the next page."""
        if identity <= self._upto:
            self._upto = 0

    def _forget(self, upto: int, limit: int) -> bool:
        """Drop so many at most; whether more are left."""
        more = self._facts.forget(upto, limit)
        if not self._in_order:
            pairs = sorted(zip(self._ids, self._keys, strict=True))
            self._ids = deque(identity for identity, _key in pairs)
            self._keys = deque(key for _identity, key in pairs)
            self._in_order = True
        while limit and self._ids and self._ids[0] <= upto:
            limit -= 1
            self._ids.popleft()
            key = self._keys.popleft()
            effects = self._by_key[key]
            effects.forget_first()
            if not effects.ids:
                del self._by_key[key]
        return more or (bool(self._ids) and self._ids[0] <= upto)
