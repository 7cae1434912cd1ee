"""All figures of the product, each beside its floor in the same run, from real processes of the installed package.

    python benchmarks/run.py [--quick] [--write] [--directory DIR]

Prints one JSON row a figure, the last line a summary. `--write` puts the tables into docs/explanation/performance.md,
which says how to read them. Only loopback, only processes of its own, and a folder that is removed at the end.
"""

import argparse
import asyncio
import json
import os
import platform
import shutil
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import journal_floor
from tillbench import aims, page, rules, scanning
from tillbench.calls import Calls, Plan, check_answers
from tillbench.draining import Drain, Drained
from tillbench.floor import DiskFloor
from tillbench.starting import EMPTY, FULL, SETTLE_S, Starts
from tillbench.world import World, build_cache, echo_server, keep_journal

PAGE = Path(__file__).resolve().parents[1] / "docs" / "explanation" / "performance.md"


@dataclass(frozen=True)
class Size:
    """How much is measured. The full run has the sizes that the aims name."""

    members: int
    rounds: int
    block: int
    ops: int
    starts: int
    scans: int
    commits: int
    receipts: int


FULL_SIZE = Size(members=1_000_000, rounds=40, block=15, ops=10_000, starts=7, scans=100, commits=500, receipts=500)
QUICK_SIZE = Size(members=20_000, rounds=8, block=10, ops=1_000, starts=2, scans=20, commits=100, receipts=50)


def main() -> int:
    """See the top."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, under a minute: shows that all of it runs")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/explanation/performance.md")
    parser.add_argument("--directory", type=Path, default=None, help="on the disk to be measured; not a tmpfs")
    chosen = parser.parse_args()
    if not hasattr(os, "fdatasync"):
        parser.error("expected a system with fdatasync: the disk's floor is measured by it")
    folder = Path(tempfile.mkdtemp(prefix="tillside-bench-", dir=chosen.directory))
    keep_bytecode(folder / "bytecode")
    world = World(folder)
    try:
        rows, summary = measure(world, QUICK_SIZE if chosen.quick else FULL_SIZE)
    finally:
        world.parts.stop_all()
        shutil.rmtree(folder)
    if chosen.write:
        page.write(PAGE, page.render(rows, summary))
    say(summary)
    return 0


def keep_bytecode(folder: Path) -> None:
    """Let every process that is started find compiled modules, as an installer leaves them, also where this process is
    told not to write any: compiling all of them anew takes longer than the rest of a start."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder)


def measure(world: World, size: Size) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Every part in turn; rows are printed as they come."""
    started, load_before = time.monotonic(), _load()
    rows: list[dict[str, Any]] = []

    def keep(*found: dict[str, Any]) -> None:
        for row in found:
            rows.append(row)
            say(row)

    world.make_cloud()
    world.enrol()
    state = world.second_state("state-full")
    cache_started = time.monotonic()
    build_cache(state / "cache.db", world.identity(), size.members, world.programme_row())
    cache_s = time.monotonic() - cache_started
    keep(plain("members put into the cache, a second", size.members / cache_s, ""))
    calls = _calls(world, state, size)
    keep(*aims.call_rows(calls))
    scan = scanning.measure(world, state, size.scans, size.members)
    if scan is not None:
        keep(plain("scan on the line to event, p50", scan.p50 / 1000, "ms", places=2))
    drained = Drain(world, size.ops).run()
    keep(*_drain_rows(drained))
    keep_journal(world.folder / "state-queued", state)
    starts = Starts(world, state, size.starts)
    starts.run()
    keep(*_start_rows(starts))
    journal = asyncio.run(journal_floor.measure(world.folder, size.commits))
    keep({"figure": "journal", **journal})
    keep(plain("journal commit alone, p50, of the disk's floor", float(str(journal["ratio_p50"])), "x", places=2))
    counted = rules.measure(size.receipts)
    keep(*counted.rows())
    ready_ms = median(starts.ready[FULL].samples)
    summary = {
        "figure": "summary",
        "members": size.members,
        "seconds": round(time.monotonic() - started),
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "load_before": load_before,
            "load_after": _load(),
        },
        "aims": [
            *aims.of_calls(calls),
            *aims.of_start(ready_ms, starts.resident_kib[FULL] / 1024),
            aims.of_drain(drained.ops / drained.line_s),
            *aims.of_rules(counted),
        ],
    }
    return rows, summary


def _calls(world: World, state: Path, size: Size) -> aims.Calls:
    till = world.start_agent(world.config("calls", state))
    check_answers(till, size.members)
    time.sleep(SETTLE_S)
    disk = DiskFloor(world.folder)
    with echo_server(world.folder) as echo_port:
        found = Calls(till, echo_port, Plan(size.rounds, size.block, size.members), "c").run(disk)
    disk.close()
    world.stop_agent()
    return found


def _drain_rows(drained: Drained) -> list[dict[str, Any]]:
    ops = drained.ops
    return [
        plain(f"{ops:,} ops queued, line up, to an empty queue", ops / drained.line_s, "ops/s"),
        plain(f"{ops:,} ops queued, from a till just started", ops / drained.restart_s, "ops/s"),
        plain("the cloud alone on the same ops", ops / drained.ingest_s, "ops/s"),
        plain("sales of one cash desk, one after the other", ops / drained.sell_s, "a second"),
        plain("of these, counted otherwise by the cloud", drained.adjusted, ""),
        plain("resident memory with a cloud, before these sales", drained.resident_before_kib / 1024, "MiB", places=1),
        plain("resident memory after them, all waiting", drained.resident_kib / 1024, "MiB", places=1),
    ]


def _start_rows(starts: Starts) -> list[dict[str, Any]]:
    return [
        plain("start of the interpreter alone", median(starts.python.samples), "ms"),
        plain("ready, empty till", median(starts.ready[EMPTY].samples), "ms"),
        plain("ready, full till", median(starts.ready[FULL].samples), "ms"),
        plain("resident memory, empty till", starts.resident_kib[EMPTY] / 1024, "MiB", places=1),
        plain("resident memory, full till", starts.resident_kib[FULL] / 1024, "MiB", places=1),
    ]


def plain(name: str, value: float, unit: str, *, places: int = 0) -> dict[str, Any]:
    """A figure that is one number."""
    return {"figure": "plain", "name": name, "value": round(value, places) if places else round(value), "unit": unit}


def _load() -> float:
    """Processes that wanted to run in the last minute: above the cores, the machine was busy with other things."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0


def say(row: dict[str, Any]) -> None:
    """One line of JSON."""
    print(json.dumps(row, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    sys.exit(main())
