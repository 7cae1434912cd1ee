"""The tills of the storm: real sync workers over one line, and a book of what they asked and were answered."""

import asyncio
import time
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

from till_sync.client import CloudClient
from till_sync.clock import SystemClock
from till_sync.exceptions import CloudUnreachable
from till_sync.httpx_transport import HttpxTransport
from till_sync.transport import Reply
from till_sync.worker import SyncWorker, WorkerSettings
from tillbench.storm_chain import Chain, Pages

SPREAD_MS = 15_000
RETRY_CAP_MS = 15_000
"""In life 60 s and 30 s. Not less: greeting costs this one process 10 ms a till, and it plays a thousand of them."""

POLL_INTERVAL_MS = 60_000
"""Beyond the storm's end: what is measured is the queues, and the one pull that follows each."""

REQUEST_TIMEOUT_MS = 30_000
"""In life 10 s; a thousand tills have one process here, which must not count its own haste as the cloud's silence."""

DRAIN_TIMEOUT_S = 600.0
POLL_S = 0.05


@dataclass
class Storm:
    """What one storm was like. `refused`: answers of 429 and 503. `failed`: exchanges without an answer of the cloud.

    `probes` are the greetings that were answered; `pushes_at_once` is what was under way at once, as the tills saw it.
    """

    mutant: str
    tills: int
    ops: int
    tills_a_store: int
    drained_s: float = 0.0
    capacity_ops_s: float = 0.0
    probes: int = 0
    pushes: int = 0
    pulls: int = 0
    refused: int = 0
    failed: int = 0
    pushes_at_once: int = 0
    ops_a_second: int = 0
    ideal_cpu_s: float = 0.0
    cloud_cpu_s: float = 0.0
    tills_cpu_s: float = 0.0
    push_ms_p50: float = 0.0
    push_ms_p99: float = 0.0
    push_ms: list[float] = field(default_factory=list, repr=False)

    @property
    def ideal_s(self) -> float:
        """What the measured capacity takes for the same ops."""
        return self.ops / self.capacity_ops_s

    @property
    def of_ideal(self) -> float:
        return self.drained_s / self.ideal_s

    @property
    def of_work(self) -> float:
        """Times that all took of the processor time of the busier of the two processes."""
        return self.drained_s / max(self.cloud_cpu_s, self.tills_cpu_s, 0.01)

    @property
    def of_ideal_cpu(self) -> float:
        """The cloud's processor time, greetings and pulls included, of that for the same ops in the calm."""
        return self.cloud_cpu_s / max(self.ideal_cpu_s, 0.01)

    @property
    def retries(self) -> float:
        """Share of requests that had to be made again, of all but the probes."""
        return (self.refused + self.failed) / max(1, self.pushes + self.pulls)

    def row(self) -> dict[str, Any]:
        found = {name: value for name, value in asdict(self).items() if name != "push_ms"}
        names = ("ideal_s", "of_ideal", "of_work", "of_ideal_cpu", "retries")
        more = {name: getattr(self, name) for name in names}
        return {"figure": "storm"} | {k: round(v, 3) if isinstance(v, float) else v for k, v in (found | more).items()}


class Counted:
    """A transport that counts into a storm. Without a line (`port` 0) every exchange is refused, as by a dead cloud."""

    def __init__(self, line: "TheLine", storm: Storm) -> None:
        self._line = line
        self._storm = storm
        self._real: HttpxTransport | None = None

    async def exchange(self, method: str, path: str, **options: Any) -> Reply:
        if self._real is None:
            self._real = HttpxTransport(f"http://127.0.0.1:{self._line.port}", request_timeout_ms=REQUEST_TIMEOUT_MS)
        kind = path.partition("?")[0].rsplit("/", 1)[-1]
        storm, line = self._storm, self._line
        if not line.up:
            raise CloudUnreachable("the line is cut")
        if kind == "hello":
            reply = await self._real.exchange(method, path, **options)
            storm.probes += 1
            return reply
        started = time.perf_counter()
        if kind == "ops":
            storm.pushes += 1
            line.pushing += 1
            storm.pushes_at_once = max(storm.pushes_at_once, line.pushing)
        else:
            storm.pulls += 1
        try:
            reply = await self._real.exchange(method, path, **options)
        except Exception:
            storm.failed += 1
            raise
        finally:
            line.pushing -= kind == "ops"
        storm.refused += reply.status in (429, 503)
        if kind == "ops" and reply.status == 200:
            storm.push_ms.append((time.perf_counter() - started) * 1000)
        return reply

    async def close(self) -> None:
        if self._real is not None:
            await self._real.close()


class TheLine:
    """Where the cloud is, and whether anybody gets there."""

    def __init__(self) -> None:
        self.port = 0
        self.up = True
        self.pushing = 0


class Tills:
    """Workers of some tills over one line."""

    def __init__(self, chain: Chain, names: list[str], ops: int, line: TheLine, storm: Storm, seed: int) -> None:
        clock = SystemClock()
        self.queues = {name: chain.queue(name, ops) for name in names}
        self._clients = {
            name: CloudClient(
                Counted(line, storm),
                till=name,
                token=chain.tokens[name],
                clock=clock,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
            )
            for name in names
        }
        settings = WorkerSettings(poll_interval_ms=POLL_INTERVAL_MS, spread_ms=SPREAD_MS, retry_cap_ms=RETRY_CAP_MS)
        self.workers = [
            SyncWorker(
                self._clients[name],
                self.queues[name],
                Pages(chain.cursor(name)),
                clock=clock,
                random=Random(f"{seed}-{name}"),
                settings=settings,
            )
            for name in names
        ]

    def start(self) -> None:
        for worker in self.workers:
            worker.start()

    @property
    def left(self) -> int:
        return sum(len(queue.ops) - queue.acked for queue in self.queues.values())

    async def drained(self) -> float:
        """Seconds until nothing is left."""
        started = time.perf_counter()
        while self.left:
            if time.perf_counter() - started > DRAIN_TIMEOUT_S:
                raise RuntimeError(f"{self.left} ops are left after {DRAIN_TIMEOUT_S:.0f} s")
            await asyncio.sleep(POLL_S)
        return time.perf_counter() - started

    async def stop(self) -> None:
        await asyncio.gather(*(worker.stop() for worker in self.workers))
        await asyncio.gather(*(client.close() for client in self._clients.values()))
