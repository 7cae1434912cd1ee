"""What `tillside frontol report` says of points, and of a till that reads no report."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import till_agent.cli.asking
from till_agent.bridge.exceptions import AgentUnreachableError
from till_agent.cli.frontol_report import report
from till_agent.cli.words import points

FINDING = {
    "id": 1,
    "finding": "unseen_sale",
    "state": "accrued",
    "document": "1/204/17",
    "local_time": "2026-11-22T09:04:00",
    "total_minor": 26970,
    "points": 538,
    "detail": "",
}
NO_REPORTS = {"totals": dict.fromkeys(("matched", "accrued", "found", "waiting", "ignored"), 0), "files": []}
ANSWERS: dict[str, Any] = {
    "/v1/page": {"points_exponent": 2},
    "/v1/frontol/reports": NO_REPORTS,
    "/v1/frontol/findings?which=open&limit=100": {"open": 0, "findings": [FINDING]},
    "/v1/frontol/findings/1/accept": {"finding": FINDING},
}


def answer(state_dir: Path, method: str, path: str, body: object = None, *, token: str | None = None) -> Any:
    """An agent that answers what was written down above."""
    del state_dir, method, body, token
    if path not in ANSWERS:
        raise AgentUnreachableError(f"nothing is answered at {path}")
    return ANSWERS[path]


def said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *words: str, settings: str = "") -> str:
    """What a command prints."""
    monkeypatch.setattr(till_agent.cli.asking, "ask", answer)
    config = tmp_path / "till.toml"
    config.write_text(f"[agent]\nstate_dir = '{tmp_path}'\n{settings}", "utf-8")
    done = CliRunner().invoke(report, [*words, "--config", str(config)])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize(
    ("minor", "digits", "text"), [(538, 2, "5.38"), (5, 2, "0.05"), (-130, 2, "-1.30"), (7, 0, "7"), (0, 3, "0.000")]
)
def test_points_have_their_digits(minor: int, digits: int, text: str) -> None:
    """As the programme says how many."""
    assert points(minor, digits) == text


def test_points_of_findings_are_those_that_customers_know(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not their hundredths: 538 points for a receipt of 270 looked like a gift."""
    assert said(monkeypatch, tmp_path, "accept", "1") == "1: accrued, 5.38 points\n"
    listed = said(monkeypatch, tmp_path, "findings")
    assert "5.38" in listed
    assert "538" not in listed.replace("5.38", "")


def test_without_an_agent_points_say_what_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody knows then how many digits they have."""
    monkeypatch.delitem(ANSWERS, "/v1/page")
    assert "538 (smallest parts)" in said(monkeypatch, tmp_path, "findings")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("", "No report is configured: name one in [[frontol.reports]], and start the agent again."),
        ("[[frontol.reports]]\npath = '/srv/report.txt'\n", "None of the reports that [[frontol.reports]] names"),
    ],
)
def test_a_till_that_reads_no_report_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: str, words: str
) -> None:
    """Whether none is named, or none is there."""
    assert words in said(monkeypatch, tmp_path, "status", settings=settings)
