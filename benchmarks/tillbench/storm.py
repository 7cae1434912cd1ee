"""A chain's tills come back at once after an outage: real sync workers, real HTTP, a real cloud process.

    python -m tillbench.storm [--tills 1000] [--ops 100] [--directory DIR]

Every till is a `till_sync` worker with its own connection pool and a queue in memory; all of them live in this process.
First the cloud's capacity is measured: `CALIBRATORS` such tills without any outage, one batch after the other. Then the
storm, then the same with a cloud that gives no slots, each on a fresh copy of the same database. JSON, a row a run.
"""

import argparse
import asyncio
import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import msgspec

from till_installer.demo.processes import command, ready_facts
from till_loyalty.engine import calculate
from till_loyalty.programme import Programme
from till_loyalty.programme_document import digest, example_text, parse_programme, programme_json
from till_loyalty.receipt import Line, MemberState, Receipt, StoreClock
from till_sync.client import CloudClient
from till_sync.clock import SystemClock
from till_sync.exceptions import CloudUnreachable
from till_sync.httpx_transport import HttpxTransport
from till_sync.ops import NEWEST_PROTOCOL, OpId, SaleBody, Subject, encode_body, fingerprint
from till_sync.transport import Reply
from till_sync.wire import ChangesAnswer, HelloAnswer, OpResult, PushRequest, WireOp
from till_sync.worker import SyncWorker, WorkerSettings
from tillbench.world import end

STORE = "s1"
MEMBERS = 100
"""Few, so that what each till pulls after its push stays small: every till gets every member that changed."""

SPREAD_MS = 15_000
RETRY_CAP_MS = 15_000
"""In life 60 s and 30 s. Not less: greeting costs this one process 10 ms a till, and it plays a thousand of them."""

OUTAGE_S = 6.0
"""Long enough that every till has failed at least three times, so that it takes the outage for one."""

POLL_INTERVAL_MS = 60_000
"""Beyond the storm's end: what is measured is the queues, and the one pull that follows each."""

REQUEST_TIMEOUT_MS = 30_000
"""In life 10 s; a thousand tills have one process here, which must not count its own haste as the cloud's silence."""

CALIBRATORS = 4
CALIBRATION_OPS = 3_000
DRAIN_TIMEOUT_S = 600.0
POLL_S = 0.05
READY_TIMEOUT_S = 30.0
CLOCK = StoreClock(local_time="2026-11-22T12:00:00", business_date="2026-11-22")

MUTANTS = ("", "no-slots", "no-jitter")
"""no-slots: the cloud gives none, tills are sent away by a time at random when 64 requests are under way. no-jitter:
besides, tills ask again at once whatever they are told."""


IMPATIENT_MS = 50


@dataclass
class Storm:
    """What one storm was like. `refused`: answers of 429 and 503. `failed`: exchanges without an answer of the cloud.

    `probes` are the greetings; `pushes_at_once` and `works_at_once` what was under way at once, as the tills saw it.
    """

    mutant: str
    tills: int
    ops: int
    drained_s: float = 0.0
    capacity_ops_s: float = 0.0
    probes: int = 0
    pushes: int = 0
    pulls: int = 0
    refused: int = 0
    failed: int = 0
    pushes_at_once: int = 0
    ops_a_second: int = 0
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
    def retries(self) -> float:
        """Share of requests that had to be made again, of all but the probes."""
        return (self.refused + self.failed) / max(1, self.pushes + self.pulls)

    def row(self) -> dict[str, Any]:
        found = {name: value for name, value in asdict(self).items() if name != "push_ms"}
        more = {"ideal_s": self.ideal_s, "of_ideal": self.of_ideal, "retries": self.retries}
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
            storm.probes += 1
            return await self._real.exchange(method, path, **options)
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


