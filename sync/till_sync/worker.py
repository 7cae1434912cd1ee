"""The task that keeps till and cloud together: rounds by need and by time, back-off when they fail, never the end."""

import asyncio
import importlib
import logging
import sys
from collections.abc import Callable
from random import Random

from msgspec import Struct, structs

from till_sync.client import CloudClient
from till_sync.defects import log_unexpected
from till_sync.exceptions import SyncError
from till_sync.parking import PARK_WAITS_MS
from till_sync.ports import CacheSink, Clock, Outbox
from till_sync.pull import Puller
from till_sync.push import Pusher
from till_sync.retry import HALT_PROBE_MS, RETRY_BASE_MS, RETRY_CAP_MS, SPREAD_MS, Backoff, Line, RetryBudget
from till_sync.rounds import Rounds
from till_sync.status import WorkerStatus
from till_sync.waiting import pause, within

log = logging.getLogger(__name__)

POLL_INTERVAL_MS = 2_000

POLL_JITTER = 0.2
"""Share by which polls are spread, so that tills that started together do not stay together."""

PUSH_GAP_MS = 100
"""From the push of one sale to that of the next: in a rush they go out together. One by one each would cost over 2 ms
of the till's processor and a sync of its disk beside the next sale, and the cloud as much."""

STOP_TIMEOUT_MS = 2_000
"""An exchange is dropped at once; what is being stored by the journal's own thread is done long before this."""

SYNC_NOW_TIMEOUT_MS = 60_000
"""A person waits for it; a longer queue goes on being sent all the same."""

ERROR_LIMIT = 300
"""Characters of an error that are shown."""


class WorkerSettings(Struct, frozen=True, kw_only=True):
    """How often and how gently; all in milliseconds. `park_waits_ms`: between tries of an op by itself."""

    poll_interval_ms: int = POLL_INTERVAL_MS
    spread_ms: int = SPREAD_MS
    retry_base_ms: int = RETRY_BASE_MS
    retry_cap_ms: int = RETRY_CAP_MS
    halt_probe_ms: int = HALT_PROBE_MS
    park_waits_ms: tuple[int, ...] = PARK_WAITS_MS


