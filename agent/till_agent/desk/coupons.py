"""Coupon codes: what the cloud says of codes of limited use, kept for a while; and whether a code is good here and now.

Only a quote and a question about a code ask the cloud; a sale never does, and goes by what the quote was told.
"""

import logging
from collections.abc import Sequence

from msgspec import Struct

from till_agent.desk.patience import ask
from till_agent.exceptions import CloudUnreachable
from till_agent.ports import CouponGateway, PendingBalances
from till_loyalty import identifiers, rotating
from till_loyalty.coupons import coupons_by_code, normalise_code
from till_loyalty.exceptions import IdentifierError
from till_loyalty.masks import mask_card
from till_loyalty.programme import Identifiers, Programme
from till_loyalty.receipt import MemberState, Usage
from till_loyalty.results import Reason
from till_loyalty.rule_parts import Coupon
from till_sync.asking import CouponQuestion
from till_sync.ports import Clock

log = logging.getLogger(__name__)

FRESH_MS = 5 * 60_000
"""For so long an answer is not asked for again."""
SALE_MS = 60 * 60_000
"""For so long the sale may still go by it: the receipt was quoted by it, and a sale does not ask."""
ANSWERS_KEPT = 500
"""Codes of the last receipts; a till meets some hundred in a day."""
REFUSED_OFFLINE = "coupon_refused_offline"


class _Answer(Struct, frozen=True):
    at_mono_ms: int
    usage: tuple[Usage, ...]


class CouponDesk:
    """What is known of codes. Used on the loop."""

    def __init__(self, gateway: CouponGateway | None, pending: PendingBalances, clock: Clock, budget_ms: int) -> None:
        self._gateway = gateway
        self._pending = pending
        self._clock = clock
        self._budget_ms = budget_ms
        # By member and normalised code; oldest first.
        self._answers: dict[tuple[str, str], _Answer] = {}

    async def learn(self, programme: Programme | None, member_id: str, codes: Sequence[str], *, online: bool) -> None:
        """Ask the cloud about the codes of limited use that nothing fresh is known of; within the budget, or not."""
        gateway, budget_ms = self._gateway, self._budget_ms
        if not codes or programme is None or gateway is None or not online:
            return
        coupons = coupons_by_code(programme.coupons)
        wanted = {
            normal: coupons[normal]
            for normal in map(normalise_code, codes)
            if normal in coupons and is_limited(coupons[normal]) and self._known(member_id, normal, FRESH_MS) is None
        }
        if not wanted:
            return
        question = CouponQuestion(codes=tuple(wanted), member_id=member_id)
        try:
            answer = await ask(budget_ms, lambda: gateway.ask(question, budget_ms=budget_ms))
        except CloudUnreachable as exc:
            log.info("coupon codes could not be asked about: %s", exc)
            return
        for normal, coupon in wanted.items():
            rows = tuple(
                [
                    row
                    for row in answer.usage
                    if row.rule == coupon.id and (row.per == "life" or (row.per == "code" and row.key == normal))
                ]
            )
            self._keep((member_id, normal), _Answer(self._clock.mono_ms(), rows))

    def usage(self, programme: Programme | None, member_id: str, codes: Sequence[str]) -> tuple[Usage, ...]:
        """What the codes and their coupons were used, as far as the cloud or own ops tell; each code by all members."""
        if not codes or programme is None:
            return ()
        coupons = coupons_by_code(programme.coupons)
        rows: list[Usage] = []
        for normal in dict.fromkeys(map(normalise_code, codes)):
            coupon = coupons.get(normal)
            if coupon is None:
                continue
            answer = self._known(member_id, normal, SALE_MS)
            told = answer.usage if answer is not None else ()
            rows += [row for row in told if row.per == "life"]
            if coupon.uses_per_code:
                # The cloud's count may hold the uses here already: the larger of the two, not their sum.
                by_cloud = sum([row.uses for row in told if row.per == "code"])
                uses = max(by_cloud, self._pending.code_uses(coupon.id, normal))
                rows.append(Usage(rule=coupon.id, per="code", key=normal, uses=uses))
        return tuple(rows)

    def asked(self, member_id: str, code: str) -> bool:
        """Whether the cloud has said how often the code was used."""
        return self._known(member_id, normalise_code(code), SALE_MS) is not None

    def forget(self, usage: Sequence[Usage]) -> None:
        """These were used just now: what the cloud said of them is past."""
        used = {row.rule for row in usage if row.uses and not row.amount}
        if used:
            self._answers = {
                key: answer
                for key, answer in self._answers.items()
                if not any(row.rule in used for row in answer.usage)
            }

    def held_back(
        self, programme: Programme | None, state: MemberState | None, member_id: str, codes: Sequence[str]
    ) -> tuple[tuple[str, ...], tuple[Reason, ...]]:
        """With a line: the codes that the rules may have, and a reason for each whose use nobody could count just now
        and whose coupon is not to be taken like that. Without one the rules themselves see to it."""
        if programme is None or self._gateway is None or state is None or not codes:
            return tuple(codes), ()
        coupons = coupons_by_code(programme.coupons)
        good: list[str] = []
        reasons: list[Reason] = []
        for number, code in enumerate(codes, 1):
            coupon = coupons.get(normalise_code(code))
            if (
                coupon is not None
                and is_limited(coupon)
                and not self.asked(member_id, code)
                and (coupon.offline == "refuse" or (not coupon.offline and coupon.id not in state.coupons))
            ):
                reasons.append(Reason(code=REFUSED_OFFLINE, rule=coupon.id, numbers={"code": number}))
            else:
                good.append(code)
        return tuple(good), tuple(reasons)

    def _known(self, member_id: str, normal: str, age_ms: int) -> _Answer | None:
        answer = self._answers.get((member_id, normal))
        if answer is None or self._clock.mono_ms() - answer.at_mono_ms > age_ms:
            return None
        return answer

    def _keep(self, key: tuple[str, str], answer: _Answer) -> None:
        self._answers.pop(key, None)
        self._answers[key] = answer
        while len(self._answers) > ANSWERS_KEPT:
            del self._answers[next(iter(self._answers))]


def is_limited(coupon: Coupon) -> bool:
    """Whether its uses are counted."""
    return bool(coupon.uses_per_member or coupon.uses_per_code)


def tidy(codes: Sequence[str], programme: Programme | None) -> tuple[str, ...]:
    """The codes as they were scanned, each once.

    Of a card or a wallet code, scanned while the wrong field had the cursor, only what may be shown: codes go into the
    journal and into answers.
    """
    scanned: dict[str, str] = {}
    coupons = coupons_by_code(programme.coupons) if codes and programme is not None else {}
    rules = programme.identifiers if programme is not None else Identifiers()
    for code in codes:
        is_card = normalise_code(code) not in coupons and _is_card(code, rules)
        kept = mask_card(code.strip()) if is_card else code.strip()
        scanned.setdefault(normalise_code(kept), kept)
    return tuple(scanned.values())


def _is_card(code: str, rules: Identifiers) -> bool:
    """Whether it is written as a member's card, a bank card or a wallet code."""
    if rules.rotating is not None and rotating.read(code.strip(), rules.rotating) is not None:
        return True
    try:
        identifiers.parse_card(code, rules)
    except IdentifierError as exc:
        return exc.code == "bank_card"
    return True
