"""Somebody whom this till does not hold, for it holds only members seen in its store: the cloud is asked, if it can be.

Within the bridge's budget; with no line the customer stays somebody not known here, and sales accrue by the tag.
"""

import asyncio
import logging

from till_agent.api import Identify
from till_agent.cache.exceptions import CacheUnavailable
from till_agent.desk.finding import Finder, Found
from till_agent.exceptions import CloudUnreachable, DeskProblem
from till_agent.ports import Cache, MemberGateway
from till_sync.asking import MemberQuestion
from till_sync.ports import Clock

log = logging.getLogger(__name__)

TAGS_ASKED = 4
"""Of one person: those of what was scanned or keyed."""

ASKED_MS = 5 * 60_000
"""How long a question that found nobody is not put again by quotes: a receipt has several."""

ASKED_KEPT = 32
"""Questions remembered: a till has one or two customers under way, and a hub a dozen."""


class Meeting:
    """Finds people, and asks the cloud about who is not held. `gateway` is None where there is no cloud to ask."""

    def __init__(
        self, cache: Cache, gateway: MemberGateway | None, budget_ms: int, *, finder: Finder, clock: Clock
    ) -> None:
        self._cache = cache
        self._gateway = gateway
        self._budget_ms = budget_ms
        self._finder = finder
        self._clock = clock
        self._asked: dict[MemberQuestion, int] = {}

    async def find(self, who: Identify, *, pointer: str = "", again: bool = True) -> Found:
        """Whom `who` names, here or at the cloud. `again` False does not repeat a question of some minutes ago, which
        found nobody. DeskProblem as of `Finder.find`."""
        finder = self._finder
        await finder.learn(who)
        try:
            found = finder.find(who, pointer=pointer)
        except DeskProblem as exc:
            # Digits of a card or a phone, of neither of which somebody is known here: each is asked about.
            if exc.code != "identifier_ambiguous" or not self._can_ask:
                raise
            strangers = [tags[:TAGS_ASKED] for tags in finder.names_of(who) if finder.by_tag(tags[0]) is None]
            asking = [self._ask(MemberQuestion(tags=tags), again=again) for tags in strangers]
            if not any(await asyncio.gather(*asking)):
                raise
            return finder.find(who, pointer=pointer)
        return finder.find(who, pointer=pointer) if await self._meet(found, again=again) else found

    @property
    def _can_ask(self) -> bool:
        return bool(self._cache.window_days) and self._gateway is not None and self._gateway.online

    async def _meet(self, found: Found, *, again: bool) -> bool:
        """Whether somebody who was not known here is known now."""
        if found.cached is not None or not self._can_ask:
            return False
        member_id = found.subject.member_id
        tags = tuple(key for key in found.keys if key != member_id)[:TAGS_ASKED]
        return await self._ask(MemberQuestion(tags=tags, member_id=member_id), again=again)

    async def _ask(self, question: MemberQuestion, *, again: bool) -> bool:
        gateway, now_ms = self._gateway, self._clock.mono_ms()
        at_ms = self._asked.get(question)
        if gateway is None or (not again and at_ms is not None and 0 <= now_ms - at_ms < ASKED_MS):
            return False
        try:
            answer = await gateway.find(question, budget_ms=self._budget_ms)
            known = await self._cache.take(answer)
        except (CloudUnreachable, CacheUnavailable) as exc:
            log.info("a customer could not be asked about: %s", exc)
            known = False
        self._asked.pop(question, None)
        if not known:
            self._asked[question] = now_ms
            while len(self._asked) > ASKED_KEPT:
                del self._asked[next(iter(self._asked))]
        return known
