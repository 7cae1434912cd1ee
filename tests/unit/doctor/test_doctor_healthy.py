"""A till that is well is told so, with its agent up and down, and nothing of it is changed by looking."""

import hashlib
from pathlib import Path

import pytest

from unit.doctor.doctor_world import Healthy, bad


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


def test_doctor_takes_a_till_of_today_for_well(till: Healthy) -> None:
    """Its agent has all of the journal in the log, and the file is empty as yet."""
    (till.state / "journal.db").write_bytes(b"")
    with till.running():
        assert bad(till.told()) == {}


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
