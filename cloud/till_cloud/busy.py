"""How much the cloud takes on at once; past that it says when to come back, instead of slowing down for everybody."""

import contextlib
import random
from collections.abc import Iterator

from till_cloud.exceptions import RefusedError

REQUESTS_LIMIT = 64
"""Writes under way at once: each may hold a batch of 8 MB in memory, and one writer serves them all in turn."""

RETRY_AFTER_MS = 1_000
RETRY_SPREAD_MS = 2_000
"""When to come back: a second, and up to two more, so that those refused together don't return together."""


class Busy:
    """Counts requests under way. Belongs to one event loop."""

    def __init__(self, limit: int = REQUESTS_LIMIT) -> None:
        self._limit = limit
        self._under_way = 0
        self._tills: set[str] = set()

    @contextlib.contextmanager
    def one(self, till: str = "") -> Iterator[None]:
        """Room for one request; RefusedError 503 `busy` when there is none.

        With `till`, also 429 `push_under_way` while another such request of this till is: a till that gave up waiting
        and asks again would only make the cloud do the same work twice at once.
        """
        if till and till in self._tills:
            raise _later(429, "push_under_way", "expected one push of a till at a time")
        if self._under_way >= self._limit:
            raise _later(503, "busy", f"expected fewer than {self._limit} requests at once")
        self._under_way += 1
        self._tills.add(till)
        try:
            yield
        finally:
            self._under_way -= 1
            self._tills.discard(till)


def later(code: str, detail: str) -> RefusedError:
    """503 with a spread Retry-After."""
    return _later(503, code, detail)


def _later(status: int, code: str, detail: str) -> RefusedError:
    wait_ms = RETRY_AFTER_MS + random.randrange(RETRY_SPREAD_MS)  # noqa: S311 - spreads load, guards no secret
    headers = {"Retry-After": str(-(-wait_ms // 1000))}
    return RefusedError(status, code, detail, retryable=True, headers=headers, retry_after_ms=wait_ms)
