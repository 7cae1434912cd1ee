"""Every sentence that cashiers read, by code, in the five languages of the product.

The sentences are in `data/texts/<language>.toml`; what members read on slips is beside the slips' templates
(`till_drivers.slips.words`), and so is how values are written. Values whose name ends in `points` are minor points and
come with their noun; those ending in `thousandths` are quantities, those ending in `minor` money.
"""

import tomllib
from collections.abc import Collection, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

from till_agent.api import Message
from till_agent.exceptions import TextMissing
from till_drivers.slips.words import (
    LANGUAGES,
    NO_PROGRAMME,
    SlipWords,
    local_datetime,
    slip_catalogue,
    supported,
)

__all__ = ["LANGUAGES", "NO_PROGRAMME", "NO_VALUES", "Words", "catalogue", "local_datetime", "supported"]
NO_VALUES: Mapping[str, int | str] = MappingProxyType({})


@cache
def catalogue(language: str) -> Mapping[str, Mapping[str, Any]]:
    """The words of one language: sections problems, messages, frontol, proof of the file here; the slips' as well."""
    path = files("till_agent") / "data" / "texts" / f"{language}.toml"
    return MappingProxyType({**slip_catalogue(language), **tomllib.loads(path.read_text(encoding="utf-8"))})


class Words(SlipWords):
    """One language and one programme's points. Cheap to make; holds no state of its own."""

    __slots__ = ()

    missing = TextMissing

    @staticmethod
    def _catalogue(language: str) -> Mapping[str, Mapping[str, Any]]:
        return catalogue(language)

    def problem(self, code: str, values: Mapping[str, Any] = NO_VALUES, *, status: int = 500) -> str:
        """What to tell the cashier about a problem; for a code of no sentence of its own, one by HTTP `status`."""
        sentences = self._texts["problems"]
        if code not in sentences:
            code = "agent_failed" if status >= 500 else "too_busy" if status == 429 else "request_bad"
        try:
            return self._fill("problems", code, values)
        except TextMissing:
            if f"{code}_plain" not in sentences:
                raise
            return self._fill("problems", f"{code}_plain", values)

    def message(
        self, code: str, *, level: Literal["info", "warning", "error"] = "info", **values: int | str
    ) -> Message:
        """A message of the bridge's answers."""
        return Message(code=code, text=self._fill("messages", code, values), level=level)

    def frontol(self, code: str, **values: int | str) -> str:
        """What Frontol shows of ours beside problems and messages: its form for new members, and notes."""
        return self._fill("frontol", code, values)

    def proof(self, ways: Collection[str]) -> str:
        """In which ways a member may prove who they are (`Redemption.proof`)."""
        return str(self._texts["proof"]["_or_".join(sorted(set(ways)))])
