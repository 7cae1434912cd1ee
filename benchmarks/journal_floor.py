"""Commit latency of the journal against the floor of the same disk: a raw pwrite and fdatasync, in the same run.

    python benchmarks/journal_floor.py [--commits N] [--directory DIR]

Prints one JSON object. Rounds of floor and journal alternate, so that a disk that slows down slows both. `floor`
writes what a commit of that size writes into a file that is there already, as a write-ahead log is after its first
round; times in milliseconds.
"""

import argparse
import asyncio
import json
import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from till_agent.balances import OwnEffects
from till_agent.journal import DiskJournal, EpochKeeper, Place, open_journal
from till_agent.ports import Draft
from till_sync.clock import SystemClock
from till_sync.ops import Subject

BODY_BYTES = 3_000
"""A receipt of ten lines with its result."""
ANSWER_BYTES = 3_000
COMMIT_BYTES = 8 * 4_120
"""Pages that such a commit puts into the log: the row's, its overflow, three indexes, and what stands above them."""
FLOOR_FILE_BYTES = 4 * 1024 * 1024
ROUNDS = 10
TOGETHER = 8
PAUSE_SECONDS = 0.4
"""Between rounds: a till has such pauses all day, and uses them to copy the log."""


def draft(number: int) -> Draft:
    """A sale of a usual size."""
    return Draft(
        kind="sale",
        uid=f"bench-{number}",
        about_uid="",
        request_digest=b"d" * 32,
        body=os.urandom(BODY_BYTES // 2).hex().encode(),
        answer=b"a" * ANSWER_BYTES,
        subject=Subject(member_id=f"m-{number % 1000}"),
        effect_points=10,
        at_wall_ms=number,
    )


def floor(handle: int, count: int, start: int) -> list[float]:
    """Times of `count` raw writes and syncs."""
    block = b"\xab" * COMMIT_BYTES
    times = []
    for number in range(start, start + count):
        begun = time.perf_counter()
        os.pwrite(handle, block, number * COMMIT_BYTES % (FLOOR_FILE_BYTES - COMMIT_BYTES))
        os.fdatasync(handle)
        times.append(time.perf_counter() - begun)
    return times


async def commit(journal: DiskJournal, number: int) -> float:
    """The time of one commit, from asking to the answer on the loop."""
    wanted = draft(number)
    begun = time.perf_counter()
    await journal.commit(lambda reader: reader.find("sale", wanted.uid) or wanted)
    return time.perf_counter() - begun


async def alone(journal: DiskJournal, count: int, start: int) -> list[float]:
    """One after another."""
    return [await commit(journal, number) for number in range(start, start + count)]


async def together(journal: DiskJournal, count: int, start: int) -> list[float]:
    """TOGETHER clients, each one after another."""

    async def client(at: int) -> list[float]:
        return [await commit(journal, start + number) for number in range(at, count, TOGETHER)]

    return [each for times in await asyncio.gather(*map(client, range(TOGETHER))) for each in times]


def row(times: list[float]) -> dict[str, float]:
    """Median and 99th percentile in milliseconds."""
    ordered = sorted(times)
    return {
        "p50_ms": round(statistics.median(ordered) * 1000, 3),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1000, 3),
    }


async def measure(folder: Path, commits: int) -> dict[str, object]:
    """Alternating rounds."""
    place = Place(
        path=folder / "journal.db", till="bench", keeper=EpochKeeper(0, lambda _epoch: None), clock=SystemClock()
    )
    journal = await open_journal(place, OwnEffects())
    handle = os.open(folder / "floor", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(handle, b"\0" * FLOOR_FILE_BYTES)
    os.fsync(handle)
    raw: list[float] = []
    one: list[float] = []
    eight: list[float] = []
    each = commits // ROUNDS
    await alone(journal, each, 0)
    for number in range(ROUNDS):
        await asyncio.sleep(PAUSE_SECONDS)
        start = (2 * number + 1) * each
        raw += floor(handle, each, start)
        one += await alone(journal, each, start)
        before, begun = journal.transactions, time.perf_counter()
        eight += await together(journal, each, start + each)
        took = time.perf_counter() - begun
        syncs = journal.transactions - before
    await journal.stop()
    os.close(handle)
    rows = {"floor": row(raw), "alone": row(one), f"at_{TOGETHER}": row(eight)}
    return {
        "benchmark": "journal_floor",
        "commits": commits,
        "sqlite": sqlite3.sqlite_version,
        "python": sys.version.split()[0],
        **rows,
        "ratio_p50": round(rows["alone"]["p50_ms"] / rows["floor"]["p50_ms"], 2),
        "ratio_p99": round(rows["alone"]["p99_ms"] / rows["floor"]["p99_ms"], 2),
        f"commits_per_second_at_{TOGETHER}": round(each / took),
        f"commits_per_sync_at_{TOGETHER}": round(each / syncs, 1),
    }


def main() -> None:
    """See the top."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commits", type=int, default=1_000)
    parser.add_argument("--directory", type=Path, default=None, help="on the disk to be measured; not a tmpfs")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="journal-floor-", dir=chosen.directory))
    try:
        print(json.dumps(asyncio.run(measure(folder, chosen.commits))))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
