"""Sales and their commit. The rules run before the journal's turn; nothing here waits for the network or writes the
cache."""

from collections.abc import Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from till_agent.api import DiscountTaken, Sale, SaleRequest
from till_agent.desk.answers import Answered, encode
from till_agent.desk.balances import Figures
from till_agent.desk.bench import Bench
from till_agent.desk.counting import calculated
from till_agent.desk.covering import Covering, voucher_of
from till_agent.desk.digests import RequestDigest
from till_agent.desk.finding import Learnt, entry_of
from till_agent.desk.found import Found
from till_agent.desk.holding import RELEASE, hold_for_sale, usable
from till_agent.desk.knowing import Known
from till_agent.desk.problems import problem
from till_agent.desk.rule_views import points_later, rule_messages
from till_agent.desk.views import hold_messages, sale_messages
from till_agent.exceptions import DeskProblem
from till_agent.ports import CachedProgramme, Committed, Draft, Entry, JournalReader, StoredHold
from till_loyalty.limits import usage_of
from till_loyalty.receipt import Usage
from till_loyalty.results import Calculation, DiscountGiven, Reason
from till_sync.ops import OP_BODY_LIMIT_BYTES, SaleBody, Subject, cover_of, encode_body
from till_sync.ports import Clock

SALE = "sale"


class Prepared(Struct, frozen=True, kw_only=True):
    """A sale with all but its place in the journal: `answer` lacks the op's id."""

    body: SaleBody
    answer: Sale
    hold: StoredHold | None
    found: Found | None


class Selling:
    """Sales."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._covering = Covering(bench)

    async def sell(self, uid: str, request: SaleRequest) -> Answered:
        """Commit a sale, or hand back the answer that the same sale got before."""
        bench = self._bench
        learnt = await bench.finder.learn(request.member, of_sale=True)
        digest = bench.digests.sale(SALE, uid, request)
        try:
            prepared = await self._prepare(uid, request, learnt)
            bench.wallets.begin_sale(uid, prepared.found)
        except DeskProblem:
            # A sale that was committed is answered as then, even if today it would be refused (its hold is spent).
            earlier = await bench.read(partial(_find, uid=uid))
            if earlier is None:
                raise
            committed = Committed(entry=digest.same(earlier), replayed=True)
        else:
            try:
                prepared, committed = await self._commit(uid, request, digest, prepared)
            except DeskProblem as exc:
                if exc.code != "journal_unavailable" or not _is_plain(request):
                    raise
                return Answered(body=encode(self._not_kept(prepared.answer, request)), replayed=False)
            finally:
                bench.wallets.end_sale(uid, prepared.found)
            bench.coupons.forget(prepared.body.usage)
        if request.print_slip:
            bench.print_first_slip(committed, request.language)
        return Answered(body=committed.entry.answer, replayed=committed.replayed)

    def _not_kept(self, answer: Sale, request: SaleRequest) -> Sale:
        """The answer to a plain sale that can't be written: it may go on, for no point depends on it."""
        told = self._bench.words(request.language).message("not_kept", level="warning")
        return replace(answer, kept=False, messages=(*answer.messages, told))

    async def _commit(
        self, uid: str, request: SaleRequest, digest: RequestDigest, prepared: Prepared
    ) -> tuple[Prepared, Committed]:
        """Write it. A sale that spends nothing goes on without a hold that was given back while it waited."""
        bench = self._bench
        decide = partial(_decide, uid=uid, digest=digest, prepared=prepared, clock=bench.parts.clock)
        try:
            return prepared, await bench.commit(decide)
        except DeskProblem as exc:
            if exc.code != "hold_expired" or request.redeem_points:
                raise
        prepared = replace(prepared, hold=None, body=_uncovered(prepared.body))
        decide = partial(_decide, uid=uid, digest=digest, prepared=prepared, clock=bench.parts.clock)
        return prepared, await bench.commit(decide)

    async def _prepare(self, uid: str, request: SaleRequest, learnt: Learnt | None) -> Prepared:
        bench = self._bench
        found = bench.finder.of_sale(request.member, learnt) if request.member else None
        figures = bench.balances.of(found) if found else None
        hold = hold_for_sale(uid, request, found, bench)
        held = hold.points if hold else 0
        programme = bench.programme
        least = programme.programme.redemption.minimum_balance_points if programme and held else 0
        spendable = _spendable(figures, max(held, least), held, request)
        known = bench.known(found, figures, request.local_time, request.codes, spendable)
        calculation = await calculated(
            programme, known, request.receipt, request.redeem_points, _taken(request.discounts)
        )
        _check_redeemed(request, calculation, found)
        body = SaleBody(
            uid=uid,
            store=bench.identity.store,
            at_wall_ms=bench.parts.clock.wall_ms(),
            at_mono_ms=bench.parts.clock.mono_ms(),
            boot=bench.parts.clock.boot,
            clock=known.clock,
            subject=found.subject if found else Subject(),
            receipt=request.receipt,
            result=calculation,
            programme_digest=programme.digest if programme else "",
            tier=known.state.tier if known.state else "",
            payments=request.payments,
            number=request.number,
            shift=request.shift,
            cashier=request.cashier,
            hold=hold.hold if hold else "",
            offline=known.offline,
            facts=known.state,
            place=known.place,
            codes=known.codes,
            budgets=known.budgets,
            usage=_usage(programme, calculation, known),
            cover=cover_of(hold.hold) if hold else "",
            voucher=voucher_of(hold.hold) if hold else "",
            wallet=bench.wallets.of_sale(found),
            entry=request.entry or entry_of(request.member),
            late=request.late,
        )
        return Prepared(
            body=body,
            answer=self._answer(body, found, figures, held, request, known.held_back),
            hold=hold,
            found=found,
        )

    def _answer(
        self,
        body: SaleBody,
        found: Found | None,
        before: Figures | None,
        held: int,
        request: SaleRequest,
        held_back: tuple[Reason, ...],
    ) -> Sale:
        """What the cash software is told; the member is shown as they are after the sale."""
        calculation = body.result
        words = self._bench.words(request.language)
        programme = self._bench.programme
        rules = programme.programme if programme else None
        later = points_later(calculation, body.clock.business_date)
        effect = _effect(calculation)
        after = before and before.after(
            effect,
            resolved_hold_points=held,
            inactive_points=sum(later.values()),
            cover=body.cover,
            spent_points=calculation.redeemed_points,
        )
        return Sale(
            uid=body.uid,
            op="",
            calculation=calculation,
            offline=body.offline,
            member=self._bench.view(found, words).member(after) if found and after else None,
            balance_before_points=before.balance if before else 0,
            balance_after_points=after.balance if after else 0,
            messages=(
                *sale_messages(words, calculation, after, later),
                *hold_messages(words, request),
                *rule_messages(words, rules, calculation, held_back, request.codes),
            ),
        )


