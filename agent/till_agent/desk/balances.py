"""What a member has, as this till may show it: the cloud's figure, plus own ops that it does not include yet.

Decision 0006: each cached balance names the last own op that it includes, so nothing is ever counted twice and the
shown figure never flickers back.
"""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from till_agent.desk.allowing import ALLOWING_REASONS, Allowed, Allowing
from till_agent.desk.found import Found
from till_agent.ports import Cache, CachedMember, HoldGateway, HoldStore, PendingBalances, PendingFacts
from till_sync.ops import Cover, cover_of

NOTHING_INCLUDED = (0, 0)
"""What the balance of a tag includes that the cloud never told this till about: no op at all."""

ALL_FREE = ""
HELD = "held"
INACTIVE = "inactive"
SPENDING_REASONS = frozenset((ALL_FREE, HELD, INACTIVE))
"""With these what is free may be spent."""


class Figures(Struct, frozen=True, kw_only=True):
    """`unconfirmed` is the part of `balance` that the cloud has not confirmed; `held` is reserved for open receipts,
    or by vouchers; `own` is what this till's own open receipts keep. What lies with other tills is the member's: with a
    line the cloud calls it back while the customer waits.

    `inactive` points are in the balance and can't be spent yet. `pending` is what own ops changed of other facts.
    `allowed` is what may be spent without asking the cloud; with a line that and more, for `online`.
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
    allowed: Allowed = Allowed()
    online: bool = True
    own: int = 0

    @property
    def free(self) -> int:
        """Active points that no hold reserves, never below 0."""
        return max(0, self.balance - self.held - self.inactive)

    @property
    def spendable(self) -> int:
        """Points that may be spent now."""
        if self.reason in SPENDING_REASONS or self.reason in ALLOWING_REASONS:
            most = min(self.allowed.voucher, self.allowed.has)
            return max(self.free, most) if self.online else self.allowed.points
        return 0

    def after(
        self,
        effect_points: int,
        *,
        resolved_hold_points: int = 0,
        inactive_points: int = 0,
        cover: Cover = "",
        spent_points: int = 0,
    ) -> "Figures":
        """As they are once an op with that effect, which resolves an own hold of so many points, is committed;
        `inactive_points` of the effect can't be spent yet. What such a hold's `cover` keeps is less by what was spent.
        """
        held = max(0, self.held - resolved_hold_points)
        own = max(0, self.own - resolved_hold_points)
        inactive = self.inactive + inactive_points
        free = max(0, self.balance + effect_points - held - inactive)
        back = resolved_hold_points - spent_points
        allowed = msgspec.structs.replace(
            self.allowed,
            grant=self.allowed.grant + (back if cover == "grant" else 0),
            floor=min(free, self.allowed.floor + (back if cover == "floor" else 0)),
            voucher=0 if cover == "voucher" and spent_points else self.allowed.voucher,
            has=max(0, self.balance + effect_points - own - inactive),
        )
        reason = self.reason
        if reason in SPENDING_REASONS or reason in ALLOWING_REASONS:
            reason = why_less(free, held, inactive, None if self.online else allowed, held - own)
        return msgspec.structs.replace(
            self,
            balance=self.balance + effect_points,
            unconfirmed=self.unconfirmed + effect_points,
            held=held,
            inactive=inactive,
            reason=reason,
            allowed=allowed,
            own=own,
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
        allowing: Allowing,
    ) -> None:
        self._cache = cache
        self._pending = pending
        self._holds = holds
        self._gateway = gateway
        self._today = today
        self._allowing = allowing

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
        member_id = cached.row.member_id
        own = [each for each in self._holds.unresolved() if member_id and each.member_id == member_id]
        local = sum([each.points for each in own if cover_of(each.hold)])
        # The cloud's figure may include this till's own holds or not yet: the larger of the two is on the safe side.
        # Of those that this till gave itself the cloud knows nothing.
        asked = sum([each.points for each in own]) - local
        reserved = sum([each.points for each in own if each.state == "granted"])
        held = max(0, cached.row.held, asked) + local
        facts = self._pending.facts(found.keys, cached.facts_included)
        inactive = max(0, cached.row.inactive) + self._asleep(facts)
        balance = cached.row.balance + unconfirmed
        online = self._gateway.online
        free = max(0, balance - held - inactive)
        has = max(0, balance - reserved - inactive)
        allowed = self._allowing.of(member_id, has, free, found.voucher, online=online) if member_id else Allowed()
        why = why_less(free, held, inactive, None if online else allowed, held - asked - local)
        return Figures(
            balance=balance,
            unconfirmed=unconfirmed,
            held=held,
            reason=self._reason(cached.row.status, why) if member_id else _why_new(cached),
            # A row that later pages did not bring has not changed since: it is as fresh as the newest page.
            as_of_ms=max(cached.as_of_ms, self._cache.as_of_ms) if member_id else 0,
            inactive=inactive,
            pending=facts,
            allowed=allowed,
            online=online,
            own=reserved,
        )

    def _asleep(self, facts: PendingFacts) -> int:
        """Points of own sales that can't be spent yet today."""
        if not facts.inactive:
            return 0
        today = self._today()
        return sum([points for active_from, points in facts.inactive if active_from > today])

    def _reason(self, status: str, why: str) -> str:
        if status in ("blocked", "provisional"):
            return status
        programme = self._cache.programme()
        if programme is None or not programme.programme.redemption.enabled:
            return "disabled"
        return why


def _why_new(cached: CachedMember) -> str:
    """Why somebody who just registered here may spend nothing: the cloud has to know them first."""
    return "provisional" if cached.row.status == "provisional" else "unknown_member"


def why_less(free: int, held: int, inactive: int, allowed: Allowed | None, others: int) -> str:
    """Why less than the balance may be spent; `allowed` is all that counts without a line, None with one.

    `others` of `held` are not this till's own: without a line it is for want of one that they can't be had.
    """
    if allowed is not None and (others > 0 or not 0 < free <= allowed.points):
        return allowed.reason
    if held:
        return HELD
    return INACTIVE if inactive else ALL_FREE
