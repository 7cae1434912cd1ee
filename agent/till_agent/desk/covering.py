"""Holds that the till gives itself, and grants that it gives back: all by its own journal, nothing here asks the cloud.

Such a hold is remembered as any other, so that two receipts never spend the same points; its id says what covers it.
"""

import logging
import secrets
from functools import partial

from till_agent.api import Hold, HoldCreate
from till_agent.desk.bench import Bench
from till_agent.desk.found import Found
from till_agent.desk.problems import problem
from till_agent.exceptions import JournalUnavailable
from till_agent.ports import CachedGrant, Draft, JournalReader, StoredHold
from till_sync.asking import HoldRequest
from till_sync.ops import Cover, GrantReleaseBody, Subject, cover_of, encode_body
from till_sync.vouchers import Voucher

log = logging.getLogger(__name__)

GRANT_RELEASE = "grant-release"
ID_BYTES = 9
"""72 random bits, as in the ids of other holds."""
SKEW_MS = 120_000
"""A voucher's time is the cloud's, a journal's the till's: a clock that is more than this off is told of."""
GIVEN_BACK_AT_ONCE = 200
"""Grants given back in one go; the rest waits for the next, so that sales get their turn at the disk."""


class Covering:
    """Used on the loop, under the turn that `Holding` gives: nobody else takes from a grant meanwhile."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def check(self, voucher: Voucher) -> None:
        """That a voucher is good here and now. DeskProblem voucher_elsewhere, voucher_expired, voucher_used."""
        bench = self._bench
        if voucher.holder != bench.identity.till:
            raise problem("voucher_elsewhere", "expected a voucher for this till", till=voucher.holder)
        now_ms = bench.allowing.time.now_ms()
        if now_ms is None or now_ms >= voucher.expires_at_ms:
            raise problem(
                "voucher_expired", "expected a voucher whose time is not over, by a clock that can be trusted"
            )
        began_ms = bench.parts.epoch_began_ms()
        if began_ms and voucher.made_at_ms < began_ms + SKEW_MS:
            # What an earlier journal knew of it is lost, and the cloud takes all its vouchers back.
            raise problem("voucher_expired", "expected a voucher that was made since this till's journal began")
        try:
            earlier = await bench.parts.holds.of_voucher(voucher.voucher)
        except JournalUnavailable as exc:
            raise problem("journal_unavailable", str(exc)) from exc
        if any(stored.state == "used" for stored in earlier):
            raise problem("voucher_used", "expected a voucher that no sale here has used")

    def cover_of(self, request: HoldCreate, found: Found) -> Cover:
        """What covers the wish here, "" when only the cloud can say. A proof is for the cloud to check."""
        return self._bench.balances.of(found).allowed.cover(request.points)

    async def give(self, request: HoldCreate, found: Found, cover: Cover) -> Hold:
        """Reserve points of one's own; durable when this returns. DeskProblem voucher_used, journal_unavailable."""
        bench, parts, voucher = self._bench, self._bench.parts, found.voucher
        if cover == "voucher" and voucher is not None:
            await self._free_voucher(voucher)
            name = f"{voucher.voucher}.{secrets.token_urlsafe(ID_BYTES)}"
        else:
            name = f"{hold_prefix(cover, bench.identity.till, bench.allowing.epoch())}{secrets.token_urlsafe(ID_BYTES)}"
        if cover == "floor":
            # What this till was granted is then free at the cloud when the sale comes there: less is overdrawn.
            await self.release_grant(found.subject.member_id)
        wanted = HoldRequest(
            hold=name,
            till=bench.identity.till,
            sale_uid=request.sale_uid,
            member_id=found.subject.member_id,
            points=request.points,
            ttl_ms=request.ttl_ms,
        )
        try:
            await parts.holds.own(wanted, parts.clock.mono_ms() + request.ttl_ms)
        except JournalUnavailable as exc:
            raise problem("journal_unavailable", str(exc)) from exc
        return Hold(hold=name, points=request.points, expires_in_ms=request.ttl_ms)

    async def take_back(self, stored: StoredHold) -> StoredHold | None:
        """Free the points of a hold that the till gave itself; as it is then. No op: the cloud never heard of it."""
        try:
            await self._bench.parts.holds.refused(stored.hold)
        except JournalUnavailable as exc:
            raise problem("journal_unavailable", str(exc)) from exc
        return self._bench.parts.holds.get(stored.hold)

    async def release_grant(self, member_id: str) -> int:
        """Give all back that is left of this till's grant for a member; how much was."""
        points = self._bench.allowing.grant(member_id)
        if points:
            await self._release(member_id, points)
        return points

    def due(self) -> list[CachedGrant]:
        """Grants of which the cloud is to have something back; the rest waits for the next look."""
        return self._bench.allowing.due(GIVEN_BACK_AT_ONCE)

    async def give_back(self, row: CachedGrant) -> bool:
        """Give back what the cloud is to have of it now, if anything. DeskProblem journal_unavailable."""
        points = self._bench.allowing.to_give_back(row)
        if points:
            await self._release(row.member_id, points)
        return points > 0

    async def _free_voucher(self, voucher: Voucher) -> None:
        """A voucher is for one receipt: one that another receipt still keeps is not to be had."""
        await self.check(voucher)
        for stored in await self._bench.parts.holds.of_voucher(voucher.voucher):
            if stored.state == "granted":
                raise problem("voucher_used", "expected a voucher that no other receipt keeps")

    async def _release(self, member_id: str, points: int) -> None:
        bench = self._bench
        await bench.commit(partial(_decide, bench=bench, member_id=member_id, points=points))


def _decide(reader: JournalReader, *, bench: Bench, member_id: str, points: int) -> Draft:
    """The row to write: its op's own id is its uid, since each release is one of its own."""
    clock = bench.parts.clock
    uid = str(reader.next_op_id)
    body = GrantReleaseBody(
        uid=uid,
        store=bench.identity.store,
        at_wall_ms=clock.wall_ms(),
        at_mono_ms=clock.mono_ms(),
        boot=clock.boot,
        member_id=member_id,
        points=points,
    )
    return Draft(
        kind=GRANT_RELEASE,
        uid=uid,
        about_uid="",
        request_digest=bench.digests.plain(GRANT_RELEASE, uid).made,
        body=encode_body(body),
        answer=b"",
        subject=Subject(member_id=member_id),
        effect_points=0,
        at_wall_ms=body.at_wall_ms,
    )


def hold_prefix(cover: Cover, till: str, epoch: int) -> str:
    """What ids of own holds begin with, but for vouchers'. They are of one epoch, as the grants behind them are."""
    return f"{cover[0]}-{till}-{epoch}-"


def voucher_of(hold: str) -> str:
    """The voucher behind a hold's id; "" for another's."""
    return hold.partition(".")[0] if cover_of(hold) == "voucher" else ""
