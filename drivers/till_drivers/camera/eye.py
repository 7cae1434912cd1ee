"""One picture after another to what is told of them: stillness, ladder, agreeing pictures."""

from collections.abc import Sequence
from typing import Any, Protocol

from till_drivers.camera.sightings import Confirmed, Found, Sightings

LOOK_AGAIN_MS = 1_000
"""A scene that doesn't move is looked at this often all the same, should a change be too slow to notice."""


class Looker(Protocol):
    """A decoder that tries more ways from picture to picture (`Ladder`)."""

    @property
    def is_climbed(self) -> bool: ...
    def restart(self) -> None: ...
    def decode(self, gray: Any, formats: Sequence[str], budget_ms: int) -> list[Found]: ...


class Motion(Protocol):
    """See `Stillness`."""

    def has_moved(self, gray: Any) -> bool: ...
    def forget(self) -> None: ...


class Eye:
    """Not for two threads. Times are milliseconds of one clock."""

    def __init__(self, looker: Looker, motion: Motion, *, formats: Sequence[str], budget_ms: int) -> None:
        self._looker = looker
        self._motion = motion
        self._formats = tuple(formats)
        self._budget_ms = budget_ms
        self._sightings = Sightings()
        self._found: list[Found] = []
        self._is_settled = False
        self._looked_ms = 0
        self.looks = 0
        """Pictures that were really looked at, for tests and figures."""

    def forget(self) -> None:
        """The source is gone: the next picture is of another scene."""
        self._motion.forget()
        self._is_settled, self._found = False, []

    def see(self, gray: Any, now_ms: int) -> list[Confirmed]:
        """What is to be told of the picture of now; None: there is none yet after the last one."""
        if gray is None:
            return []
        if self._motion.has_moved(gray):
            self._is_settled = False
            self._looker.restart()
        if not self._is_settled or now_ms - self._looked_ms >= LOOK_AGAIN_MS:
            self._look(gray, now_ms)
        told = self._sightings.note(self._found, now_ms)
        if self._found:
            self._is_settled = all(self._sightings.is_confirmed(each) for each in self._found)
        return told

    def _look(self, gray: Any, now_ms: int) -> None:
        self.looks += 1
        self._looked_ms = now_ms
        self._found = self._looker.decode(gray, self._formats, self._budget_ms)
        if not self._found:
            self._is_settled = self._looker.is_climbed
