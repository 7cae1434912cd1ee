"""A change that was cut off ends on a version that serves, also where the disk takes not even a note of it."""

import errno
from pathlib import Path
from typing import Any, cast

import pytest

from till_installer.layout import linux_layout
from till_installer.services.ports import ServiceManager
from till_installer.upgrade.engine import Upgrader
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
