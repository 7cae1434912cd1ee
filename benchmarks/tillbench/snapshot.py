"""A cloud of a million members makes a snapshot; a till without a cache takes it and serves all of them.

Measured is the till's time, from the start of its process to a status that counts every member: fetched over loopback,
checked, unpacked, put in place. The floor is a copy of the snapshot's file, synced, on the same disk.
"""

import csv
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from till_installer.demo.processes import command
from tillbench import people
from tillbench.wire import Connection
from tillbench.world import CLOUD_MEMBERS, World

IMPORT_TIMEOUT_S = 600
SERVING_TIMEOUT_S = 300
POLL_S = 0.02


@dataclass(frozen=True)
class Served:
    """Seconds and rates; `members` that the cache counts at the end."""

    members: int
    imported_per_s: float
    made_s: float
    bytes_a_member: float
    serving_s: float
    floor_s: float


def measure(world: World, members: int, say: Callable[[str], None]) -> Served:
    """Import, make, take."""
    say(f"importing {members:,} members")
    imported_s = _import(world, members)
    say("making a snapshot")
    began = time.perf_counter()
    _command(world, "cloud", "snapshot", "make", "--db", str(world.cloud_db))
    made_s = time.perf_counter() - began
    newest = max(_files(world), key=lambda path: path.stat().st_mtime)
    floor_s = _copy_s(newest, world.folder / "floor.copy")
    port = world.start_cloud()
    say("starting a till without a cache")
    began = time.perf_counter()
    till = world.start_agent(world.config("snapshot", world.state_dir, port))
    looker = Connection(till.port)
    while till.status(looker)["members_cached"] < members:
        if time.perf_counter() - began > SERVING_TIMEOUT_S:
            raise RuntimeError(f"expected {members:,} members within {SERVING_TIMEOUT_S} s")
        time.sleep(POLL_S)
    serving_s = time.perf_counter() - began
    looker.close()
    world.stop_agent()
    world.parts.stop("cloud")
    return Served(
        members=members,
        imported_per_s=(members - CLOUD_MEMBERS) / imported_s,
        made_s=made_s,
        bytes_a_member=newest.stat().st_size / members,
        serving_s=serving_s,
        floor_s=floor_s,
    )


def _files(world: World) -> list[Path]:
    found = [path for path in world.folder.glob("*-snapshots/*") if path.is_file()]
    if not found:
        raise RuntimeError("expected a snapshot's file beside the database")
    return found


def _import(world: World, members: int) -> float:
    path = world.folder / "all.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("name", "phone", "card", "tier", "balance"))
        for number in range(CLOUD_MEMBERS, members):
            tier = people.TIERS[number % len(people.TIERS)]
            writer.writerow((f"Member {number}", "", people.card(number), tier, number * 37 % 2_500))
    began = time.perf_counter()
    _command(world, "cloud", "member", "import", "--db", str(world.cloud_db), str(path))
    return time.perf_counter() - began


def _command(world: World, *words: str) -> None:
    """As `Processes.run`, which allows less time than a million members take."""
    with (world.folder / "command.log").open("wb") as log:
        subprocess.run(
            command(*words), stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True, timeout=IMPORT_TIMEOUT_S
        )


def _copy_s(source: Path, target: Path) -> float:
    began = time.perf_counter()
    with source.open("rb") as stream, target.open("wb") as out:
        while block := stream.read(1 << 20):
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    took = time.perf_counter() - began
    target.unlink()
    return took
