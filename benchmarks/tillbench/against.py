"""A long queue to the cloud, against PouchDB replicating as many documents of the same bytes, and against two queues.

All in one run, part by part in turn, so that a slow minute slows each of them. Ours twice: the ledger alone, under a
programme without rules, and with every sale counted again under the packaged supermarket. At our ends a batch is on
the disk before its answer and again before the next batch; what syncs each of them makes is counted in a short run.

A queue on SQLite has no peer: what is compared with it is our journal alone, put one by one, each durable, and taken
in batches that are acknowledged.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from till_sync.ops import SaleBody, encode_body
from till_sync.wire import OpResult
from tillbench.backlog import as_draft, extend, open_place, sample
from tillbench.draining import Drain
from tillbench.peers import Missing, Pouch, Syncs, queues
from tillbench.world import World

SAMPLE = 1_000
"""Different sales, sold by the real agent; the queue is made of them."""
POUCH_BATCH = 1_000
"""As large as ours: of 100 (its default), 500 and 1,000 the fastest."""
POUCH_DEFAULT_BATCH = 100
PARTS = 4
QUEUED = 1_000
"""Put and taken one by one, a part; fewer where a part is smaller."""
SYNCED = 5_000
"""Ops of the short run in which syncs are counted: it is not timed."""
SETTLE_S = 2.0

NO_RULES = """
format = 1
id = "supermarket"
version = 1
currency = "USD"
currency_exponent = 2
points_exponent = 2
point_value_minor = 100
[points_name]
en = { one = "point", other = "points" }
[[tiers]]
id = "standard"
[[tiers]]
id = "silver"
[[tiers]]
id = "gold"
[redemption]
enabled = false
[[identifiers.cards]]
prefix = "29"
lengths = [13]
check = "ean13"
"""

Say = Callable[[str], None]

OURS_PLAIN, OURS_WHOLE = "ours, ledger alone", "ours, every sale counted again"
POUCH, POUCH_DEFAULT = "PouchDB, batches of 1,000", "PouchDB, its own batches of 100"


@dataclass
class Against:
    """Ops a second by name, one figure a part; `puts` and `takes` of queues; `syncs` by name and process, of SYNCED.

    `bytes_an_op`: of the documents. `missing`: why something is not there.
    """

    ops: int
    bytes_an_op: int = 0
    rates: dict[str, list[float]] = field(default_factory=dict)
    puts: dict[str, list[float]] = field(default_factory=dict)
    takes: dict[str, list[float]] = field(default_factory=dict)
    syncs: dict[str, dict[str, int]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def times(self, name: str, other: str) -> float:
        """How many times as fast as `other`: the middle of the parts' own ratios; 0 where one is missing."""
        pairs = list(zip(self.rates.get(name, []), self.rates.get(other, []), strict=False))
        return median(one / two for one, two in pairs) if pairs else 0.0


class Line:
    """A till with a long queue and its cloud, in a folder of their own."""

    def __init__(self, folder: Path, programme: str = "") -> None:
        folder.mkdir()
        self.world = World(folder, programme)
        self._port = 0
        self._made = 0
        self.bodies: list[SaleBody] = []

    def prepare(self) -> None:
        """Cloud, till, members in its cache, and the sample."""
        world = self.world
        world.make_cloud()
        world.enrol()
        self._port = world.start_cloud()
        till = world.start_agent(world.config("line", world.state_dir, self._port))
        self._drain().wait_members(till)
        world.stop_agent()
        world.parts.stop("cloud")
        self.bodies = sample(world, world.state_dir, SAMPLE)

    def part(self, count: int, *, trace: bool = False) -> tuple[float, dict[str, int]]:
        """Ops a second of `count` ops more, from the line's return to an empty queue; syncs by process if traced."""
        world = self.world
        extend(world.state_dir, self.bodies, self._made, count)
        self._made += count
        till = world.start_agent(world.config("line", world.state_dir, self._port))
        time.sleep(SETTLE_S)
        world.start_cloud(self._port)
        tracer = Syncs(world.folder, {"till": till.pid, "cloud": world.pid_of_cloud()}) if trace else None
        seconds, adjusted = self._drain().line_up(till)
        syncs = {} if tracer is None else tracer.stop()
        world.stop_agent()
        world.parts.stop("cloud")
        if adjusted:
            raise RuntimeError(f"expected the cloud to count as the till did, not {adjusted} ops otherwise")
        return count / seconds, syncs

    def _drain(self) -> Drain:
        return Drain(self.world, 0)


