"""Reserving points at the cloud while the cashier waits: one exchange within a budget, or no."""

from till_sync.asking import HoldAnswer, HoldRequest
from till_sync.client import CloudClient
from till_sync.exceptions import CloudRefused, CloudUnreachable, HoldRefused, IdentityRefused, SyncError, UpgradeNeeded
from till_sync.retry import Line


class CloudHoldGateway:
    """Fits `till_agent.ports.HoldGateway`. Repeating a hold is the caller's choice: the same `hold` gives the same."""

    def __init__(self, client: CloudClient, line: Line) -> None:
        self._client = client
        self._line = line

    @property
    def online(self) -> bool:
        """Whether the last exchange with the cloud succeeded: asking is likely to be worth the wait."""
        return self._line.online

    async def reserve(self, request: HoldRequest, *, budget_ms: int) -> HoldAnswer:
        """The reservation. HoldRefused: nothing is reserved. CloudUnreachable: it may or may not be."""
        try:
            answer = await self._client.reserve(request, timeout_ms=budget_ms)
        except (IdentityRefused, UpgradeNeeded) as error:
            raise CloudUnreachable(f"the cloud does not take this till: {error}", code=error.code) from error
        except CloudRefused as error:
            available, tries_left = _number(error, "available"), _number(error, "tries_left")
            raise HoldRefused(error.code, str(error), available_points=available, tries_left=tries_left) from error
        except CloudUnreachable:
            self._line.unreachable()
            raise
        except SyncError as error:
            self._line.unreachable()
            raise CloudUnreachable(f"no usable answer: {error}", code=error.code) from error
        if (answer.hold, answer.points) != (request.hold, request.points):
            raise CloudUnreachable("the answer speaks of another hold", code="answer_mismatch")
        return answer


def _number(error: CloudRefused, name: str) -> int:
    """What the cloud said beside its refusal; -1 when that is no whole number."""
    value = error.extras.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


class NoHoldGateway:
    """The same where there is no cloud to ask: not configured, or not enrolled yet."""

    @property
    def online(self) -> bool:
        return False

    async def reserve(self, request: HoldRequest, *, budget_ms: int) -> HoldAnswer:  # noqa: ARG002 - the port's names
        """CloudUnreachable, at once."""
        raise CloudUnreachable("this till has no cloud", code="no_cloud")
