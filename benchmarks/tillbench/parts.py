"""What a run is made of: parts that stand alone, each with a chain of its own, kept when done and taken up again.

A part answers rows and aims. What it found is kept under build/bench, so that a run that was stopped goes on with
`--resume`, one part can be measured anew with `--only`, and the page is written from the newest of each.
"""

import json
import platform
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from os import cpu_count, getloadavg
from pathlib import Path
from typing import Any

from tillbench.world import World, build_cache

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "bench"

Row = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """How much is measured. The full run has the sizes that the aims name."""

    name: str
    members: int
    rounds: int
    block: int
    ops: int
    peer_ops: int
    starts: int
    scans: int
    commits: int
    receipts: int
    latency_rounds: int
    ingest_ops: int
    queue: int
    crowd_s: float


FULL = Size(
    name="full",
    members=1_000_000,
    rounds=40,
    block=15,
    ops=10_000,
    peer_ops=100_000,
    starts=7,
    scans=100,
    commits=500,
    receipts=500,
    latency_rounds=4,
    ingest_ops=6_000,
    queue=50_000,
    crowd_s=60.0,
)
QUICK = Size(
    name="quick",
    members=20_000,
    rounds=8,
    block=10,
    ops=1_000,
    peer_ops=5_000,
    starts=2,
    scans=20,
    commits=100,
    receipts=50,
    latency_rounds=1,
    ingest_ops=1_000,
    queue=2_000,
    crowd_s=5.0,
)


@dataclass
class Found:
    """What a part measured: figures as rows, aims with whether they were reached."""

    rows: list[Row] = field(default_factory=list)
    aims: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Kept:
    """A part's figures as they lie under build/bench: of which commit, under what load, in how many seconds."""

    part: str
    size: str
    commit: str
    load_before: float
    load_after: float
    seconds: float
    rows: list[Row]
    aims: list[Row]


class Bench:
    """What parts share: sizes, a folder for chains, and one full cache, made by the first part that wants it."""

    def __init__(self, folder: Path, size: Size, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.size = size
        self.say = say
        self._full: World | None = None
        self.cache_s = 0.0

    @contextmanager
    def chain(self, name: str, programme: str = "") -> Iterator[World]:
        """A cloud with members and an enrolled till, both stopped; nothing of it is left running."""
        folder = self.folder / name
        folder.mkdir()
        world = World(folder, programme)
        try:
            world.make_cloud()
            world.enrol()
            yield world
        finally:
            world.parts.stop_all()

    def full(self) -> tuple[World, Path]:
        """A chain and the state of a till whose cache has all members; no agent runs. Kept for all parts."""
        if self._full is None:
            folder = self.folder / "full"
            folder.mkdir()
            world = World(folder)
            world.make_cloud()
            world.enrol()
            state = world.second_state("state-full")
            self.say(f"filling a cache with {self.size.members:,} members")
            started = time.monotonic()
            build_cache(state / "cache.db", world.identity(), self.size.members, world.programme_row())
            self.cache_s = time.monotonic() - started
            self._full = world
        return self._full, self._full.folder / "state-full"

    def close(self) -> None:
        """End what the full till's chain may still run."""
        if self._full is not None:
            self._full.parts.stop_all()


def run_part(name: str, part: Callable[[Bench], Found], bench: Bench) -> Kept:
    """Measure one part and keep what it found."""
    started, load_before = time.monotonic(), load()
    try:
        found = part(bench)
    finally:
        bench.close()
    seconds = round(time.monotonic() - started, 1)
    kept = Kept(name, bench.size.name, commit(), load_before, load(), seconds, found.rows, found.aims)
    KEPT.mkdir(parents=True, exist_ok=True)
    path = _path(name, bench.size.name)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(kept), ensure_ascii=False, indent=1), encoding="utf-8")
    draft.replace(path)
    return kept


def kept_of(name: str, size: str) -> Kept | None:
    """What was found last; None where nothing was."""
    try:
        return Kept(**json.loads(_path(name, size).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # not there, or written by another release
        return None


def _path(name: str, size: str) -> Path:
    return KEPT / f"{size}-{name}.json"


def commit() -> str:
    """The commit that is measured, with a mark where files differ from it; "" outside a checkout."""
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=7", "--exclude=*"],
            cwd=ROOT,
            capture_output=True,
            check=True,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.stdout.decode().strip()


def load() -> float:
    """Processes that wanted to run in the last minute: above the cores, the machine was busy with other things."""
    try:
        return round(getloadavg()[0], 2)
    except OSError:
        return 0.0


def machine() -> Row:
    """On what was measured."""
    return {"cores": cpu_count(), "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}


def plain(name: str, value: float, unit: str, *, places: int = 0) -> Row:
    """A figure that is one number."""
    return {"figure": "plain", "name": name, "value": round(value, places) if places else round(value), "unit": unit}


def cells(table: str, head: tuple[str, ...], *row: str) -> Row:
    """A row of a table of its own, as it is to be read."""
    return {"figure": "cells", "table": table, "head": list(head), "row": list(row)}
