"""One round of sync: greet when that is due, push, then pull; and what stops one half without stopping the other."""

import logging
from collections.abc import Awaitable, Callable

from msgspec import Struct

from till_sync.client import CloudClient
from till_sync.exceptions import (
    AnswerMismatch,
    CloudRefused,
    HistoryConflict,
    IdentityRefused,
    IncarnationChanged,
    OpTooLarge,
    SequenceGap,
    SyncError,
)
from till_sync.ports import Clock, Outbox
from till_sync.pull import Puller
from till_sync.push import Pushed, Pusher
from till_sync.retry import Backoff, Line, RetryBudget
from till_sync.retry_after import SLOT_LIMIT_MS
from till_sync.snapshots import Loading

log = logging.getLogger(__name__)

BATCHES_PER_ROUND = 100
"""Then the pull gets its turn, however fast new sales come."""

ASK_EVERY_MS = 10 * 60_000
"""What the cloud tells only in its answer to hello, such as keys of wallet codes that were renewed because a till was
stolen, comes to tills whose line holds for weeks."""

GAPS_BEFORE_HALT = 3
"""The cloud names where to go on, so one comparison mends a gap; a gap that stays is no accident."""

_STOPS_ALL = (IdentityRefused, HistoryConflict)
_GREET_AGAIN = (AnswerMismatch, IncarnationChanged, SequenceGap, HistoryConflict)


class _Halt(Struct, frozen=True):
    """A half that waits for a person; it looks again at `until_mono_ms`."""

    code: str
    until_mono_ms: int


