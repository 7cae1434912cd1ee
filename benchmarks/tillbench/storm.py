"""A chain's tills come back at once after an outage: real sync workers, real HTTP, a real cloud process.

    python -m tillbench.storm [--tills 1000] [--ops 100] [--tills-a-store 4] [--directory DIR]

Every till is a `till_sync` worker with its own connection pool and a queue in memory; all of them live in this process.
First the cloud's capacity is measured: `CALIBRATORS` such tills without any outage, one batch after the other. Then the
storm, then the same with a cloud that gives no slots, each on a fresh copy of the same database. JSON, a row a run.

The tills' process competes with the cloud for the processors, and so may others: a row also has what both used of them,
how long it all took of what the busier of the two worked (`of_work`), and what the storm cost the cloud of what the
same operations cost it in the calm (`of_ideal_cpu`), which holds on a starved machine too.
"""

import argparse
import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median

from till_installer.demo.processes import command, ready_facts
from tillbench.storm_chain import ONE_STORE, TILLS_A_STORE, Chain
from tillbench.storm_tills import POLL_S, Storm, TheLine, Tills
from tillbench.world import end

OUTAGE_S = 6.0
"""Long enough that every till has failed at least three times, so that it takes the outage for one."""

READY_TIMEOUT_S = 30.0

MUTANTS = ("", "no-slots", "no-jitter")
"""no-slots: the cloud gives none, tills are sent away by a time at random when 64 requests are under way. no-jitter:
besides, tills ask again at once whatever they are told."""

IMPATIENT_MS = 50


def run(chain: Chain, mutant: str = "", *, seed: int = 20171223) -> Storm:
    """One storm on a fresh copy of the chain's database; RuntimeError unless everything is there once in the end."""
    folder = Path(tempfile.mkdtemp(dir=chain.folder))
    db = folder / "cloud.db"
    shutil.copy2(chain.db, db)
    storm = Storm(mutant, len(chain.names), len(chain.names) * chain.ops, chain.tills_a_store)
    child, port = _serve(db, folder, mutant)
    try:
        asyncio.run(_storm(chain, storm, child.pid, port, seed))
    finally:
        end(child)
    check(db, chain)
    shutil.rmtree(folder)
    return storm


async def _storm(chain: Chain, storm: Storm, cloud: int, port: int, seed: int) -> None:
    line = TheLine()
    line.port = port
    quiet = Storm("", 0, 0, 0)
    helpers = Tills(chain, chain.helpers, chain.helpers_ops, line, quiet, seed)
    ops = helpers.left
    begun_s = _processor_s(cloud)
    helpers.start()
    storm.capacity_ops_s = ops / await helpers.drained()
    storm.ideal_cpu_s = (_processor_s(cloud) - begun_s) / ops * storm.ops
    await helpers.stop()
    tills = Tills(chain, chain.names, chain.ops, line, storm, seed)
    if storm.mutant == "no-jitter":
        for worker in tills.workers:
            worker._backoff.delay_ms = lambda *_: IMPATIENT_MS
            worker.line.take_spread_ms = lambda: 0
    line.up = False
    tills.start()
    await asyncio.sleep(OUTAGE_S)
    before = _processor_s(cloud), time.process_time()
    line.up = True
    storm.drained_s = await tills.drained()
    storm.cloud_cpu_s, storm.tills_cpu_s = _processor_s(cloud) - before[0], time.process_time() - before[1]
    await tills.stop()
    ordered = sorted(storm.push_ms)
    storm.push_ms_p50 = median(ordered)
    storm.push_ms_p99 = ordered[int(0.99 * (len(ordered) - 1))]
    storm.ops_a_second = round(storm.ops / storm.drained_s)


def _processor_s(process: int) -> float:
    """Processor time of a process so far, as Linux counts it."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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


def main() -> int:
    """See the top."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tills", type=int, default=1_000)
    parser.add_argument("--ops", type=int, default=100, help="that each till has waiting")
    parser.add_argument(
        "--tills-a-store", type=int, default=TILLS_A_STORE, help=f"{ONE_STORE}: one store with all of them"
    )
    parser.add_argument("--mutants", nargs="*", default=list(MUTANTS))
    parser.add_argument("--directory", type=Path, default=None)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tillside-storm-", dir=chosen.directory))
    try:
        chain = Chain(folder, chosen.tills, chosen.ops, tills_a_store=chosen.tills_a_store)
        for mutant in chosen.mutants:
            print(json.dumps(run(chain, mutant).row()), flush=True)
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
