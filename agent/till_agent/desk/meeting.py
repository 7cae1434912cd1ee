"""Somebody whom this till does not hold, for it holds only members seen in its store: the cloud is asked, if it can be.

Within the bridge's budget; with no line the customer stays somebody not known here, and sales accrue by the tag.
"""

import logging

from till_agent.cache.exceptions import CacheUnavailable
from till_agent.desk.finding import Found
from till_agent.exceptions import CloudUnreachable
from till_agent.ports import Cache, MemberGateway
from till_sync.asking import MemberQuestion

log = logging.getLogger(__name__)

TAGS_ASKED = 4
"""Of one person: those of what was scanned or keyed."""


class Meeting:
    """Asks the cloud. `gateway` is None where there is no cloud to ask."""

    def __init__(self, cache: Cache, gateway: MemberGateway | None, budget_ms: int) -> None:
        self._cache = cache
        self._gateway = gateway
        self._budget_ms = budget_ms

    async def meet(self, found: Found) -> bool:
        """Whether somebody who was not known here is known now."""
        gateway = self._gateway
        if found.cached is not None or not self._cache.window_days or gateway is None or not gateway.online:
            return False
        tags = tuple(key for key in found.keys if key != found.subject.member_id)[:TAGS_ASKED]
        question = MemberQuestion(tags=tags, member_id=found.subject.member_id)
        try:
            answer = await gateway.find(question, budget_ms=self._budget_ms)
            return await self._cache.take(answer)
        except (CloudUnreachable, CacheUnavailable) as exc:
            log.info("a customer could not be asked about: %s", exc)
            return False