def run(folder: Path, ops: int, say: Say) -> Against:
    """All parts in turn. What can't be had here is left out, and `missing` says why."""
    found = Against(ops)
    lines = {OURS_WHOLE: Line(folder / "whole"), OURS_PLAIN: Line(folder / "plain", NO_RULES)}
    pouch: Pouch | None = None
    try:
        for line in lines.values():
            line.prepare()
        bodies = [encode_body(body) for body in lines[OURS_WHOLE].bodies]
        found.bytes_an_op = sum(map(len, bodies)) // len(bodies)
        documents = folder / "documents.jsonl"
        documents.write_bytes(b"".join([body + b"\n" for body in bodies]))
        try:
            pouch = Pouch(folder / "pouch", documents)
        except Missing as error:
            found.missing.append(str(error))
        part = ops // PARTS
        for number in range(PARTS):
            say(f"part {number + 1} of {PARTS}, {part:,} ops each")
            for name, line in lines.items():
                found.rates.setdefault(name, []).append(line.part(part)[0])
            if pouch is not None:
                pouch.fill(part)
                found.rates.setdefault(POUCH, []).append(part / pouch.replicate(POUCH_BATCH, part))
            _queues(found, folder, documents, lines[OURS_WHOLE].bodies, min(QUEUED, part))
        if pouch is not None:
            pouch.fill(part)
            found.rates[POUCH_DEFAULT] = [part / pouch.replicate(POUCH_DEFAULT_BATCH, part)]
        if Syncs.available:
            say("counting syncs")
            _syncs(found, folder, lines, pouch)
        else:
            found.missing.append("syncs are not counted: expected strace on the path")
    finally:
        for line in lines.values():
            line.world.parts.stop_all()
        if pouch is not None:
            pouch.stop()
    return found


def _syncs(found: Against, folder: Path, lines: dict[str, Line], pouch: Pouch | None) -> None:
    for name, line in lines.items():
        found.syncs[name] = line.part(SYNCED, trace=True)[1]
    if pouch is not None:
        pouch.fill(SYNCED)
        tracer = Syncs(folder, {"source": pouch.source.pid, "peer": pouch.peer.pid})
        pouch.replicate(POUCH_BATCH, SYNCED)
        found.syncs[POUCH] = tracer.stop()


def _queues(found: Against, folder: Path, documents: Path, bodies: list[SaleBody], count: int) -> None:
    put, take = asyncio.run(_own_queue(folder / "own", bodies, count))
    rates = {"our journal": {"put": put, "take": take}}
    if not any(word.startswith("queues") for word in found.missing):
        try:
            rates |= queues(folder / "queues", documents, count)
        except Missing as error:
            found.missing.append(str(error))
    for name, pair in rates.items():
        found.puts.setdefault(name, []).append(pair["put"])
        found.takes.setdefault(name, []).append(pair["take"])


async def _own_queue(folder: Path, bodies: list[SaleBody], count: int) -> tuple[float, float]:
    """Puts a second one by one, each durable; takes a second in batches, each acknowledged durably."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    journal = open_place(folder)
    await journal.start()
    try:
        drafts = [as_draft(bodies[number % len(bodies)], number) for number in range(count)]
        started = time.perf_counter()
        for draft in drafts:
            await journal.commit(lambda _reader, draft=draft: draft)  # type: ignore[misc]  # mypy: a default in a lambda
        put = count / (time.perf_counter() - started)
        started = time.perf_counter()
        taken = 0
        while (batch := await journal.next_batch(max_ops=1_000, max_bytes=1 << 24, incarnation="bench")) is not None:
            results = tuple([OpResult(seq=op.seq, status="applied") for op in batch.ops])
            await journal.record(batch.epoch, batch.ops[-1].seq, results)
            taken += len(results)
        take = taken / (time.perf_counter() - started)
    finally:
        await journal.stop()
    return put, take
