"""Receipts that Frontol has calculated and not confirmed, in memory: what they cost before our discounts, and who buys.

Nothing here is precious: reserved points stand in the hold store on the disk, and what a draft knew is worked out anew
when it is gone. A draft that nothing follows expires, and the oldest goes when there are too many.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType

from msgspec import Struct

from till_agent.api import DiscountTaken
from till_agent.frontol.shapes import Who

DRAFTS_LIMIT = 64
"""A till has one receipt on its screen and some put aside."""
LINES_LIMIT = 20_000
"""Of all drafts together: some 5 MB, which twice the largest receipt takes."""
NOTHING_SEEN: "Mapping[int, SeenLine]" = MappingProxyType({})


class SeenLine(Struct, frozen=True):
    """A position as it was quoted: its quantity, its price before our discounts, and these; `paid_minor` by points."""

    quantity_thousandths: int
    gross_minor: int
    discounts: tuple[DiscountTaken, ...] = ()
    paid_minor: int = 0

    @property
    def discount_minor(self) -> int:
        return sum([each.amount_minor for each in self.discounts])

    def unpaid(self) -> "SeenLine":
        """The same with no points on it."""
        return SeenLine(self.quantity_thousandths, self.gross_minor, self.discounts)


class Draft(Struct, frozen=True, kw_only=True):
    """What was told of a receipt. `reference`: the member as whom `who` was answered, "" for nobody. `told`: the
    windows that the cashier has seen."""

    lines: Mapping[int, SeenLine] = NOTHING_SEEN
    who: Who = Who()
    reference: str = ""
    codes: tuple[str, ...] = ()
    told: frozenset[str] = frozenset()


class Drafts:
    """By uid. Used on the loop; `life_ms` is how long a draft waits for what follows."""

    def __init__(self, life_ms: int) -> None:
        self._life_ms = life_ms
        self._drafts: dict[str, tuple[int, Draft]] = {}
        self._lines = 0
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}

    def __len__(self) -> int:
        return len(self._drafts)

    @property
    def turns(self) -> int:
        """Receipts of which a call is under way."""
        return len(self._turns)

    def get(self, uid: str, now_ms: int) -> Draft | None:
        """The draft, if there is one that has not expired."""
        self._drop_expired(now_ms)
        found = self._drafts.get(uid)
        return found[1] if found is not None else None

    def put(self, uid: str, draft: Draft, now_ms: int) -> None:
        """Keep it; its life begins anew."""
        self.drop(uid)
        self._drop_expired(now_ms)
        self._drafts[uid] = (now_ms, draft)
        self._lines += len(draft.lines)
        while len(self._drafts) > 1 and (len(self._drafts) > DRAFTS_LIMIT or self._lines > LINES_LIMIT):
            self.drop(next(iter(self._drafts)))

    def drop(self, uid: str) -> None:
        """Forget it."""
        found = self._drafts.pop(uid, None)
        if found is not None:
            self._lines -= len(found[1].lines)

    @contextlib.asynccontextmanager
    async def turn(self, uid: str) -> AsyncIterator[None]:
        """One call at a time for a receipt: a repeated one finds what the first has done."""
        lock, waiting = self._turns.get(uid, (asyncio.Lock(), 0))
        self._turns[uid] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._turns[uid]
            if waiting == 1:
                del self._turns[uid]
            else:
                self._turns[uid] = (lock, waiting - 1)

    def _drop_expired(self, now_ms: int) -> None:
        # Each put moves a draft to the end, so the oldest are in front.
        for uid, (at_ms, _) in list(self._drafts.items()):
            if now_ms - at_ms < self._life_ms:
                break
            self.drop(uid)
