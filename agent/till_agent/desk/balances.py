"""What a member has, as this till may show it: the cloud's figure, plus own ops that it does not include yet.

Decision 0006: each cached balance names the last own op that it includes, so nothing is ever counted twice and the
shown figure never flickers back.
"""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from till_agent.desk.finding import Found
from till_agent.ports import Cache, CachedMember, HoldGateway, HoldStore, PendingBalances, PendingFacts

NOTHING_INCLUDED = (0, 0)
"""What the balance of a tag includes that the cloud never told this till about: no op at all."""

ALL_FREE = ""
HELD = "held"
INACTIVE = "inactive"
SPENDING_REASONS = frozenset((ALL_FREE, HELD, INACTIVE))
"""With these what is free may be spent."""


class Figures(Struct, frozen=True, kw_only=True):
    """`unconfirmed` is the part of `balance` that the cloud has not confirmed; `held` is reserved for open receipts.

    `inactive` points are in the balance and can't be spent yet. `pending` is what own ops changed of other facts.
    `reason` says why not all of `balance` may be spent now ("" when it may). `as_of_ms`: the cloud's time that the
    confirmed part stands for, 0 when there is none.
    """

    balance: int
    unconfirmed: int
    held: int
    reason: str
    as_of_ms: int
    inactive: int = 0
    pending: PendingFacts = PendingFacts()

    @property
    def free(self) -> int:
        """Active points that no hold reserves, never below 0."""
        return max(0, self.balance - self.held - self.inactive)

    @property
    def spendable(self) -> int:
        """Points that may be spent now."""
        return self.free if self.reason in SPENDING_REASONS else 0

    def after(self, effect_points: int, *, resolved_hold_points: int = 0, inactive_points: int = 0) -> "Figures":
        """As they are once an op with that effect, which resolves an own hold of so many points, is committed;
        `inactive_points` of the effect can't be spent yet."""
        held = max(0, self.held - resolved_hold_points)
        inactive = self.inactive + inactive_points
        reason = self.reason
        if reason in SPENDING_REASONS:
            reason = _why_less(held, inactive)
        return msgspec.structs.replace(
            self,
            balance=self.balance + effect_points,
            unconfirmed=self.unconfirmed + effect_points,
            held=held,
            inactive=inactive,
            reason=reason,
        )


class Balances:
    """Reads of cache, pending effects and holds, on the loop; no I/O but the cache's indexed look-ups."""

    def __init__(
        self,
        cache: Cache,
        pending: PendingBalances,
        holds: HoldStore,
        gateway: HoldGateway,
        today: Callable[[], str],
    ) -> None:
        self._cache = cache
        self._pending = pending
        self._holds = holds
        self._gateway = gateway
        self._today = today

    def of(self, found: Found) -> Figures:
        """The figures of `found` as they are now."""
        cached = found.cached
        if cached is None:
            points = self._pending.effect(found.keys, NOTHING_INCLUDED)
            facts = self._pending.facts(found.keys, NOTHING_INCLUDED)
            return Figures(
                balance=points,
                unconfirmed=points,
                held=0,
                reason="unknown_member",
                as_of_ms=0,
                inactive=self._asleep(facts),
                pending=facts,
            )
        unconfirmed = self._pending.effect(found.keys, cached.included)
        # The cloud's figure may include this till's own holds or not yet: the larger of the two is on the safe side.
        held = max(0, cached.row.held, self._holds.for_member(cached.row.member_id))
        facts = self._pending.facts(found.keys, cached.facts_included)
        inactive = max(0, cached.row.inactive) + self._asleep(facts)
        return Figures(
            balance=cached.row.balance + unconfirmed,
            unconfirmed=unconfirmed,
            held=held,
            reason=self._reason(cached.row.status, held, inactive) if cached.row.member_id else _why_new(cached),
            # A row that later pages did not bring has not changed since: it is as fresh as the newest page.
            as_of_ms=max(cached.as_of_ms, self._cache.as_of_ms) if cached.row.member_id else 0,
            inactive=inactive,
            pending=facts,
        )

    def _asleep(self, facts: PendingFacts) -> int:
        """Points of own sales that can't be spent yet today."""
        if not facts.inactive:
            return 0
        today = self._today()
        return sum([points for active_from, points in facts.inactive if active_from > today])

    def _reason(self, status: str, held: int, inactive: int) -> str:
        if status in ("blocked", "provisional"):
            return status
        programme = self._cache.programme()
        if programme is None or not programme.programme.redemption.enabled:
            return "disabled"
        if not self._gateway.online:
            return "offline"
        return _why_less(held, inactive)


def _why_new(cached: CachedMember) -> str:
    """Why somebody who just registered here may spend nothing: the cloud has to know them first."""
    return "provisional" if cached.row.status == "provisional" else "unknown_member"


def _why_less(held: int, inactive: int) -> str:
    """Why less than the balance may be spent."""
    if held:
        return HELD
    return INACTIVE if inactive else ALL_FREE
