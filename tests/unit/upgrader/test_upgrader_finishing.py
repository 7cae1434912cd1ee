"""A change that was cut off ends on a version that serves, also where the disk takes not even a note of it."""

import errno
from pathlib import Path
from typing import Any, cast

import pytest

from till_installer.layout import linux_layout
from till_installer.services.ports import ServiceManager
from till_installer.upgrade.engine import Upgrader
from till_installer.upgrade.health import Pace
from till_installer.upgrade.means import Means
from till_installer.upgrade.pointers import named, point
from till_installer.upgrade.record import Marker
from till_sync.heartbeat import UpdateState


def test_a_watch_that_can_not_be_counted_on_a_full_disk_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new version filled the disk and the power failed: the old one must not wait for somebody to make room."""
    upgrader = Upgrader(linux_layout(tmp_path), cast("ServiceManager", cast("Any", None)))
    upgrader.layout.updates_dir.mkdir(parents=True)
    upgrader.records.mark(Marker(step="proving", from_version="1.0.0", to_version="1.1.0", tries=1))

    def full(_: Marker) -> Marker:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(upgrader.records, "mark", full)
    undone: list[str] = []
    monkeypatch.setattr(upgrader, "_undo", lambda _, code, __: undone.append(code) or UpdateState(stage="rolled_back"))
    assert upgrader.finish() == UpdateState(stage="rolled_back")
    assert undone == ["disk_full"]


class Manager:
    """A service that can be started and stopped; tells what `current` named when it was started."""

    def __init__(self, current: Path) -> None:
        self._current = current
        self.started: list[str] = []

    def start(self) -> None:
        self.started.append(named(self._current))

    def stop(self, timeout_s: float) -> None:
        del timeout_s


def test_the_old_version_is_started_when_the_pointers_name_it_again(tmp_path: Path) -> None:
    """Cut off in the middle of the way back, it goes all the way, and the version before the old one is there too."""
    layout = linux_layout(tmp_path)
    layout.updates_dir.mkdir(parents=True)
    layout.state_dir.mkdir(parents=True, exist_ok=True)
    for version in ("0.9.0", "1.0.0", "1.1.0"):
        layout.version_dir(version).mkdir(parents=True)
    point(layout.current, "1.1.0")
    point(layout.previous, "1.0.0")
    manager = Manager(layout.current)
    means = Means(pace=Pace(back_s=0))
    upgrader = Upgrader(layout, cast("ServiceManager", cast("Any", manager)), means)
    upgrader.records.mark(Marker(step="undoing", from_version="1.0.0", to_version="1.1.0", previous_before="0.9.0"))
    state = upgrader.finish()
    assert state is not None
    assert state.stage == "rolled_back"
    assert manager.started == ["1.0.0"]
    assert (named(layout.current), named(layout.previous)) == ("1.0.0", "0.9.0")
