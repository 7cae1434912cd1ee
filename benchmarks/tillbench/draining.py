"""A day's queue and the cloud: sold while the line was down, then pushed; and the cloud's own speed on the same ops."""

import asyncio
import itertools
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from till_sync import signing
from till_sync.identity import Identity
from till_sync.wire import PushAnswer, PushRequest
from tillbench.backlog import open_place, sell
from tillbench.starting import SETTLE_S
from tillbench.wire import Connection, request
from tillbench.world import CLOUD_MEMBERS, TILL, RunningTill, World

DRAIN_TIMEOUT_S = 120.0
POLL_S = 0.02
BATCH_OPS = 1000
"""What the cloud takes at most; the till comes to it by doubling."""
COUNTERS_FROM = 10**9
"""Over all that the till itself has counted."""


@dataclass
class Drained:
    """Operations and seconds. `resident_kib`: the agent's memory after its sales."""

    ops: int
    line_s: float
    restart_s: float
    ingest_s: float
    sell_s: float
    adjusted: int
    resident_before_kib: int
    resident_kib: int


class Drain:
    """Needs a world with a cloud and an enrolled till, both stopped, and the till's journal empty."""

    def __init__(self, world: World, ops: int) -> None:
        self._world = world
        self._ops = ops

    def run(self) -> Drained:
        """Sell with the line down, line up, measure; again from a start; then the cloud alone."""
        world = self._world
        fresh_db = world.folder / "cloud-fresh.db"
        port = world.start_cloud()
        config = world.config("drain", world.state_dir, port)
        till = world.start_agent(config)
        self.wait_members(till)
        world.parts.stop("cloud")
        shutil.copy2(world.cloud_db, fresh_db)
        time.sleep(SETTLE_S)
        before_kib = till.resident_kib()
        sell_s = self._sell(till)
        resident_kib = till.resident_kib()
        queued = world.folder / "state-queued"
        world.start_cloud(port)
        line_s, adjusted = self.line_up(till)
        world.stop_agent()
        world.parts.stop("cloud")
        # The same queue once more: as a till that was off over night finds it in the morning.
        shutil.copytree(world.state_dir, queued)
        _unacknowledge(queued / "journal.db")
        again_db = world.folder / "cloud-again.db"
        shutil.copy2(fresh_db, again_db)
        restart_s = self._restart(queued, again_db, port)
        ingest_s = self._ingest(queued, fresh_db)
        return Drained(
            ops=self._ops,
            line_s=line_s,
            restart_s=restart_s,
            ingest_s=ingest_s,
            sell_s=sell_s,
            adjusted=adjusted,
            resident_before_kib=before_kib,
            resident_kib=resident_kib,
        )

    def _sell(self, till: RunningTill) -> float:
        """Sales of known members, one after the other, as one cash desk makes them."""
        started = time.perf_counter()
        sell(till, 0, self._ops)
        return time.perf_counter() - started

    def line_up(self, till: RunningTill) -> tuple[float, int]:
        """Seconds from the first look at a line that is back to an empty queue, and how much was adjusted."""
        looker, asker = Connection(till.port), Connection(till.port)
        started = time.perf_counter()
        ask = request("POST", "/v1/sync", till.port, b"{}", token=till.admin, close=False)
        asker.send(ask)
        while True:
            sync = till.status(looker)["sync"]
            if sync["waiting"] == 0:
                break
            _give_up(started)
            time.sleep(POLL_S)
        took = time.perf_counter() - started
        looker.close()
        asker.close()
        return took, int(sync["adjusted"])

    def _restart(self, state: Path, db: Path, port: int) -> float:
        """Seconds from a till that is just ready to an empty queue, all it needs for that being loaded meanwhile."""
        world = self._world
        world.start_cloud(port, db)
        till = world.start_agent(world.config("again", state, port))
        started = time.perf_counter()
        looker = Connection(till.port)
        while till.status(looker)["sync"]["waiting"]:
            _give_up(started)
            time.sleep(POLL_S)
        took = time.perf_counter() - started
        looker.close()
        world.stop_agent()
        world.parts.stop("cloud")
        return took

    def _ingest(self, state: Path, db: Path) -> float:
        """Seconds that the cloud takes for the same ops, handed to it as ready bytes in the largest batches."""
        world = self._world
        identity = world.identity(state)
        _unacknowledge(state / "journal.db")
        port = world.start_cloud(0, db)
        hello = Connection(port)
        counters = itertools.count(COUNTERS_FROM)
        path = f"/v1/tills/{TILL}/hello"
        headers = _signed(identity, next(counters), "GET", path)
        incarnation = msgspec.json.decode(
            hello.call(request("GET", path, port, token=identity.token, headers=headers, close=False))
        )["incarnation"]
        batches = asyncio.run(_batches(state, incarnation))
        path = f"/v1/tills/{TILL}/ops"
        bodies = [msgspec.json.encode(batch) for batch in batches]
        messages = [
            request(
                "POST",
                path,
                port,
                body,
                token=identity.token,
                headers=_signed(identity, next(counters), "POST", path, body),
                close=False,
            )
            for body in bodies
        ]
        started = time.perf_counter()
        answers = [hello.call(message) for message in messages]
        took = time.perf_counter() - started
        hello.close()
        world.parts.stop("cloud")
        results = [result for answer in answers for result in msgspec.json.decode(answer, type=PushAnswer).results]
        if len(results) != self._ops or any(result.status not in ("applied", "adjusted") for result in results):
            raise RuntimeError(f"expected {self._ops} ops to be applied, not {len(results)}: {results[:2]}")
        return took

    def wait_members(self, till: RunningTill) -> None:
        """Until the cache holds all that the cloud has."""
        connection = Connection(till.port)
        started = time.perf_counter()
        while till.status(connection)["members_cached"] < CLOUD_MEMBERS:
            _give_up(started)
            time.sleep(POLL_S)
        connection.close()


def _signed(identity: Identity, counter: int, method: str, path: str, body: bytes = b"") -> list[str]:
    """Header lines that sign a request as the till does."""
    headers = signing.sign(
        identity.private_key,
        till=identity.till,
        run="0" * 16,
        counter=counter,
        created_s=int(time.time()),
        method=method,
        target=path,
        body=body,
    )
    return [f"{name}: {value}" for name, value in headers.items()]


async def _batches(state: Path, incarnation: str) -> list[PushRequest]:
    """The journal's ops as the pusher would get them."""
    journal = open_place(state)
    await journal.start()
    batches: list[PushRequest] = []
    try:
        while True:
            batch = await journal.next_batch(max_ops=BATCH_OPS, max_bytes=16 * 1024 * 1024, incarnation=incarnation)
            if batch is None:
                return batches
            batches.append(batch)
            await journal.record(batch.epoch, batch.ops[-1].seq, ())
    finally:
        await journal.stop()


def _unacknowledge(path: Path) -> None:
    """Make a stopped till's journal what it was before the cloud had any of it."""
    import sqlite3

    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE epochs SET acked_seq = 0")
    connection.execute("DELETE FROM verdicts")
    connection.close()


def _give_up(started: float) -> None:
    if time.perf_counter() - started > DRAIN_TIMEOUT_S:
        raise RuntimeError(f"not done within {DRAIN_TIMEOUT_S:.0f} s")
