"""Holds: points reserved at the cloud for a receipt under way (decision 0004).

Remembered durably before the cloud is asked; resolved by the sale that uses it or by a hold-release op, never by time.
"""

import asyncio
import logging
import secrets
from collections import Counter
from functools import partial

from msgspec.structs import replace

from till_agent.api import Hold, HoldCreate, SaleRequest
from till_agent.desk.allowing import OFFLINE
from till_agent.desk.bench import Bench, sale_body
from till_agent.desk.covering import Covering, hold_prefix
from till_agent.desk.found import Found
from till_agent.desk.patience import ask, in_turn
from till_agent.desk.problems import problem
from till_agent.exceptions import CloudUnreachable, DeskProblem, HoldRefused, JournalUnavailable
from till_agent.ports import Draft, Entry, JournalReader, StoredHold
from till_loyalty.programme import Redemption
from till_sync.asking import HoldAnswer, HoldRequest
from till_sync.ops import HoldReleaseBody, Subject, cover_of, encode_body
from till_sync.ports import Clock

log = logging.getLogger(__name__)

RELEASE = "hold-release"
MARGIN_MS = 5_000
"""Taken off a hold's life here: the way of the answer, and a clock that runs a little slow."""
LONGEST_TTL_MS = 3_600_000
"""What the cloud takes (`HoldRequest.ttl_ms`)."""
ASKED_GRACE_MS = 60_000
"""A cashier who tries again within a minute of an answer that never came asks for the same hold, not for another."""
ID_BYTES = 9
"""72 random bits: no two holds of a till share an id in its life."""


