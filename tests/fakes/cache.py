"""A cache in memory that takes pages and verdicts by the rule of decision 0006."""

import hashlib

import msgspec

from till_agent.cache.searching import Hits
from till_agent.ports import Asked, CachedGrant, CachedMember, CachedProgramme, Seen, Shares
from till_loyalty.programme import Programme
from till_loyalty.receipt import Place
from till_sync.asking import MemberAnswer
from till_sync.wire import MemberRow, OpResult


class FakeCache:
    """Fits `till_agent.ports.Cache`."""

    def __init__(self, programme: Programme | None = None) -> None:
        self.members: dict[str, CachedMember] = {}
        self.programmes: dict[tuple[str, int], Programme] = {}
        self.active: CachedProgramme | None = None
        self.as_of_ms = 0
        self.shares = Shares()
        self.place: Place | None = None
        self.seen: Seen | None = None
        self.grants: dict[str, CachedGrant] = {}
        self.window_days = 0
        self.filling = False
        if programme is not None:
            self.sell_by(programme)

    def sell_by(self, programme: Programme) -> None:
        """Make `programme` the active one."""
        digest = hashlib.sha256(msgspec.json.encode(programme)).hexdigest()
        self.active = CachedProgramme(programme=programme, digest=digest)
        self.programmes[programme.id, programme.version] = programme

    def store(self, *rows: MemberRow, as_of_ms: int, included: tuple[int, int] = (0, 0)) -> None:
        """A page of members read at the cloud when it held own ops up to `included`."""
        for row in rows:
            self.members[row.member_id] = CachedMember(
                row=row, as_of_ms=as_of_ms, included=included, facts_included=included
            )
        self.as_of_ms = max(self.as_of_ms, as_of_ms)

    def record(self, epoch: int, results: tuple[OpResult, ...]) -> None:
        """Verdicts: each balance stands for its own op."""
        for result in results:
            cached = self.members.get(result.member_id)
            if cached is None or (epoch, result.seq) <= cached.included:
                continue
            row = msgspec.structs.replace(
                cached.row, balance=result.balance, held=result.held, position=result.position
            )
            self.members[result.member_id] = CachedMember(
                row=row,
                as_of_ms=cached.as_of_ms,
                included=(epoch, result.seq),
                facts_included=cached.facts_included,
            )

    async def take(self, answer: MemberAnswer) -> bool:
        """A member whom the cloud was asked about."""
        if answer.member is not None:
            included = (answer.epoch, answer.acked_seq)
            self.store(answer.member, as_of_ms=answer.server_time_ms, included=included)
        return answer.member is not None

    def by_tag(self, tag: str) -> CachedMember | None:
        return next((cached for cached in self.members.values() if tag in cached.row.tags), None)

    def by_id(self, member_id: str) -> CachedMember | None:
        return self.members.get(member_id)

    def programme(self) -> CachedProgramme | None:
        return self.active

    def programme_version(self, programme_id: str, version: int) -> Programme | None:
        return self.programmes.get((programme_id, version))

    def grant(self, member_id: str) -> CachedGrant | None:
        return self.grants.get(member_id)

    def grants_due(self, cloud_ms: int, limit: int) -> list[CachedGrant]:
        rows = self.grants.values()
        return [row for row in rows if row.recall or 0 < row.until_ms <= cloud_ms][:limit]

    def granted(self, epoch: int) -> tuple[int, int]:
        rows = [row.points for row in self.grants.values() if row.epoch == epoch]
        return len(rows), sum(rows)

    @property
    def finder(self) -> "FakeCache":
        return self

    def prepare(self) -> None:
        """There is nothing to make ready."""

    async def find(self, asked: Asked, limit: int) -> Hits:
        fit = [each for each in self.members.values() if asked.fits_row(each.row)]
        return Hits(members=tuple(fit[:limit]), more=len(fit) > limit)

    @property
    def member_count(self) -> int:
        return len(self.members)
