"""Somebody whom this till does not hold, for it holds only members seen in its store: the cloud is asked, if it can be.

Within the bridge's budget; with no line the customer stays somebody not known here, and sales accrue by the tag.
"""

import asyncio
import logging
from datetime import timedelta

from msgspec import Struct

from till_agent.api import Identify
from till_agent.cache.exceptions import CacheUnavailable
from till_agent.desk.finding import Finder
from till_agent.desk.found import Found
from till_agent.desk.patience import ask
from till_agent.exceptions import CloudUnreachable, DeskProblem
from till_agent.ports import Cache, HoldGateway, MemberGateway
from till_sync.asking import MemberAnswer, MemberQuestion
from till_sync.ports import Clock

log = logging.getLogger(__name__)

TAGS_ASKED = 4
"""Of one person: those of what was scanned or keyed."""

ASKED_MS = 5 * 60_000
"""How long a question that found nobody is not put again by quotes: a receipt has several."""

JUST_NOW_MS = 3_000
"""How long nobody puts it again: cash software looks up, quotes and registers within a breath of one scan."""

TAKE_MS = 250
"""How long a call waits until the cache has taken an answer. A page that is being written keeps it some hundredths of a
second; a new cache of a million members is built for seconds, and the customer is found by the next scan."""

ASKED_KEPT = 32
"""Questions remembered: a till has one or two customers under way, and a hub a dozen."""


class _Asked(Struct, frozen=True):
    """A question that found nobody; `answered`: the cloud said so."""

    at_mono_ms: int
    answered: bool


class Meeting:
    """Finds people, and asks the cloud about who is not held. `gateway` is None where there is no cloud to ask."""

    def __init__(
        self,
        cache: Cache,
        gateway: MemberGateway | None,
        budget_ms: int,
        *,
        finder: Finder,
        clock: Clock,
        line: HoldGateway,
    ) -> None:
        self._cache = cache
        self._gateway = gateway
        self._budget_ms = budget_ms
        self._finder = finder
        self._clock = clock
        self._line = line
        self._asked: dict[MemberQuestion, _Asked] = {}
        self._taking: set[asyncio.Task[bool]] = set()

    async def find(
        self, who: Identify, *, pointer: str = "", again: bool = True, alone: bool = False, of_sale: bool = False
    ) -> Found:
        """Whom `who` names, here or at the cloud. `again` False does not repeat a question of some minutes ago, which
        found nobody; `alone`: nobody is asked; `of_sale`: nor does it wait for a call that is no sale's. DeskProblem as
        of `Finder.find`."""
        finder, may_ask = self._finder, self._can_ask and not (alone or of_sale)
        learnt = await finder.learn(who, of_sale=of_sale)
        try:
            # A member's id is their own in the whole chain: whether anybody has it only the cloud can say here.
            found = finder.find(who, pointer=pointer, lenient=self._has_window, learnt=learnt)
        except DeskProblem as exc:
            # Digits of a card or a phone, of neither of which somebody is known here: each is asked about.
            if exc.code != "identifier_ambiguous" or not may_ask:
                raise
            strangers = [tags[:TAGS_ASKED] for tags in finder.names_of(who) if finder.by_tag(tags[0]) is None]
            asking = [self._ask(MemberQuestion(tags=tags), again=again) for tags in strangers]
            if not any(await asyncio.gather(*asking)):
                raise
            learnt = await finder.learn(who) or learnt
            return finder.find(who, pointer=pointer, learnt=learnt)
        if found.cached is None and may_ask:
            if await self._ask(_question(found), again=again):
                # By the answer the chain may have slow tags since: its row has them already.
                learnt = await finder.learn(who) or learnt
            return finder.find(who, pointer=pointer, lenient=not self.is_nobody(found), learnt=learnt)
        return found

    def is_nobody(self, found: Found) -> bool:
        """Whether nobody of the chain is known by that: the till holds them all and is up to date, or the cloud said so
        some minutes ago. Else they may well be a member."""
        if found.cached is not None:
            return False
        if not self._has_window:
            return self._line.online and not self._cache.filling
        asked = self._asked.get(_question(found))
        return asked is not None and asked.answered and self._is_within(asked, ASKED_MS)

    @property
    def _has_window(self) -> bool:
        return bool(self._cache.window_days)

    @property
    def _can_ask(self) -> bool:
        return self._has_window and self._gateway is not None and self._gateway.online

    def _is_within(self, asked: _Asked, age_ms: int) -> bool:
        return 0 <= self._clock.mono_ms() - asked.at_mono_ms < age_ms

    async def _ask(self, question: MemberQuestion, *, again: bool) -> bool:
        """Whether somebody who was not known here is known now."""
        asked, gateway, budget_ms = self._asked.get(question), self._gateway, self._budget_ms
        if asked is not None and self._is_within(asked, ASKED_MS if not again else JUST_NOW_MS * asked.answered):
            return False
        if gateway is None:
            return False
        answered = known = False
        try:
            answer = await ask(budget_ms, lambda: gateway.find(question, budget_ms=budget_ms))
            answered = answer.member is None
            known = await self._take(answer)
        except (CloudUnreachable, CacheUnavailable) as exc:
            log.info("a customer could not be asked about: %s", exc)
        self._asked.pop(question, None)
        if not known:
            self._asked[question] = _Asked(self._clock.mono_ms(), answered)
            while len(self._asked) > ASKED_KEPT:
                del self._asked[next(iter(self._asked))]
        return known

    async def _take(self, answer: MemberAnswer) -> bool:
        """Whether the cache has them now; CacheUnavailable. It goes on where this call waits no longer."""
        taking = asyncio.get_running_loop().create_task(self._cache.take(answer), name="take")
        self._taking.add(taking)
        taking.add_done_callback(self._taken)
        done, _ = await asyncio.wait({taking}, timeout=timedelta(milliseconds=TAKE_MS).total_seconds())
        return taking.result() if done else False

    def _taken(self, taking: "asyncio.Task[bool]") -> None:
        self._taking.discard(taking)
        if not taking.cancelled() and (error := taking.exception()) is not None:
            log.debug("An answer about a customer was not kept: %r", error)


def _question(found: Found) -> MemberQuestion:
    member_id = found.subject.member_id
    tags = tuple(key for key in found.keys if key != member_id)[:TAGS_ASKED]
    return MemberQuestion(tags=tags, member_id=member_id)
