"""What a member may spend here without asking the cloud: this till's grant for them, the floor limit, a voucher.

A grant is safe: the cloud has set those points aside for this till. The floor limit is the retailer's risk, capped.
"""

from collections.abc import Callable, Iterable

from msgspec import Struct

from till_agent.desk.cloud_time import CloudTime
from till_agent.ports import Cache, CachedGrant, HoldStore, PendingBalances, StoredHold
from till_loyalty.programme import Redemption
from till_sync.ops import Cover, cover_of
from till_sync.vouchers import Voucher

HOUR_MS = 3_600_000

OFFLINE = "offline"
OFFLINE_GRANT = "offline_grant"
OFFLINE_FLOOR = "offline_floor"
FLOOR_TILL_LIMIT = "floor_till_limit"
FLOOR_HOURS = "floor_hours"
OFFLINE_PROOF = "offline_proof"
VOUCHER = "voucher"
ALLOWING_REASONS = frozenset(
    (OFFLINE, OFFLINE_GRANT, OFFLINE_FLOOR, FLOOR_TILL_LIMIT, FLOOR_HOURS, OFFLINE_PROOF, VOUCHER)
)
"""Why no more than that may be spent without a line; each has a sentence for the cashier."""


class Allowed(Struct, frozen=True, kw_only=True):
    """Points that may be spent now without asking, by what covers them; one sale uses one of the three.

    `has` is all that the member has by what this till knows, whatever was granted: a void may have taken points while
    they were lent. `cause` says why the floor limit allows no more, or that there is none; `proof`: the most that may
    be spent by somebody who can't prove who they are, -1 for no such limit.
    """

    grant: int = 0
    floor: int = 0
    voucher: int = 0
    has: int = 0
    cause: str = OFFLINE
    proof: int = -1

    @property
    def covered(self) -> int:
        """The most that one of them covers."""
        return min(max(self.grant, self.floor, self.voucher), self.has)

    @property
    def points(self) -> int:
        """The most that may be spent on one receipt."""
        covered = self.covered
        return covered if self.proof < 0 else min(covered, self.proof)

    @property
    def reason(self) -> str:
        """What keeps it from being more."""
        covered = self.covered
        if 0 <= self.proof < covered:
            return OFFLINE_PROOF
        if covered and self.voucher >= covered:
            return VOUCHER
        if covered and self.grant >= covered:
            return OFFLINE_GRANT
        return self.cause

    def cover(self, points: int) -> Cover:
        """What covers so many; "" when nothing does. A voucher before the grant: it ends sooner."""
        if 0 < points <= self.points:
            if points <= self.voucher:
                return "voucher"
            if points <= self.grant:
                return "grant"
            if points <= self.floor:
                return "floor"
        return ""


class Allowing:
    """Reads cache, pending ops and holds; on the loop, and nothing here waits. `epoch` is the journal's own."""

    def __init__(
        self,
        cache: Cache,
        pending: PendingBalances,
        holds: HoldStore,
        time: CloudTime,
        epoch: Callable[[], int],
    ) -> None:
        self._cache = cache
        self._pending = pending
        self._holds = holds
        self.time = time
        self.epoch = epoch

    def of(self, member_id: str, has: int, free: int, voucher: Voucher | None, *, online: bool) -> Allowed:
        """What a member who `has` so much, of which that is `free`, may spend now. The floor limit is for lack of a
        line."""
        redemption = self.redemption
        if redemption is None or not redemption.enabled:
            return Allowed()
        floor, cause = (0, OFFLINE) if online else self._floor(redemption, member_id, free)
        return Allowed(
            grant=self.grant(member_id) if redemption.offline != "refuse" else 0,
            floor=floor,
            voucher=voucher.points if voucher is not None and voucher.member_id == member_id else 0,
            has=has,
            cause=cause,
            proof=redemption.proof_above_points if redemption.proof else -1,
        )

    @property
    def redemption(self) -> Redemption | None:
        """The active programme's; None without one."""
        programme = self._cache.programme()
        return programme.programme.redemption if programme is not None else None

    def grant(self, member_id: str) -> int:
        """What is left here of this till's grant, open holds taken off; 0 once its time is over or can't be told."""
        row = self._cache.grant(member_id)
        if row is None:
            return 0
        now_ms = self.time.now_ms()
        if row.until_ms and (now_ms is None or now_ms >= row.until_ms):
            return 0
        return self._left(row)

    def to_give_back(self, row: CachedGrant) -> int:
        """How much of a grant the cloud is to have back now.

        Of one that a lost journal had: one point, which is not there to be given. But by that op the cloud hears of our
        journal, and takes back all that the former one had.
        """
        if row.epoch < self.epoch():
            return 0 if self._pending.offline_spent(row.member_id, (self.epoch(), 0)).released else 1
        left = self._left(row)
        now_ms = self.time.now_ms()
        if row.until_ms and now_ms is not None and now_ms >= row.until_ms:
            return left
        released = self._pending.offline_spent(row.member_id, row.included).released
        return min(left, max(0, row.recall - released))

    def due(self, limit: int) -> list[CachedGrant]:
        """Grants of which the cloud is to have something back."""
        rows = self._cache.grants_due(self.time.now_ms() or 0, limit)
        unique = {row.member_id: row for row in rows}
        return [row for row in unique.values() if self.to_give_back(row)]

    @property
    def floor_spent(self) -> int:
        """What this till let members spend within the floor limit, until the cloud has it; open holds too."""
        return self._pending.floor_points + points_of(self._holds.unresolved(), "floor")

    def _left(self, row: CachedGrant) -> int:
        """A grant is of one epoch: what a journal that is gone may have spent of it is nobody's to spend again."""
        if not row.epoch == row.included[0] == self.epoch():
            return 0
        spent = self._pending.offline_spent(row.member_id, row.included)
        held = points_of(self._holds.unresolved(), "grant", row.member_id)
        return max(0, row.points - spent.granted - spent.released - held)

    def _floor(self, redemption: Redemption, member_id: str, free: int) -> tuple[int, str]:
        """What the floor limit still allows, and what keeps it from more."""
        terms = redemption.floor
        if redemption.offline != "floor" or terms is None:
            return 0, OFFLINE
        silent_ms = self.time.silent_ms()
        if silent_ms is None or silent_ms >= terms.hours * HOUR_MS:
            return 0, FLOOR_HOURS
        held = sum([points_of(self._holds.unresolved(), cover, member_id) for cover in ("floor", "grant")])
        own = self._pending.offline_spent(member_id, (0, 0))
        # A share that was spent here is part of it: others that are cut off lend on the same balance.
        spent = own.floor + own.granted
        of_member = min(terms.member_points - spent - held, free)
        if terms.sale_points:
            of_member = min(of_member, terms.sale_points)
        of_till = terms.till_points - self.floor_spent
        cause = FLOOR_TILL_LIMIT if of_till < of_member or of_till <= 0 else OFFLINE_FLOOR
        return max(0, min(of_member, of_till)), cause


def points_of(holds: Iterable[StoredHold], cover: Cover, member_id: str = "") -> int:
    """Points in open holds of one cover; of one member, or of all."""
    return sum([each.points for each in holds if cover_of(each.hold) == cover and member_id in ("", each.member_id)])