class Holding:
    """Reserves and gives back."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.covering = Covering(bench)
        # One at a time at the cloud: two calls for one receipt must not reserve twice, and a till has one cashier.
        self._cloud_turn = asyncio.Lock()
        self._for_cloud: Counter[str] = Counter()
        """Receipts of whoever has that turn, or waits for it: how many calls of each."""
        # What the till gives of its own takes no longer than the disk: nobody asks the cloud within this turn.
        self._own_turn = asyncio.Lock()

    async def hold(self, request: HoldCreate) -> Hold:
        """Reserve points for a receipt: of what this till was granted, else the cloud is asked within the budget.

        An open hold of the same receipt and member that covers the wish is handed out again; a smaller one is given
        back first. DeskProblem when the member can't spend, the cloud refuses or is not reached.
        """
        member = await self._bench.meeting.find(request.member, pointer="/member", again=False)
        found = self._spender(request, member)
        if found.voucher is not None:
            await self.covering.check(found.voucher)
        self._check_balance(request, found)
        try:
            async with self._own_turn:
                # Another receipt's call may be at the cloud, for long: what needs no cloud waits for no such turn. But
                # one of this receipt goes first, which would give back what a later one was given.
                here = None if self._for_cloud[request.sale_uid] else await self._here(request, found)
                if isinstance(here, Hold):
                    return here
                self._for_cloud[request.sale_uid] += 1
            try:
                async with in_turn(self._cloud_turn, self._bench.parts.settings.cloud_budget_ms):
                    return await self._held(request, found)
            finally:
                self._for_cloud -= Counter([request.sale_uid])
        except CloudUnreachable as exc:
            raise self._out_of_reach(request, found) from exc

    async def _held(self, request: HoldCreate, found: Found) -> Hold:
        """In this call's turn at the cloud."""
        async with self._own_turn:
            here = await self._here(request, found)
        return here if isinstance(here, Hold) else await self._reserve(request, found, here)

    async def _here(self, request: HoldCreate, found: Found) -> Hold | StoredHold | None:
        """The hold, where the till has it or can give it, in this call's turn at that. Else what the receipt has asked
        the cloud for before, if it has; DeskProblem where nobody can be asked."""
        if await self._bench.read(lambda reader: reader.find("sale", request.sale_uid)) is not None:
            raise problem("sale_exists", "expected a receipt that is not sold yet", pointer="/sale_uid")
        stored = await self._open_for(request, found)
        if stored is not None and stored.state == "granted":
            return self._handed_out(stored)
        if self._bench.offline and stored is not None:
            # Its answer never came, and nobody can be asked: what the till gives itself comes after its release.
            await self._give_back(stored)
            stored = None
        # A page may have come while others had their turn, or the disk.
        found = self._spender(request, self._bench.finder.find(request.member, pointer="/member"))
        # The cloud may hold what was asked for before: it is asked for the same again.
        cover = self.covering.cover_of(request, found) if stored is None else ""
        if cover:
            return await self.covering.give(request, found, cover)
        if self._bench.offline:
            raise self._out_of_reach(request, found)
        return stored

    async def release(self, hold: str) -> None:
        """Give a hold back; once given back it stays so, and asking again changes nothing."""
        stored = self._bench.parts.holds.get(hold)
        if stored is None:
            raise problem("hold_unknown", "expected a hold of this till")
        if stored.state == "used":
            raise _used()
        if stored.state != "released":
            await self._give_back(stored)

    async def give_back_grants(self) -> int:
        """Give back what the cloud recalled, and grants whose time is over; how many were. Never raises.

        A turn for each: a cashier who wants a hold waits for one of them at most.
        """
        count = 0
        try:
            for row in self.covering.due():
                async with self._own_turn:
                    count += await self.covering.give_back(row)
        except DeskProblem as exc:
            log.warning("grants wait to be given back: %s", exc)
        return count

    async def release_abandoned(self) -> int:
        """Give back what no sale can use any more; how many were. Never raises: what fails is tried the next time."""
        count = 0
        for stored in self._bench.parts.holds.unresolved():
            if usable(stored, self._bench.parts.clock):
                continue
            try:
                await self._give_back(stored)
            except DeskProblem as exc:
                if exc.code == "journal_unavailable":
                    log.warning("holds wait to be given back: %s", exc)
                    break
                continue
            count += 1
        return count

    def _spender(self, request: HoldCreate, found: Found) -> Found:
        """The member, who must be known here and free to spend."""
        self._bench.wallets.expect_unused(found, "/member")
        if found.cached is None:
            raise self._bench.stranger(found, "/member", request.language)
        status = found.cached.row.status
        if status in ("blocked", "provisional"):
            raise problem(f"member_{status}", f"expected a member who may spend, not a {status} one", pointer="/member")
        if not found.subject.member_id:
            raise self._bench.stranger(found, "/member", request.language)
        programme = self._bench.programme
        if programme is None or not programme.programme.redemption.enabled:
            raise problem("redemption_disabled", "expected a programme that lets points be spent")
        redemption = programme.programme.redemption
        self._check_proof(request, redemption)
        return found

    def _out_of_reach(self, request: HoldCreate, found: Found) -> DeskProblem:
        """Why the wish can't be met without a line, and what can."""
        figures = self._bench.balances.of(found)
        allowed, most = figures.allowed, figures.spendable
        if figures.online or (not most and figures.reason == OFFLINE):
            return problem("cloud_unreachable", "expected a line to the cloud to reserve points")
        if allowed.has <= most < request.points:
            detail = f"expected at most {most} points, not {request.points}"
            return problem("insufficient_points", detail, pointer="/points", available_points=most)
        reason = allowed.reason
        told = self._bench.words(request.language).message(reason, points=most).text
        detail = f"expected at most {most} points without a line to the cloud, not {request.points}"
        return problem("offline_limit", detail, pointer="/points", available_points=most, reason=reason, cashier=told)

    def _check_proof(self, request: HoldCreate, redemption: Redemption) -> None:
        """That one is given where one is asked for; only the cloud can tell whether it is good."""
        allowed = redemption.proof_above_points
        given = {"code": request.confirmation, "pin": request.pin}
        if not redemption.proof or request.points <= allowed or any(given[way] for way in redemption.proof):
            return
        words = self._bench.words(request.language)
        told = words.problem("proof_required", {"allowed_points": allowed, "ways": words.proof(redemption.proof)})
        raise problem(
            "proof_required",
            f"expected a proof ({', '.join(redemption.proof)}) for more than {allowed} points",
            pointer="/confirmation" if "code" in redemption.proof else "/pin",
            allowed_points=allowed,
            proof=redemption.proof,
            cashier=told,
        )

    def _check_balance(self, request: HoldCreate, found: Found) -> None:
        """The smallest balance of which anything is spent, as the sale will look at it: with its own hold."""
        programme = self._bench.programme
        least = programme.programme.redemption.minimum_balance_points if programme else 0
        if not least:
            return
        own = [stored for stored in self._bench.parts.holds.unresolved() if stored.sale_uid == request.sale_uid]
        held = sum([stored.points for stored in own if stored.member_id == found.subject.member_id])
        free = self._bench.balances.of(found).after(0, resolved_hold_points=held).free
        if free < least:
            detail = f"expected a balance of at least {least} points, not {free}"
            raise problem("insufficient_points", detail, pointer="/points", available_points=0)

    async def _open_for(self, request: HoldCreate, found: Found) -> StoredHold | None:
        """The receipt's own open hold if it serves; others of the receipt are given back."""
        serving: StoredHold | None = None
        for stored in self._bench.parts.holds.unresolved():
            if stored.sale_uid != request.sale_uid:
                continue
            same = stored.member_id == found.subject.member_id
            enough = stored.points >= request.points if stored.state == "granted" else stored.points == request.points
            if serving is None and same and enough and usable(stored, self._bench.parts.clock):
                serving = stored
            else:
                await self._give_back(stored)
        return serving

    async def _reserve(self, request: HoldCreate, found: Found, asked: StoredHold | None) -> Hold:
        parts = self._bench.parts
        budget_ms = parts.settings.cloud_budget_ms
        wanted = HoldRequest(
            hold=asked.hold if asked else f"h-{self._bench.identity.till}-{secrets.token_urlsafe(ID_BYTES)}",
            till=self._bench.identity.till,
            sale_uid=request.sale_uid,
            member_id=found.subject.member_id,
            points=request.points,
            ttl_ms=min(request.ttl_ms + MARGIN_MS, LONGEST_TTL_MS),
            confirmation=request.confirmation,
        )
        try:
            if asked is None:
                await parts.holds.remember(wanted, parts.clock.mono_ms() + budget_ms + ASKED_GRACE_MS)
            # The PIN is in what is sent and nowhere else: not in what is remembered.
            answer = await self._ask(replace(wanted, pin=request.pin), budget_ms)
            left_ms = answer.expires_at_ms - answer.server_time_ms - MARGIN_MS
            await parts.holds.granted(answer, parts.clock.mono_ms() + left_ms)
        except HoldRefused as exc:
            await self._forget(wanted.hold)
            raise _refusal(exc) from exc
        except CloudUnreachable as exc:
            raise self._out_of_reach(request, found) from exc
        except JournalUnavailable as exc:
            raise problem("journal_unavailable", str(exc)) from exc
        return Hold(hold=answer.hold, points=answer.points, expires_in_ms=max(0, left_ms))

    async def _ask(self, wanted: HoldRequest, budget_ms: int) -> HoldAnswer:
        """The cloud's answer. This till's own grant is given back only when the cloud has just said that it is wanted:
        a line that is gone leaves it here, to be spent without one."""
        gateway, grant = self._bench.parts.gateway, self._bench.allowing.grant(wanted.member_id)
        try:
            first = replace(wanted, own_grant=grant)
            return await ask(budget_ms, lambda: gateway.reserve(first, budget_ms=budget_ms))
        except HoldRefused as exc:
            if exc.code == "insufficient_points" and grant and exc.available_points >= 0:
                most = exc.available_points + grant
                detail = f"expected at most {most} points, not {wanted.points}"
                raise HoldRefused(exc.code, detail, available_points=most) from exc
            if exc.code != "points_lent":
                raise
            async with self._own_turn:
                # The page that asks for it back may have been here before this answer: then it is given back already.
                if not await self.covering.release_grant(wanted.member_id) and not grant:
                    raise
        # The cloud waits a moment for it.
        self._bench.parts.nudge()
        return await ask(budget_ms, lambda: gateway.reserve(wanted, budget_ms=budget_ms))

    async def _forget(self, hold: str) -> None:
        try:
            await self._bench.parts.holds.refused(hold)
        except JournalUnavailable as exc:
            # It stays `asked` and is given back later: one op too many, and no harm.
            log.warning("a refused hold could not be noted: %s", exc)

    def _handed_out(self, stored: StoredHold) -> Hold:
        left_ms = stored.deadline_mono_ms - self._bench.parts.clock.mono_ms()
        return Hold(hold=stored.hold, points=stored.points, expires_in_ms=max(0, left_ms))

    async def _give_back(self, stored: StoredHold) -> None:
        if cover_of(stored.hold):
            left = await self.covering.take_back(stored)
            if left is not None and left.state == "used":
                raise _used()
            return
        clock = self._bench.parts.clock
        body = HoldReleaseBody(
            uid=stored.hold,
            store=self._bench.identity.store,
            at_wall_ms=clock.wall_ms(),
            at_mono_ms=clock.mono_ms(),
            boot=clock.boot,
            hold=stored.hold,
        )
        digest = self._bench.digests.plain(RELEASE, stored.hold).made
        await self._bench.commit(partial(_decide, stored=stored, body=body, digest=digest))


