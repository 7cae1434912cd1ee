"""Figures of the chain for Prometheus: every till as its heartbeat told it, so that a till behind NAT is watched too.

The names are listed in docs/reference/metrics.md, which a test holds true. No member is in any label.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from till_cloud.overview import STATES, TillState

if TYPE_CHECKING:
    from prometheus_client import Metric
    from prometheus_client.core import GaugeMetricFamily

TILLS_LIMIT = 5_000
"""Tills with series of their own: a larger chain asks `tillside cloud tills --json`, or watches by region."""
PROBLEMS_LIMIT = 8
"""Problems of one till that get a series; `tillside_till_problems` counts all."""

_LABELS = ["till", "store"]

Value = Callable[[TillState], float]


def render(states: list[TillState], version: str) -> bytes:
    """The text that Prometheus reads; some 20 series a till. Tens of milliseconds: not on an event loop."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector([*_of_chain(states, version), *_of_tills(states[:TILLS_LIMIT])]))
    return generate_latest(registry)


class _Collector:
    def __init__(self, families: "list[Metric]") -> None:
        self._families = families

    def collect(self) -> "Iterable[Metric]":
        return self._families


def _of_chain(states: list[TillState], version: str) -> "Iterator[Metric]":
    from prometheus_client.core import GaugeMetricFamily

    build = GaugeMetricFamily("tillside_cloud_build", "Always 1; which version runs", labels=["version"])
    build.add_metric([version], 1)
    yield build
    counts = Counter(each.state for each in states)
    tills = GaugeMetricFamily("tillside_cloud_tills", "Tills by their gravest state", labels=["state"])
    for state in STATES:
        tills.add_metric([state], counts[state])
    yield tills


def _of_tills(states: list[TillState]) -> "Iterator[Metric]":
    told = [each for each in states if each.heartbeat_at_ms]
    yield _one(
        "heartbeat_time_seconds", "When its last heartbeat came; 0: never", states, lambda t: _s(t.heartbeat_at_ms)
    )
    yield _one("findings", "Ways in which its journal is not what it was", states, lambda t: len(t.findings))
    yield _one("quarantined", "1 while its requests are refused", states, lambda t: int(bool(t.quarantined)))
    yield _one("ready", "1 when it takes sales", told, lambda t: int(t.ready))
    yield _one("problems", "What somebody should mend there", told, lambda t: len(t.problems))
    yield _one("queue_records", "Ops that wait there", told, lambda t: t.waiting)
    yield _one("queue_oldest_age_seconds", "Age of the oldest of them", told, lambda t: _s(t.oldest_waiting_ms))
    yield _one("rejected", "Ops of it that the cloud refused", told, lambda t: t.rejected)
    yield _one("parked", "Of these the ones that the cloud could not take", told, lambda t: t.parked)
    yield _one("devices_down", "Scanners and printers that do not work", told, lambda t: len(t.devices_down))
    yield _one("prints_waiting", "Slips in its print queue", told, lambda t: t.prints_waiting)
    yield _one("cache_time_seconds", "Cloud's time of its newest page", told, lambda t: _s(t.cache_as_of_ms))
    yield _one("cache_members", "Members known there", told, lambda t: t.members_cached)
    yield _one("programme_version", "Of the programme it sells by", told, lambda t: t.programme_version)
    yield _one("policy_version", "Of the policy in force; 0: none", told, lambda t: t.policy_version)
    yield _one("policy_refused", "Version that it could not take; 0: none", told, lambda t: t.policy_refused)
    yield _one("update_rollbacks", "Updates taken back since it was installed", told, lambda t: t.rollbacks)
    disks = [each for each in told if each.disk_free_bytes >= 0]
    yield _one("disk_free_bytes", "Room on the disk of its journal", disks, lambda t: t.disk_free_bytes)
    clocks = [each for each in told if each.clock_offset_ms is not None]
    yield _one("clock_offset_seconds", "Its clock less the cloud's", clocks, lambda t: _s(t.clock_offset_ms or 0))
    yield from _named(told)


def _named(told: list[TillState]) -> "Iterator[Metric]":
    """Those whose label says what."""
    problem = _family("problem", "1 for each problem of a till", "code")
    build = _family("build", "Always 1; which version it runs", "version")
    update = _family("update_stage", "1 for where its last update stands", "stage")
    for till in told:
        for code in till.problems[:PROBLEMS_LIMIT]:
            problem.add_metric([till.till, till.store, code], 1)
        build.add_metric([till.till, till.store, till.version], 1)
        update.add_metric([till.till, till.store, till.update_stage], 1)
    yield from (problem, build, update)


def _one(name: str, text: str, states: list[TillState], value: Value) -> "GaugeMetricFamily":
    family = _family(name, text)
    for each in states:
        family.add_metric([each.till, each.store], value(each))
    return family


def _family(name: str, text: str, *labels: str) -> "GaugeMetricFamily":
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(f"tillside_till_{name}", text, labels=[*_LABELS, *labels])


def _s(milliseconds: int) -> float:
    return milliseconds / 1000
