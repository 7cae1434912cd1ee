"""Which problems came up lately, and when each was over: what store IT asks first about a till that is well again."""

from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from till_agent.api import Happened
from till_agent.status import Trouble

KEPT_LIMIT = 50
"""A till that loses its line every hour shows two days."""


class _Kept(Struct):
    """`trouble` is as it was when it came up, and as it was last while it lasts."""

    trouble: Trouble
    at_ms: int
    until_ms: int = 0


class History:
    """In memory, for the run of the agent. Used on the loop."""

    def __init__(self) -> None:
        self._kept: deque[_Kept] = deque(maxlen=KEPT_LIMIT)
        self._now: dict[tuple[str, str], _Kept] = {}

    def note(self, found: Iterable[Trouble], now_ms: int) -> list[Trouble]:
        """What there is now; gives those that were not there the last time."""
        there = {(each.code, each.about): each for each in found}
        for key in self._now.keys() - there.keys():
            self._now.pop(key).until_ms = now_ms
        new: list[Trouble] = []
        for key, trouble in there.items():
            kept = self._now.get(key)
            if kept is None:
                self._now[key] = kept = _Kept(trouble, now_ms)
                self._kept.append(kept)
                new.append(trouble)
            kept.trouble = trouble
        return new

    def told(self, language: str) -> tuple[Happened, ...]:
        """The newest first."""
        return tuple([_shown(each, language) for each in reversed(self._kept)])


def _shown(kept: _Kept, language: str) -> Happened:
    said = kept.trouble.said(language)
    return Happened(code=said.code, text=said.text, level=said.level, at_ms=kept.at_ms, until_ms=kept.until_ms)