def _decide(reader: JournalReader, *, stored: StoredHold, body: HoldReleaseBody, digest: bytes) -> Draft | Entry:
    """In the journal's turn: given back before, used by its sale, or the row to write."""
    earlier = reader.find(RELEASE, stored.hold)
    if earlier is not None:
        return earlier
    sale = reader.find("sale", stored.sale_uid)
    if sale is not None and sale_body(sale).hold == stored.hold:
        raise _used()
    return Draft(
        kind=RELEASE,
        uid=stored.hold,
        about_uid="",
        request_digest=digest,
        body=encode_body(body),
        answer=b"",
        subject=Subject(member_id=stored.member_id),
        effect_points=0,
        at_wall_ms=body.at_wall_ms,
        hold=stored.hold,
    )


def open_holds(bench: Bench, sale_uid: str) -> list[StoredHold]:
    """Holds of a sale that are neither used nor given back, oldest first, whatever their deadline."""
    return [stored for stored in bench.parts.holds.unresolved() if stored.sale_uid == sale_uid]


def hold_for_sale(uid: str, request: SaleRequest, found: Found | None, bench: Bench) -> StoredHold | None:
    """The hold that the sale resolves. A sale that spends must name a good one; one that spends nothing takes it along
    when it can, and goes on without it when it can't."""
    if not request.hold:
        if request.redeem_points:
            raise problem("redemption_needs_hold", "expected the hold that covers redeem_points", pointer="/hold")
        return None
    try:
        return _good_hold(uid, request, found, bench)
    except DeskProblem:
        if request.redeem_points:
            raise
        return None


