"""What was wanted, and whether it was found."""

from typing import Any

from tillbench.against import OURS_PLAIN, POUCH, Against
from tillbench.calls import ANYBODY, DISK, ECHO, IDENTIFY, KEPT, NEW, QUOTE, SALE
from tillbench.crowd import Crowd
from tillbench.figures import Series, percentile, ratio, shares_of_disk
from tillbench.latency import DELTA, DRAIN, Latency
from tillbench.rules import Rules

QUOTE_OF_ECHO = 3.0
SALE_OF_DISK = 1.3
READY_MS = 600
RESIDENT_MIB = 60
DRAIN_OPS_PER_SECOND = 3_000
TILL_RULES_US = 500
LARGEST_RULES_US = 10_000
SIMULATED_PER_SECOND = 1_500
TIMES_POUCH = 5.0
INGEST_OPS_PER_SECOND = 3_000
SALE_P99_OF_REST = 2.0
SCAN_MS = 1.0
CROWD_P99_MS = 50.0
SALE_TO_PAPER_MS = 20
SCAN_TO_SCREEN_MS = 100
SNAPSHOT_S = 8.0
SNAPSHOT_MEMBERS = 1_000_000

DRAWN_LINES_MS = 10.0
UPGRADE_MS = 2_000

Aim = dict[str, Any]
Calls = dict[tuple[str, str], Series]


def of_calls(calls: Calls) -> list[Aim]:
    """Quote and sale, by both kinds of connection."""
    aims: list[Aim] = []
    disk = calls[DISK, ""]
    for way in (KEPT, NEW):
        echo, quote, sale = (calls[name, way] for name in (ECHO, QUOTE, SALE))
        found = ratio(quote, echo)
        aims.append(
            _aim(f"quote p50, {way}", f"<= {QUOTE_OF_ECHO:g} x echo", f"{found:.2f} x", reached=found <= QUOTE_OF_ECHO)
        )
        found = shares_of_disk(sale, echo, disk)
        beyond = sale.p50 - echo.p50 - SALE_OF_DISK * disk.p50
        words = f"echo + {found:.2f} x ({beyond / 1000:+.2f} ms)"
        wanted = f"<= echo + {SALE_OF_DISK:g} x fdatasync"
        aims.append(_aim(f"sale p50, {way}", wanted, words, reached=found <= SALE_OF_DISK))
    return aims


def of_start(ready_ms: float, resident_mib: float) -> list[Aim]:
    """A full till: the start, and memory after it."""
    return [
        _aim("ready, full till", f"<= {READY_MS} ms", f"{ready_ms:.0f} ms", reached=ready_ms <= READY_MS),
        _aim(
            "resident memory, full till",
            f"<= {RESIDENT_MIB} MiB",
            f"{resident_mib:.1f} MiB",
            reached=resident_mib <= RESIDENT_MIB,
        ),
    ]


def of_drain(ops_per_second: float) -> Aim:
    """The queue to the cloud and counted there."""
    return _aim(
        "drain",
        f">= {DRAIN_OPS_PER_SECOND:,} ops/s",
        f"{ops_per_second:,.0f} ops/s",
        reached=ops_per_second >= DRAIN_OPS_PER_SECOND,
    )


def of_rules(found: Rules) -> list[Aim]:
    """The rules alone: an ordinary receipt, the largest one of a year, and receipts of the past."""
    aims = [
        _aim(
            f"{cost.name}, p50",
            f"<= {most / 1000:g} ms",
            f"{cost.p50_us / 1000:.2f} ms",
            reached=cost.p50_us <= most,
        )
        for cost, most in ((found.till, TILL_RULES_US), (found.largest, LARGEST_RULES_US))
    ]
    wanted, rate = f">= {SIMULATED_PER_SECOND:,} a second", found.simulated_per_s
    return [*aims, _aim("receipts simulated", wanted, f"{rate:,.0f} a second", reached=rate >= SIMULATED_PER_SECOND)]


def of_ingest(ops_per_second: float) -> Aim:
    """The cloud alone, every sale counted again."""
    wanted, found = f">= {INGEST_OPS_PER_SECOND:,} ops/s", f"{ops_per_second:,.0f} ops/s"
    return _aim("ingest in process", wanted, found, reached=ops_per_second >= INGEST_OPS_PER_SECOND)


