"""What own ops have done to the facts of members since the cloud's last word: limits, purchases, coupons, budgets.

As with balances (`till_agent.balances`): what the rules get is the cached facts and what own ops changed
after them.
"""

from array import array
from collections import deque
from collections.abc import Iterable

from till_agent.journal.changes import UsageRow, read_change
from till_agent.journal.schema import row_id
from till_agent.ports import OfflineSpent, PendingFacts
from till_loyalty.receipt import Usage
from till_sync.wallet_use import NO_USE


class OwnFacts:
    """Changes of facts by own ops, in memory, kept packed: 100,000 ops may wait. Used on the loop only."""

    def __init__(self) -> None:
        self._packed: dict[int, tuple[str, bytes]] = {}
        self._by_key: dict[str, array[int]] = {}
        self._given: dict[str, dict[int, int]] = {}
        # By member: what each op took of this till's grant, gave back of it, and spent within the floor limit.
        self._spent: dict[str, dict[int, tuple[int, int, int]]] = {}
        self._floor_points = 0
        self._codes: dict[tuple[str, str], int] = {}
        self._ids: deque[int] = deque()
        self._in_order = True

    def __len__(self) -> int:
        """Ops kept."""
        return len(self._packed)

    def add_row(self, identity: int, subject_key: str, packed: bytes) -> None:
        """Count an op by its row id; one that is counted already stays as it is."""
        if not packed or identity in self._packed:
            return
        self._packed[identity] = (subject_key, packed)
        if subject_key:
            self._by_key.setdefault(subject_key, array("q")).append(identity)
        change = read_change(packed)
        for rule, amount in change.given.items():
            self._given.setdefault(rule, {})[identity] = amount
        if change.granted or change.released or change.floor:
            self._spent.setdefault(subject_key, {})[identity] = (change.granted, change.released, change.floor)
            self._floor_points += change.floor
        self._count_codes(change.usage, 1)
        self._in_order = self._in_order and not (self._ids and identity < self._ids[-1])
        self._ids.append(identity)

    def rows(self) -> list[tuple[int, str, bytes]]:
        """All that is kept, in order: row id, subject key, packed."""
        return [(identity, *self._packed[identity]) for identity in sorted(self._packed)]

    def of(self, keys: tuple[str, ...], included: tuple[int, int]) -> PendingFacts:
        """What ops on any of `keys` after `included` (epoch, seq) changed. A sale that was voided is no purchase."""
        after = row_id(*included)
        changes = [
            (identity, read_change(self._packed[identity][1]))
            for key in dict.fromkeys(keys)
            for identity in self._by_key.get(key, ())
        ]
        voided = {change.voided for _, change in changes if change.voided}
        purchases, last, usage = 0, "", []
        later: list[tuple[str, int]] = []
        wallet = NO_USE
        for identity, change in changes:
            if identity <= after:
                continue
            # A code that a sale used is used, whatever became of the sale.
            wallet = wallet.newest(change.wallet)
            usage += [Usage(rule=row[0], per=row[1], key=row[2], amount=row[3], uses=row[4]) for row in change.usage]
            if change.voided:
                purchases -= 1
            elif change.day:
                purchases += 1
                if identity not in voided:
                    last = max(last, change.day)
                    later += change.later
        return PendingFacts(
            usage=tuple(usage), purchases=purchases, last_purchase=last, inactive=tuple(later), wallet=wallet
        )

    def keys_after(self, identity: int) -> list[str]:
        """Whom ops after that row id speak of."""
        return [key for key, ids in self._by_key.items() if max(ids, default=0) > identity]

    def given(self, rule: str, included: tuple[int, int]) -> int:
        """What sales after `included` took of a rule's budget. Voids and returns give nothing back of it."""
        after = row_id(*included)
        return sum([amount for identity, amount in self._given.get(rule, {}).items() if identity > after])

    def offline_spent(self, member_id: str, included: tuple[int, int]) -> OfflineSpent:
        """What ops after `included` took of the grant for a member and gave back of it; and, of ops that are still
        kept, what the member spent within the floor limit."""
        after = row_id(*included)
        rows = self._spent.get(member_id, {})
        return OfflineSpent(
            granted=sum([row[0] for identity, row in rows.items() if identity > after]),
            released=sum([row[1] for identity, row in rows.items() if identity > after]),
            floor=sum([row[2] for row in rows.values()]),
        )

    @property
    def floor_points(self) -> int:
        """What all members spent here within the floor limit, in ops that are still kept."""
        return self._floor_points

    def code_uses(self, coupon: str, code: str) -> int:
        """How often a coupon's code was used here, by anybody, in ops that are still kept."""
        return self._codes.get((coupon, code), 0)

    def forget(self, upto: int, limit: int) -> bool:
        """Every cached row includes all own ops up to that row id: they are never asked for again. Drops `limit` of
        them at most; whether more are left."""
        if not self._in_order:
            self._ids = deque(sorted(self._ids))
            self._in_order = True
        while limit and self._ids and self._ids[0] <= upto:
            self._drop(self._ids.popleft())
            limit -= 1
        return bool(self._ids) and self._ids[0] <= upto

    def _drop(self, identity: int) -> None:
        key, packed = self._packed.pop(identity)
        ids = self._by_key.get(key)
        if ids is not None:
            ids.remove(identity)
            if not ids:
                del self._by_key[key]
        change = read_change(packed)
        if key in self._spent and self._spent[key].pop(identity, None) is not None:
            self._floor_points -= change.floor
            if not self._spent[key]:
                del self._spent[key]
        for rule in change.given:
            amounts = self._given[rule]
            del amounts[identity]
            if not amounts:
                del self._given[rule]
        self._count_codes(change.usage, -1)

    def _count_codes(self, usage: Iterable[UsageRow], sign: int) -> None:
        for coupon, per, code, _amount, uses in usage:
            if per != "code":
                continue
            left = self._codes.get((coupon, code), 0) + sign * uses
            if left:
                self._codes[coupon, code] = left
            else:
                self._codes.pop((coupon, code), None)