class Queue:
    """An outbox of ready ops in memory: `till_sync.ports.Outbox`."""

    def __init__(self, till: str, bodies: list[bytes]) -> None:
        self.till, self.salt = till, f"salt-{till}"
        self.acked = 0
        self.verdicts: Counter[str] = Counter()
        self.heads = [""]
        self.ops: list[WireOp] = []
        for seq, body in enumerate(bodies, 1):
            mark = fingerprint(OpId(till, 1, seq), self.salt, body)
            self.ops.append(WireOp(seq=seq, fingerprint=mark, body=msgspec.Raw(body)))
            self.heads.append(hashlib.sha256((self.heads[-1] + mark).encode()).hexdigest())

    async def waiting(self) -> int:
        return len(self.ops) - self.acked

    async def next_batch(self, *, max_ops: int, max_bytes: int, incarnation: str) -> PushRequest | None:
        del max_bytes  # a hundred small sales are far from any
        ops = self.ops[self.acked : self.acked + max_ops]
        if not ops:
            return None
        return PushRequest(
            protocol=min(2, NEWEST_PROTOCOL),
            epoch=1,
            salt=self.salt,
            incarnation=incarnation,
            first_seq=ops[0].seq,
            prev_hash=self.heads[ops[0].seq - 1],
            head_hash=self.heads[ops[-1].seq],
            sent_wall_ms=int(time.time() * 1000),
            sent_mono_ms=1,
            boot="b",
            ops=tuple(ops),
            remaining=len(self.ops) - ops[-1].seq,
        )

    async def record(self, epoch: int, acked_seq: int, results: tuple[OpResult, ...]) -> None:
        if (epoch, self.acked + len(results)) != (1, acked_seq):
            raise RuntimeError(f"expected verdicts up to {self.acked + len(results)}, not {acked_seq}")
        self.acked = acked_seq
        self.verdicts.update(result.status for result in results)

    async def reconcile(self, hello: HelloAnswer) -> None:
        self.acked = hello.acked_seq


class Pages:
    """A cache that keeps nothing but its cursor: `till_sync.ports.CacheSink`."""

    def __init__(self, cursor: str) -> None:
        self._cursor = cursor

    async def cursor(self) -> str:
        return self._cursor

    async def store_page(self, page: ChangesAnswer) -> None:
        self._cursor = page.next or self._cursor

    async def reset(self) -> None:
        self._cursor = ""


class Chain:
    """A cloud's database with a store, tills and members, and the tills' queues: made once, used for each run."""

    def __init__(self, folder: Path, tills: int, ops: int) -> None:
        self.folder = folder
        self.db = folder / "storm.db"
        self.names = [f"t{number:05d}" for number in range(tills)]
        self.helpers = [f"c{number}" for number in range(CALIBRATORS)]
        self.ops = ops
        self.tokens: dict[str, str] = {}
        self._queues: dict[str, Queue] = {}
        self._programme = parse_programme(example_text("supermarket"))
        self.cursor = self._make_cloud()

    def queue(self, till: str, ops: int) -> Queue:
        """The same ops each time, none of them acknowledged."""
        if till not in self._queues:
            bodies = [encode_body(_sale(self._programme, till, number)) for number in range(ops)]
            self._queues[till] = Queue(till, bodies)
        queue = self._queues[till]
        queue.acked = 0
        queue.verdicts.clear()
        return queue

    def _make_cloud(self) -> str:
        from till_cloud import enrolment, registry
        from till_cloud.centre import Centre
        from till_cloud.store import members, tills
        from till_sync.wire import EnrolmentRequest

        centre = Centre(self.db)
        now_ms = centre.wall_ms()

        def fill(connection: sqlite3.Connection) -> None:
            from till_cloud.ledger.book import Book

            tills.put_store(connection, tills.StoreRow(STORE, "Storm", "Europe/Moscow"), now_ms)
            registry.upload(connection, self._programme, now_ms)
            book = Book(connection, now_ms)
            for number in range(MEMBERS):
                profile = members.MemberProfile(f"m-{number}", "active", "standard", "", "", "", "", "")
                members.add(connection, profile, (), book.next_position(), now_ms)
            book.flush()
            for name in (*self.names, *self.helpers):
                tills.add_till(connection, name, STORE, now_ms)
                code = enrolment.issue_code(connection, name, now_ms)
                answer = enrolment.redeem_code(connection, EnrolmentRequest(code=code, salt="x"), now_ms)
                if not hasattr(answer, "token"):
                    raise RuntimeError(f"expected an enrolled till, not {answer!r}")
                self.tokens[name] = answer.token

        centre.write(fill).result()
        row = centre.quick(lambda connection: tills.till(connection, self.names[0]))
        if row is None:
            raise RuntimeError("expected the till that was just made")
        cursor = centre.changes(row, since="", limit=10_000).next
        centre.close()
        return cursor


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
                Pages(chain.cursor),
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


def run(chain: Chain, mutant: str = "", *, seed: int = 20171223) -> Storm:
    """One storm on a fresh copy of the chain's database; RuntimeError unless everything is there once in the end."""
    folder = Path(tempfile.mkdtemp(dir=chain.folder))
    db = folder / "cloud.db"
    shutil.copy2(chain.db, db)
    storm = Storm(mutant, len(chain.names), len(chain.names) * chain.ops)
    child, port = _serve(db, folder, mutant)
    try:
        asyncio.run(_storm(chain, storm, port, seed))
    finally:
        end(child)
    check(db, chain)
    shutil.rmtree(folder)
    return storm


