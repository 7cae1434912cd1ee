"""Asking the cloud who was just named while the cashier waits: one exchange within a budget, or no."""

from till_sync.asking import MemberAnswer, MemberQuestion
from till_sync.client import CloudClient
from till_sync.exceptions import CloudBusy, CloudRefused, CloudUnreachable, IdentityRefused, SyncError, UpgradeNeeded
from till_sync.retry import Line


class CloudMemberGateway:
    """Fits `till_agent.ports.MemberGateway`. Asking again changes nothing."""

    def __init__(self, client: CloudClient, line: Line) -> None:
        self._client = client
        self._line = line

    @property
    def online(self) -> bool:
        """Whether the last exchange with the cloud succeeded."""
        return self._line.online

    async def find(self, question: MemberQuestion, *, budget_ms: int) -> MemberAnswer:
        """The cloud's answer; CloudUnreachable for whatever else comes of it: nothing is known then."""
        try:
            return await self._client.member(question, timeout_ms=budget_ms)
        except CloudUnreachable:
            self._line.unreachable()
            raise
        except (IdentityRefused, UpgradeNeeded, CloudRefused, CloudBusy) as error:
            # It answered, so the line is well; an older cloud does not know the question, or it was asked too often.
            raise CloudUnreachable(f"the cloud does not answer that: {error}", code=error.code) from error
        except SyncError as error:
            self._line.unreachable()
            raise CloudUnreachable(f"no usable answer: {error}", code=error.code) from error
