"""Reserving points at the cloud while the cashier waits: one exchange within a budget, or no."""

from till_sync.asking import HoldAnswer, HoldRequest
from till_sync.exceptions import CloudRefused, CloudUnreachable, HoldRefused, SyncError
from till_sync.gateway import Gateway


class CloudHoldGateway(Gateway):
    """Fits `till_agent.ports.HoldGateway`. Repeating a hold is the caller's choice: the same `hold` gives the same."""

    async def reserve(self, request: HoldRequest, *, budget_ms: int) -> HoldAnswer:
        """The reservation. HoldRefused: nothing is reserved. CloudUnreachable: it may or may not be."""
        with self._exchange():
            answer = await self._client.reserve(request, timeout_ms=budget_ms)
        if (answer.hold, answer.points) != (request.hold, request.points):
            raise CloudUnreachable("the answer speaks of another hold", code="answer_mismatch")
        return answer

    def _refusal(self, error: SyncError) -> Exception | None:
        available, tries_left = _number(error, "available"), _number(error, "tries_left")
        return HoldRefused(error.code, error.detail, available_points=available, tries_left=tries_left)


def _number(error: SyncError, name: str) -> int:
    """What the cloud said beside its refusal; -1 when that is no whole number."""
    value = error.extras.get(name) if isinstance(error, CloudRefused) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


class NoHoldGateway:
    """The same where there is no cloud to ask: not configured, or not enrolled yet."""

    @property
    def online(self) -> bool:
        return False

    async def reserve(self, request: HoldRequest, *, budget_ms: int) -> HoldAnswer:  # noqa: ARG002 - the port's names
        """CloudUnreachable, at once."""
        raise CloudUnreachable("this till has no cloud", code="no_cloud")
