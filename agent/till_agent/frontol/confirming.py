"""`confirm` of a receipt: what was sold is a fact, and is committed whatever else is wrong with it.

Where the desk refuses a part (a hold that ran out, a card that can't be read, a discount that is none), the receipt is
sold without that part, and the cashier is told. Only where nothing can be written is the answer an error, so that
Frontol sends the receipt again.
"""

import logging

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from till_agent.api import HoldCreate, Identify, Message, Sale, SaleRequest
from till_agent.exceptions import DeskProblem
from till_agent.frontol.answers import Body, good, money_of, points_for, windows
from till_agent.frontol.counter import Counter
from till_agent.frontol.documents import LONGEST_HOLD_MS, Documents, with_codes
from till_agent.frontol.settling import as_told, sold, with_held
from till_agent.frontol.shapes import Document
from till_agent.frontol.slips import slips_of
from till_agent.ports import Entry
from till_loyalty.receipt import Line
from till_sync.ops import Payment

log = logging.getLogger(__name__)

SALE = "sale"
TRIES_LIMIT = 8
"""A receipt has five parts that it may be sold without, and three ways to name its buyer."""
PAYMENTS_LIMIT = 50
"""As `SaleRequest.payments` has it."""
KINDS = {"cash": "cash", "creditcard": "card"}
"""Frontol's kinds of money, by ours; all others are `other`."""
OF_POINTS = (
    *("redemption_disabled", "redemption_needs_hold", "redemption_exceeds", "member_blocked", "member_provisional"),
    *("hold_unknown", "hold_expired", "hold_used", "hold_mismatch", "hold_refused", "insufficient_points"),
    *("points_lent", "offline_limit", "proof_required", "proof_invalid", "cloud_unreachable"),
    *("member_unknown", "member_not_here"),
)
OF_HOLDS = ("redemption_needs_hold", "hold_unknown", "hold_expired", "hold_used", "hold_mismatch", "hold_refused")
"""Where points may be had after all, by another hold."""
OF_CLIENT = ("identifier_", "bank_card", "reference_unknown", "wallet_", "voucher_")
OF_DISCOUNTS = ("discount_",)
NOTHING_WRITTEN = ("journal_unavailable", "journal_corrupt", "till_not_enrolled")
_sales = msgspec.json.Decoder(Sale)


class _Sold(Struct):
    """What of a stored sale tells whether it is the receipt that comes again."""

    receipt: "_Receipt"
    payments: tuple[Payment, ...] = ()


class _Receipt(Struct):
    lines: tuple[Line, ...]


_stored = msgspec.json.Decoder(_Sold)


