"""Every part of a run, in order, and what each says: figures as rows, aims with whether they were reached."""

import asyncio
import shutil
import sys
import time
from collections.abc import Callable
from statistics import median

import journal_floor
from tillbench import (
    against,
    aims,
    camera,
    devices,
    every_call,
    granting,
    ingesting,
    latency,
    panel,
    printing,
    rollouts,
    rules,
    scanning,
    snapshot,
)
from tillbench.backlog import extend
from tillbench.calls import WARM_ROUNDS, Calls, Plan, check_answers
from tillbench.draining import Drain
from tillbench.figures import percentile, ratio
from tillbench.floor import DiskFloor
from tillbench.parts import Bench, Found, Row, cells, plain
from tillbench.sampling import sale_bodies
from tillbench.starting import CUT_OFF, EMPTY, FULL, SETTLE_S, Starts
from tillbench.world import echo_server


def cache(bench: Bench) -> Found:
    """A full cache: how fast pages fill it, and its bytes."""
    _, state = bench.full()
    members = bench.size.members
    size = sum(path.stat().st_size for path in state.glob("cache.db*"))
    return Found(
        [
            plain("members put into the cache by pages, a second", members / bench.cache_s, ""),
            plain("cache, bytes a member", size / members, "bytes"),
        ]
    )


def calls(bench: Bench) -> Found:
    """Calls of a full till beside echo and disk."""
    world, state = bench.full()
    size = bench.size
    till = world.start_agent(world.config("calls", state))
    check_answers(till, size.members)
    time.sleep(SETTLE_S)
    disk = DiskFloor(world.folder)
    with echo_server(world.folder) as echo_port:
        found = Calls(till, echo_port, Plan(size.rounds, size.block, size.members), "c").run(disk)
    disk.close()
    world.stop_agent()
    return Found(aims.call_rows(found), aims.of_calls(found))


