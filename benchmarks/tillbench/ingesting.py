"""The cloud's ingest in this process, on the very ops that a till sold: in turn as it is, and with counting left out.

Without counting the till's claim is taken as it stands. No product does that: it says how much could be won at most by
counting elsewhere, in worker processes or behind the acknowledgement.
"""

import asyncio
import gc
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

from till_cloud.centre import Centre
from till_cloud.ingest import counting, sales
from till_cloud.server import YOUNG_OBJECTS
from till_loyalty.engine import Recount
from till_loyalty.results import Calculation
from till_sync.wire import PushRequest
from tillbench.backlog import extend, open_place, sample
from tillbench.draining import Drain
from tillbench.world import TILL, World

SAMPLE = 1_000
BATCH_OPS = 1_000
ROUNDS = 5


@dataclass(frozen=True)
class Ingested:
    """Ops a second of the processor, counted and not, and on the wall counted: middles of interleaved rounds."""

    whole: float
    uncounted: float
    wall: float


def measure(world: World, ops: int) -> Ingested:
    """All rounds; the cloud's database is copied for each."""
    port = world.start_cloud()
    till = world.start_agent(world.config("ingest", world.state_dir, port))
    Drain(world, 0).wait_members(till)
    world.stop_agent()
    world.parts.stop("cloud")
    extend(world.state_dir, sample(world, world.state_dir, SAMPLE), 0, ops)
    batches = asyncio.run(_batches(world.state_dir))
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)
    whole, uncounted, wall = [], [], []
    for _ in range(ROUNDS):
        per_cpu, per_s = _push(world, batches)
        whole.append(per_cpu)
        wall.append(per_s)
        belief = _Believing()
        with mock.patch.object(sales, "count", belief.count), mock.patch.object(counting, "recount", belief.recount):
            uncounted.append(_push(world, batches)[0])
    gc.unfreeze()
    return Ingested(median(whole), median(uncounted), median(wall))


class _Believing:
    """`count` with the rules taken out of it: what the till said is what they say."""

    def __init__(self) -> None:
        self._count = counting.count
        self._claimed: Calculation | None = None

    def count(self, context: Any, version: Any, body: Any, account: Any, wish: Any) -> counting.Counted:
        """In the place of `counting.count`."""
        self._claimed = body.result
        return self._count(context, version, body, account, wish)

    def recount(self, *_args: object, **_more: object) -> Recount:
        """In the place of the engine's."""
        if self._claimed is None:
            raise RuntimeError("expected a sale to be counted")
        return Recount(self._claimed, (), "")


def _push(world: World, batches: list[PushRequest]) -> tuple[float, float]:
    """Ops a processor second, and ops a second."""
    db: Path = world.folder / "ingest.db"
    shutil.copy2(world.cloud_db, db)
    centre = Centre(db)
    try:
        done, began, cpu = 0, time.perf_counter(), time.process_time()
        for batch in batches:
            results = centre.push(TILL, batch).result().results
            if any(result.status != "applied" for result in results):
                raise RuntimeError(f"expected the cloud to count as the till did, not {results[:2]}")
            done += len(results)
        cpu, took = time.process_time() - cpu, time.perf_counter() - began
    finally:
        centre.close()
        for suffix in ("", "-wal", "-shm"):
            db.with_name(db.name + suffix).unlink(missing_ok=True)
    return done / cpu, done / took


async def _batches(state: Path) -> list[PushRequest]:
    journal = open_place(state)
    await journal.start()
    batches: list[PushRequest] = []
    try:
        while (batch := await journal.next_batch(max_ops=BATCH_OPS, max_bytes=1 << 24, incarnation="")) is not None:
            batches.append(batch)
            await journal.record(batch.epoch, batch.ops[-1].seq, ())
    finally:
        await journal.stop()
    return batches
