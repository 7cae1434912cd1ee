"""Alert rules and dashboard: every series they ask for is one that agent or cloud really gives, with those labels."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from till_agent.beating import HeartbeatCounts
from till_agent.bridge.operations import OPERATIONS
from till_agent.metrics import PROBLEMS_LIMIT, REASONS_LIMIT, TIMED, Live, Metrics, Watched
from till_cloud.metrics import render
from till_cloud.overview import TillState
from unit.bridge.test_bridge_figures import STATUS

OPERATIONS_DOCS = Path(__file__).resolve().parents[3] / "docs" / "operations"
if not OPERATIONS_DOCS.exists():
    pytest.skip("docs are not here: the wheel alone is under test", allow_module_level=True)

SCRAPED = {"instance", "job"}
"""Labels that Prometheus itself adds."""
SELECTOR = re.compile(r"(tillside_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"([^\"]*)\"")
WATCHED = Watched(fed=3, loop_delay_s=0.1, journal_round_trip_s=0.01)

Series = dict[str, list[dict[str, str]]]


def full_agent() -> str:
    """Everything an agent can tell, with every limit used up."""
    metrics = Metrics()
    for operation in OPERATIONS:
        for status in (200, 400, 500):
            metrics.answered(operation.id, status, 0.001)
    for reason in ("host_foreign", *(f"reason-{number}" for number in range(REASONS_LIMIT))):
        metrics.refused(reason)
    for kind in ("card", "phone", "voucher", "goods", "unknown"):
        metrics.scanned("counter", kind)
    live = Live(
        listeners=1,
        listeners_dropped=1,
        events=1,
        problems=tuple((f"code-{number}", "error") for number in range(2 * PROBLEMS_LIMIT)),
        heartbeats=HeartbeatCounts(sent=1),
        watched=WATCHED,
    )
    return metrics.render(msgspec.structs.replace(STATUS, disk_free_bytes=5, disk_total_bytes=9), live).decode()


def full_cloud() -> str:
    state = TillState(
        till="t1",
        store="s1",
        state="problems",
        seen_at_ms=1,
        heartbeat_at_ms=1,
        version="1",
        problems=("offline",),
        clock_offset_ms=1,
        disk_free_bytes=1,
    )
    return render([state], "1").decode()


def series_of(text: str) -> Series:
    found: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(dict(sample.labels))
    return found


@pytest.fixture(scope="module")
def series() -> Series:
    return series_of(full_agent()) | series_of(full_cloud())


def rules() -> list[dict[str, Any]]:
    found = yaml.safe_load((OPERATIONS_DOCS / "tillside.rules.yml").read_text(encoding="utf-8"))
    return [rule for group in found["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((OPERATIONS_DOCS / "tillside-dashboard.json").read_text(encoding="utf-8"))
    return found


def check(expression: str, series: Series) -> None:
    """Names and labels exist; brackets and quotes close."""
    for opening, closing in ("()", "[]", "{}"):
        assert expression.count(opening) == expression.count(closing), expression
    names = SELECTOR.findall(expression)
    assert names, f"expected a series of ours in {expression}"
    for name, matchers in names:
        assert name in series, f"{name} is told by nobody: {expression}"
        labels = set().union(*map(set, series[name])) | SCRAPED
        for label, _ in MATCHER.findall(matchers):
            assert label in labels, f"{name} has no label {label}: {expression}"
    for grouped in re.findall(r"\bby \(([^)]*)\)", expression):
        known = SCRAPED.union(*(set(each) for name, _ in names for each in series[name]))
        assert {each.strip() for each in grouped.split(",")} <= known, expression


def test_every_alert_asks_for_series_that_exist(series: Series) -> None:
    """With its labels; and says to a person what to do."""
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names) >= 20
    for rule in rules():
        check(rule["expr"], series)
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert {"summary", "action"} <= set(rule["annotations"])
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"[0-9]+[mh]", rule.get("for", "1m"))
        for label in re.findall(r"\$labels\.(\w+)", str(rule["annotations"])):
            told = [each for name, _ in SELECTOR.findall(rule["expr"]) for each in series[name]]
            assert label in SCRAPED.union(*map(set, told)), rule["alert"]


def test_states_and_reasons_in_rules_are_those_that_are_told() -> None:
    """A label's value with a slip of the pen would never fire."""
    from typing import get_args

    from till_cloud.overview import STATES
    from till_sync.heartbeat import UpdateStage

    texts = [rule["expr"] for rule in rules()] + [each for each, _ in expressions()]
    source = (Path(__file__).resolve().parents[3] / "agent/till_agent/bridge").glob("*.py")
    reasons = " ".join(path.read_text(encoding="utf-8") for path in source)
    for label, value in [found for text in texts for found in MATCHER.findall(text)]:
        if label == "state":
            assert value in STATES
        if label == "stage":
            assert value in get_args(UpdateStage)
        if label == "reason":
            assert all(f'"{reason}"' in reasons for reason in value.split("|"))


