"""Jobs and reports as people use them: the commands, a running cloud, and one that is killed on the way."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kit.commands import tillside
from till_cloud.verify import verify
from unit.cloud.cloud_kit import NOON_MS, Wall
from unit.cloud.cloud_ledger_kit import DAY_MS, shop

TILLSIDE = str(Path(sys.executable).with_name("tillside"))
WAIT_S = 30
LONG_AGO_MS = NOON_MS - 400 * DAY_MS
"""11 December 2025: by the clock of whoever runs this, points of that day that lived for 30 are over."""


@pytest.fixture
def old_points(tmp_path: Path) -> Path:
    """Forty members with 1,000 points each that should have expired long ago."""
    path = tmp_path / "c.db"
    with shop(path, wall=Wall(LONG_AGO_MS)) as world:
        till = world.till()
        for number in range(40):
            world.member(f"m-{number}")
            world.sell(till, f"s{number}", f"m-{number}")
        till.push()
    return path


def run(*words: str, status: int = 0) -> str:
    done = tillside("cloud", *words, status=status)
    return done.stdout if status == 0 else done.output


def left(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT sum(balance) FROM balances").fetchone()[0])
    finally:
        connection.close()


def test_jobs_run_does_what_is_due_and_says_it(old_points: Path) -> None:
    db = ("--db", str(old_points))
    # 10 January is the last day of those points.
    assert json.loads(run("jobs", "run", *db, "--to", "2026-01-10", "--json"))["expired_points"] == 0
    told = run("jobs", "run", *db, "--to", "2026-01-11")
    assert "expired points" in told
    assert "40000" in told
    assert left(old_points) == 0
    assert json.loads(run("jobs", "run", *db, "--json"))["expired_points"] == 0
    assert "expected a date" in run("jobs", "run", *db, "--to", "tomorrow", status=1)
    assert json.loads(run("verify", *db))["holds"]


def test_a_day_to_come_is_done_only_with_yes(old_points: Path) -> None:
    """What it does to points can't be undone, and a date is easily mistyped."""
    db, far = ("--db", str(old_points)), ("--to", "2999-01-01")
    before = left(old_points)
    assert "expected --yes" in run("jobs", "run", *db, *far, status=1)
    assert left(old_points) == before
    assert json.loads(run("jobs", "run", *db, *far, "--yes", "--json"))["expired_points"] == before
    assert left(old_points) == 0


def test_reports_say_what_was_given(old_points: Path) -> None:
    span = ("--db", str(old_points), "--from", "2025-12-01", "--to", "2025-12-31")
    given = json.loads(run("report", "programme", *span, "--json"))
    assert given == [{"kind": "rule", "rule": "base", "times": 40, "points": 40_000, "discount_minor": 0}]
    assert "base" in run("report", "programme", *span)
    assert json.loads(run("report", "suppliers", *span, "--json")) == []
    assert "to pay" in run("report", "suppliers", *span)
    assert "expected --from before --to" in run(
        "report", "suppliers", "--db", str(old_points), "--from", "2026-01-02", "--to", "2026-01-01", status=1
    )


@pytest.mark.faults
@pytest.mark.parametrize("killed", [False, True])
def test_a_running_cloud_does_its_jobs_at_the_start(old_points: Path, tmp_path: Path, killed: bool) -> None:
    """Killed as soon as it serves, and started again: everything has expired, once."""
    for _ in range(1 + killed):
        ready = tmp_path / "ready.json"
        ready.unlink(missing_ok=True)
        command = [TILLSIDE, "cloud", "run", "--db", str(old_points), "--port", "0", "--ready-file", str(ready)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            wait_for(ready.exists)
            if killed:
                process.kill()
                process.wait(WAIT_S)
                killed = False
                continue
            wait_for(lambda: left(old_points) == 0)
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT_S) == 0
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(WAIT_S)
    connection = sqlite3.connect(old_points)
    assert verify(connection).holds
    assert connection.execute("SELECT count(*), sum(expired) FROM movements WHERE kind = 'expiry'").fetchone() == (
        40,
        40_000,
    )
    connection.close()


def wait_for(condition) -> None:  # type: ignore[no-untyped-def]  # a call without arguments
    until = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < until, "waited for long"
        time.sleep(0.05)
