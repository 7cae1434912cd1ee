"""Errors of the agent.

AgentError
├── DeskProblem           cash software asked for what can't be done; the bridge answers it as problem+json
├── JournalUnavailable    the disk refuses: nothing was written
├── JournalCorrupt        a stored row is not what was written
├── CloudUnreachable      no answer from the cloud within the budget
├── HoldRefused           the cloud answered, and the answer is no
├── CodeRefused           the same about a one-time code
├── SaleRefused           the cloud knows no such sale, or several
└── TextMissing           a sentence has no text, or the text asks for numbers that were not given
"""

# ruff: noqa: N818 - these are conditions that a till lives with (no line, no disk), named as such in the ports

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from till_sync.asking import SaleChoice


class AgentError(Exception):
    """Base of every error that `till_agent` raises on purpose."""


class DeskProblem(AgentError):
    """Raised when a call of the sale desk can't be done as asked.

    `code` is stable, `status` is HTTP, `detail` is for the developer of the cash software, `pointer` names the bad part
    of the request ("" when none), `extras` are further members of the problem and the numbers of the cashier's sentence
    (`till_agent.texts.Words.problem`). `retryable`: the same request may succeed later.
    """

    def __init__(
        self,
        code: str,
        status: int,
        detail: str,
        *,
        retryable: bool = False,
        pointer: str = "",
        extras: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.status = status
        self.detail = detail
        self.retryable = retryable
        self.pointer = pointer
        self.extras = dict(extras)


class JournalUnavailable(AgentError):
    """Raised when the journal can't be written or read (disk full, read-only, failing); nothing was committed."""


class JournalCorrupt(AgentError):
    """Raised when a journal row's hash or link does not fit what is stored; `seq`: the first bad one, 0 if unknown."""

    def __init__(self, message: str, *, seq: int = 0) -> None:
        super().__init__(message)
        self.seq = seq


class CloudUnreachable(AgentError):
    """Raised when the cloud gave no usable answer within the budget; what was asked may or may not have been done."""


class HoldRefused(AgentError):
    """Raised when the cloud refuses to reserve points; nothing is reserved.

    `code` is the cloud's (insufficient_points, member_unknown, member_blocked, ...); `available_points` is what it
    would have reserved at most, `tries_left` how often the PIN may still be tried; -1 when it did not say.
    """

    def __init__(self, code: str, detail: str, *, available_points: int = -1, tries_left: int = -1) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.available_points = available_points
        self.tries_left = tries_left


class CodeRefused(AgentError):
    """Raised when the cloud sends no one-time code, or knows nothing of the one given back; `code` is the cloud's."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class SaleRefused(AgentError):
    """Raised when the cloud names no sale: `code` is `sale_unknown`, or `sale_ambiguous` and `choices` are they."""

    def __init__(self, code: str, detail: str, *, choices: tuple[SaleChoice, ...] = ()) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.choices = choices


class TextMissing(AgentError):
    """Raised when a sentence is asked for that the catalogue lacks, or without the numbers it needs."""