def _find(reader: JournalReader, *, uid: str) -> Entry | None:
    return reader.find(SALE, uid)


def _is_plain(request: SaleRequest) -> bool:
    """Nobody's sale, of which nothing was taken off: the ledger would be the same without it."""
    return request.member is None and not (request.redeem_points or request.hold or request.discounts or request.codes)


def _decide(
    reader: JournalReader, *, uid: str, digest: RequestDigest, prepared: Prepared, clock: Clock
) -> Draft | Entry:
    """In the journal's turn: done before, or the row to write."""
    earlier = reader.find(SALE, uid)
    if earlier is not None:
        return digest.same(earlier)
    body = prepared.body
    if prepared.hold is not None and not _still_open(reader, prepared.hold, clock):
        if body.result.redeemed_points:
            raise problem("hold_expired", "expected a hold that is still open", pointer="/hold")
        body = _uncovered(body)
    encoded = encode_body(body)
    if len(encoded) > OP_BODY_LIMIT_BYTES:
        detail = f"expected an operation of at most {OP_BODY_LIMIT_BYTES} bytes, not {len(encoded)}"
        raise problem("receipt_too_large", detail, pointer="/receipt/lines")
    return Draft(
        kind=SALE,
        uid=uid,
        about_uid="",
        request_digest=digest.made,
        body=encoded,
        answer=encode(replace(prepared.answer, op=str(reader.next_op_id))),
        subject=body.subject,
        effect_points=_effect(body.result),
        at_wall_ms=body.at_wall_ms,
        hold=body.hold,
    )


def _still_open(reader: JournalReader, hold: StoredHold, clock: Clock) -> bool:
    """Once more, now that nobody else can come between: the wait for the disk may have been long."""
    return usable(hold, clock) and reader.find(RELEASE, hold.hold) is None


def _uncovered(body: SaleBody) -> SaleBody:
    """A sale that spends nothing, without the hold that it need not have."""
    return replace(body, hold="", cover="", voucher="")


def _effect(calculation: Calculation) -> int:
    return calculation.earned_points - calculation.redeemed_points


def _taken(discounts: Sequence[DiscountTaken]) -> tuple[DiscountGiven, ...]:
    """As the rules have them; from which price each was taken they work out themselves."""
    return tuple(
        [
            DiscountGiven(
                rule=each.rule,
                line=each.line,
                base_minor=0,
                amount_minor=each.amount_minor,
                supplier=each.supplier,
                supplier_share_basis_points=each.supplier_share_basis_points,
            )
            for each in discounts
        ]
    )


def _usage(programme: CachedProgramme | None, calculation: Calculation, known: Known) -> tuple[Usage, ...]:
    """What the sale uses up of limits and coupons."""
    if programme is None or known.state is None:
        return ()
    day = known.clock.business_date
    return usage_of(programme.programme, calculation, day, codes=known.codes, had=known.state.usage)


def _spendable(figures: Figures | None, promised: int, held: int, request: SaleRequest) -> int:
    """Points that may be spent on this sale: what its hold reserved was free before, whatever the line does now.

    `promised`: at least so many were looked at when it was given: its own, and the smallest balance to spend from.
    """
    if figures is None:
        return 0
    if not request.redeem_points:
        return figures.spendable
    return max(promised, figures.after(0, resolved_hold_points=held).free)


def _check_redeemed(request: SaleRequest, calculation: Calculation, found: Found | None) -> None:
    """The final receipt must bear all that the cash software says was spent: it has taken that off already."""
    if calculation.redeemed_points >= request.redeem_points:
        return
    if found is not None and found.cached is not None and found.cached.row.status == "blocked":
        raise problem("member_blocked", "expected a member who may spend, not a blocked one", pointer="/member")
    raise problem(
        "redemption_exceeds",
        f"expected at most {calculation.redeemed_points} points on this receipt, not {request.redeem_points}",
        pointer="/redeem_points",
        allowed_points=calculation.redeemed_points,
    )
