"""RFC 9457 problems: the one shape of every error that the bridge and the cloud answer with.

Free of any web framework, so that the till's client reads problems with the same type that servers write.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

PROBLEM_MEDIA_TYPE = "application/problem+json"
PROBLEM_TYPE_BASE = "https://tillside.dev/problems/"

_STANDARD = frozenset({"type", "title", "status", "detail", "code", "retryable"})


class Problem(Struct, frozen=True, kw_only=True):
    """`code` is stable and may be matched on; `retryable` says whether the same request may succeed later.

    `extras` are further members of the JSON object: `pointer`, `cashier`, `expected_seq`, `retry_after_ms`, ...
    """

    status: int
    code: str
    detail: str
    retryable: bool = False
    extras: Mapping[str, Any] = {}

    @property
    def type(self) -> str:
        """A stable name of the kind of problem; a URI that need not be fetched."""
        return PROBLEM_TYPE_BASE + self.code.replace("_", "-")

    @property
    def title(self) -> str:
        """The same words for every occurrence of `code`."""
        return self.code.replace("_", " ").capitalize()

    def encode(self) -> bytes:
        """The JSON object that goes out; extras never replace the standard members."""
        members: dict[str, Any] = {key: value for key, value in self.extras.items() if key not in _STANDARD}
        return msgspec.json.encode(
            {
                "type": self.type,
                "title": self.title,
                "status": self.status,
                "detail": self.detail,
                "code": self.code,
                "retryable": self.retryable,
                **members,
            }
        )


class ProblemError(Exception):
    """Raised when a request is to be answered with a problem; `headers` go out with it."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        retryable: bool = False,
        headers: Mapping[str, str] | None = None,
        extras: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.problem = Problem(status=status, code=code, detail=detail, retryable=retryable, extras=dict(extras or {}))
        self.headers = dict(headers or {})
