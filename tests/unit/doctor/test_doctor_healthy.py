"""A till that is well is told so, with its agent up and down, and nothing of it is changed by looking."""

import asyncio
import contextlib
import hashlib
import json
import os
import re
import shutil
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from till_agent.balances import OwnEffects
from till_agent.cli.audit import audit
from till_agent.journal import EpochKeeper, Place, open_journal
from till_agent.journal.copies import place_for_copy
from till_agent.ports import Draft
from till_installer.support.gathering import gather
from till_sync.clock import SystemClock
from till_sync.ops import Subject
from unit.doctor.doctor_world import NOW_MS, TILL, Healthy, bad


def _files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("is_up", [True, False])
def test_doctor_finds_nothing_on_a_till_that_is_well(till: Healthy, is_up: bool) -> None:
    """No finding, and no file of the state directory is another one after the look."""
    if not is_up:
        till.unit["ActiveState"] = "inactive"
        till.config_lines["bridge"] = ["port = 0"]
        till.devices = ""
        before = _files(till.state)
        found = bad(till.told(deep=True))
        assert set(found) == {"service_stopped"}
        assert _files(till.state) == before
        return
    with till.running():
        before = _files(till.state)
        told = till.told(deep=True)
        assert bad(told) == {}
        assert _files(till.state) == before
    looked = [each.finding.code for each in told if each.finding.state == "good"]
    assert len(looked) > 60, sorted(each.finding.code for each in told if each.finding.state == "skipped")


def test_doctor_reads_what_is_in_the_log_of_a_till_at_rest(till: Healthy, tmp_path: Path) -> None:
    """After a power cut: the newest rows are in the log alone. They are checked, and file and log stay as they are."""
    path = till.state / "journal.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("DROP TRIGGER entries_never_change")
        connection.execute("UPDATE entries SET effect_points = 500 WHERE uid = 'u-11'")
        for name in ("journal.db", "journal.db-wal"):
            shutil.copy(till.state / name, tmp_path / name)
    for name in ("journal.db", "journal.db-wal"):
        shutil.copy(tmp_path / name, till.state / name)
    till.unit["ActiveState"] = "inactive"
    till.config_lines["bridge"] = ["port = 0"]
    till.devices = ""
    before = _files(till.state)
    assert set(bad(till.told())) == {"service_stopped", "journal_chain"}
    after = _files(till.state)
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("runs", [False, True], ids=["at rest", "running"])
def test_doctor_proves_the_journal_as_audit_verify_does(till: Healthy, *, runs: bool) -> None:
    """One truth: what the cloud was told of the head counts for both, and both name the same row in the same words."""
    (till.state / "heartbeat-head.json").write_text(json.dumps({"epoch": 2, "seq": 3, "hash": "0" * 64, "at_ms": 1}))
    with till.running() if runs else contextlib.nullcontext():
        found = {each.finding.code: each.finding.found for each in till.told(deep=True) if each.finding.state == "bad"}
        till.scene()
        done = CliRunner().invoke(audit, ["verify", "--config", str(till.layout.config)])
    assert done.exit_code == 3, done.output
    named = re.search(r"first bad row is (\S+) \(other\), made [^:]*:[^ ]* (.*)", done.output)
    assert named is not None, done.output
    assert found["journal_chain"] == f"the first bad row is {named[1]} (other): {named[2]}"


def test_doctor_takes_a_till_of_today_for_well(till: Healthy) -> None:
    """Its agent has all of the journal in the log, and the file is empty as yet."""
    (till.state / "journal.db").write_bytes(b"")
    with till.running():
        assert bad(till.told()) == {}


def test_doctor_reads_the_journal_of_a_till_of_today(till: Healthy) -> None:
    """All of it is in the log of the agent that has it to itself: it is proven, and its figures are in the bundle for
    support. No copy stays behind."""
    path = till.state / "journal.db"
    path.unlink()
    path.with_name("journal.db-witness").unlink()
    sale = Draft(
        kind="sale",
        uid="u-1",
        about_uid="",
        request_digest=b"d",
        body=b'{"kind":"sale"}',
        answer=b"{}",
        subject=Subject(member_id="m-1"),
        effect_points=5,
        at_wall_ms=NOW_MS,
    )

    async def keep() -> None:
        place = Place(path=path, till=TILL, keeper=EpochKeeper(1, lambda _: None), clock=SystemClock())
        journal = await open_journal(place, OwnEffects(), None, floor=None)
        try:
            await journal.commit(lambda _reader: sale)
            await asyncio.to_thread(look)
        finally:
            await journal.stop()

    def look() -> None:
        with sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True) as file:
            assert file.execute("PRAGMA application_id").fetchone() == (0,)
        file.close()
        before = set(_files(till.state))
        till.identity(last_epoch=1)
        told = {each.finding.code: each.finding for each in till.told()}
        assert [each for each in told.values() if each.state == "bad"] == []
        looked = ("journal_unreadable", "journal_too_new", "journal_chain", "journal_owner", "journal_epoch")
        assert [told[code].state for code in (*looked, "ops_parked", "ops_rejected")] == ["good"] * 7
        assert "rows were checked" in told["journal_chain"].found
        bundle = gather(till.scene(), tell=lambda _: None).members
        assert json.loads(bundle["journal.json"])["kinds"] == {"sale": 1}
        assert set(_files(till.state)) == before

    with till.running():
        asyncio.run(keep())


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give a file to another user")
def test_doctor_is_not_told_of_its_own_passing_files(till: Healthy) -> None:
    """Run by root, its checks lay copies of the journal and a trial beside it, which another check took for what root
    had left: in two of 25 runs the evening's certificate said that the till is not ready."""
    with place_for_copy(till.state) as copy:
        copy.touch()
        trial = till.state / ".doctor-0a1b2c3d"
        trial.touch()
        passing = {copy, copy.with_suffix(".lock"), trial}
        for each in {till.state, *till.state.rglob("*")} - passing:
            os.chown(each, 12_345, 12_345)
        assert "state_dir_owner" not in bad(till.told())


def test_doctor_looks_at_a_machine_where_there_is_nothing(tmp_path: Path, till: Healthy) -> None:
    """Neither configuration nor state: no check fails itself, and what is missing is told."""
    till.state.rename(tmp_path / "away")
    till.layout.config.parent.rmdir()
    from till_installer.doctor.every import all_checks
    from till_installer.doctor.running import examine
    from till_installer.doctor.scene import Scene

    told = examine(Scene(till.layout, system=till.root, environment={}), all_checks())
    assert {"config_missing", "state_dir_missing"} <= set(bad(told))
    assert not [each.finding for each in told if each.finding.state == "broken"]