async def _storm(chain: Chain, storm: Storm, port: int, seed: int) -> None:
    line = TheLine()
    line.port = port
    quiet = Storm("", 0, 0)
    helpers = Tills(chain, chain.helpers, min(CALIBRATION_OPS, 10 * chain.ops), line, quiet, seed)
    ops = helpers.left
    helpers.start()
    storm.capacity_ops_s = ops / await helpers.drained()
    await helpers.stop()
    tills = Tills(chain, chain.names, chain.ops, line, storm, seed)
    if storm.mutant == "no-jitter":
        for worker in tills.workers:
            worker._backoff.delay_ms = lambda *_: IMPATIENT_MS
            worker.line.take_spread_ms = lambda: 0
    line.up = False
    tills.start()
    await asyncio.sleep(OUTAGE_S)
    line.up = True
    storm.drained_s = await tills.drained()
    await tills.stop()
    ordered = sorted(storm.push_ms)
    storm.push_ms_p50 = median(ordered)
    storm.push_ms_p99 = ordered[int(0.99 * (len(ordered) - 1))]
    storm.ops_a_second = round(storm.ops / storm.drained_s)


def check(db: Path, chain: Chain) -> None:
    """Every op is at the cloud once, and moved points once at most; the cloud's own check finds nothing."""
    with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as connection:
        held = connection.execute("SELECT till, count(*), max(seq) FROM ops GROUP BY till").fetchall()
        twice = connection.execute(
            "SELECT count(*) FROM"
            " (SELECT 1 FROM movements WHERE till > '' GROUP BY till, kind, uid HAVING count(*) > 1)"
        ).fetchone()[0]
    found = {till: (count, last) for till, count, last in held}
    wrong = [name for name in chain.names if found.get(name) != (chain.ops, chain.ops)]
    if wrong or twice:
        raise RuntimeError(f"not once each: {wrong[:5]} of {len(wrong)}; {twice} moved points twice")
    subprocess.run(command("cloud", "verify", "--db", str(db)), check=True, capture_output=True)


def _serve(db: Path, folder: Path, mutant: str) -> tuple["subprocess.Popen[bytes]", int]:
    ready = folder / "cloud.ready"
    told = ("cloud", "run", "--db", str(db), "--port", "0", "--ready-file", str(ready))
    words = [sys.executable, "-c", NO_SLOTS, *told] if mutant else command(*told)
    with (folder / "cloud.log").open("wb") as log:
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    give_up = time.monotonic() + READY_TIMEOUT_S
    while not ready.exists():
        if child.poll() is not None or time.monotonic() > give_up:
            end(child)
            raise RuntimeError("the cloud did not come up: " + (folder / "cloud.log").read_text()[-2000:])
        time.sleep(POLL_S)
    return child, int(ready_facts(ready)["port"])


NO_SLOTS = """
import sys
from till_cloud import busy
made = busy.Busy.__init__
busy.Busy.__init__ = lambda self, *a, **k: made(self, *a, **(k | {"slots": False}))
from till_config.main import main
sys.argv[0] = "tillside"
main()
"""


def _sale(programme: Programme, till: str, number: int) -> SaleBody:
    member = f"m-{(int(till[1:]) + number) % MEMBERS}"
    receipt = Receipt(
        lines=tuple(
            Line(number=n, sku=f"sku{n}", amount_minor=100 + (number * 31 + n * 173) % 1_400) for n in range(1, 6)
        )
    )
    facts = MemberState(tier="standard", spendable_points=0)
    return SaleBody(
        uid=f"{till}-{number}",
        store=STORE,
        at_wall_ms=1_795_300_000_000,
        at_mono_ms=1,
        boot="b",
        clock=CLOCK,
        subject=Subject(member_id=member),
        receipt=receipt,
        result=calculate(programme, facts, receipt, CLOCK),
        programme_digest=digest(programme_json(programme)),
        facts=facts,
    )


def main() -> int:
    """See the top."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tills", type=int, default=1_000)
    parser.add_argument("--ops", type=int, default=100, help="that each till has waiting")
    parser.add_argument("--mutants", nargs="*", default=list(MUTANTS))
    parser.add_argument("--directory", type=Path, default=None)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tillside-storm-", dir=chosen.directory))
    try:
        chain = Chain(folder, chosen.tills, chosen.ops)
        for mutant in chosen.mutants:
            print(json.dumps(run(chain, mutant).row()), flush=True)
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
