"""`/document` while the receipt is open: calculate, payByBonus, cancelBonusPayment. Nothing here is committed."""

from msgspec.structs import replace

from till_agent.api import HoldCreate, Identify, Quote, QuoteRequest
from till_agent.desk.problems import problem
from till_agent.exceptions import DeskProblem
from till_agent.frontol.amounts import product
from till_agent.frontol.answers import (
    Body,
    available,
    client_part,
    discount_rows,
    good,
    money_of,
    paid_rows,
    points_for,
    told_of,
)
from till_agent.frontol.counter import PIN, Counter, exponent_of, new_windows, whose
from till_agent.frontol.drafts import Draft
from till_agent.frontol.exceptions import Refused
from till_agent.frontol.settling import discounts_beside, explains, lacks_money, quoted, seen_lines
from till_agent.frontol.shapes import Document, Position
from till_agent.member_api import CodeRequest
from till_loyalty.programme import Programme
from till_loyalty.receipt import Receipt

LONGEST_HOLD_MS = 3_600_000
"""What a hold may last (`HoldCreate.ttl_ms`); a receipt that waits longer has its points reserved anew when it is
confirmed."""


class Documents:
    """Answers for open receipts. DeskProblem and Refused are business errors of the answer."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    async def calculate(self, document: Document) -> Body:
        """Discounts of each position, and what may be paid by points."""
        if not document.positions or document.is_refund:
            return await self._member_only(document)
        desk = self._counter.desk
        draft = self.draft(document)
        receipt = quoted(document, draft)
        quote = await self._quote(document, receipt, await self._counter.member(document.who, draft))
        shown, told = new_windows(told_of(quote.member, quote), draft.told if draft is not None else frozenset())
        self._keep(document, receipt, quote, told)
        programme = desk.programme
        exponent = exponent_of(programme)
        return good(
            client=client_part(document.who, available(quote, programme), exponent) if document.who else None,
            document={"positions": discount_rows(quote.calculation, exponent)},
            cashierInformation=shown,
        )

    async def pay(self, document: Document) -> Body:
        """Reserve the points that pay `payment.amount`, and say which part of it each position gets."""
        wanted = wanted_minor(document)
        if document.is_refund or not document.uid or not document.positions:
            raise self._counter.refusal("request_bad")
        if not wanted:
            return await self.cancel(document)
        desk = self._counter.desk
        draft = self.draft(document) or await self.recalled(document)
        document = with_codes(document, draft)
        member = await self._counter.member(document.who, draft)
        if member is None:
            raise self._refused_nobody()
        programme = desk.programme
        if programme is None:
            raise problem("redemption_disabled", "expected a programme, by which points have a value")
        receipt = quoted(document, draft)
        points = points_for(wanted, programme)
        quote = await self._quote(document, receipt, member, redeem_points=points)
        if quote.calculation.redeemed_minor != wanted:
            await self._say_why(document, member, points, quote, programme)
        await self._hold(document, member, points)
        shown, told = new_windows(told_of(quote.member, quote), draft.told if draft is not None else frozenset())
        self._keep(document, receipt, quote, told)
        exponent = exponent_of(programme)
        return good(
            client=client_part(document.who, available(quote, programme), exponent),
            document={"positions": paid_rows(quote.calculation, exponent)},
            cashierInformation=shown,
        )

    async def cancel(self, document: Document) -> Body:
        """Give back what is reserved for the receipt; nothing to give back is as good."""
        await self.give_back(document.uid)
        draft = self.draft(document)
        if draft is not None:
            unpaid = {number: seen.unpaid() for number, seen in draft.lines.items()}
            self._counter.drafts.put(document.uid, replace(draft, lines=unpaid), self._counter.now_ms())
        return good()

    async def give_back(self, uid: str) -> None:
        """Free what is still reserved for a receipt. DeskProblem where the disk takes nothing."""
        desk = self._counter.desk
        for stored in desk.open_holds(uid) if uid else ():
            try:
                await desk.release(stored.hold)
            except DeskProblem as exc:
                if exc.code not in ("hold_unknown", "hold_used"):
                    raise
            else:
                self._counter.agent.committed()

    def draft(self, document: Document) -> Draft | None:
        """What was told of the receipt before."""
        return self._counter.drafts.get(document.uid, self._counter.now_ms()) if document.uid else None

    async def recalled(
        self, document: Document, member: Identify | None = None, *, of_sale: bool = False
    ) -> Draft | None:
        """What was told of a receipt whose draft is gone (the agent was restarted, or it took too long).

        If our discounts are what its positions lack of their price times quantity, one and all, then they are it.
        `of_sale`: the receipt is paid.
        """
        gross = [product(each.price_minor, each.quantity_thousandths) for each in document.positions]
        as_priced = all(price <= each.total_minor for price, each in zip(gross, document.positions, strict=True))
        if as_priced and not lacks_money(document):
            return None
        desk = self._counter.desk
        programme = desk.programme
        bonus = points_for(document.bonus_minor, programme) if programme is not None else 0
        whole = replace(
            document,
            positions=tuple(
                replace(each, total_minor=max(price, each.total_minor))
                for price, each in zip(gross, document.positions, strict=True)
            ),
        )
        receipt = quoted(whole, None)
        try:
            quote = await self._quote(document, receipt, member or whose(document.who), bonus, of_sale=of_sale)
        except DeskProblem:
            return None
        paid = {line.number: line.paid_by_points_minor for line in quote.calculation.lines}

        def by_points(position: Position) -> int:
            return paid[position.index]

        draft = self._draft(document, receipt, quote, frozenset())
        if as_priced:
            return draft if discounts_beside(document, draft) else None
        if explains(document, quote.calculation, lambda _: 0) or explains(document, quote.calculation, by_points):
            return draft
        return None

    async def _quote(
        self,
        document: Document,
        receipt: Receipt,
        member: Identify | None,
        redeem_points: int = 0,
        *,
        of_sale: bool = False,
    ) -> Quote:
        request = QuoteRequest(
            receipt=receipt,
            member=member,
            redeem_points=redeem_points,
            local_time=document.local_time or None,
            slip_preview=False,
            codes=document.codes,
            sale_uid=document.uid or None,
        )
        return await self._counter.desk.quote(request, of_sale=of_sale)

    async def _member_only(self, document: Document) -> Body:
        """A receipt with nothing on it yet, or goods that come back: who it is, and nothing of discounts."""
        asked = whose(document.who)
        if asked is None:
            return good()
        desk = self._counter.desk
        member = await desk.identify(asked, self._counter.agent.language)
        shown, _ = new_windows(member.messages, frozenset())
        programme = desk.programme
        nothing = 0 if not document.is_refund else None
        return good(client=client_part(document.who, nothing, exponent_of(programme)), cashierInformation=shown)

    async def _hold(self, document: Document, member: Identify, points: int) -> None:
        """DeskProblem where the points can't be reserved: no line, not enough, a proof wanted."""
        counter = self._counter
        confirmation, pin = await self._proof(document, member, points)
        await counter.desk.hold(
            HoldCreate(
                sale_uid=document.uid,
                member=member,
                points=points,
                ttl_ms=min(counter.life_ms, LONGEST_HOLD_MS),
                confirmation=confirmation,
                pin=pin,
            )
        )
        counter.agent.committed()

    async def _proof(self, document: Document, member: Identify, points: int) -> tuple[str, str]:
        """The code that Frontol hands in, as the programme takes it: of a message, or the member's PIN."""
        who, programme = document.who, self._counter.desk.programme
        if programme is None or not who.code or points <= programme.redemption.proof_above_points:
            return "", ""
        if not PIN.fullmatch(who.code):
            raise problem("proof_invalid", "expected a code of digits")
        if "pin" in programme.redemption.proof:
            return "", who.code
        if "code" not in programme.redemption.proof or not who.phone:
            return "", ""
        request = CodeRequest(uid=document.uid, member=member, phone=who.phone, code=who.code)
        state = (await self._counter.desk.confirm(request)).confirmation
        return (state.confirmation, "") if state.state == "confirmed" else ("", "")

    async def _say_why(
        self, document: Document, member: Identify, points: int, quote: Quote, programme: Programme
    ) -> None:
        """Raises what keeps the wish from being met. What the member has, only who reserves it can say exactly."""
        allowed = quote.calculation.redeemed_points
        shown = quote.member
        bears = quote.redeemable.points if quote.redeemable is not None else 0
        if shown is not None and shown.spendable_points < points and bears >= shown.spendable_points:
            await self._hold(document, member, points)
            # More than was known here: the cashier asks once more, and for what the receipt bears.
            await self.cancel(document)
        detail = f"expected at most {money_of(allowed, programme)} smallest units of money by points"
        raise problem("redemption_exceeds", detail, allowed_points=allowed)

    def _refused_nobody(self) -> Exception:
        words = self._counter.words(self._counter.desk.programme)
        return Refused("client_missing", words.frontol("client_missing"))

    def _keep(self, document: Document, receipt: Receipt, quote: Quote, told: frozenset[str]) -> None:
        if document.uid:
            draft = self._draft(document, receipt, quote, told)
            self._counter.drafts.put(document.uid, draft, self._counter.now_ms())

    @staticmethod
    def _draft(document: Document, receipt: Receipt, quote: Quote, told: frozenset[str]) -> Draft:
        return Draft(
            lines=seen_lines(receipt, quote.calculation),
            who=document.who,
            reference=quote.member.reference if quote.member is not None else "",
            codes=document.codes,
            told=told,
        )


def with_codes(document: Document, draft: Draft | None) -> Document:
    """The document with the coupons that it was calculated with, where it names none: the discounts are by them."""
    return replace(document, codes=draft.codes) if draft is not None and not document.codes else document


def wanted_minor(document: Document) -> int:
    """What is to be paid by points in all: `payment`, and payments by points that the document lists besides it."""
    if document.payment is None:
        return document.bonus_minor
    earlier = [paid.amount_minor for paid in document.payments if paid.is_bonus]
    if document.payment.amount_minor in earlier:
        earlier.remove(document.payment.amount_minor)
    return document.payment.amount_minor + sum(earlier)
