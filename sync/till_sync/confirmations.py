"""One-time codes, asked of the cloud while the cashier waits: one exchange within a budget, or no."""

from collections.abc import Awaitable

from till_sync.asking import ConfirmationAnswer, ConfirmationRequest
from till_sync.client import CloudClient
from till_sync.exceptions import (
    CloudBusy,
    CloudRefused,
    CloudUnreachable,
    ConfirmationRefused,
    IdentityRefused,
    SyncError,
    UpgradeNeeded,
)
from till_sync.retry import Line

TOO_MANY = "too_many_codes"
"""The only 429 that speaks of codes and not of the cloud's load."""


class CloudConfirmations:
    """Fits `till_agent.ports.ConfirmationGateway`. Asking again under the same confirmation sends no second code."""

    def __init__(self, client: CloudClient, line: Line) -> None:
        self._client = client
        self._line = line

    @property
    def online(self) -> bool:
        """Whether the last exchange with the cloud succeeded."""
        return self._line.online

    async def start(self, request: ConfirmationRequest, *, budget_ms: int) -> ConfirmationAnswer:
        """Have a code sent. ConfirmationRefused: none comes. CloudUnreachable: one may come or not."""
        asked = self._client.start_confirmation(request, timeout_ms=budget_ms)
        return await self._ask(asked, request.confirmation)

    async def give(self, confirmation: str, code: str, *, budget_ms: int) -> ConfirmationAnswer:
        """Compare a code; the same may be handed in again."""
        return await self._ask(self._client.give_code(confirmation, code, timeout_ms=budget_ms), confirmation)

    async def _ask(self, exchange: Awaitable[ConfirmationAnswer], confirmation: str) -> ConfirmationAnswer:
        try:
            answer = await exchange
        except (IdentityRefused, UpgradeNeeded) as error:
            raise CloudUnreachable(f"the cloud does not take this till: {error}", code=error.code) from error
        except CloudRefused as error:
            raise ConfirmationRefused(error.code, str(error)) from error
        except CloudBusy as error:
            if error.code == TOO_MANY:
                raise ConfirmationRefused(error.code, str(error)) from error
            raise CloudUnreachable(str(error), code=error.code) from error
        except CloudUnreachable:
            self._line.unreachable()
            raise
        except SyncError as error:
            self._line.unreachable()
            raise CloudUnreachable(f"no usable answer: {error}", code=error.code) from error
        if answer.confirmation != confirmation:
            raise CloudUnreachable("the answer speaks of another confirmation", code="answer_mismatch")
        return answer


class NoConfirmations:
    """The same where there is no cloud to ask: not configured, or not enrolled yet."""

    @property
    def online(self) -> bool:
        return False

    async def start(self, request: ConfirmationRequest, *, budget_ms: int) -> ConfirmationAnswer:  # noqa: ARG002 - the port's names
        """CloudUnreachable, at once."""
        raise CloudUnreachable("this till has no cloud", code="no_cloud")

    async def give(self, confirmation: str, code: str, *, budget_ms: int) -> ConfirmationAnswer:  # noqa: ARG002 - the port's names
        """CloudUnreachable, at once."""
        raise CloudUnreachable("this till has no cloud", code="no_cloud")
