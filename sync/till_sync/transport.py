"""One HTTP exchange as the client sees it, so that tests and the simulation can put their own network underneath."""

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct


class Reply(Struct, frozen=True):
    """A whole answer. `headers` have lower-case names; of a repeated one the last counts."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Carries bytes to one cloud and back. Follows no redirect, decodes nothing, retries nothing."""

    async def exchange(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes, answer_limit_bytes: int
    ) -> Reply:
        """One request, one whole answer. CloudUnreachable when there is none, NotOurCloud when it is over the limit
        or comes under a certificate that is not the cloud's.
        """
        ...

    async def close(self) -> None:
        """Close what is open; safe to call twice."""
        ...