def bridge(bench: Bench) -> Found:
    """Each call with a connection of its own, behind a long queue; then many calls at once."""
    world, full = bench.full()
    size = bench.size
    state = every_call.long_queue(world, full, sale_bodies(bench), size.queue)
    till = world.start_agent(world.config("bridge", state))
    time.sleep(SETTLE_S)
    with echo_server(world.folder) as echo_port:
        asked = every_call.EveryCall(till, echo_port, size.members, (size.rounds + WARM_ROUNDS) * size.block)
        found = asked.run(size.rounds, size.block)
    burst, kept, steady = every_call.crowded(asked, till, state, size.crowd_s)
    sales = every_call.beside_look_ups(asked, till, max(2, size.rounds // 4), size.block)
    world.stop_agent()
    shutil.rmtree(state)
    head = ("call, each with a new connection", "p50", "p99", "p50 of the echo")
    table = f"calls at {size.members:,} members and {size.queue:,} ops that wait"
    echo = found[every_call.ECHO]
    rows = [
        cells(table, head, name, _ms(each.p50), _ms(each.at(0.99)), f"{ratio(each, echo):.1f} x")
        for name, each in found.items()
    ]
    head = (f"{every_call.AT_ONCE} callers at once", "calls", "failed", "calls a second", "p50", "p99")
    rows += [
        cells(
            "crowds",
            head,
            name,
            f"{len(each.took):,}",
            str(len(each.failed)),
            f"{len(each.took) / each.seconds:,.0f}",
            *(_ms(percentile(each.took, share)) for share in (0.50, 0.99)),
        )
        for name, each in (
            ("all at one moment, every second", burst),
            ("the same, the cache's file kept in the system's memory", kept),
            ("each again as soon as answered", steady),
        )
    ]
    head = ("a sale by card, connection kept", "p50", "p99")
    rows += [
        cells("sales beside look-ups by phone", head, each.name, _ms(each.p50), _ms(each.at(0.99))) for each in sales
    ]
    return Found(rows, aims.of_crowd(burst, kept))


def _ms(micros: float) -> str:
    return f"{micros / 1000:.2f} ms"


def scan(bench: Bench) -> Found:
    """A card through a pseudo-terminal, beside a bare read of one."""
    world, state = bench.full()
    found = scanning.measure(world, state, bench.size.scans, bench.size.members)
    world.stop_agent()
    if found is None:
        return Found()
    rows = [
        plain("scan on the line to event, p50", found.agent.p50 / 1000, "ms", places=2),
        plain("the same bytes read by a bare loop and told, p50", found.bare.p50 / 1000, "ms", places=2),
        plain("scan to event, of the bare read", found.ratio, "x", places=1),
    ]
    return Found(rows, [aims.of_scan(found.agent.p50 / 1000)])


def screen(bench: Bench) -> Found:
    """A card through a pseudo-terminal to the customer's name on the panel in Chromium."""
    world, state = bench.full()
    found = panel.measure(world, state, bench.size.scans, bench.size.members)
    if found is None:
        bench.say("left out: expected Chromium, Playwright and pseudo-terminals")
        return Found()
    rows = [
        plain(f"scan on the line to the name {where}, {word}", each.at(share) / 1000, "ms", places=1)
        for where, each in (("in the page", found.there), ("on the screen", found.shown))
        for word, share in (("p50", 0.50), ("p99", 0.99))
    ]
    return Found(rows, [aims.of_screen(found.shown.p50 / 1000)])


def device_times(bench: Bench) -> Found:
    """A sale to the first byte of its slip at a printer over TCP; what each driver takes while nothing happens."""
    if sys.platform == "win32":
        return Found()
    world, state = bench.full()
    printed = devices.measure_printing(world, state, bench.size.starts * 5, bench.size.members)
    world.stop_agent()
    first_ms = printed.printing.p50 / 1000
    rows = [
        plain("sale to its answer, a slip every second, p50", printed.answered.p50 / 1000, "ms", places=1),
        plain("sale to the first byte of its slip at the printer, p50", first_ms, "ms", places=1),
        plain("a bare program's connection and first byte, p50", printed.bare.p50 / 1000, "ms", places=2),
    ]
    idle = devices.measure_idle(world, bench.size.starts * 6.0)
    head = ("an idle agent with", "processor time in a minute", "of it the driver's")
    rows += [
        cells("idle drivers", head, name, f"{own:.0f} ms", f"{beyond:+.0f} ms") for name, (own, beyond) in idle.items()
    ]
    return Found(rows, [aims.of_sale_to_paper(first_ms)])


def slips(bench: Bench) -> Found:
    """Blocks to a printer's bytes, drawn and typed."""
    found = printing.measure(bench.size.rounds)
    lines_ms = found.lines.p50 / 1000
    rows = [
        plain("40 drawn lines, processor time, p50", lines_ms, "ms", places=1),
        plain("the same for the first time, when each letter is drawn", found.first_ms, "ms", places=1),
        plain("40 lines drawn by Pillow, sent by python-escpos", found.plain.p50 / 1000, "ms", places=1),
        plain("ours, of that", 1 / printing.times_of(found), "x", places=2),
        plain("a typed slip of 17 lines and a QR code, processor time, p50", found.text.p50 / 1000, "ms", places=2),
        plain("a preview of such a slip as PNG, processor time, p50", found.png.p50 / 1000, "ms", places=1),
    ]
    head = ("slip of 17 lines and a QR code", "bytes", "on a line of 115,200 bits a second")
    rows += [
        cells("slips", head, name, f"{size:,}", f"{printing.seconds_on_a_line(size):.2f} s")
        for name, size in found.bytes_of.items()
    ]
    return Found(rows, [aims.of_drawn_lines(lines_ms)])


def drain(bench: Bench) -> Found:
    """A day's queue as a real till made it."""
    with bench.chain("drain") as world:
        drained = Drain(world, bench.size.ops).run()
    ops = drained.ops
    rows = [
        plain(f"{ops:,} ops queued, line up, to an empty queue", ops / drained.line_s, "ops/s"),
        plain(f"{ops:,} ops queued, from a till just started", ops / drained.restart_s, "ops/s"),
        plain("the cloud alone on the same ops", ops / drained.ingest_s, "ops/s"),
        plain("sales of one cash desk, one after the other", ops / drained.sell_s, "a second"),
        plain("of these, counted otherwise by the cloud", drained.adjusted, ""),
        plain("resident memory with a cloud, before these sales", drained.resident_before_kib / 1024, "MiB", places=1),
        plain("resident memory after them, all waiting", drained.resident_kib / 1024, "MiB", places=1),
    ]
    return Found(rows, [aims.of_drain(ops / drained.line_s)])


def starts(bench: Bench) -> Found:
    """Starts of a till with a full cache and a queue that waits."""
    world, state = bench.full()
    extend(state, sale_bodies(bench), 0, bench.size.ops)
    found = Starts(world, state, bench.size.starts)
    found.run()
    ready_ms = median(found.ready[FULL].samples)
    rows = [
        plain("start of the interpreter alone", median(found.python.samples), "ms"),
        plain("ready, empty till", median(found.ready[EMPTY].samples), "ms"),
        plain("ready, full till", ready_ms, "ms"),
        plain("ready, full till, after a crash", median(found.ready[CUT_OFF].samples), "ms"),
        plain("resident memory, empty till", found.resident_kib[EMPTY] / 1024, "MiB", places=1),
        plain("resident memory, full till", found.resident_kib[FULL] / 1024, "MiB", places=1),
    ]
    return Found(rows, aims.of_start(ready_ms, found.resident_kib[FULL] / 1024))


def journal(bench: Bench) -> Found:
    """Commits of the journal beside the disk's own."""
    folder = bench.folder / "journal"
    folder.mkdir()
    found = asyncio.run(journal_floor.measure(folder, bench.size.commits))
    shutil.rmtree(folder)
    ratios = {name: float(str(found[name])) for name in ("ratio_p50", "ratio_p99")}
    return Found(
        [
            {"figure": "journal", **found},
            plain("journal commit alone, p50, of the disk's floor", ratios["ratio_p50"], "x", places=2),
            plain("journal commit alone, p99, of the disk's floor", ratios["ratio_p99"], "x", places=2),
        ]
    )


def rules_alone(bench: Bench) -> Found:
    """The rules without anything around them."""
    found = rules.measure(bench.size.receipts)
    return Found(found.rows(), aims.of_rules(found))


def ingest(bench: Bench) -> Found:
    """The cloud's ingest in one process, with and without counting again."""
    with bench.chain("ingest") as world:
        found = ingesting.measure(world, bench.size.ingest_ops)
    rows = [
        plain("ingest in process, every sale counted again, ops a processor second", found.whole, ""),
        plain("the same without counting, as far as that could ever go", found.uncounted, ""),
        plain("of which counting is", 100 * (1 - found.whole / found.uncounted), "%"),
        plain("ingest in process, on the wall", found.wall, "ops/s"),
    ]
    return Found(rows, [aims.of_ingest(found.wall)])


def peers(bench: Bench) -> Found:
    """A long queue against PouchDB; the journal against two queues."""
    folder = bench.folder / "peers"
    folder.mkdir()
    found = against.run(folder, bench.size.peer_ops, bench.say)
    shutil.rmtree(folder, ignore_errors=True)
    return Found([*_peer_rows(found), *_queue_rows(found)], aims.of_peers(found))


def _peer_rows(found: against.Against) -> list[Row]:
    head = ("drain", "ops/s, middle of parts", "least and most", "of PouchDB", "syncs of the disk, 5,000 ops")
    table = f"{found.ops:,} ops to the other side, documents of {found.bytes_an_op:,} bytes"
    rows = []
    for name, rates in found.rates.items():
        times = found.times(name, against.POUCH)
        syncs = ", ".join(f"{process} {count}" for process, count in found.syncs.get(name, {}).items())
        rows.append(
            cells(
                table,
                head,
                name,
                f"{median(rates):,.0f}",
                f"{min(rates):,.0f} to {max(rates):,.0f}",
                f"{times:.1f} x" if times else "-",
                syncs or "-",
            )
        )
    return rows + [plain(word, 0, "") for word in found.missing]


def _queue_rows(found: against.Against) -> list[Row]:
    head = ("queue on this disk alone", "put one by one, durable, a second", "taken and acknowledged, a second")
    return [
        cells("queues", head, name, f"{median(puts):,.0f}", f"{median(found.takes[name]):,.0f}")
        for name, puts in found.puts.items()
    ]


def sale_latency(bench: Bench) -> Found:
    """Sales while rows come in and a queue goes out."""
    with bench.chain("latency") as world:
        found = latency.measure(world, bench.size.latency_rounds, bench.say)
    head = ("sale while", "sales", "p50", "p95", "p99", "of that at rest", "floor beside it, p99", "p99 of that floor")
    rows = [
        cells(
            "sales",
            head,
            name,
            f"{len(taken):,}",
            *(f"{percentile(taken, share) / 1000:.2f} ms" for share in (0.50, 0.95, 0.99)),
            f"{found.ratio(name):.2f} x",
            f"{percentile(found.floor[name], 0.99) / 1000:.2f} ms",
            f"{found.of_floor(name):.2f} x",
        )
        for name, taken in found.taken.items()
    ]
    return Found(rows, aims.of_latency(found))


def snapshots(bench: Bench) -> Found:
    """A million members from the cloud's snapshot to a cache that serves."""
    with bench.chain("snapshot") as world:
        found = snapshot.measure(world, bench.size.members, bench.say)
    rows = [
        plain("members imported by the cloud, a second", found.imported_per_s, ""),
        plain("snapshot made by the cloud", found.made_s, "s", places=1),
        plain("snapshot, bytes a member as sent", found.bytes_a_member, "bytes", places=1),
        plain(
            f"{found.members:,} members, from an agent's start to serving all of them", found.serving_s, "s", places=1
        ),
        plain("the same file copied and synced, the floor", found.floor_s, "s", places=2),
    ]
    return Found(rows, [aims.of_snapshot(found.serving_s, found.members)])


def grants(bench: Bench) -> Found:
    """Redemptions of real receipts that a grant could have served."""
    try:
        found = granting.measure(granting.shared_folder(), all_strategies=bench.size.name == "full")
    except OSError:
        bench.say("left out: expected shared/data/x5_retailhero beside the project")
        return Found()
    head = ("redemptions offline, by grants", "tills in a store", "wholly", "of the points", "online, calling back")
    return Found(
        [
            cells(
                f"grants, opening balance {'the least' if not each.extra else f'{each.extra // 100} roubles more'}",
                head,
                each.strategy,
                str(each.tills),
                *each.served.row()[:3],
            )
            for each in found
        ]
    )


PARTS: dict[str, Callable[[Bench], Found]] = {
    "cache": cache,
    "calls": calls,
    "bridge": bridge,
    "scan": scan,
    "panel": screen,
    "devices": device_times,
    "slips": slips,
    "camera": camera.measure,
    "starts": starts,
    "journal": journal,
    "rules": rules_alone,
    "ingest": ingest,
    "drain": drain,
    "peers": peers,
    "latency": sale_latency,
    "snapshot": snapshots,
    "granting": grants,
    "fleet": rollouts.a_fleet,
    "upgrade": rollouts.upgrades,
}
