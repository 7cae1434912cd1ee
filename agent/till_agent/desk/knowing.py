"""What the rules are given besides the receipt: what this till knows now of the member, the place, codes and budgets.

Cached facts, and on top of them what own ops changed that the cached ones do not include.
"""

from collections.abc import Iterable, Sequence
from datetime import date

from msgspec import Struct
from msgspec.structs import replace

from till_agent.desk.coupons import CouponDesk, tidy
from till_agent.desk.found import Found
from till_agent.ports import Cache, PendingBalances, PendingFacts
from till_loyalty.limits import period_key
from till_loyalty.programme import Programme
from till_loyalty.receipt import MemberState, Place, StoreClock, Usage
from till_loyalty.results import Reason

CHANNEL = "till"


class Known(Struct, frozen=True, kw_only=True):
    """What `till_loyalty.engine.calculate` is given, and what goes into the sale's op.

    `held_back`: why codes of the receipt are not among `codes`.
    """

    state: MemberState | None
    clock: StoreClock
    place: Place
    codes: tuple[str, ...]
    budgets: dict[str, int]
    offline: bool
    held_back: tuple[Reason, ...] = ()


class Knowing:
    """Puts it together. Used on the loop; nothing here waits."""

    def __init__(self, cache: Cache, pending: PendingBalances, coupons: CouponDesk, store: str) -> None:
        self._cache = cache
        self._pending = pending
        self._coupons = coupons
        self._store = store

    def gather(
        self,
        programme: Programme | None,
        found: Found | None,
        pending: PendingFacts,
        clock: StoreClock,
        codes: Sequence[str],
        *,
        spendable: int,
        offline: bool,
    ) -> Known:
        """All of it, as it is now; `pending` is what own ops changed of the member's facts."""
        codes = tidy(codes, programme)
        member_id = found.subject.member_id if found else ""
        state = member_state(found, pending, clock, spendable)
        if state is not None and codes:
            counted = self._coupons.usage(programme, member_id, codes)
            state = replace(state, usage=_at_least(state.usage, counted))
        held_back: tuple[Reason, ...] = ()
        if not offline:
            codes, held_back = self._coupons.held_back(programme, state, member_id, codes)
        return Known(
            state=state,
            clock=clock,
            place=self.place(),
            codes=tuple(codes),
            budgets=self.budgets(),
            offline=offline,
            held_back=held_back,
        )

    def place(self) -> Place:
        """Where this till stands: its own store, with the region and groups that the cloud names."""
        known = self._cache.place
        if known is None or known.store != self._store:
            return Place(store=self._store, channel=CHANNEL)
        return replace(known, channel=CHANNEL)

    def budgets(self) -> dict[str, int]:
        """What is left of this till's shares, own sales that the cloud has not counted yet taken off."""
        shares = self._cache.shares
        return {rule: max(0, left - self._pending.given(rule, shares.included)) for rule, left in shares.left.items()}


def member_state(found: Found | None, pending: PendingFacts, clock: StoreClock, spendable: int) -> MemberState | None:
    """The member as the rules may know them; somebody not known here earns as a member of no tier."""
    if found is None:
        return None
    usage = _summed(pending.usage, clock)
    if found.cached is None:
        return MemberState(spendable_points=spendable, last_purchase=pending.last_purchase, usage=usage)
    row, facts = found.cached.row, found.cached.row.facts
    return MemberState(
        tier=row.tier,
        spendable_points=spendable,
        blocked=row.status == "blocked",
        segments=facts.segments,
        birth_date=facts.birthday,
        member_since=facts.member_since,
        purchases=max(0, facts.purchases + pending.purchases) if facts.purchases >= 0 else -1,
        last_purchase=max(facts.last_purchase, pending.last_purchase),
        usage=_summed((*facts.usage, *pending.usage), clock),
        coupons=facts.coupons,
    )


def _summed(rows: Iterable[Usage], clock: StoreClock) -> tuple[Usage, ...]:
    """One row a rule and period, of the periods that are not over on the receipt's day; uses of codes are no member's.

    Coupons that came back are negative uses: below nothing used there is nothing.
    """
    day = date.fromisoformat(clock.business_date)
    sums: dict[tuple[str, str, str], tuple[int, int]] = {}
    for row in rows:
        if row.per == "code" or row.key != period_key(row.per, day):
            continue
        name = (row.rule, row.per, row.key)
        amount, uses = sums.get(name, (0, 0))
        sums[name] = (amount + row.amount, uses + row.uses)
    return tuple(
        [
            Usage(rule=rule, per=per, key=key, amount=amount, uses=uses)
            for (rule, per, key), (amount, uses) in sorted(sums.items())
            if amount > 0 or uses > 0
        ]
    )


def _at_least(usage: tuple[Usage, ...], told: Iterable[Usage]) -> tuple[Usage, ...]:
    """`usage`, but nowhere fewer uses than the cloud told when it was asked: it may hold own ops, so no sum is made."""
    rows = {(row.rule, row.per, row.key): row for row in usage}
    for row in told:
        name = (row.rule, row.per, row.key)
        mine = rows.get(name)
        if mine is None and row.uses > 0:
            rows[name] = row
        elif mine is not None and mine.uses < row.uses:
            rows[name] = replace(mine, uses=row.uses)
    return tuple([rows[name] for name in sorted(rows)])