class SyncWorker:
    """Owns one task. `start` and `stop` belong to the composition root; the client stays its own to close.

    `on_status` is called in the loop whenever `online` or `halted` have changed.
    """

    def __init__(
        self,
        client: CloudClient,
        outbox: Outbox,
        sink: CacheSink,
        *,
        clock: Clock,
        random: Random,
        settings: WorkerSettings = WorkerSettings(),  # noqa: B008 - a frozen struct, so shared safely
        on_status: Callable[[WorkerStatus], None] | None = None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._random = random
        self._settings = settings
        self._on_status = on_status
        self.line = Line(random, spread_ms=settings.spread_ms)
        budget = RetryBudget()
        self._backoff = Backoff(
            random,
            budget,
            base_ms=settings.retry_base_ms,
            cap_ms=settings.retry_cap_ms,
            halt_probe_ms=settings.halt_probe_ms,
        )
        self._pusher = Pusher(client, outbox, clock=clock, park_waits_ms=settings.park_waits_ms)
        self._rounds = Rounds(
            client,
            outbox,
            self._pusher,
            Puller(client, sink, clock=clock),
            clock=clock,
            line=self.line,
            budget=budget,
            backoff=self._backoff,
        )
        self._task: asyncio.Task[None] | None = None
        self._nudged = asyncio.Event()
        self._urgent = asyncio.Event()
        self._asked = asyncio.Event()
        self._waiters: list[asyncio.Future[None]] = []
        self._more = False
        self._pull_due_mono_ms = 0
        self._push_due_mono_ms = 0
        self._next_mono_ms = 0
        self._halted = ""
        self._last_error = ""
        self._unexpected = 0
        self._told = (False, "")

    @property
    def status(self) -> WorkerStatus:
        counts = self._pusher.counts
        return WorkerStatus(
            online=self.line.online,
            halted=self._halted or self._rounds.halted,
            last_push_ms=self._rounds.last_push_ms,
            last_pull_ms=self._rounds.last_pull_ms,
            last_error=(self._last_error or self._rounds.refusal)[:ERROR_LIMIT],
            pushed=counts.pushed,
            resent=counts.resent,
            adjusted=counts.adjusted,
            rejected=counts.rejected,
            parked=counts.parked,
            duplicate=counts.duplicate,
            pulled_rows=self._rounds.pulled_rows,
            unexpected=self._unexpected,
            skew_ms=self._client.skew_ms,
            incarnation=self._rounds.incarnation,
            retry_in_ms=max(0, self._next_mono_ms - self._clock.mono_ms()),
            loading=self._rounds.loading,
        )

    def use(self, *, poll_interval_ms: int, spread_ms: int) -> None:
        """Other pauses; a wait under way is cut short, so that a shorter one counts at once."""
        self._settings = structs.replace(self._settings, poll_interval_ms=poll_interval_ms, spread_ms=spread_ms)
        self.line.use(spread_ms=spread_ms)
        self._pull_due_mono_ms = min(self._pull_due_mono_ms, self._clock.mono_ms() + poll_interval_ms)
        self._nudged.set()

    def start(self) -> None:
        """Begin; RuntimeError when it has begun already."""
        if self._task is not None:
            raise RuntimeError("expected a worker that is not running")
        self._task = asyncio.get_running_loop().create_task(self._run(), name="sync")

    async def stop(self, *, timeout_ms: int = STOP_TIMEOUT_MS) -> None:
        """End within that time, whatever is under way: an exchange that was cut is repeated at the next start."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        _, running = await asyncio.wait({task}, timeout=timeout_ms / 1000)
        if running:
            log.error("Sync did not stop within %d ms", timeout_ms)
        self._answer_waiters(self._waiters)

    def nudge(self) -> None:
        """There is a new op: push soon. A wait after a failure is not cut short."""
        self._nudged.set()

    def nudge_urgently(self) -> None:
        """As `nudge`, where somebody waits for the op at the cloud: it does not gather with others."""
        self._urgent.set()
        self._nudged.set()

    async def sync_now(self, *, timeout_ms: int = SYNC_NOW_TIMEOUT_MS) -> WorkerStatus:
        """Run a round now, whatever wait is under way, and tell how it ended (`last_error`, `halted`).

        TimeoutError when it takes longer; RuntimeError when the worker does not run.
        """
        if self._task is None:
            raise RuntimeError("expected a running worker")
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._asked.set()
        await within(self._clock, timeout_ms, _result_of(waiter))
        return self.status

    async def _run(self) -> None:
        if "tenacity" not in sys.modules:
            # Some 40 ms, in which the loop would serve nobody.
            await asyncio.to_thread(importlib.import_module, "tenacity")
        from tenacity import AsyncRetrying, retry_if_exception_type, stop_never

        retrying = AsyncRetrying(
            sleep=self._sleep_after_failure,
            wait=self._backoff,
            retry=retry_if_exception_type(Exception),
            stop=stop_never,
        )
        while True:
            await retrying(self._attempt)
            await self._idle()

    async def _attempt(self) -> None:
        """One round, with its outcome noted for the status and told to whoever asked for it."""
        waiters, self._waiters = self._waiters, []
        self._asked.clear()
        self._nudged.clear()
        self._urgent.clear()
        try:
            await self._round(manual=bool(waiters))
            self._halted = self._last_error = ""
        except SyncError as error:
            self._halted = "" if error.retryable else error.code
            self._last_error = f"{error.code}: {error}"
            log.log(logging.INFO if error.retryable else logging.ERROR, "Sync failed: %s", self._last_error)
            raise
        except Exception as error:
            # Journal or cache failed, or we have a defect: the till goes on selling, and sync tries again.
            self._unexpected += 1
            self._last_error = f"unexpected: {type(error).__name__}"
            log_unexpected(log, "syncing", error)
            raise
        finally:
            self._answer_waiters(waiters)
            self._tell()

    async def _round(self, *, manual: bool) -> None:
        pull = manual or self._more or self._clock.mono_ms() >= self._pull_due_mono_ms
        self._more = await self._rounds.run(pull=pull, manual=manual, enter_gently=self._enter_gently)
        if pull:
            spread = int(self._settings.poll_interval_ms * POLL_JITTER)
            interval_ms = self._settings.poll_interval_ms + self._random.randint(-spread, spread)
            self._pull_due_mono_ms = self._clock.mono_ms() + interval_ms

    async def _idle(self) -> None:
        """Until a new op, the next poll, or somebody asks; a slot that the cloud gave is waited for first."""
        now_ms = self._clock.mono_ms()
        if self._rounds.slot_mono_ms:
            # It may have come while pages were pulled: then what waits is pushed at once, not with the next poll.
            await self._wait(max(0, self._rounds.slot_mono_ms - now_ms), self._asked)
        elif not self._more:
            await self._wait(max(0, self._pull_due_mono_ms - now_ms), self._asked, self._nudged)
            if self._nudged.is_set():
                await self._let_gather()

    async def _let_gather(self) -> None:
        """A sale soon after the one before it waits for those that come with it."""
        early_ms = self._push_due_mono_ms - self._clock.mono_ms()
        if early_ms > 0:
            await self._wait(early_ms, self._asked, self._urgent)
        self._push_due_mono_ms = self._clock.mono_ms() + PUSH_GAP_MS

    async def _enter_gently(self, spread_ms: int) -> None:
        log.info("The line is back; going on in %d ms", spread_ms)
        self._tell()
        await self._wait(spread_ms, self._asked)

    async def _sleep_after_failure(self, seconds: float) -> None:
        await self._wait(round(seconds * 1000), self._asked)

    async def _wait(self, delay_ms: int, *wakers: asyncio.Event) -> None:
        self._next_mono_ms = self._clock.mono_ms() + delay_ms
        await pause(self._clock, delay_ms, *wakers)

    def _answer_waiters(self, waiters: "list[asyncio.Future[None]]") -> None:
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _tell(self) -> None:
        now = (self.line.online, self._halted or self._rounds.halted)
        if now != self._told:
            self._told = now
            if self._on_status is not None:
                self._on_status(self.status)


async def _result_of(waiter: "asyncio.Future[None]") -> None:
    await waiter
