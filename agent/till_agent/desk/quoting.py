"""Quotes: what a receipt would give. Nothing is changed."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from till_agent.api import Member, Quote, QuoteRequest
from till_agent.desk.bench import Bench
from till_agent.desk.counting import calculated
from till_agent.desk.covering import Covering
from till_agent.desk.found import Found
from till_agent.desk.holding import open_holds, usable
from till_agent.desk.rule_views import proof_messages, redeemable, rule_messages
from till_agent.desk.views import quote_messages
from till_agent.slips.compose import SlipContext, compose_quote
from till_agent.slips.making import plain_enough
from till_agent.slips.preview import preview_text
from till_loyalty.explain_result import explain
from till_loyalty.receipt import StoreClock
from till_loyalty.results import Calculation

log = logging.getLogger(__name__)

T = TypeVar("T")


class Quoting:
    """Quotes."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._covering = Covering(bench)

    async def quote(self, request: QuoteRequest, *, of_sale: bool = False) -> Quote:
        """What the receipt would give; changes nothing. `of_sale`: as of `Meeting.find`."""
        bench = self._bench
        who = request.member
        found = await bench.meeting.find(who, pointer="/member", again=False, of_sale=of_sale) if who else None
        if found is not None and found.voucher is not None:
            await self._covering.check(found.voucher)
        figures = bench.balances.of(found) if found else None
        if request.codes and found is not None:
            await bench.learn_codes(found, request.codes)
        programme = bench.programme
        spendable = figures.spendable + self._held(request.sale_uid, found) if figures else 0
        known = bench.known(found, figures, request.local_time, request.codes, spendable)
        calculation = await calculated(programme, known, request.receipt, request.redeem_points, None)
        words = bench.words(request.language)
        member = bench.view(found, words).member(figures) if found and figures else None
        rules = programme.programme if programme else None
        told = (
            *rule_messages(words, rules, calculation, known.held_back, request.codes),
            *proof_messages(words, rules, calculation),
        )
        return Quote(
            calculation=calculation,
            offline=known.offline,
            as_of_ms=figures.as_of_ms if figures else bench.parts.cache.as_of_ms,
            slip_preview=_or_without(
                "the slip's preview", "", self._preview, calculation, member, known.clock, request.language
            )
            if request.slip_preview
            else "",
            member=member,
            messages=(*quote_messages(words, calculation, figures, request.redeem_points), *told),
            redeemable=redeemable(rules, calculation) if found else None,
            explain=_or_without("the explanation", (), explain, rules, calculation, words.language)
            if request.explain and rules
            else (),
        )

    def _held(self, sale_uid: str | None, found: Found | None) -> int:
        """Points of this member in good holds for that sale."""
        if not sale_uid or found is None:
            return 0
        clock, member_id = self._bench.parts.clock, found.subject.member_id
        holds = [each for each in open_holds(self._bench, sale_uid) if each.state == "granted" and usable(each, clock)]
        return sum([each.points for each in holds if each.member_id == member_id])

    def _preview(self, calculation: Calculation, member: Member | None, clock: StoreClock, language: str | None) -> str:
        """The slip as text, in the language it would be printed in; "" for a receipt with no member: it gets none."""
        if member is None:
            return ""
        bench = self._bench
        words = bench.words(language, member.language)
        context = SlipContext(
            store_name=bench.identity.store_name,
            time_zone=bench.identity.time_zone,
            at_wall_ms=bench.parts.clock.wall_ms(),
            moment=words.local_moment(clock.local_time),
            today=clock.business_date,
        )
        return plain_enough(
            lambda wanted: compose_quote(calculation, member, context, words, templates=wanted),
            lambda blocks: preview_text(blocks, bench.parts.settings.columns),
            words=words,
            templates=bench.parts.templates,
        )


def _or_without(name: str, without: T, make: Callable[..., T], *values: Any) -> T:
    """What a quote can do without; a failure is for the log, never for the customer who waits."""
    try:
        return make(*values)
    except Exception:  # a chain's own template and words may fail in any way: the figures stand without them
        log.exception("%s could not be made; the quote goes out without it", name)
        return without
