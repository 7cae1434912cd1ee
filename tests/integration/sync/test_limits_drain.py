"""A hundred thousand ops drain into a real cloud process while the till goes on selling."""

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from integration.sync.limits_backlog import MEMBERS, POINTS, lengthen, member_of, sale_body
from till_agent.journal import DiskJournal
from till_cloud.centre import Centre
from till_cloud.verify import verify
from till_sync.client import CloudClient
from till_sync.clock import SystemClock
from till_sync.httpx_transport import HttpxTransport
from till_sync.worker import SyncWorker, WorkerSettings
from unit.agent_stores.stores_kit import Identity, draft, journal_in, once
from unit.cloud.cloud_kit import Chain, Till
from unit.sync.sync_fakes import FakeSink

TILL = "t-7"
TILLSIDE = str(Path(sys.executable).with_name("tillside"))
SALE_EVERY_S = 0.02
BEFORE = 50
"""Sales before the drain begins, for a comparison."""
MEANWHILE = 10
"""Sales while it lasts, at least: 5,000 ops are drained in a second where nothing else runs."""
MEMORY_LIMIT_MIB = 120
"""What the drain may take beyond what the till had before. All bodies together are above it."""


@contextmanager
def cloud_process(folder: Path) -> Iterator[str]:
    """The installed command serving `folder`'s database; its address."""
    ready = folder / "ready.json"
    words = [TILLSIDE, "cloud", "run", "--db", str(folder / "c.db"), "--port", "0", "--ready-file", str(ready)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(1500):
            if ready.exists():
                break
            assert process.poll() is None, "the cloud ended"
            time.sleep(0.02)
        yield f"http://127.0.0.1:{json.loads(ready.read_bytes())['port']}"
    finally:
        process.terminate()
        process.wait(30)


def rss_mib() -> int:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() // 2**20


class Selling:
    """A cashier who never stops: a sale each 20 ms, each waited for until it is on the disk."""

    def __init__(self, journal: DiskJournal, maker: Till, first: int) -> None:
        self._journal = journal
        self._maker = maker
        self.number = first
        self.took_ms: list[float] = []
        self.most_mib = 0
        self.goes_home = False
        """Set, the cashier ends after the sale under way: broken off in it, a sale is committed after all looked."""

    async def run(self) -> None:
        while not self.goes_home:
            await self.sell()
            self.most_mib = max(self.most_mib, rss_mib())
            await asyncio.sleep(SALE_EVERY_S)

    async def sell(self) -> None:
        self.number += 1
        body = sale_body(self._maker, self.number)
        sale = draft(f"s{self.number:07}", member=member_of(self.number), points=POINTS, body=body)
        started = time.perf_counter()
        await self._journal.commit(once(sale))
        self.took_ms.append((time.perf_counter() - started) * 1000)


async def drain_while_selling(folder: Path, maker: Till, url: str, count: int) -> Selling:
    """Push until the backlog is gone, selling all the while; then stop selling and push the rest."""
    client = CloudClient(HttpxTransport(url), till=TILL, token=maker.token, clock=SystemClock())
    settings = WorkerSettings(spread_ms=0, poll_interval_ms=500)
    async with journal_in(folder, Identity(1)) as journal:
        assert journal.figures.waiting == count
        selling = Selling(journal, maker, count)
        for _ in range(BEFORE):
            await selling.sell()
            await asyncio.sleep(SALE_EVERY_S)
        idle = sorted(selling.took_ms)
        selling.took_ms.clear()
        before_mib = rss_mib()
        worker = SyncWorker(client, journal, FakeSink(), clock=SystemClock(), random=Random(1), settings=settings)
        started = time.perf_counter()
        worker.start()
        task = asyncio.create_task(selling.run())
        seen: list[tuple[int, int]] = []
        try:
            while journal.figures.acked_seq < count:
                await asyncio.sleep(0.05)
                assert not task.done()
                seen.append((journal.figures.acked_seq, selling.number))
            took_s = time.perf_counter() - started
            selling.goes_home = True
            await task
            while journal.figures.waiting:
                worker.nudge()
                await asyncio.sleep(0.02)
        finally:
            task.cancel()
            await worker.stop()
            await client.close()
    _report(count, took_s, selling, idle, before_mib)
    assert selling.most_mib - before_mib < MEMORY_LIMIT_MIB
    # Between any two looks at which something was acknowledged there were sales too: neither waited for the other.
    half = len(seen) // 2
    assert 0 < seen[half][0] < count
    assert seen[half][1] > count + BEFORE
    assert seen[-1][1] > seen[half][1]
    return selling


def _report(count: int, took_s: float, selling: Selling, idle: list[float], before_mib: int) -> None:
    took = sorted(selling.took_ms)
    print(
        f"{count} ops drained in {took_s:.1f} s ({count / took_s:.0f}/s); {len(took)} sales meanwhile: commit p50"
        f" {took[len(took) // 2]:.1f} ms, p99 {took[len(took) * 99 // 100]:.1f} ms, worst {took[-1]:.1f} ms; idle p50"
        f" {idle[len(idle) // 2]:.1f} ms; memory {before_mib} MiB before, at most {selling.most_mib} MiB"
    )


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(
    "count",
    [
        pytest.param(5_000, id="5000"),
        pytest.param(100_000, id="100000", marks=[pytest.mark.soak, pytest.mark.timeout(600)]),
    ],
)
def test_a_long_queue_drains_while_sales_go_on(tmp_path: Path, count: int) -> None:
    """None lost, none doubled, in order; memory stays bounded, and sales are committed all the while."""
    world = Chain(tmp_path / "c.db")
    for number in range(MEMBERS):
        world.member(f"m-{number}")
    maker = world.till(TILL)
    world.centre.close()

    async def make() -> None:
        async with journal_in(tmp_path, Identity()):
            pass

    asyncio.run(make())
    lengthen(tmp_path / "journal.db", TILL, maker, count)
    with cloud_process(tmp_path) as url:
        selling = asyncio.run(drain_while_selling(tmp_path, maker, url, count))
    centre = Centre(tmp_path / "c.db")
    try:
        rows = centre.read(lambda c: c.execute("SELECT seq, uid, status FROM ops ORDER BY seq").fetchall())
        points = centre.read(lambda c: c.execute("SELECT sum(balance) FROM balances").fetchone()[0])
        found = centre.read(verify)
    finally:
        centre.close()
    assert selling.number > count + BEFORE + MEANWHILE
    assert rows == [(number, f"s{number:07}", "applied") for number in range(1, selling.number + 1)]
    assert points == POINTS * selling.number
    assert found.breaches == ()
