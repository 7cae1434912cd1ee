"""Errors of the client kit.

ClientError
├── NoAnswerError           nobody answered, or not to the end
│   └── TimedOutError       not in time
├── NotRunningError         no agent runs on that state directory, or it has no token for that client
├── AnswerMalformedError    what answers is not the agent, or one that speaks another language
└── RefusedError            the agent's own word: code, sentence for the cashier, whether a retry helps
    ├── InvalidError        400, 406, 408, 413, 415, 422: the request itself
    ├── NotAllowedError     401, 403: the token, or what it may do
    ├── NotFoundError       404: no such sale, member, hold
    ├── ConflictError       409: not as things stand
    ├── UnavailableError    429, 503: not now
    └── AgentFaultError     500: a mistake inside the agent
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


class ClientError(Exception):
    """Base of what a call raises; `operation` is its id in the description.

    `lost`: nobody knows whether it was done. The same call, under the same uid, is how to find out.
    """

    def __init__(self, operation: str, detail: str, *, lost: bool = False) -> None:
        super().__init__(f"{operation}: {detail}")
        self.operation = operation
        self.detail = detail
        self.lost = lost

    @property
    def code(self) -> str:
        """Stable."""
        return "unreachable"

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later."""
        return True

    @property
    def retry_after_ms(self) -> int:
        """When to come again; 0 where nothing was said."""
        return 0


class NoAnswerError(ClientError):
    """Raised when nobody answered, or the answer broke off."""

    def __init__(self, operation: str, detail: str) -> None:
        super().__init__(operation, detail, lost=True)


class TimedOutError(NoAnswerError):
    """Raised when there was no answer in time."""

    @property
    def code(self) -> str:
        """Stable."""
        return "timed_out"


class NotRunningError(ClientError):
    """Raised when no agent runs on a state directory, or it has no token for the client; nothing was sent."""

    def __init__(self, detail: str) -> None:
        super().__init__("find", detail)

    @property
    def code(self) -> str:
        """Stable."""
        return "not_running"

    def __str__(self) -> str:
        return self.detail


class AnswerMalformedError(ClientError):
    """Raised when an answer is not what an agent of this release says."""

    @property
    def code(self) -> str:
        """Stable."""
        return "answer_malformed"

    @property
    def retryable(self) -> bool:
        """The same will come again."""
        return False


class RefusedError(ClientError):
    """Raised when the agent refuses. `cashier` is a sentence to show, `pointer` the bad field of the body.

    `extras` is all that the agent said, such as `available_points`, `choices`, `proof`.
    """

    def __init__(
        self,
        operation: str,
        status: int,
        code: str,
        detail: str,
        *,
        retryable: bool = False,
        retry_after_ms: int = 0,
        extras: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__(operation, f"{status} {code}: {detail}", lost=status >= 500 and status not in (501, 503))
        self.status = status
        self.detail = detail
        self.extras = dict(extras)
        self._code = code
        self._retryable = retryable
        self._retry_after_ms = retry_after_ms

    @property
    def code(self) -> str:
        """Stable."""
        return self._code

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later."""
        return self._retryable

    @property
    def retry_after_ms(self) -> int:
        """When to come again; 0 where nothing was said."""
        return self._retry_after_ms

    @property
    def cashier(self) -> str:
        """A sentence for the cashier, "" where there is none."""
        return str(self.extras.get("cashier", ""))

    @property
    def pointer(self) -> str:
        """JSON pointer to the bad field of the body, "" where none is to blame."""
        return str(self.extras.get("pointer", ""))


class InvalidError(RefusedError):
    """Raised when the request itself is wrong."""


class NotAllowedError(RefusedError):
    """Raised when the token is unknown, or may not do this."""


class NotFoundError(RefusedError):
    """Raised when there is no such sale, member or hold."""


class ConflictError(RefusedError):
    """Raised when it can't be done as things stand."""


class UnavailableError(RefusedError):
    """Raised when it can't be done now."""


class AgentFaultError(RefusedError):
    """Raised when the agent made a mistake."""


BY_STATUS: dict[int, type[RefusedError]] = {
    400: InvalidError,
    401: NotAllowedError,
    403: NotAllowedError,
    404: NotFoundError,
    406: InvalidError,
    408: InvalidError,
    409: ConflictError,
    413: InvalidError,
    415: InvalidError,
    422: InvalidError,
    429: UnavailableError,
    500: AgentFaultError,
    503: UnavailableError,
}
