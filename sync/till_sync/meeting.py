"""Asking the cloud who was just named while the cashier waits: one exchange within a budget, or no."""

from till_sync.asking import MemberAnswer, MemberQuestion
from till_sync.client import CloudClient
from till_sync.exceptions import CloudBusy, CloudRefused, CloudUnreachable, SyncError
from till_sync.gateway import Gateway
from till_sync.retry import Line

TOO_MANY = "too_many_questions"


class CloudMemberGateway(Gateway):
    """Fits `till_agent.ports.MemberGateway`. Asking again changes nothing.

    A till that has asked too much asks nothing until it may again: each customer would wait for one more refusal.
    """

    # A cloud that was asked too often has answered too.
    answers = (CloudRefused, CloudBusy)

    def __init__(self, client: CloudClient, line: Line) -> None:
        super().__init__(client, line)
        self._rests_until_mono_ms = 0

    @property
    def online(self) -> bool:
        """As of any gateway, and the till may ask."""
        return super().online and not self._rests

    @property
    def _rests(self) -> bool:
        return self._client.mono_ms() < self._rests_until_mono_ms

    def _refusal(self, error: SyncError) -> Exception | None:
        if error.code == TOO_MANY and error.retry_after is not None:
            self._rests_until_mono_ms = self._client.mono_ms() + error.retry_after.ms
        return None

    async def find(self, question: MemberQuestion, *, budget_ms: int) -> MemberAnswer:
        """The cloud's answer; CloudUnreachable for whatever else comes of it: nothing is known then."""
        if self._rests:
            raise CloudUnreachable("this till has asked about too many people", code=TOO_MANY)
        with self._exchange():
            return await self._client.member(question, timeout_ms=budget_ms)
