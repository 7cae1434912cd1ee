"""Slow tags of phones at the desk: made in a thread before they are wanted, and remembered for the receipt under way.

In memory only. The fast tag of a phone, from which each is made, is as good as the phone, and lives as long as a call
or a receipt.

One at a time, whoever asks: each takes 16 MB at the usual cost, and a core, of which a small till has one for its sales
too. Who asks for a phone that is being made waits for that. A sale does not queue behind those who only look somebody
up: it has a turn of its own, so two are made at once at most, and so have voids and returns. Whoever only looks
somebody up does not wait for long: as many as the bridge has connections would be served for a quarter of a minute.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta

from till_agent.desk.aside import aside
from till_agent.desk.problems import problem
from till_loyalty.identifiers import FAST_PHONE, SLOW_PHONE, slow_tag
from till_sync.phone_tags import PhoneTags

KEPT = 32
"""Phones of receipts under way: a till has one or two, and a hub a dozen."""
KEPT_MS = 15 * 60_000
"""Longer than a receipt takes."""
TURN_MS = 3_000
"""How long a look-up waits for its turn: for fifty others, on a processor of today. Cash software has often given up by
then."""


class SlowTags:
    """Used on the loop. `told` is what the chain has; without slow tags everything here gives the tag back."""

    def __init__(self, told: Callable[[], PhoneTags], mono_ms: Callable[[], int]) -> None:
        self._told = told
        self._mono_ms = mono_ms
        self._made: dict[tuple[str, int], tuple[str, int]] = {}
        self._turn, self._sales_turn = asyncio.Lock(), asyncio.Lock()

    @property
    def has_any(self) -> bool:
        """Whether the chain has slow tags at all."""
        return self._told().cost > 0

    def kept(self, tag: str) -> str:
        """What may be kept of a number whose tag this is: the slow one, once every member of the chain has theirs."""
        return self.names(tag)[0] if self._told().only else tag

    def names(self, tag: str) -> tuple[str, ...]:
        """All names that an identifier may have in the cache and in own operations, the newest kind first."""
        cost = self._told().cost
        if tag.startswith(SLOW_PHONE):
            # Of the receipt under way, or of nobody whose fast tag is known here any more.
            return (tag, *[fast for (fast, _), (made, _) in self._made.items() if made == tag])
        if not cost or not tag.startswith(FAST_PHONE):
            return (tag,)
        # Who did not call `learn` before waits for it here, and the loop does: right all the same.
        found = self._made.get((tag, cost)) or self._keep(tag, cost, slow_tag(tag, cost))
        return (found[0], tag)

    async def learn(self, tags: Iterable[str], *, of_sale: bool = False) -> None:
        """Have the slow tags of these ready; the loop goes on meanwhile. `of_sale`: ahead of all that is no sale's,
        and however long that takes; else DeskProblem `too_busy` where too many others are before."""
        cost = self._told().cost
        for tag in tags:
            if not cost or not tag.startswith(FAST_PHONE) or (tag, cost) in self._made:
                continue
            turn = self._sales_turn if of_sale else self._turn
            await self._take(turn, patient=of_sale)
            try:
                if (tag, cost) not in self._made:  # nor by whoever had the turn before
                    self._keep(tag, cost, await aside(slow_tag, tag, cost))
            finally:
                turn.release()

    @staticmethod
    async def _take(turn: asyncio.Lock, *, patient: bool) -> None:
        try:
            async with asyncio.timeout(None if patient else timedelta(milliseconds=TURN_MS).total_seconds()):
                await turn.acquire()
        except TimeoutError:
            raise problem("too_busy", "expected fewer phones to be looked up at once") from None

    def _keep(self, tag: str, cost: int, made: str) -> tuple[str, int]:
        now_ms = self._mono_ms()
        self._made = {name: each for name, each in self._made.items() if 0 <= now_ms - each[1] < KEPT_MS}
        while len(self._made) >= KEPT:
            del self._made[next(iter(self._made))]
        self._made[tag, cost] = (made, now_ms)
        return made, now_ms
