"""How much the bridge takes from one client, and how fast. Every number has its reason beside it."""

from till_agent.bridge.lockout import Kind, LockOut
from till_sync.ports import Clock

HEADER_COUNT_LIMIT = 64
"""A browser sends about 15, cash software 6."""
CONNECTION_LIMIT = 256
"""Open connections at once. Cash software uses one or two; the rest are pages, probes and event streams."""
ANONYMOUS_RATE_PER_SECOND = 20
"""For all requests that should bring a token and bring none, together."""
HEALTH_RATE_PER_SECOND = 20
"""For probes of health without a token: apart from the former, so that nobody can make the agent look dead."""
PAGE_RATE_PER_SECOND = 200
"""For the files of the pages: one page is some 20 files, asked for at once."""
PAIRING_RATE_PER_SECOND = 5
"""For codes that browsers try: each dies of five wrong ones, and no person keys in more."""
RATE_BURST_SECONDS = 1
"""A bucket holds this many seconds of its rate, so that a burst of one receipt's calls passes."""


class TokenBucket:
    """Lets `rate` requests a second pass on average and `rate * RATE_BURST_SECONDS` at once.

    Whole thousandths of a request are counted, so that nothing is lost to rounding and no float is needed.
    """

    __slots__ = ("_full", "_last_ms", "_level", "_rate")

    def __init__(self, rate_per_second: int, now_ms: int) -> None:
        self._rate = rate_per_second
        self._full = max(rate_per_second * RATE_BURST_SECONDS, 1) * 1000
        self._level = self._full
        self._last_ms = now_ms

    def take(self, now_ms: int) -> int:
        """Take one request; 0 when it may pass, else the milliseconds until one may."""
        elapsed_ms = max(now_ms - self._last_ms, 0)
        self._last_ms = now_ms
        self._level = min(self._level + elapsed_ms * self._rate, self._full)
        if self._level >= 1000:
            self._level -= 1000
            return 0
        return -((self._level - 1000) // self._rate)


ANONYMOUS = ""
HEALTH = "~health"
PAGES = "~pages"
PAIRING = "~pairing"
"""Buckets of callers without a name; no client's name begins so."""


class RateLimiter:
    """One bucket per named client, and one for each sort of caller that has no name; and the count of wrong tries."""

    def __init__(self, rate_per_second: int, clients: tuple[str, ...], clock: Clock) -> None:
        self._clock = clock
        self._rate = rate_per_second
        self._lock_out = LockOut(clock)
        now_ms = clock.mono_ms()
        self._buckets = {name: TokenBucket(rate_per_second, now_ms) for name in clients}
        self._buckets[HEALTH] = TokenBucket(HEALTH_RATE_PER_SECOND, now_ms)
        self._buckets[PAGES] = TokenBucket(PAGE_RATE_PER_SECOND, now_ms)
        self._buckets[PAIRING] = TokenBucket(PAIRING_RATE_PER_SECOND, now_ms)
        self._anonymous = TokenBucket(ANONYMOUS_RATE_PER_SECOND, now_ms)

    def take(self, client: str) -> int:
        """0 when the request may pass, else the milliseconds to wait; for who has no bucket, that of all unnamed."""
        return self._buckets.get(client, self._anonymous).take(self._clock.mono_ms())

    def add(self, client: str) -> None:
        """Give a client that came to be known a bucket of its own."""
        if client not in self._buckets:
            self._buckets[client] = TokenBucket(self._rate, self._clock.mono_ms())

    def set_rate(self, rate_per_second: int) -> None:
        """Another rate for every named client; what each has left of its burst starts anew."""
        self._rate = rate_per_second
        unnamed = {HEALTH, PAGES, PAIRING}
        for name in self._buckets.keys() - unnamed:
            self._buckets[name] = TokenBucket(rate_per_second, self._clock.mono_ms())

    def drop(self, client: str) -> None:
        """A client is known no more."""
        self._buckets.pop(client, None)

    def failed(self, kind: Kind) -> int:
        """A wrong secret was tried: 0 when that may be told, else the milliseconds until it may (see `LockOut`)."""
        return self._lock_out.failed(kind)
