"""One-time codes, asked of the cloud while the cashier waits: one exchange within a budget, or no."""

from collections.abc import Awaitable

from till_sync.asking import ConfirmationAnswer, ConfirmationRequest
from till_sync.exceptions import CloudBusy, CloudRefused, CloudUnreachable, ConfirmationRefused, SyncError
from till_sync.gateway import Gateway

TOO_MANY = "too_many_codes"
"""The only 429 that speaks of codes and not of the cloud's load."""


class CloudConfirmations(Gateway):
    """Fits `till_agent.ports.ConfirmationGateway`. Asking again under the same confirmation sends no second code."""

    answers = (CloudRefused, CloudBusy)

    async def start(self, request: ConfirmationRequest, *, budget_ms: int) -> ConfirmationAnswer:
        """Have a code sent. ConfirmationRefused: none comes. CloudUnreachable: one may come or not."""
        asked = self._client.start_confirmation(request, timeout_ms=budget_ms)
        return await self._ask(asked, request.confirmation)

    async def give(self, confirmation: str, code: str, *, budget_ms: int) -> ConfirmationAnswer:
        """Compare a code; the same may be handed in again."""
        return await self._ask(self._client.give_code(confirmation, code, timeout_ms=budget_ms), confirmation)

    async def _ask(self, exchange: Awaitable[ConfirmationAnswer], confirmation: str) -> ConfirmationAnswer:
        with self._exchange():
            answer = await exchange
        if answer.confirmation != confirmation:
            raise CloudUnreachable("the answer speaks of another confirmation", code="answer_mismatch")
        return answer

    def _refusal(self, error: SyncError) -> Exception | None:
        is_about_codes = isinstance(error, CloudRefused) or error.code == TOO_MANY
        return ConfirmationRefused(error.code, error.detail) if is_about_codes else None
