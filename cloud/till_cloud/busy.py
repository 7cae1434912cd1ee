"""How much the cloud takes on at once; past that it says when to come back, instead of slowing down for everybody."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator

from till_cloud.exceptions import RefusedError
from till_cloud.slots import Slots, Turn

REQUESTS_LIMIT = 64
"""Writes under way at once: each may hold a batch of 8 MB in memory, and one writer serves them all in turn."""

READS_LIMIT = 4
"""Pages that are read at once. They share the processor with the writer; the others wait their turn in order."""

RETRY_AFTER_MS = 1_000
RETRY_SPREAD_MS = 2_000
"""When to come back: a second, and up to two more, so that those refused together don't return together."""


class Busy:
    """Counts requests under way, and gives tills slots to push. Belongs to one event loop, whose clock it goes by."""

    def __init__(self, limit: int = REQUESTS_LIMIT, *, reads_limit: int = READS_LIMIT, slots: bool = True) -> None:
        self._limit = limit
        self._under_way = 0
        self._tills: set[str] = set()
        self._reads = asyncio.Semaphore(reads_limit)
        self._gives_slots = slots
        self.slots = Slots(_loop_ms)

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Room for one request; RefusedError 503 `busy` when there is none."""
        if self._under_way >= self._limit:
            raise _later(503, "busy", f"expected fewer than {self._limit} requests at once")
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    @contextlib.contextmanager
    def push(self, till: str) -> Iterator[Turn]:
        """Room for a till's push. RefusedError 503 `busy`, with the till's own slot when there will be room.

        429 `push_under_way` while another push of this till is: a till that gave up waiting and asks again would only
        make the cloud do the same work twice at once.
        """
        if till in self._tills:
            raise _later(429, "push_under_way", "expected one push of a till at a time")
        wait_ms = self.slots.wait_ms(till) if self._gives_slots else 0
        if wait_ms:
            detail = "expected a push at the time given to this till: others come before it"
            raise _later(503, "busy", detail, wait_ms if wait_ms > 0 else None)
        with self.one():
            self._tills.add(till)
            turn = self.slots.begin(till)
            try:
                yield turn
            finally:
                self.slots.end(turn)
                self._tills.discard(till)

    def first_slot_ms(self, till: str, waiting: int) -> int:
        """When a till with so many ops waiting is to begin, from now; 0: the cloud does not say."""
        if waiting < 1 or not self._gives_slots:
            return 0
        return max(0, self.slots.book(till, waiting))

    def next_slot_ms(self, turn: Turn, remaining: int) -> int:
        """When the till whose push has been carried out is to send more; 0 is at once."""
        wait_ms = self.slots.done(turn, remaining)
        return wait_ms if self._gives_slots else 0

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Room for reading a page, waited for in order."""
        async with self._reads:
            yield


def later(code: str, detail: str) -> RefusedError:
    """503 with a spread Retry-After."""
    return _later(503, code, detail)


def _loop_ms() -> float:
    return asyncio.get_running_loop().time() * 1000


def _later(status: int, code: str, detail: str, wait_ms: int | None = None) -> RefusedError:
    """The refusal; without `wait_ms` the time is drawn."""
    if wait_ms is None:
        wait_ms = RETRY_AFTER_MS + random.randrange(RETRY_SPREAD_MS)  # noqa: S311 - spreads load, guards no secret
    headers = {"Retry-After": str(-(-wait_ms // 1000))}
    return RefusedError(status, code, detail, retryable=True, headers=headers, retry_after_ms=wait_ms)
