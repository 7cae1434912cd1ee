"""Pointers are changed in one step; versions are kept to three, and never the one that runs or the one before."""

import json
import os
from pathlib import Path

import pytest

from till_agent.audit_trail import AUDIT_FILE, read
from till_installer.layout import Layout, linux_layout
from till_installer.upgrade.checks import must_go_back
from till_installer.upgrade.exceptions import BusyError, RefusedError
from till_installer.upgrade.pointers import named, point, upgrader
from till_installer.upgrade.record import Marker, Records
from till_installer.upgrade.staging import drop_incomplete, prune
from till_sync.heartbeat import UpdateState


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """With five versions, the last made first in use."""
    made = linux_layout(tmp_path / "root")
    made.state_dir.mkdir(parents=True)
    for number in range(1, 6):
        folder = made.version_dir(f"1.{number}")
        folder.mkdir(parents=True)
        (folder / "complete.json").write_text(json.dumps({"bundle": "", "python": "", "files": {}}))
        os.utime(folder, ns=(number * 10**9, number * 10**9))
    return made


def test_a_pointer_names_what_it_was_pointed_at(layout: Layout) -> None:
    """And nothing once it is taken away; what was half made is gone."""
    assert named(layout.current) == ""
    for version in ("1.1", "1.2", "1.2"):
        point(layout.current, version)
        assert named(layout.current) == version
        assert layout.current.resolve() == layout.version_dir(version)
    point(layout.current, "")
    assert named(layout.current) == ""
    assert sorted(each.name for each in layout.programs.iterdir()) == ["versions"]


def test_a_pointer_that_is_a_file_is_read_too(layout: Layout) -> None:
    """As on Windows."""
    layout.current.write_text("1.4\n")
    assert named(layout.current) == "1.4"


def test_the_newest_three_stay_and_whatever_is_pointed_at(layout: Layout) -> None:
    """However old that is."""
    point(layout.current, "1.1")
    point(layout.previous, "1.2")
    assert sorted(prune(layout)) == ["1.3", "1.4"]
    assert sorted(each.name for each in layout.versions.iterdir()) == ["1.1", "1.2", "1.5"]
    point(upgrader(layout), "1.5")
    assert prune(layout) == []


def test_what_was_half_staged_is_removed_and_nothing_that_is_pointed_at(layout: Layout) -> None:
    """A version in use without its last file is mended by another command, not removed."""
    point(layout.current, "1.1")
    for version in ("1.1", "1.3"):
        (layout.version_dir(version) / "complete.json").unlink()
    for version in ("1.1", "1.3", "1.4", "9.9"):
        drop_incomplete(layout, version)
    assert sorted(each.name for each in layout.versions.iterdir()) == ["1.1", "1.2", "1.4", "1.5"]


def test_one_upgrader_at_a_time(layout: Layout) -> None:
    """The second is told so, and the first one's end lets it in."""
    records = Records(layout)
    with records.alone(), pytest.raises(BusyError), Records(layout).alone():
        raise AssertionError("two at once")
    with records.alone():
        pass


def test_the_marker_is_there_until_it_is_cleared(layout: Layout) -> None:
    """Whole, with all that a later process needs."""
    records = Records(layout)
    with records.alone():
        assert records.marker() is None
        marker = records.mark(Marker(step="proving", from_version="1.1", to_version="1.2", tries=2, sold=True))
        assert Records(layout).marker() == marker
        records.clear()
        records.clear()
        assert records.marker() is None


def test_rollbacks_are_counted_once_each(layout: Layout) -> None:
    """Also when the last step of one is repeated after a power cut."""
    records = Records(layout)
    back = UpdateState(stage="rolled_back", to_version="1.2")
    assert records.tell(back).rollbacks == 1
    assert records.tell(back).rollbacks == 1
    assert records.tell(UpdateState(stage="done", to_version="1.3")).rollbacks == 1
    assert records.tell(back).rollbacks == 2
    assert (layout.state_dir / "update-state.json").stat().st_mode & 0o777 == 0o600


def test_how_a_change_ended_is_in_the_audit_log_once(layout: Layout) -> None:
    """Also when its last step is repeated; steps on the way are not in it."""
    records = Records(layout)
    done = UpdateState(stage="done", from_version="1.1", to_version="1.2")
    records.tell(UpdateState(stage="staged", from_version="1.1", to_version="1.2"))
    records.tell(done)
    records.tell(done)
    records.tell(UpdateState(stage="refused", from_version="1.2", to_version="1.3", code="disk_full"))
    records.tell(UpdateState(stage="rolled_back", from_version="1.2", to_version="1.3", code="missed"))
    lines, bad = read(layout.state_dir / AUDIT_FILE)
    assert bad is None
    assert [line.what for line in lines] == ["upgraded", "update_refused", "rolled_back"]
    assert lines[2].facts == {"from_version": "1.2", "to_version": "1.3", "code": "missed"}


def test_a_version_that_was_taken_back_is_refused_until_it_is_allowed(layout: Layout) -> None:
    """Over restarts."""
    records = Records(layout)
    with records.alone():
        records.refuse("1.2", "missed")
        records.refuse("1.3", "restarts")
        assert Records(layout).refused() == {"1.2": "missed", "1.3": "restarts"}
        records.allow("1.2")
        assert Records(layout).refused() == {"1.3": "restarts"}


@pytest.mark.parametrize(
    ("current", "previous", "code", "fix"),
    [
        ("", "", "not_installed", "use the bundle's `install`"),
        ("1.5", "", "no_previous", "`tillside upgrade apply BUNDLE` puts another one in its place"),
        ("1.5", "1.9", "no_previous", "`tillside setup repair` mends it"),
    ],
)
def test_a_way_back_that_leads_nowhere_says_what_to_do(
    layout: Layout, current: str, previous: str, code: str, fix: str
) -> None:
    """Nothing is installed; nothing came before; what came before is gone."""
    for pointer, version in ((layout.current, current), (layout.previous, previous)):
        if version:
            point(pointer, version)
    with pytest.raises(RefusedError) as caught:
        must_go_back(layout, Records(layout), previous)
    assert caught.value.code == code
    assert fix in str(caught.value)
