"""A fleet's heartbeats and a wave of upgrades against the real cloud over HTTP: what they cost, and who gets a bad one.

The tills are played: each says every few minutes what its version is, takes the version that it is told to have after
its download, or goes back when the version is one that fails at it. The cloud is a process of its own. Time is pressed
together: all tills of the chain beat once in each round, a round being five minutes of the chain's life.
"""

import asyncio
import hashlib
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx
import msgspec

from till_cloud import waves
from till_cloud.centre import Centre
from till_cloud.store import tills
from till_cloud.store import waves as rows
from till_sync.heartbeat import Heartbeat, HeartbeatAnswer, UpdateState

AT_ONCE = 4
"""Requests under way: 800 tills in five minutes are under three a second."""
OLD, NEW = "1.0.0", "1.1.0"
TOKEN = "fleet"


@dataclass
class Till:
    """One played till. `bad`: the new version fails here."""

    name: str
    bad: bool
    version: str = OLD
    update: UpdateState = field(default_factory=UpdateState)
    tried: bool = False

    def beat(self, now_ms: int) -> bytes:
        return msgspec.json.encode(
            Heartbeat(
                version=self.version,
                started_ms=1,
                at_ms=now_ms,
                epoch=1,
                problems=("scanner_absent",),
                update=self.update,
            )
        )

    def obey(self, answer: HeartbeatAnswer, now_ms: int) -> None:
        """Take what is wanted; told by the next heartbeat, as a till's upgrade takes minutes."""
        wanted = answer.wanted.release
        if wanted in ("", self.version) or self.tried or answer.wanted.paused:
            return
        self.tried = True
        if self.bad:
            self.update = UpdateState(
                stage="rolled_back", from_version=self.version, to_version=wanted, code="unhealthy", at_ms=now_ms
            )
        else:
            self.update = UpdateState(stage="done", from_version=self.version, to_version=wanted, at_ms=now_ms)
            self.version = wanted


@dataclass(frozen=True)
class Fleet:
    """What was found. Times in milliseconds; `cpu_ms`: the cloud's processor time a heartbeat."""

    beats_ms: list[float]
    cpu_ms: float
    tills: int
    tried: int
    rolled_back: int
    rounds: int
    state: str
    reason: str


async def play(
    folder: Path,
    *,
    count: int,
    bad: Callable[[int], bool],
    sizes: tuple[int, ...],
    rounds: int,
    post: "Callable[[Path], Awaitable[tuple[int, int, Callable[[], Awaitable[None]]]]] | None" = None,
) -> Fleet:
    """Let `count` tills beat for some rounds while a wave of the new version rolls, its steps without a soak."""
    database = folder / "fleet.db"
    fleet = _chain(database, count, bad, sizes)
    port, pid, stop = await (post or _cloud)(database)
    try:
        return await _rounds(database, fleet, port, pid, rounds)
    finally:
        await stop()


def _chain(database: Path, count: int, bad: Callable[[int], bool], sizes: tuple[int, ...]) -> list[Till]:
    with closing(Centre(database)) as centre:

        def add(connection) -> None:
            tills.put_store(connection, tills.StoreRow("s1", "Store", "Europe/Moscow"), 0)
            for number in range(count):
                tills.add_till(connection, f"k{number:04d}", "s1", 0)
                tills.enrol(connection, f"k{number:04d}", hashlib.sha256(TOKEN.encode()).hexdigest(), 1)
            order = waves.StartOrder(kind="code", version=NEW, sizes=sizes, soak_ms=0, spread_ms=0)
            waves.start(connection, order, centre.wall_ms())

        centre.write(add).result()
    return [Till(f"k{number:04d}", bad(number)) for number in range(count)]


async def _cloud(database: Path) -> tuple[int, int, Callable[[], Awaitable[None]]]:
    """The cloud as its command runs it."""
    ready = database.with_suffix(".ready")
    words = ["-m", "till_config", "cloud", "run", "--db", str(database), "--port", "0", "--ready-file", str(ready)]
    child = await asyncio.create_subprocess_exec(sys.executable, *words, stderr=asyncio.subprocess.DEVNULL)
    while not ready.exists():
        if child.returncode is not None:
            raise RuntimeError("the cloud did not start")
        await asyncio.sleep(0.05)

    async def stop() -> None:
        child.terminate()
        await child.wait()

    return json.loads(ready.read_bytes())["port"], child.pid, stop


async def _rounds(database: Path, fleet: list[Till], port: int, pid: int, rounds: int) -> Fleet:
    beats: list[float] = []
    random = Random(7)
    cpu_s = processor_s(pid)
    played = 0
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False, timeout=30, limits=limits
    ) as client:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(till: Till) -> None:
            async with gate:
                now_ms = time.time_ns() // 1_000_000
                started = time.perf_counter()
                answer = await client.post(f"/v1/tills/{till.name}/heartbeat", content=till.beat(now_ms))
                beats.append((time.perf_counter() - started) * 1000)
                answer.raise_for_status()
                till.obey(msgspec.json.decode(answer.content, type=HeartbeatAnswer), now_ms)

        for _ in range(rounds):
            played += 1
            order = random.sample(fleet, len(fleet))
            await asyncio.gather(*(one(till) for till in order))
            if await asyncio.to_thread(_next, database):
                break
    cpu_ms = (processor_s(pid) - cpu_s) * 1000 / len(beats)
    row = await asyncio.to_thread(_wave, database)
    return Fleet(
        beats_ms=beats,
        cpu_ms=cpu_ms,
        tills=len(fleet),
        tried=sum(till.tried for till in fleet),
        rolled_back=sum(till.update.stage == "rolled_back" for till in fleet),
        rounds=played,
        state=row.state,
        reason=row.reason,
    )


def _next(database: Path) -> bool:
    """Whoever rolls out opens the next step when all tills of this one have it; whether nothing is left to do."""
    with closing(Centre(database)) as centre:

        def step(connection) -> bool:
            row = rows.open_wave(connection, "code")
            if row is None or row.state == "halted":
                return True
            if all(one.outcome for one in rows.tills(connection, row.wave)):
                return waves.advance(connection, "code", centre.wall_ms()).state == "done"
            return False

        return bool(centre.write(step).result())


def _wave(database: Path) -> rows.WaveRow:
    with closing(Centre(database)) as centre:
        row = centre.read(lambda connection: rows.newest(connection, "code"))
    if row is None:
        raise RuntimeError("expected a wave")
    return row


def processor_s(pid: int) -> float:
    """Processor time that a process has taken; Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