class Rounds:
    """Push and pull of one till with one cloud. Not safe for use by two tasks at once."""

    def __init__(
        self,
        client: CloudClient,
        outbox: Outbox,
        pusher: Pusher,
        puller: Puller,
        *,
        clock: Clock,
        line: Line,
        budget: RetryBudget,
        backoff: Backoff,
    ) -> None:
        self._client = client
        self._outbox = outbox
        self._pusher = pusher
        self._puller = puller
        self._clock = clock
        self._line = line
        self._budget = budget
        self._backoff = backoff
        self._greeted = False
        self._asked_mono_ms = 0
        self._gaps = 0
        self._push_halt: _Halt | None = None
        self._pull_halt: _Halt | None = None
        self._last_refusal = ""
        self.incarnation = ""
        self.slot_mono_ms = 0
        self.last_push_ms = 0
        self.last_pull_ms = 0
        self.pulled_rows = 0

    @property
    def halted(self) -> str:
        """Code of what stops a half; "" when both go on."""
        halt = self._push_halt or self._pull_halt
        return halt.code if halt is not None else ""

    @property
    def loading(self) -> Loading:
        """How far a snapshot has come."""
        return self._puller.loading

    @property
    def refusal(self) -> str:
        """What the half that is stopped was told; "" when both go on."""
        return self._last_refusal if self.halted else ""

    async def run(self, *, pull: bool, manual: bool, enter_gently: Callable[[int], Awaitable[None]]) -> bool:
        """One round; True when more waits on either end. `manual` looks at once at what is halted.

        Raises SyncError when the round could not be ended; what was stored until then stays.
        """
        self.slot_mono_ms = 0
        try:
            if self._line.down or not self._greeted:
                await self._greet()
            spread_ms = self._line.take_spread_ms()
            if spread_ms and not manual:
                await enter_gently(spread_ms)
            more = await self._push(manual=manual)
            if pull:
                await self._ask()
                more = await self._pull(manual=manual) or more
        except SyncError as error:
            self._note(error)
            raise
        return more

    async def _greet(self) -> None:
        """Ask who the cloud is and compare; after an outage this is the probe."""
        hello = await self._client.hello(waiting=await self._outbox.waiting())
        self._answered()
        self._line.assigned(hello.retry_after_ms)
        await self._outbox.reconcile(hello)
        if self.incarnation not in ("", hello.incarnation):
            log.warning("The cloud is another incarnation than before: pulling anew")
            await self._puller.reset()
        self.incarnation = hello.incarnation
        self._pusher.greeted(hello)
        self._greeted = True
        self._asked_mono_ms = self._clock.mono_ms()

    async def _ask(self) -> None:
        """Hear now and then what is told in greetings only (the client keeps it). Nothing waits to be compared."""
        if self._clock.mono_ms() - self._asked_mono_ms >= ASK_EVERY_MS:
            await self._client.hello()
            self._asked_mono_ms = self._clock.mono_ms()

    async def _push(self, *, manual: bool) -> bool:
        if self._push_halt is not None:
            if not manual and self._clock.mono_ms() < self._push_halt.until_mono_ms:
                return False
            await self._greet()
            self._push_halt = None
        try:
            return await self._push_batches()
        except SequenceGap as error:
            self._gaps += 1
            if self._gaps >= GAPS_BEFORE_HALT:
                raise HistoryConflict(f"the cloud still lacks operations: {error}", code=error.code) from error
            raise
        except (OpTooLarge, CloudRefused) as error:
            self._push_halt = self._halt("Push", error)
            return False

    async def _push_batches(self) -> bool:
        """Until nothing waits, or the pull has its turn, with every verdict stored; True when more may wait."""
        for _ in range(BATCHES_PER_ROUND):
            step = await self._step()
            if step is None or not step.more:
                return False
            if step.ops:
                self._answered()
                self._gaps = 0
                self.last_push_ms = self._clock.wall_ms()
            if step.wait_ms:
                self.slot_mono_ms = self._clock.mono_ms() + min(step.wait_ms, SLOT_LIMIT_MS)
                return False
        await self._pusher.stored()
        return True

    async def _step(self) -> Pushed | None:
        """One step of the push; None when it is to wait because one op was refused by itself."""
        try:
            return await self._pusher.step(self.incarnation)
        except SyncError as error:
            if not self._pusher.suspects(error):
                raise
            # A cloud that is not well itself says nothing about the op: then these raise.
            await self._pusher.prove_line(error)
            await self._greet()
            wait_ms = self._pusher.doubt(error)
            if not wait_ms:
                return Pushed(0, more=True)
            log.warning("The push waits %d ms to try an operation again (%s)", wait_ms, error)
            self._last_refusal = f"{error.code}: {error}"
            self._push_halt = _Halt(error.code, self._clock.mono_ms() + wait_ms)
            return None

    async def _pull(self, *, manual: bool) -> bool:
        if self._pull_halt is not None:
            if not manual and self._clock.mono_ms() < self._pull_halt.until_mono_ms:
                return False
            self._pull_halt = None
        try:
            pulled = await self._puller.pull(self.incarnation, known=self._pusher.known_position)
        except CloudRefused as error:
            self._pull_halt = self._halt("Pull", error)
            return False
        self._answered()
        self.last_pull_ms = self._clock.wall_ms()
        self.pulled_rows += pulled.rows
        return pulled.more

    def _halt(self, half: str, error: SyncError) -> _Halt:
        """Stop one half over `error`; anything that both halves would meet, or that passes by itself, is raised.

        A cloud of a former release may refuse ops that came with a later one, and all the same has pages for us.
        """
        if error.retryable or isinstance(error, _STOPS_ALL):
            raise error
        self._line.failed(error)
        self._last_refusal = f"{error.code}: {error}"
        log.error("%s is halted (%s); it is tried again in some minutes, or by `tillside sync now`", half, error)
        return _Halt(error.code, self._clock.mono_ms() + self._backoff.halt_delay_ms())

    def _answered(self) -> None:
        self._line.succeeded()
        self._budget.earn()

    def _note(self, error: SyncError) -> None:
        self._line.failed(error)
        if isinstance(error, _GREET_AGAIN):
            self._greeted = False
