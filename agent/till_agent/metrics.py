"""Figures for Prometheus, `tillside_*`: base units, no member in a label, under 300 series.

The hot path adds to plain numbers; prometheus-client is imported, and its registry filled, when somebody looks.
Every name is listed in docs/reference/metrics.md, which a test holds true.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from till_agent.api import Status
from till_agent.beating import HeartbeatCounts
from till_agent.journal.schema import WAITING_AGE_LIMIT_MS, WAITING_OPS_LIMIT
from till_sync.heartbeat import UpdateState

if TYPE_CHECKING:
    from prometheus_client import Metric

REASONS_LIMIT = 50
"""Reasons are named in code, about 40; more than this would be a defect that fills the registry."""
BUCKETS_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""From the aim of a quote to the budget of a call that asks the cloud."""
ANSWERS_LIMIT = 80
"""Pairs of operation and status class. A till has some 30; all there could be would take the room of other series."""
PROBLEMS_LIMIT = 16
"""Devices and codes are few; more than this would be a defect that fills the registry."""
TIMED = frozenset({"identify", "quote", "sell", "hold", "return", "void"})
"""Operations that a cashier waits for."""

_UP = frozenset({"ready", "busy", "degraded"})


class Timing:
    """Counts per bucket, not cumulated, and the sum."""

    __slots__ = ("counts", "total_seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_SECONDS) + 1)
        self.total_seconds = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self.total_seconds += seconds
        for index, bound in enumerate(BUCKETS_SECONDS):
            if seconds <= bound:
                self.counts[index] += 1
                return
        self.counts[-1] += 1


class Watched(Struct, frozen=True, kw_only=True):
    """What the watchdog has seen."""

    fed: int
    loop_delay_s: float
    journal_round_trip_s: float


class Live(Struct, frozen=True, kw_only=True):
    """What is read at the moment of looking, besides the status."""

    listeners: int
    listeners_dropped: int
    events: int
    flags: int = 0
    problems: tuple[tuple[str, str], ...] = ()
    """(code, level) of what somebody should mend."""
    parked: int = 0
    last_seq: int = 0
    heartbeats: HeartbeatCounts = HeartbeatCounts()
    update: UpdateState = UpdateState()
    policy_version: int = 0
    policy_refused: int = 0
    watched: Watched | None = None


class Metrics:
    """Counters of one agent's life. Used on the loop only."""

    def __init__(self) -> None:
        self._refused: Counter[str] = Counter()
        self._answered: Counter[tuple[str, str]] = Counter()
        self._timings: dict[str, Timing] = {}
        self._scans: Counter[tuple[str, str]] = Counter()

    def refused(self, reason: str) -> None:
        """The bridge refused a request."""
        if reason in self._refused or len(self._refused) < REASONS_LIMIT:
            self._refused[reason] += 1
        else:
            self._refused["other"] += 1

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """The bridge answered a request."""
        pair = (operation, f"{status // 100}xx")
        known = pair in self._answered or len(self._answered) < ANSWERS_LIMIT
        self._answered[pair if known else ("other", pair[1])] += 1
        if operation in TIMED:
            timing = self._timings.get(operation)
            if timing is None:
                timing = self._timings[operation] = Timing()
            timing.add(seconds)

    def scanned(self, device: str, kind: str) -> None:
        """A scanner read a code of that kind."""
        self._scans[device, kind] += 1

    def render(self, status: Status, live: Live) -> bytes:
        """The text that Prometheus reads."""
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        found = [*self._own(), *_of_status(status), *_of_live(live), *_of_supervision(live)]
        registry.register(_Collector(found))
        return generate_latest(registry)

    def _own(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        refused = CounterMetricFamily(
            "tillside_bridge_refused", "Requests that the bridge refused, by reason", labels=["reason"]
        )
        for reason, count in sorted(self._refused.items()):
            refused.add_metric([reason], count)
        yield refused
        answered = CounterMetricFamily(
            "tillside_bridge_requests", "Requests that the bridge answered", labels=["operation", "status"]
        )
        for labels, count in sorted(self._answered.items()):
            answered.add_metric(list(labels), count)
        yield answered
        timings = HistogramMetricFamily(
            "tillside_bridge_request_seconds", "Time from the head of a request to its answer", labels=["operation"]
        )
        for operation, timing in sorted(self._timings.items()):
            timings.add_metric([operation], buckets=_cumulated(timing), sum_value=timing.total_seconds)
        yield timings
        scans = CounterMetricFamily("tillside_scans", "Codes that scanners read, by kind", labels=["device", "kind"])
        for pair, count in sorted(self._scans.items()):
            scans.add_metric(list(pair), count)
        yield scans


class _Collector:
    def __init__(self, families: "list[Metric]") -> None:
        self._families = families

    def collect(self) -> "Iterable[Metric]":
        return self._families


def _cumulated(timing: Timing) -> list[tuple[str, float]]:
    names = [*(str(bound) for bound in BUCKETS_SECONDS), "+Inf"]
    total = 0
    found: list[tuple[str, float]] = []
    for name, count in zip(names, timing.counts, strict=True):
        total += count
        found.append((name, total))
    return found


def _of_status(status: Status) -> "Iterator[Metric]":
    from prometheus_client.core import GaugeMetricFamily

    sync = status.sync
    yield GaugeMetricFamily("tillside_start_time_seconds", "When the agent started", value=status.started_ms / 1000)
    yield GaugeMetricFamily("tillside_ready", "1 when sales are taken", value=int(status.ready))
    yield _info(status.version)
    yield GaugeMetricFamily("tillside_queue_records", "Ops that the cloud has not acknowledged", value=sync.waiting)
    yield GaugeMetricFamily(
        "tillside_queue_oldest_age_seconds", "Age of the oldest of them", value=sync.oldest_waiting_ms / 1000
    )
    fill = max(sync.waiting / WAITING_OPS_LIMIT, sync.oldest_waiting_ms / WAITING_AGE_LIMIT_MS)
    yield GaugeMetricFamily(
        "tillside_queue_limit_ratio", "The larger share of its limits (ops, age) that the queue takes", value=fill
    )
    yield _counter("tillside_queue_dropped", "Ops that were given up: there is no way to, so always 0", 0)
    yield GaugeMetricFamily("tillside_sync_enrolled", "1 when the till has its identity", value=int(sync.enrolled))
    yield GaugeMetricFamily("tillside_sync_online", "1 when the cloud answers", value=int(sync.online))
    yield GaugeMetricFamily("tillside_sync_last_push_time_seconds", "Last push", value=sync.last_push_ms / 1000)
    yield GaugeMetricFamily("tillside_sync_last_pull_time_seconds", "Last pull", value=sync.last_pull_ms / 1000)
    yield _counter("tillside_sync_pushed", "Ops sent and acknowledged", sync.pushed)
    yield _counter("tillside_sync_resent", "Ops sent more than once", sync.resent)
    yield GaugeMetricFamily("tillside_sync_adjusted", "Ops that the cloud worked out otherwise", value=sync.adjusted)
    yield GaugeMetricFamily("tillside_sync_rejected", "Ops that the cloud refused", value=sync.rejected)
    yield _counter(
        "tillside_cache_divergences", "Stretches of members read anew: they had come apart", sync.divergences
    )
    yield GaugeMetricFamily("tillside_cache_members", "Members known on this till", value=status.members_cached)
    yield GaugeMetricFamily(
        "tillside_cache_time_seconds", "Cloud's time of the newest pulled page", value=status.cache_as_of_ms / 1000
    )
    if status.clock_skew_ms is not None:
        skew = status.clock_skew_ms / 1000
        yield GaugeMetricFamily("tillside_clock_offset_seconds", "Till's clock less the cloud's", value=skew)
    yield GaugeMetricFamily("tillside_grants", "Members of whose points this till holds a share", value=status.grants)
    yield GaugeMetricFamily("tillside_grant_points", "Minor points in those shares", value=status.granted_points)
    yield GaugeMetricFamily(
        "tillside_floor_spent_points",
        "Minor points spent within the floor limit, until the cloud has it",
        value=status.floor_spent_points,
    )
    if status.disk_free_bytes >= 0:
        yield GaugeMetricFamily(
            "tillside_disk_free_bytes", "Room on the disk of the journal", value=status.disk_free_bytes
        )
        yield GaugeMetricFamily("tillside_disk_size_bytes", "Its size", value=status.disk_total_bytes)
    yield GaugeMetricFamily("tillside_prints_waiting", "Slips in the print queue", value=status.prints_waiting)
    up = GaugeMetricFamily("tillside_device_up", "1 when the device is there and works", labels=["device", "role"])
    for device in status.devices:
        up.add_metric([device.device, device.role], int(device.state in _UP))
    yield up


def _of_live(live: Live) -> "Iterator[Metric]":
    from prometheus_client.core import GaugeMetricFamily

    yield GaugeMetricFamily("tillside_bridge_event_listeners", "Open event streams", value=live.listeners)
    yield _counter(
        "tillside_bridge_event_listeners_dropped", "Streams cut because they were not read", live.listeners_dropped
    )
    yield _counter("tillside_bridge_events", "Events told", live.events)
    yield GaugeMetricFamily(
        "tillside_conduct_flags", "Cards and cashiers of whose receipts somebody should look at", value=live.flags
    )


def _of_supervision(live: Live) -> "Iterator[Metric]":
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    problem = GaugeMetricFamily(
        "tillside_problem", "1 for each problem that somebody should mend", labels=["code", "level"]
    )
    for labels in sorted(set(live.problems))[:PROBLEMS_LIMIT]:
        problem.add_metric(list(labels), 1)
    yield problem
    yield GaugeMetricFamily("tillside_queue_parked", "Rejected ops that the cloud could not take", value=live.parked)
    yield GaugeMetricFamily("tillside_journal_seq", "Number of the journal's last row", value=live.last_seq)
    beats = CounterMetricFamily("tillside_heartbeats", "Heartbeats, by what became of them", labels=["outcome"])
    beats.add_metric(["sent"], live.heartbeats.sent)
    beats.add_metric(["failed"], live.heartbeats.failed)
    yield beats
    yield GaugeMetricFamily(
        "tillside_heartbeat_last_time_seconds", "Last one that the cloud took", value=live.heartbeats.last_ms / 1000
    )
    stage = GaugeMetricFamily("tillside_update_stage", "1 for where the last update stands", labels=["stage"])
    stage.add_metric([live.update.stage], 1)
    yield stage
    yield GaugeMetricFamily("tillside_update_rollbacks", "Updates taken back", value=live.update.rollbacks)
    yield GaugeMetricFamily(
        "tillside_policy_version", "Of the chain's policy in force; 0: none", value=live.policy_version
    )
    yield GaugeMetricFamily(
        "tillside_policy_refused", "Version of a policy that could not be taken; 0: none", value=live.policy_refused
    )
    if live.watched is not None:
        yield _counter("tillside_watchdog_fed", "Times that the sale path was found alive", live.watched.fed)
        yield GaugeMetricFamily(
            "tillside_loop_delay_seconds",
            "The longest that the event loop came too late within a minute",
            value=live.watched.loop_delay_s,
        )
        yield GaugeMetricFamily(
            "tillside_journal_round_trip_seconds",
            "To the journal's writer and back, with nothing to do",
            value=live.watched.journal_round_trip_s,
        )


def _counter(name: str, text: str, value: int) -> Any:
    from prometheus_client.core import CounterMetricFamily

    return CounterMetricFamily(name, text, value=value)


def _info(version: str) -> Any:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily("tillside_build", "Always 1; its label says which version runs", labels=["version"])
    family.add_metric([version], 1)
    return family