THRESHOLD = re.compile(r"(?:abs\()?(tillside_\w+)\)?(?:\{[^}]*\})? (==|>|<) ([0-9.]+)")


@pytest.mark.parametrize(
    ("alert", "value", "fires"),
    [
        ("TillsideTillNotReady", 0, True),
        ("TillsideTillNotReady", 1, False),
        ("TillsideTillQueueOld", 86_401, True),
        ("TillsideTillQueueOld", 86_400, False),
        ("TillsideTillJournalChanged", 1, True),
        ("TillsideTillJournalChanged", 0, False),
        ("TillsideTillQuarantined", 1, True),
        ("TillsideTillDiskLow", 500_000_000, True),
        ("TillsideTillDiskLow", 600_000_000, False),
        ("TillsideTillClockOff", 121, True),
        ("TillsideTillDevicesDown", 0, False),
        ("TillsideAgentNotReady", 0, True),
        ("TillsideAgentQueueDropped", 0, False),
        ("TillsideAgentQueueDropped", 1, True),
        ("TillsideAgentLoopSlow", 0.05, False),
    ],
)
def test_simple_thresholds_fire_when_they_should(alert: str, value: float, fires: bool) -> None:
    """Read out of the rule itself and worked out on a value."""
    (expression,) = [rule["expr"] for rule in rules() if rule["alert"] == alert]
    found = THRESHOLD.fullmatch(expression)
    assert found, expression
    limit = float(found[3])
    assert {"==": value == limit, ">": value > limit, "<": value < limit}[found[2]] is fires


def expressions() -> list[tuple[str, str]]:
    panels = dashboard()["panels"]
    return [(target["expr"], panel["title"]) for panel in panels for target in panel.get("targets", ())]


def test_every_panel_asks_for_series_that_exist(series: Series) -> None:
    """And its variables are those of the dashboard."""
    variables = {each["name"] for each in dashboard()["templating"]["list"]}
    assert len(expressions()) >= 25
    for expression, _ in expressions():
        check(expression, series)
        assert set(re.findall(r"\$(\w+)", expression)) <= variables
    for each in dashboard()["templating"]["list"]:
        if each["type"] == "query":
            check(each["definition"], series)


def test_the_dashboard_can_be_imported_anywhere() -> None:
    """It names no data source of one installation, no two panels share a number or a place."""
    made = dashboard()
    assert made["templating"]["list"][0]["type"] == "datasource"
    sources = {panel["datasource"]["uid"] for panel in made["panels"] if "datasource" in panel}
    assert sources == {"${datasource}"}
    assert len({panel["id"] for panel in made["panels"]}) == len(made["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in made["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_an_agent_has_at_most_300_series_with_every_limit_used_up() -> None:
    """A till's worth, with as many operations, reasons, kinds and problems as there can be."""
    assert len(TIMED) == 6
    assert sum(map(len, series_of(full_agent()).values())) <= 300


def test_every_name_of_the_cloud_is_in_the_docs() -> None:
    """As those of the agent are."""
    page = (OPERATIONS_DOCS.parent / "reference" / "metrics.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"`(tillside_\w+)`", page.partition("## Of the chain")[2]))
    assert listed == set(series_of(full_cloud()))
