"""Mistakes in what goes over the line, its signatures and their counters, that the simulation must find."""

from contextlib import AbstractContextManager
from typing import Any
from unittest import mock


def signs_by_its_own_clock() -> AbstractContextManager[object]:
    """A till says when it signed by its wall clock, whatever the cloud told it of the time."""
    from till_sync.secured import SecuredTransport

    return mock.patch.object(SecuredTransport, "_cloud_ms", lambda self: self._clock.wall_ms())


def keeps_to_its_counter() -> AbstractContextManager[object]:
    """A till whose counter was lost with its disk, or put back, counts on from there, and is refused for ever."""
    from till_sync.counters import Counter

    return mock.patch.object(Counter, "raise_to", return_value=None)


def takes_a_restart_for_a_clone() -> AbstractContextManager[object]:
    """The cloud believes that a till which was started again is two machines."""
    from till_cloud import guard

    count = guard.Guard._count

    def mutant(self: Any, known: Any, signed: Any) -> None:
        if known.run and signed.run != known.run:
            raise guard._found(known, signed.till)
        count(self, known, signed)

    return mock.patch.object(guard.Guard, "_count", mutant)


def shuts_all_out_when_its_clock_goes_back() -> AbstractContextManager[object]:
    """A cloud whose clock was set back takes what is signed now for something from before its start."""
    from till_cloud import guard

    proven = guard.Guard._proven

    def mutant(self: Any, row: Any, head: Any, now_ms: int) -> Any:
        if now_ms // 1000 < self._since_s:
            raise guard._refusal("signature_stale", "before the start", server_time_ms=now_ms)
        return proven(self, row, head, now_ms)

    return mock.patch.object(guard.Guard, "_proven", mutant)


def stumbles_over_a_duplicate() -> AbstractContextManager[object]:
    """A push that the cloud had already trips whatever counts the verdicts. They are stored, the next round is well.

    Nothing is lost, nothing doubled, and all come to rest: only the log can tell.
    """
    from till_sync.push import Pusher

    def mutant(self: Any, answer: Any) -> None:
        counts = {"applied": 0, "adjusted": 0, "rejected": 0}
        for result in answer.results:
            counts[result.status] += 1
        self.counts.pushed += sum(counts.values())

    return mock.patch.object(Pusher, "_count_verdicts", mutant)