def of_peers(found: Against) -> list[Aim]:
    """The ledger alone against PouchDB; nothing where PouchDB could not be had."""
    times = found.times(OURS_PLAIN, POUCH)
    if not times:
        return []
    return [
        _aim(
            "drain, ledger alone, of PouchDB's replication",
            f">= {TIMES_POUCH:g} x",
            f"{times:.1f} x",
            reached=times >= TIMES_POUCH,
        )
    ]


def of_latency(found: Latency) -> list[Aim]:
    """A sale while other things go on."""
    return [
        _aim(
            f"sale p99 while {name}",
            f"<= {SALE_P99_OF_REST:g} x at rest",
            f"{found.ratio(name):.2f} x",
            reached=found.ratio(name) <= SALE_P99_OF_REST,
        )
        for name in (DELTA, DRAIN)
    ]


def of_crowd(found: Crowd, kept: Crowd) -> list[Aim]:
    """Fifty calls at one moment: every one answered, and soon. `kept`: with the cache's file in the system's memory."""
    failed = len(found.failed) + len(kept.failed)
    named = (("50 calls at once, p99", found), ("50 calls at once, p99, no member read from the disk", kept))
    return [
        _aim("50 calls at once, refused or lost", "0", str(failed), reached=not failed),
        *(_within_ms(name, CROWD_P99_MS, percentile(each.took, 0.99) / 1000) for name, each in named),
    ]


def _within_ms(name: str, limit_ms: float, found_ms: float) -> Aim:
    return _aim(name, f"<= {limit_ms:g} ms", f"{found_ms:.1f} ms", reached=found_ms <= limit_ms)


def of_scan(milliseconds: float) -> Aim:
    """From the scanner's last byte to the event that cash software hears."""
    wanted, found = f"<= {SCAN_MS:g} ms", f"{milliseconds:.2f} ms"
    return _aim("scan to event, p50", wanted, found, reached=milliseconds <= SCAN_MS)


def of_screen(milliseconds: float) -> Aim:
    """From the scanner's last byte to the customer's name on the panel's screen."""
    wanted, found = f"<= {SCAN_TO_SCREEN_MS} ms", f"{milliseconds:.0f} ms"
    return _aim("scan to name on the screen, p50", wanted, found, reached=milliseconds <= SCAN_TO_SCREEN_MS)


def of_sale_to_paper(milliseconds: float) -> Aim:
    """From a sale's request to the first byte of its slip at the printer."""
    wanted, found = f"<= {SALE_TO_PAPER_MS} ms", f"{milliseconds:.1f} ms"
    return _aim("sale to first printed byte, p50", wanted, found, reached=milliseconds <= SALE_TO_PAPER_MS)


def of_snapshot(seconds: float, members: int) -> Aim:
    """From nothing to a cache that serves."""
    wanted = f"<= {SNAPSHOT_S:g} s for {SNAPSHOT_MEMBERS:,}"
    reached = seconds <= SNAPSHOT_S and members >= SNAPSHOT_MEMBERS
    return _aim("snapshot to serving cache", wanted, f"{seconds:.1f} s for {members:,}", reached=reached)


def of_upgrade(milliseconds: float) -> Aim:
    """From the old version's last answer to the new one's first."""
    wanted, found = f"<= {UPGRADE_MS:,} ms", f"{milliseconds:,.0f} ms"
    return _aim("upgrade, time without a till", wanted, found, reached=milliseconds <= UPGRADE_MS)


def of_drawn_lines(milliseconds: float) -> Aim:
    """Lines that the printer has no letters for."""
    return _aim(
        "40 drawn lines, processor time",
        f"<= {DRAWN_LINES_MS:g} ms",
        f"{milliseconds:.1f} ms",
        reached=milliseconds <= DRAWN_LINES_MS,
    )


def call_rows(calls: Calls) -> list[dict[str, Any]]:
    """A row for each call and connection, the floor first."""
    rows: list[dict[str, Any]] = []
    for (name, way), series in calls.items():
        echo = calls.get((ECHO, way))
        rows.append(
            {
                "figure": "call",
                "call": name,
                "connection": way,
                "p50_us": round(series.p50),
                "p95_us": round(series.at(0.95)),
                "p99_us": round(series.at(0.99)),
                "samples": len(series.samples),
                "echo_ratio": round(ratio(series, echo), 2)
                if echo and name in (IDENTIFY, ANYBODY, QUOTE, SALE)
                else None,
            }
        )
    return rows


def _aim(aim: str, wanted: str, found: str, *, reached: bool) -> Aim:
    return {"aim": aim, "wanted": wanted, "found": found, "reached": reached}
