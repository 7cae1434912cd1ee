"""Figures for Prometheus and problems for store IT."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from till_agent.api import Health, Status, SyncStatus
from till_agent.journal.aside import DamageReport
from till_agent.journal.figures import Figures
from till_agent.journal.place import OpenReport
from till_agent.journal.salvage import Salvage
from till_agent.metrics import REASONS_LIMIT, Live, Metrics, Watched
from till_agent.status import Facts, problems, sync_status
from till_sync.status import WorkerStatus

ROOT = Path(__file__).resolve().parents[3]
LIVE = Live(listeners=2, listeners_dropped=1, events=9)
SYNC = SyncStatus(
    online=True,
    enrolled=True,
    waiting=3,
    oldest_waiting_ms=1500,
    acked_seq=7,
    last_seq=10,
    last_push_ms=5000,
    last_pull_ms=6000,
    last_error="",
    pushed=7,
    resent=1,
    adjusted=0,
    rejected=0,
)
STATUS = Status(
    version="0.1.0",
    till="t1",
    store="s1",
    started_ms=1000,
    now_ms=2000,
    ready=True,
    problems=(),
    programme="demo 1",
    members_cached=5,
    cache_as_of_ms=9000,
    clock_skew_ms=-250,
    sync=SYNC,
    devices=(Health(device="counter", role="scanner", state="ready"), Health(device="p", role="printer", state="lost")),
    prints_waiting=4,
)
FIGURES = Figures("t1", 1, 10, 7, 3, 1000, 0, 0)


def rendered(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = metrics.render(STATUS, LIVE).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_counters_and_gauges_are_told_in_base_units() -> None:
    metrics = Metrics()
    metrics.refused("host_foreign")
    metrics.refused("host_foreign")
    metrics.answered("quote", 200, 0.0008)
    metrics.answered("quote", 422, 0.3)
    metrics.answered("status", 200, 0.1)
    metrics.scanned("counter", "card")
    found = rendered(metrics)
    assert found["tillside_bridge_refused_total", (("reason", "host_foreign"),)] == 2
    assert found["tillside_bridge_requests_total", (("operation", "quote"), ("status", "4xx"))] == 1
    assert found["tillside_bridge_request_seconds_count", (("operation", "quote"),)] == 2
    assert found["tillside_bridge_request_seconds_bucket", (("le", "0.001"), ("operation", "quote"))] == 1
    assert found["tillside_bridge_request_seconds_bucket", (("le", "+Inf"), ("operation", "quote"))] == 2
    assert ("tillside_bridge_request_seconds_count", (("operation", "status"),)) not in found
    assert found["tillside_scans_total", (("device", "counter"), ("kind", "card"))] == 1
    assert found["tillside_queue_records", ()] == 3
    assert found["tillside_queue_oldest_age_seconds", ()] == 1.5
    assert found["tillside_queue_dropped_total", ()] == 0
    assert found["tillside_clock_offset_seconds", ()] == -0.25
    assert found["tillside_device_up", (("device", "counter"), ("role", "scanner"))] == 1
    assert found["tillside_device_up", (("device", "p"), ("role", "printer"))] == 0


def test_reasons_can_not_fill_the_registry() -> None:
    metrics = Metrics()
    for number in range(10 * REASONS_LIMIT):
        metrics.refused(f"made-up-{number}")
    reasons = [name for name, _ in rendered(metrics) if name == "tillside_bridge_refused_total"]
    assert len(reasons) == REASONS_LIMIT + 1


def test_series_stay_under_300_with_everything_in_use() -> None:
    from till_agent.bridge.operations import OPERATIONS

    metrics = Metrics()
    for operation in OPERATIONS:
        for status in (200, 400, 500):
            metrics.answered(operation.id, status, 0.001)
    for reason in range(40):
        metrics.refused(f"reason-{reason}")
    for kind in ("card", "phone", "goods", "unknown"):
        metrics.scanned("counter", kind)
    assert len(rendered(metrics)) <= 300


def test_every_figure_is_in_the_docs() -> None:
    page = ROOT / "docs" / "reference" / "metrics.md"
    if not page.exists():
        pytest.skip("docs are not here: the wheel alone is under test")
    metrics = Metrics()
    metrics.answered("quote", 200, 0.1)
    watched = Watched(fed=1, loop_delay_s=0.0, journal_round_trip_s=0.0)
    status = msgspec.structs.replace(STATUS, disk_free_bytes=1, disk_total_bytes=2)
    text = metrics.render(status, msgspec.structs.replace(LIVE, watched=watched)).decode()
    names = set(re.findall(r"^# TYPE (tillside_\w+)", text, flags=re.MULTILINE))
    of_a_till = page.read_text(encoding="utf-8").partition("## Of the chain")[0]
    listed = set(re.findall(r"`(tillside_\w+)`", of_a_till))
    assert names == listed


def facts(**changes: Any) -> Facts:
    plain = Facts(
        not_ready="",
        detail="",
        now_wall_ms=2000,
        has_cloud_url=True,
        figures=FIGURES,
        report=OpenReport(epoch=1, reason="new"),
        worker=WorkerStatus(online=True, skew_ms=0),
        has_programme=True,
        devices=(),
    )
    return msgspec.structs.replace(plain, **changes)


def codes(found: Facts) -> list[str]:
    return [message.code for message in problems(found)]


def test_till_that_is_well_has_no_problem() -> None:
    assert codes(facts()) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"not_ready": "till_not_enrolled", "figures": None}, "till_not_enrolled"),
        ({"has_programme": False}, "no_programme"),
        ({"has_cloud_url": False}, "no_cloud_url"),
        ({"worker": WorkerStatus(online=False, last_error="cloud_unreachable: x")}, "offline"),
        ({"worker": WorkerStatus(online=True, halted="stale_epoch")}, "sync_halted"),
        ({"worker": WorkerStatus(online=False, halted="history_pruned")}, "history_pruned"),
        ({"worker": WorkerStatus(online=True, halted="protocol_unsupported")}, "cloud_too_old"),
        ({"worker": WorkerStatus(online=True, skew_ms=-121_000)}, "clock_skew"),
        ({"figures": msgspec.structs.replace(FIGURES, rejected=2)}, "ops_rejected"),
        ({"figures": msgspec.structs.replace(FIGURES, rejected=1, parked=1)}, "ops_parked"),
        ({"figures": msgspec.structs.replace(FIGURES, waiting=85_000)}, "queue_near_limit"),
        ({"figures": msgspec.structs.replace(FIGURES, waiting=100_000)}, "queue_over_limit"),
        ({"report": OpenReport(epoch=2, reason="gap", rows_lost=4)}, "journal_replaced"),
        ({"devices": (Health(device="p", role="printer", state="fault", detail="paper out"),)}, "printer_fault"),
    ],
)
def test_each_fault_is_said_once_with_its_code(changes: dict[str, Any], code: str) -> None:
    assert codes(facts(**changes)) == [code]


def test_gravest_come_first_and_name_what_is_there_to_do() -> None:
    damage = DamageReport(found_wall_ms=1, code="chain", detail="row 5", moved_to="journal.db.damaged-x")
    found = problems(
        facts(has_programme=False, report=OpenReport(epoch=2, reason="chain", damage=damage), has_cloud_url=False)
    )
    assert [message.level for message in found] == ["error", "warning", "warning"]
    assert "journal.db.damaged-x" in found[0].text


def test_what_waited_in_another_tills_journal_is_not_said_to_be_nothing() -> None:
    """A copied till that was given a name of its own: a person enters those sales again."""
    damage = DamageReport(found_wall_ms=1, code="foreign", detail="k1", moved_to="x", waiting=2, salvage=Salvage())
    (message,) = problems(facts(report=OpenReport(epoch=1, reason="foreign", damage=damage)))
    assert "stay there: 2" in message.text
    assert "lost" not in message.text


def test_clock_that_is_ahead_is_said_to_be_ahead() -> None:
    """The worker counts cloud minus till; people ask how far the till is off."""
    (message,) = problems(facts(worker=WorkerStatus(online=True, skew_ms=-300_000)))
    assert "300 s from the cloud" in message.text


def test_status_of_sync_without_a_worker_says_why() -> None:
    found = sync_status(enrolled=True, figures=FIGURES, worker=None, now_wall_ms=4000, last_error="no url")
    assert (found.online, found.waiting, found.oldest_waiting_ms, found.last_error) == (False, 3, 3000, "no url")


def test_status_of_sync_says_when_the_next_exchange_comes() -> None:
    """Also after a failure, so that nobody who has mended something waits for it in the dark."""
    worker = WorkerStatus(last_error="busy: later", retry_in_ms=90_000)
    assert sync_status(enrolled=True, figures=FIGURES, worker=worker, now_wall_ms=4000).retry_in_ms == 90_000
