"""A cloud that sends one-time codes as it is told to: the code is always 123456."""

from fakes.clock import FakeClock
from till_agent.exceptions import CloudUnreachable, CodeRefused
from till_sync.asking import ConfirmationAnswer, ConfirmationRequest

CODE = "123456"
TRIES = 5


class FakeConfirmations:
    """Fits `till_agent.ports.ConfirmationGateway`. `refusal`: its code for every call; `silent`: no answer comes."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.online = True
        self.silent = False
        self.refusal = ""
        self.asked: list[ConfirmationRequest] = []
        self.budgets_ms: list[int] = []
        self._left: dict[str, int] = {}
        self._done: set[str] = set()

    async def start(self, request: ConfirmationRequest, *, budget_ms: int) -> ConfirmationAnswer:
        self._check(budget_ms)
        if request.confirmation not in self._left:
            self.asked.append(request)
            self._left[request.confirmation] = TRIES
        return self._answer(request.confirmation)

    async def give(self, confirmation: str, code: str, *, budget_ms: int) -> ConfirmationAnswer:
        self._check(budget_ms)
        if confirmation not in self._left:
            raise CodeRefused("confirmation_unknown", "never asked for")
        if self._left[confirmation] and code == CODE:
            self._done.add(confirmation)
        else:
            self._left[confirmation] = max(self._left[confirmation] - 1, 0)
        return self._answer(confirmation)

    def _check(self, budget_ms: int) -> None:
        self.budgets_ms.append(budget_ms)
        if self.silent or not self.online:
            raise CloudUnreachable("no answer in time")
        if self.refusal:
            raise CodeRefused(self.refusal, "as the test wants it")

    def _answer(self, confirmation: str) -> ConfirmationAnswer:
        left = self._left[confirmation]
        now = self.clock.wall_ms()
        return ConfirmationAnswer(
            confirmation=confirmation,
            state="confirmed" if confirmation in self._done else "sent" if left else "spent",
            tries_left=left,
            expires_at_ms=now + 600_000,
            server_time_ms=now,
        )
