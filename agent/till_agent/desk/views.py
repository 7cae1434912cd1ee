"""A member, and what the cashier should be told, as the bridge's answers show them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from till_agent.api import Expiring, Member, Message, Offered, SaleRequest
from till_agent.desk.allowing import ALLOWING_REASONS
from till_agent.desk.balances import SPENDING_REASONS, Figures
from till_agent.desk.found import Found
from till_agent.texts import Words, local_datetime
from till_loyalty.results import Calculation, Reversal

STALE_AFTER_MS = 24 * 3600 * 1000
"""A balance older than a day is said to be old: the member may have shopped elsewhere since."""
EXPIRING_WITHIN_MS = 30 * 24 * 3600 * 1000
"""Points that expire within a month are worth a word at the till."""

OFFERS_SHOWN = 5
"""Coupons that a member is told of; a slip is no catalogue."""
NO_END = "9999-12-31"

NOT_HERE = "not_here"
"""`spendable_reason` of somebody whom this till does not hold and nobody can be asked about."""

WHY_NOT = {
    "unknown_member": "member_provisional",
    "blocked": "member_blocked",
    "provisional": "member_provisional",
    "disabled": "redeem_disabled",
}
"""Which message says why nothing may be spent, where it is not named as the reason is."""

NOTHING_LATER: Mapping[str, int] = MappingProxyType({})

LIMITING_REASONS = {
    "redeem_limited_by_balance",
    "redeem_limited_by_share",
    "redeem_limited_by_line_prices",
    "redeem_limited_by_receipt_ceiling",
    "redeem_trimmed_to_step",
}
"""Why fewer points may be spent than asked (`till_loyalty.redemption`); each has a sentence with `points`."""
REFUSING_REASONS = {
    "redeem_disabled",
    "redeem_nothing_spendable",
    "redeem_below_minimum_balance",
    "redeem_nothing_payable",
    "redeem_below_step",
}
"""Why none may be spent at all; each has a sentence."""


class View(Struct, frozen=True, kw_only=True):
    """How a member is shown: all that is read from the cache and the line, taken once, so that the journal's thread
    can show what only its turn decides."""

    found: Found
    words: Words
    offline: bool
    has_programme: bool
    now_ms: int
    time_zone: str
    is_nobody: bool = False
    """Somebody not known here, whom nobody in the chain knows either."""

    def member(self, figures: Figures) -> Member:
        """The member with those figures; for somebody not known here only what was scanned, masked."""
        limits = _why_not_all(self.words, figures)
        messages = self._messages(figures, limits)
        if self.found.cached is None:
            return Member(
                reference=self.found.reference or self.found.subject.key,
                known=False,
                status="unknown",
                balance_points=figures.balance,
                spendable_points=0,
                unconfirmed_points=figures.unconfirmed,
                spendable_reason=figures.reason if self.is_nobody else NOT_HERE,
                as_of_ms=0,
                offline=self.offline,
                card_masked=self.found.card_masked,
                phone_masked=self.found.phone_masked,
                messages=messages,
                inactive_points=figures.inactive,
                spendable_text=self._why_not(figures, limits),
            )
        row = self.found.cached.row
        return Member(
            reference=self.found.reference or self.found.subject.key,
            known=True,
            # The finder takes a removed member for one not known here.
            status="unknown" if row.status == "removed" else row.status,
            balance_points=figures.balance,
            spendable_points=figures.spendable,
            unconfirmed_points=figures.unconfirmed,
            spendable_reason=figures.reason,
            as_of_ms=figures.as_of_ms,
            offline=self.offline,
            tier=row.tier,
            name_masked=row.name_masked,
            phone_masked=row.phone_masked,
            card_masked=row.card_masked,
            language=row.language,
            expiring=Expiring(points=row.expiring.points, at_ms=row.expiring.at_ms) if row.expiring else None,
            messages=messages,
            inactive_points=figures.inactive,
            offers=self._offers(row.facts.coupons),
            tier_title=tier_title(self.words, row.tier),
            spendable_text=self._why_not(figures, limits),
        )

    def _why_not(self, figures: Figures, limits: list[Message]) -> str:
        """Why not all may be spent, in a sentence."""
        if not figures.reason:
            return ""
        if not self.has_programme:
            return self.words.message("no_programme").text
        if self.found.cached is None:
            return self._stranger.text
        if figures.reason in WHY_NOT:
            return self.words.message(WHY_NOT[figures.reason]).text
        if figures.reason == "inactive":
            return self.words.message("points_inactive", points=figures.inactive).text
        return "".join([message.text for message in limits])

    @property
    def _stranger(self) -> Message:
        """What is said of somebody not known here: nobody has that number, or nobody can be asked who it is."""
        if self.is_nobody:
            return self.words.message("member_unknown")
        return self.words.message("member_not_here", level="warning")

    def _offers(self, held: tuple[str, ...]) -> tuple[Offered, ...]:
        """Coupons of the programme that the member holds, as far as they are good today."""
        coupons = self.words.programme.coupons
        if not held or not coupons:
            return ()
        today = local_datetime(self.now_ms, self.time_zone).date().isoformat()
        good = [
            coupon
            for coupon in coupons
            if coupon.id in held
            and (not coupon.valid_from or coupon.valid_from <= today)
            and (not coupon.valid_to or today < coupon.valid_to)
        ]
        good.sort(key=lambda coupon: coupon.valid_to or NO_END)
        return tuple(
            [
                Offered(coupon=each.id, title=self.words.title(each.title, each.id), valid_to=each.valid_to)
                for each in good[:OFFERS_SHOWN]
            ]
        )

    def _messages(self, figures: Figures, limits: list[Message]) -> tuple[Message, ...]:
        """What the cashier should know before selling, the gravest first."""
        words, cached = self.words, self.found.cached
        said: list[Message] = []
        if cached is None:
            said.append(self._stranger)
        elif cached.row.status == "blocked":
            said.append(words.message("member_blocked", level="warning"))
        elif cached.row.status == "provisional":
            said.append(words.message("member_provisional"))
        if not self.has_programme:
            said.append(words.message("no_programme", level="warning"))
        said += limits
        if cached is None:
            return tuple(said)
        if figures.balance < 0:
            said.append(words.message("balance_negative", points=figures.balance))
        if figures.inactive:
            said.append(words.message("points_inactive", points=figures.inactive))
        if figures.unconfirmed:
            said.append(words.message("balance_unconfirmed", points=figures.unconfirmed))
        if figures.as_of_ms and self.now_ms - figures.as_of_ms > STALE_AFTER_MS:
            said.append(words.message("balance_stale", date=words.date(figures.as_of_ms, self.time_zone)))
        expiring = cached.row.expiring
        if expiring is not None and 0 <= expiring.at_ms - self.now_ms <= EXPIRING_WITHIN_MS and figures.balance > 0:
            points = min(expiring.points, figures.balance)
            said.append(words.message("expiring_soon", date=words.date(expiring.at_ms, self.time_zone), points=points))
        return tuple(said)


def tier_title(words: Words, tier: str) -> str:
    """The name of a tier; "" for none."""
    titles = next((each.title for each in words.programme.tiers if each.id == tier), {})
    return words.title(titles, tier) if tier else ""


def _why_not_all(words: Words, figures: Figures) -> list[Message]:
    """What may be spent now, where that is not all."""
    if figures.reason in ALLOWING_REASONS:
        return [words.message(figures.reason, level="warning", points=figures.spendable)]
    return [words.message("points_held", points=figures.held)] if figures.reason == "held" else []


def quote_messages(words: Words, calculation: Calculation, figures: Figures | None, wish: int) -> tuple[Message, ...]:
    """What the receipt would give, and why a wish to spend was trimmed."""
    if figures is None or figures.reason == "blocked" or not calculation.programme_id:
        return ()
    said = [words.message("will_earn", points=calculation.earned_points)]
    if calculation.redeemable_points:
        said.append(words.message("can_redeem", points=calculation.redeemable_points))
    if wish == 0 or not (figures.reason in SPENDING_REASONS or figures.spendable):
        return tuple(said)
    level: Literal["info", "warning"] = "info" if wish < 0 else "warning"
    for reason in calculation.reasons:
        if reason.code in LIMITING_REASONS:
            said.append(words.message(reason.code, level=level, points=calculation.redeemed_points))
        elif reason.code in REFUSING_REASONS:
            numbers = {"step_points": reason.numbers.get("step", 0), "needed_points": reason.numbers.get("needed", 0)}
            said.append(words.message(reason.code, level=level, **numbers))
    return tuple(said)


def sale_messages(
    words: Words, calculation: Calculation, figures: Figures | None, later: Mapping[str, int] = NOTHING_LATER
) -> tuple[Message, ...]:
    """What a committed sale gave and took; `later` is the part of it that can be spent from a later date only."""
    if figures is None:
        return ()
    said: list[Message] = []
    if calculation.redeemed_points:
        said.append(words.message("redeemed", points=calculation.redeemed_points))
    if calculation.earned_points:
        said.append(words.message("earned", points=calculation.earned_points))
    for day, points in sorted(later.items()):
        said.append(words.message("earned_later", points=points, date=words.day(day)))
    return tuple(said)


def hold_messages(words: Words, request: SaleRequest) -> tuple[Message, ...]:
    """That a hold was named and nothing spent from it: `redeem_points` says how many, not the hold."""
    is_idle = bool(request.hold) and not request.redeem_points
    return (words.message("hold_not_spent", level="warning"),) if is_idle else ()


def reversal_messages(words: Words, reversal: Reversal, figures: Figures | None) -> tuple[Message, ...]:
    """What a void or return took back and gave back; a debt is named."""
    if figures is None:
        return ()
    said: list[Message] = []
    if reversal.points_taken:
        said.append(words.message("points_taken", points=reversal.points_taken))
    if reversal.points_back:
        said.append(words.message("points_back", points=reversal.points_back))
    if figures.balance < 0:
        said.append(words.message("balance_negative", level="warning", points=figures.balance))
    return tuple(said)
