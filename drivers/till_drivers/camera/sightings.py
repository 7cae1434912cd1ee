"""Which codes are told, and when. No I/O, no clock: times come in.

Two-dimensional codes correct errors and are told at once. Bars have one check digit at most, so that a blurred picture
now and then reads as another code: bars are told when two pictures within AGREE_WITHIN_MS say the same, and none
between them says other bars only.
"""

from collections.abc import Iterable

from msgspec import Struct

AGREEING_FRAMES = 2
AGREE_WITHIN_MS = 1_000
"""Two pictures that far apart are of one hand's movement; past it a code has gone out of view."""
TELL_EVERY_MS = 250
"""A code that stays in view is told four times a second, so that whoever listens knows that it is still there."""
REMEMBERED_LIMIT = 64
"""Codes in view at once; a shelf has fewer."""


class Found(Struct, frozen=True, kw_only=True):
    """A code in one picture. `aim`: symbology identifier without `]`; `by`: the decoder, for tests and figures."""

    raw: bytes
    text: str
    aim: str
    is_matrix: bool
    by: str = ""

    @property
    def key(self) -> tuple[str, bytes]:
        """Equal for what two decoders read of one code: they differ in modifiers, not in symbologies."""
        return self.aim[:1], self.raw


class Confirmed(Struct, frozen=True, kw_only=True):
    """A code that may be told, and in how many pictures it was read."""

    found: Found
    frames: int


class _Seen(Struct):
    found: Found
    frames: int
    last_ms: int
    told_ms: int | None = None


class Sightings:
    """Remembers what is in view."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, bytes], _Seen] = {}

    def note(self, found: Iterable[Found], now_ms: int) -> list[Confirmed]:
        """What of one picture's codes is to be told now."""
        self._forget(now_ms)
        told = []
        codes = {code.key: code for code in found}
        self._doubt(codes)
        for each in codes.values():
            seen = self._seen.pop(each.key, None) or _Seen(found=each, frames=0, last_ms=now_ms)
            # Of one code's modifiers the greater says more: zbar does not see that a Code 128 is GS1's.
            seen.found = max(seen.found, each, key=lambda code: code.aim)
            seen.frames += 1
            seen.last_ms = now_ms
            self._seen[each.key] = seen
            is_due = seen.told_ms is None or now_ms - seen.told_ms >= TELL_EVERY_MS
            if is_due and seen.frames >= needed(each):
                seen.told_ms = now_ms
                told.append(Confirmed(found=seen.found, frames=seen.frames))
        while len(self._seen) > REMEMBERED_LIMIT:
            del self._seen[next(iter(self._seen))]
        return told

    def is_confirmed(self, found: Found) -> bool:
        """Whether enough pictures agree on it."""
        seen = self._seen.get(found.key)
        return seen is not None and seen.frames >= needed(found)

    def _doubt(self, codes: dict[tuple[str, bytes], Found]) -> None:
        """Other bars in place of those that wait for their second picture: one of the two readings is wrong."""
        if any(not code.is_matrix for code in codes.values()):
            for key, seen in self._seen.items():
                if key not in codes and seen.frames < needed(seen.found):
                    seen.frames = 0

    def _forget(self, now_ms: int) -> None:
        for key in [key for key, seen in self._seen.items() if now_ms - seen.last_ms > AGREE_WITHIN_MS]:
            del self._seen[key]


def needed(found: Found) -> int:
    """Pictures that have to agree before a code is told."""
    return 1 if found.is_matrix else AGREEING_FRAMES
