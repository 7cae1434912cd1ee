"""Wrong tries are counted, and past a number of them no longer told apart from each other; right ones always pass.

A lock that also kept right secrets out would hand every program on this machine a switch to turn the cash software off.
"""

import logging
from typing import Literal

from till_sync.ports import Clock

TRIES = 10
"""A person who mistypes, and a program that was given the wrong file, need fewer."""
WINDOW_MS = 60_000
"""From the first wrong try; then the count begins anew. So a guesser hears 10 answers a minute."""

Kind = Literal["token", "pairing", "frontol"]
"""What was tried: a token, a page's one-time code, Frontol's access key. Each is counted by itself."""

_log = logging.getLogger(__name__)


class LockOut:
    """Counts of wrong tries by kind: two numbers each, however many come."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: dict[Kind, tuple[int, int]] = {}

    def failed(self, kind: Kind) -> int:
        """Count a wrong try; 0 when it may be told so, else the milliseconds until wrong tries are told so again."""
        now_ms = self._clock.mono_ms()
        since_ms, count = self._counts.get(kind, (now_ms, 0))
        if now_ms - since_ms >= WINDOW_MS:
            since_ms, count = now_ms, 0
        count += 1
        self._counts[kind] = (since_ms, count)
        if count <= TRIES:
            return 0
        if count == TRIES + 1:
            _log.warning("somebody tries wrong secrets on the bridge", extra={"kind": kind})
        return since_ms + WINDOW_MS - now_ms
