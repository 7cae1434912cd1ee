"""Whatever moment an upgrader is killed at, the next watch finishes or undoes what it had begun."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from faults.upgrader.conftest import QUEUE
from kit.upgrades import Installation
from till_installer.upgrade.engine import TRIES_LIMIT
from till_installer.upgrade.pointers import named
from till_installer.upgrade.queue import count_queue
from till_installer.upgrade.staging import is_whole

CHILD = Path(__file__).with_name("upgrader_child.py")
pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]

UNDONE = ("staging", "staged", "rehearsing", "in-rehearsal", "rehearsed", "waiting", "stopping", "stopped")
FINISHED = ("switching", "previous", "current", "system", "proving", "serving", "proven", "told", "cleared")
ON_THE_WAY_BACK = (
    "undoing",
    "undo_stopped",
    "put_back",
    "pointed_back",
    "system_back",
    "restarting",
    "restarted",
    "cleared",
)


def killed_at(till: Installation, point: str, *words: str) -> None:
    """An upgrader to 1.1.0 in a process of its own, which dies there."""
    if point not in UNDONE[2:5]:
        words = ("no-rehearsal", *words)
    command = [sys.executable, str(CHILD), str(till.folder), point, "1.1.0", *words]
    ended = subprocess.run(command, check=False, timeout=200, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, f"{point} was never reached: {ended.stderr[-2000:]}"


def must_serve(till: Installation, version: str) -> None:
    """That version and nothing else, with all that was sold, and nothing left of the change."""
    till.wait_ready()
    assert till.version() == version == named(till.layout.current)
    till.sell("after")
    till.manager.stop()
    assert till.sold() == {*QUEUE, "after"}
    assert count_queue(till.layout.state_dir / "journal.db").count == 4
    left = {path.name for path in till.layout.updates_dir.iterdir()} - {"refused.json", "upgrade.lock"}
    assert left == set()
    assert not (till.layout.state_dir / "rehearsal").exists()
    assert all(is_whole(folder) for folder in till.layout.versions.iterdir())
    assert {path.name for path in till.layout.programs.iterdir()} <= {"versions", "current", "previous"}


@pytest.mark.parametrize("point", UNDONE)
def test_before_the_switch_it_is_undone(till: Installation, point: str) -> None:
    """The old version serves; what was staged may stay for the next time."""
    killed_at(till, point)
    state = till.upgrader().finish()
    assert state is not None
    assert (state.stage, state.code) == ("refused", "interrupted")
    must_serve(till, "1.0.0")


@pytest.mark.parametrize("point", FINISHED)
def test_from_the_switch_on_it_is_finished(till: Installation, point: str) -> None:
    """The new version is proven by whoever comes after."""
    killed_at(till, point)
    till.upgrader().finish()
    state = till.upgrader().records.state()
    assert (state.stage, state.queued_before, state.queued_after) == ("done", 3, 3)
    assert state.queue_hash_equal
    must_serve(till, "1.1.0")


@pytest.mark.parametrize("point", FINISHED[:5])
def test_a_power_cut_stops_the_service_too(till: Installation, point: str) -> None:
    """At the boot it starts whichever version the pointer names, before anybody watches."""
    killed_at(till, point)
    till.manager.stop()
    till.manager.start()
    till.upgrader().finish()
    must_serve(till, "1.1.0")


@pytest.mark.parametrize("fault", ["crash", "corrupt"])
@pytest.mark.parametrize("point", ON_THE_WAY_BACK)
def test_a_way_back_is_gone_to_its_end(till: Installation, point: str, fault: str) -> None:
    """Once it is decided, nothing else is done; and it counts once."""
    till.add("1.1.0", fault)
    killed_at(till, point)
    till.upgrader().finish()
    state = till.upgrader().records.state()
    assert (state.stage, state.rollbacks, state.queue_hash_equal) == ("rolled_back", 1, True)
    assert till.upgrader().records.refused() != {}
    must_serve(till, "1.0.0")


@pytest.mark.parametrize("point", ["proving", "put_back", "restarting"])
@pytest.mark.parametrize("booted", [False, True], ids=["killed", "power cut"])
def test_a_way_back_to_an_agent_that_rested_ends_at_rest_unless_the_machine_was_started_since(
    till: Installation, point: str, booted: bool
) -> None:
    """A start of the machine starts the agent too: it is not left stopped by what somebody did the day before."""
    till.add("1.1.0", "crash")
    till.manager.stop()
    killed_at(till, point)
    if booted:
        records = till.upgrader().records
        marker = records.marker()
        assert marker is not None
        records.mark(replace(marker, rested_in="another"))
    till.upgrader().finish()
    assert till.upgrader().records.state().stage == "rolled_back"
    assert till.manager.status().state == ("running" if booted else "stopped")
    till.start()
    must_serve(till, "1.0.0")


def test_a_version_that_takes_the_machine_down_is_not_tried_for_ever(till: Installation) -> None:
    """Each time the watch is cut off counts, and after the third it is taken back."""
    killed_at(till, "serving")
    code = "import sys; sys.path.insert(0, {0!r}); from faults.upgrader.upgrader_child import die\n"
    code += "from kit.upgrades import Installation; from pathlib import Path\n"
    code += "Installation(Path({1!r})).upgrader(at=lambda name: die() if name == 'serving' else None).finish()"
    child = [sys.executable, "-c", code.format(str(CHILD.parents[2]), str(till.folder))]
    for _ in range(TRIES_LIMIT - 1):
        assert subprocess.run(child, check=False, timeout=100).returncode == -signal.SIGKILL
    state = till.upgrader().finish()
    assert state is not None
    assert (state.stage, state.code) == ("rolled_back", "interrupted")
    must_serve(till, "1.0.0")