def _good_hold(uid: str, request: SaleRequest, found: Found | None, bench: Bench) -> StoredHold:
    stored = bench.parts.holds.get(request.hold)
    if stored is None or stored.state == "asked":
        raise problem("hold_unknown", "expected a hold that this till was granted", pointer="/hold")
    if stored.sale_uid != uid or found is None or stored.member_id != found.subject.member_id:
        raise problem("hold_mismatch", "expected a hold for this receipt and member", pointer="/hold")
    if stored.state == "used":
        raise _used()
    if stored.state == "released" or not usable(stored, bench.parts.clock) or _of_another_epoch(stored, bench):
        raise problem("hold_expired", "expected a hold that is still open", pointer="/hold")
    if request.redeem_points > stored.points:
        raise problem(
            "hold_mismatch",
            f"expected at most the {stored.points} points held, not {request.redeem_points}",
            pointer="/redeem_points",
        )
    return stored


def _of_another_epoch(stored: StoredHold, bench: Bench) -> bool:
    """Is it of points that an earlier journal was granted? The cloud would not spend them."""
    cover = cover_of(stored.hold)
    if cover not in ("grant", "floor"):
        return False
    return not stored.hold.startswith(hold_prefix(cover, bench.identity.till, bench.allowing.epoch()))


def usable(stored: StoredHold, clock: Clock) -> bool:
    """Before its end by this machine's monotonic clock; times of another boot can't be compared, so they are past."""
    return stored.boot == clock.boot and clock.mono_ms() < stored.deadline_mono_ms


def _used() -> DeskProblem:
    return problem("hold_used", "expected an open hold, not one that a sale has used", pointer="/hold")


def _refusal(exc: HoldRefused) -> DeskProblem:
    if exc.code in ("insufficient_points", "points_lent"):
        extras = {"available_points": exc.available_points} if exc.available_points >= 0 else {}
        return problem(exc.code, exc.detail, pointer="/points", **extras)
    if exc.code in ("member_unknown", "member_blocked", "member_provisional", "redemption_disabled"):
        return problem(exc.code, exc.detail, pointer="/member")
    if exc.code in ("proof_required", "proof_invalid"):
        return problem(exc.code, exc.detail, pointer="/confirmation")
    if exc.code in ("pin_wrong", "pin_locked", "pin_not_set"):
        extras = {"tries_left": exc.tries_left} if exc.tries_left >= 0 else {}
        return problem(exc.code, exc.detail, pointer="/pin", **extras)
    return problem("hold_refused", exc.detail, reason=exc.code)