class Confirming:
    """Commits sales."""

    def __init__(self, counter: Counter, documents: Documents) -> None:
        self._counter = counter
        self._documents = documents

    async def confirm(self, document: Document) -> Body:
        """Success when the sale is on the disk, also when it was there before."""
        counter = self._counter
        if not document.uid:
            raise counter.refusal("request_bad")
        if not document.positions:
            # Nothing was sold: nothing to count, and no reason to stop.
            return good()
        try:
            _ = counter.desk
        except DeskProblem:
            if document.who or document.bonus_minor:
                raise
            return good()  # of nobody, at a till that has no programme yet
        earlier = await self._found(document)
        if earlier is not None:
            return await self._answer(document, earlier, replayed=True)
        request = await self._request(document)
        answered = await self._sell(document, request)
        counter.drafts.drop(document.uid)
        await self._free_the_rest(document)
        entry = await self._found(document)
        if entry is None:
            # Of nobody, and the disk takes nothing: it goes on, and is not kept.
            return good(cashierInformation=windows(_sales.decode(answered).messages))
        counter.agent.committed()
        return await self._answer(document, entry, replayed=False)

    async def _found(self, document: Document) -> Entry | None:
        """The sale as it stands on the disk. Where that can't be read, nobody's receipt goes on as if there was none:
        no point depends on it."""
        try:
            return await self._counter.desk.find(SALE, document.uid)
        except DeskProblem:
            if document.who or document.bonus_minor:
                raise
            return None

    async def _request(self, document: Document) -> SaleRequest:
        """The sale as it should be."""
        desk = self._counter.desk
        programme = desk.programme
        holds = sorted(
            (each for each in desk.open_holds(document.uid) if each.state == "granted"), key=lambda h: h.points
        )
        hold = holds[-1] if holds else None
        draft = self._documents.draft(document)
        if programme is not None and hold is not None:
            document = with_held(document, draft, money_of(hold.points, programme))
        draft = draft or await self._documents.recalled(document, of_sale=True)
        document = with_codes(document, draft)
        settled = sold(document, draft)
        points = points_for(document.bonus_minor, programme) if programme is not None else 0
        member = self._counter.named(document.who, draft)
        if member is None and points and hold is not None:
            member = Identify(reference=hold.member_id)
        return SaleRequest(
            receipt=settled.receipt,
            member=member,
            redeem_points=points if member is not None else 0,
            hold=hold.hold if hold is not None and member is not None else "",
            payments=_payments(document),
            number=document.number,
            shift=document.shift,
            cashier=document.cashier,
            local_time=document.local_time or None,
            print_slip=False,
            discounts=settled.discounts,
            codes=document.codes,
        )

    async def _sell(self, document: Document, request: SaleRequest) -> bytes:
        """Sell it, without what can't be."""
        desk = self._counter.desk
        held_anew = False
        for _ in range(TRIES_LIMIT):
            try:
                return (await desk.sell(document.uid, request)).body
            except DeskProblem as exc:
                if exc.code in NOTHING_WRITTEN:
                    raise
                if exc.code in OF_HOLDS and request.redeem_points and not held_anew:
                    held_anew = True
                    request = await self._held_anew(document, request)
                    continue
                weaker = self._named_otherwise(document, request, exc) or _without(document, request, exc)
                if weaker is None:
                    raise
                self._note(document, exc)
                request = weaker
        return (await desk.sell(document.uid, request)).body

    def _named_otherwise(self, document: Document, request: SaleRequest, exc: DeskProblem) -> SaleRequest | None:
        """The same buyer by what else tells of them: a card that may be a phone too was given as a card, and points
        that were reserved for the receipt are somebody's. None where nothing does."""
        who = request.member
        if who is None or not exc.code.startswith(OF_CLIENT):
            return None
        if exc.code == "identifier_ambiguous" and who.code is not None:
            return replace(request, member=Identify(card=document.who.card))
        held = [each for each in self._counter.desk.open_holds(document.uid) if each.hold == request.hold]
        if who.reference is not None or not held or not request.redeem_points:
            return None
        return replace(request, member=Identify(reference=held[0].member_id))

    async def _free_the_rest(self, document: Document) -> None:
        """Points that were reserved for this receipt and were not for its buyer in the end."""
        try:
            await self._documents.give_back(document.uid)
        except DeskProblem as exc:
            # The sale is on the disk; what is reserved is free when its time is over.
            log.warning("reserved points stay so for a while", extra={"uid": document.uid, "code": exc.code})

    async def _held_anew(self, document: Document, request: SaleRequest) -> SaleRequest:
        """The points were reserved for less long than the receipt took, or for fewer: once more, now that they are
        spent. Without them where that can't be."""
        desk = self._counter.desk
        if request.member is None:
            return replace(request, redeem_points=0, hold="")
        wanted = HoldCreate(
            sale_uid=document.uid,
            member=request.member,
            points=request.redeem_points,
            ttl_ms=min(self._counter.life_ms, LONGEST_HOLD_MS),
        )
        try:
            return replace(request, hold=(await desk.hold(wanted)).hold)
        except DeskProblem as exc:
            if exc.code in NOTHING_WRITTEN:
                raise
            self._note(document, exc)
            return replace(request, redeem_points=0)

    async def _answer(self, document: Document, entry: Entry, *, replayed: bool) -> Body:
        """Made from what is stored alone, so that the same receipt is answered the same, whenever it comes again."""
        counter = self._counter
        sale = _sales.decode(entry.answer)
        words = counter.words(counter.desk.programme)
        # What was told while the receipt was open, and stands on the slip, is not told again.
        notes = [each for each in sale.messages if each.level != "info"]
        told = len(notes)
        programme = counter.desk.programme
        if programme is not None and document.bonus_minor > money_of(sale.calculation.redeemed_points, programme):
            missing = document.bonus_minor - money_of(sale.calculation.redeemed_points, programme)
            text = words.frontol("points_not_taken", amount_minor=missing)
            notes.append(Message(code="points_not_taken", text=text, level="warning"))
        if document.who and sale.member is None:
            text = words.frontol("client_not_counted")
            notes.append(Message(code="client_not_counted", text=text, level="warning"))
        if replayed and not _is_same(document, entry):
            log.warning("a receipt came again with other contents; the first counts", extra={"uid": document.uid})
            text = words.frontol("already_sold")
            notes.append(Message(code="already_sold", text=text, level="warning"))
        for note in notes[told:]:
            if not replayed:
                counter.agent.events.publish("alert", note)
        return good(
            cashierInformation=windows(notes),
            printingInformation=await slips_of(counter, entry),
        )

    @staticmethod
    def _note(document: Document, exc: DeskProblem) -> None:
        log.warning("a receipt of Frontol is sold without a part of it", extra={"uid": document.uid, "code": exc.code})


def _without(document: Document, request: SaleRequest, exc: DeskProblem) -> SaleRequest | None:
    """The sale without the part that the desk refused; None when there is nothing to leave out."""
    code = exc.code
    if code in OF_POINTS and request.redeem_points:
        # What the receipt bears is taken; the rest is told.
        allowed = exc.extras.get("allowed_points", 0) if code == "redemption_exceeds" else 0
        return replace(request, redeem_points=allowed if allowed < request.redeem_points else 0)
    if code.startswith(OF_CLIENT) and request.member is not None:
        return replace(request, member=None, redeem_points=0, hold="")
    if code.startswith(OF_DISCOUNTS) and request.discounts:
        return replace(request, receipt=as_told(document).receipt, discounts=())
    if code == "local_time_invalid" and request.local_time is not None:
        return replace(request, local_time=None)
    if code == "minimum_price_too_high":
        lines = tuple([replace(line, minimum_price_minor=0) for line in request.receipt.lines])
        return replace(request, receipt=replace(request.receipt, lines=lines))
    return None


def _payments(document: Document) -> tuple[Payment, ...]:
    """Money that was paid: neither points nor what Frontol keeps out of the fiscal receipt."""
    money = [paid for paid in document.payments if paid.fiscal and not paid.is_bonus]
    return tuple(
        [
            Payment(kind=KINDS.get(paid.kind.lower(), "other"), amount_minor=paid.amount_minor)
            for paid in money[:PAYMENTS_LIMIT]
        ]
    )


def _is_same(document: Document, entry: Entry) -> bool:
    """Whether the receipt has what was sold: the same goods, as many of them, for the same money."""
    stored = _stored.decode(entry.body)
    goods = sorted([(line.sku, line.quantity_thousandths) for line in stored.receipt.lines])
    come = sorted([(each.sku, each.quantity_thousandths) for each in document.positions])
    return goods == come and stored.payments == _payments(document)
