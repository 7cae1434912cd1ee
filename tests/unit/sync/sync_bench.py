"""A pusher, and a whole sync worker, with everything around them faked."""

from collections.abc import Awaitable, Callable

import msgspec
import tenacity  # noqa: F401 - loaded here, a worker does not wait for its thread, which no test's clock moves

from kit.loops import run
from till_sync.client import CloudClient
from till_sync.parking import PARK_WAITS_MS
from till_sync.push import Pusher
from till_sync.status import WorkerStatus
from till_sync.wire import PushRequest
from till_sync.worker import SyncWorker, WorkerSettings
from unit.sync.sync_fakes import TILL, FakeClock, FakeCloud, FakeOutbox, FakeSink, FixedRandom, settle


class PushBench:
    """A pusher between a fake outbox with `count` ops and a fake cloud."""

    def __init__(self, count: int = 0) -> None:
        self.clock = FakeClock()
        self.outbox = FakeOutbox(self.clock, count)
        self.cloud = FakeCloud(self.clock)
        self.client = CloudClient(self.cloud, till=TILL, token="secret", clock=self.clock)
        self.pusher = Pusher(self.client, self.outbox, clock=self.clock)

    async def greet(self) -> None:
        hello = await self.client.hello()
        await self.outbox.reconcile(hello)
        self.pusher.greeted(hello)

    async def step(self) -> bool:
        """Whether more may wait."""
        return (await self.pusher.step(self.cloud.incarnation)).more

    async def drain(self) -> None:
        await self.greet()
        while await self.step():
            pass

    def requests(self) -> list[PushRequest]:
        """What was pushed, in order."""
        return [msgspec.json.decode(body, type=PushRequest) for body in self.cloud.pushes()]


class Bench:
    """A worker with everything around it faked. Randomness draws the middle of every range."""

    def __init__(
        self,
        count: int = 0,
        *,
        share: float = 0.5,
        spread_ms: int = 60_000,
        park_waits_ms: tuple[int, ...] = PARK_WAITS_MS,
    ) -> None:
        self.clock = FakeClock()
        self.outbox = FakeOutbox(self.clock, count)
        self.sink = FakeSink()
        self.cloud = FakeCloud(self.clock)
        self.told: list[tuple[bool, str]] = []
        self.client = CloudClient(self.cloud, till=TILL, token="secret", clock=self.clock)
        self.worker = SyncWorker(
            self.client,
            self.outbox,
            self.sink,
            clock=self.clock,
            random=FixedRandom(share),
            settings=WorkerSettings(spread_ms=spread_ms, park_waits_ms=park_waits_ms),
            on_status=lambda status: self.told.append((status.online, status.halted)),
        )

    def run(self, case: "Callable[[Bench], Awaitable[None]]") -> None:
        async def whole() -> None:
            self.worker.start()
            try:
                await settle()
                await case(self)
            finally:
                await self.worker.stop()

        run(whole())

    @property
    def status(self) -> WorkerStatus:
        return self.worker.status

    def names(self) -> list[str]:
        return [request.path.partition("?")[0].rpartition("/")[2] for request in self.cloud.requests]
