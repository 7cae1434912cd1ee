"""What a new version costs a till and a fleet."""

import asyncio
from statistics import median

from tillbench import aims, every_call, fleet, upgrade
from tillbench.figures import percentile
from tillbench.parts import Bench, Found, plain
from tillbench.sampling import sale_bodies


def upgrades(bench: Bench) -> Found:
    """The time without a till while a version takes another's place, and until a bad one is taken back."""
    world, full = bench.full()
    state = every_call.long_queue(world, full, sale_bodies(bench), bench.size.ops)
    found = upgrade.measure(world.folder / "upgrade", state, bench.size.starts, bench.say)
    rows = [
        plain(f"switch, {bench.size.ops:,} ops waiting, longest time without a till", max(found.downtimes_ms), "ms"),
        plain("the same, median", median(found.downtimes_ms), "ms"),
        plain("of this, the old version's stop", median(found.stops_ms), "ms"),
        plain("of this, the queue counted and kept", median(found.counts_ms), "ms"),
        plain("copy, rehearsed sale, slip and return", median(found.rehearsals_ms) / 1000, "s", places=1),
        plain("a version that crashes at its start, until the old one serves", found.crash_ms / 1000, "s", places=1),
        plain("queue's count and hash equal, of all changes", found.equal, ""),
    ]
    return Found(rows, [aims.of_upgrade(median(found.downtimes_ms))])


def a_fleet(bench: Bench) -> Found:
    """800 tills' heartbeats at the cloud, and how many get a version that fails at one till in ten."""
    folder = bench.folder / "fleet"
    folder.mkdir()
    found = asyncio.run(
        fleet.play(folder, count=800, bad=lambda number: number % 10 == 0, sizes=(30, 200, 0), rounds=2)
    )
    rows = [
        plain("a heartbeat, four at once, p50", percentile(found.beats_ms, 0.50), "ms", places=1),
        plain("a heartbeat, four at once, p99", percentile(found.beats_ms, 0.99), "ms", places=1),
        plain("the cloud's processor time a heartbeat", found.cpu_ms, "ms", places=2),
        plain("tills of 800 that tried a version failing at each tenth, until it was halted", found.tried, ""),
        plain("of these, went back", found.rolled_back, ""),
    ]
    return Found(rows)
