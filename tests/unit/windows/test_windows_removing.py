"""Tillside taken off a Windows till: data stays, nothing that waits is lost, and a run that was cut off is finished."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from till_agent.audit_trail import AUDIT_FILE, read
from till_installer.exceptions import ServiceError
from till_installer.layout import Layout
from till_installer.services.ports import ServiceState
from till_installer.setup import removing as queues
from till_installer.setup.exceptions import QueueError
from till_installer.upgrade.exceptions import BusyError
from till_installer.upgrade.queue import QueueProof
from till_installer.upgrade.record import LOCK_FILE, Records
from till_installer.windows.__main__ import windows
from till_installer.windows.removing import uninstall
from unit.windows.windows_kit import Manager, layout_in

WAITS = QueueProof(count=12, digest="a" * 64)


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A till on which twelve operations wait."""
    made = layout_in(tmp_path / "c")
    made.log_dir.mkdir(parents=True)
    made.programs.mkdir(parents=True)
    (made.state_dir / "journal.db").write_bytes(b"twelve")
    (made.config).write_text("# ours\n")
    monkeypatch.setattr(queues, "count_queue", lambda journal: WAITS)
    return made


def test_data_and_audit_log_stay(layout: Layout) -> None:
    """The service goes, whether it ran or not; a second time there is nothing to do."""
    states: tuple[ServiceState, ...] = ("running", "absent")
    for state in states:
        manager = Manager(state)
        assert not uninstall(layout, manager).purged
        assert manager.state == "absent"
    assert (layout.state_dir / "journal.db").read_bytes() == b"twelve"
    assert layout.config.exists()
    assert [line.what for line in read(layout.state_dir / AUDIT_FILE)[0]] == ["uninstalled"] * 2
    assert not (layout.updates_dir / LOCK_FILE).exists()


@pytest.mark.parametrize("state", ["running", "stopped"])
@pytest.mark.parametrize("discard", [None, 0, 11, 13])
def test_a_queue_is_not_thrown_away_by_a_guess(layout: Layout, state: ServiceState, discard: int | None) -> None:
    """Whoever ran runs again, and nothing is gone."""
    manager = Manager(state)
    with pytest.raises(QueueError) as caught:
        uninstall(layout, manager, purge=True, discard=discard)
    assert (caught.value.code, caught.value.exit_code) == ("queue_waiting", 4)
    assert manager.state == state
    assert (layout.state_dir / "journal.db").read_bytes() == b"twelve"


def test_a_queue_is_carried_out_or_lost_by_its_number(layout: Layout, tmp_path: Path) -> None:
    """Then nothing of ours is left on the disk."""
    carried = uninstall(layout, Manager("running"), carry_to=tmp_path / "stick")
    assert (Path(carried.carried_to) / "journal.db").read_bytes() == b"twelve"
    assert (carried.waiting, carried.queue_hash) == (12, WAITS.digest)
    assert uninstall(layout, Manager(), purge=True, discard=12).purged
    assert not layout.state_dir.exists()


def test_nothing_is_taken_off_under_a_change_of_version(layout: Layout) -> None:
    """Its upgrader would find its programs gone. The uninstaller's exit code is not that of a till not enrolled."""
    manager = Manager("running")
    with Records(layout).alone():
        with pytest.raises(BusyError):
            uninstall(layout, manager, purge=True, discard=12)
        words = ["uninstall", "--programs", str(layout.programs), "--data", str(layout.state_dir)]
        done = CliRunner().invoke(windows, words)
    assert (done.exit_code, "busy" in done.output) == (1, True)
    assert "busy" in (layout.log_dir / "setup.log").read_text()
    assert (manager.state, manager.calls) == ("running", [])
    assert (layout.state_dir / "journal.db").exists()


@pytest.mark.parametrize("call", ["stop", "remove"])
def test_without_rights_no_data_is_removed(layout: Layout, call: str) -> None:
    """Not even with the right number of what is to be lost."""
    manager = Manager("running")
    manager.refuses = {call}
    with pytest.raises(ServiceError):
        uninstall(layout, manager, purge=True, discard=12)
    assert (layout.state_dir / "journal.db").exists()
    assert layout.config.exists()


def test_a_purge_that_was_cut_off_is_finished_by_the_next(layout: Layout) -> None:
    """The service is gone by then, and perhaps some of the data."""
    manager = Manager("running")

    def die(text: str) -> None:
        if "data" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        uninstall(layout, manager, purge=True, discard=12, say=die)
    assert manager.state == "absent"
    assert (layout.state_dir / "journal.db").exists()
    uninstall(layout, manager, purge=True, discard=12)
    assert not layout.state_dir.exists()
