"""Bad releases of every kind: the old version serves again within 60 s, and the queue's hash is equal."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from faults.upgrader.conftest import QUEUE
from kit.bridge import receipt
from kit.upgrades import QUICK, Installation
from kit.waiting import wait_for
from till_installer.upgrade.exceptions import RefusedError
from till_installer.upgrade.health import Pace
from till_installer.upgrade.pointers import named
from till_installer.upgrade.telling import state_text
from unit.upgrader.upgrader_journals import spoil

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]

PROMISE_S = 60.0
WHILE_IT_SERVES = ("crash", "hang", "unready", "quotes-wrong", "corrupt", "exits")
IN_REHEARSAL = {
    "crash": "rehearsal_start",
    "unready": "rehearsal_start",
    "sells-nothing": "rehearsal_sale",
    "prints-nothing": "rehearsal_slip",
}


@pytest.mark.usefixtures("no_rehearsal")
@pytest.mark.parametrize("fault", WHILE_IT_SERVES)
def test_a_bad_release_is_taken_back_at_the_real_pace(till: Installation, fault: str) -> None:
    """With the very times that a till has: nothing of it is made quicker here."""
    till.add("1.1.0", fault, after_s=20.0 if fault == "exits" else 0.5)
    begun = 0.0

    def at(name: str) -> None:
        nonlocal begun
        begun = time.monotonic() if name == "stopped" else begun

    state = till.upgrader(pace=Pace(), at=at).apply(*till.bundle("1.1.0"))
    took_s = time.monotonic() - begun
    assert state.stage == "rolled_back", state
    assert (state.queued_before, state.queued_after, state.queue_hash_equal) == (3, 3, True)
    assert "3 queued before, 3 after, hash equal" in state_text(state)
    assert till.version() == "1.0.0"
    assert took_s < PROMISE_S, f"{fault}: without the old version for {took_s:.1f} s"
    till.sell("after")
    till.manager.stop()
    assert till.sold() == {*QUEUE, "after"}


@pytest.mark.parametrize(("fault", "code"), IN_REHEARSAL.items())
def test_a_bad_release_is_found_out_in_the_rehearsal(till: Installation, fault: str, code: str) -> None:
    """While the old version serves: it is not stopped for a moment."""
    till.add("1.1.0", fault, where=("rehearsal",))
    started = till.manager.status().pid
    with pytest.raises(RefusedError) as caught:
        till.upgrader().apply(*till.bundle("1.1.0"))
    assert caught.value.code == code
    assert till.manager.status().pid == started
    assert (till.upgrader().records.state().stage, till.upgrader().records.state().code) == ("refused", code)


@pytest.mark.usefixtures("no_rehearsal")
def test_a_release_that_ends_after_20_s_is_taken_back_with_what_it_sold(till: Installation) -> None:
    """Sales of those seconds are in the journal that the old version goes on with."""
    till.add("1.1.0", "exits", after_s=20.0)
    sold: list[str] = []

    def at(name: str) -> None:
        if name == "serving":
            till.sell("on-the-new-one")
            sold.append("on-the-new-one")

    state = till.upgrader(pace=Pace(), at=at).apply(*till.bundle("1.1.0"))
    assert (state.stage, state.code, state.queue_hash_equal) == ("rolled_back", "not_in_time", True)
    till.sell("after")
    till.manager.stop()
    assert till.sold() == {*QUEUE, *sold, "after"}


@pytest.mark.usefixtures("no_rehearsal")
def test_what_was_sold_before_the_journal_was_damaged_comes_back_from_the_file_put_aside(till: Installation) -> None:
    """The old version gets the copy, begins a new epoch, and takes in what the damaged file can prove."""
    till.add("1.1.0")

    def at(name: str) -> None:
        if name == "serving":
            till.sell("on-the-new-one")
            till.manager.stop()
            spoil(till.layout.state_dir / "journal.db", 2)

    state = till.upgrader(at=at).apply(*till.bundle("1.1.0"))
    assert (state.stage, state.code, state.queue_hash_equal) == ("rolled_back", "queue_changed", True)
    assert "journal restored" in state.detail
    till.wait_ready()
    till.sell("after")
    till.manager.stop()
    assert till.sold() == {*QUEUE, "on-the-new-one", "after"}


@pytest.mark.usefixtures("no_rehearsal")
def test_a_service_that_was_stopped_is_started_with_the_new_version(till: Installation) -> None:
    """Somebody stopped it before: nobody is waited for, and what is proven serves."""
    till.manager.stop()
    state = till.upgrader().apply(*till.bundle("1.1.0"))
    assert (state.stage, state.queued_before, state.queued_after) == ("done", 3, 3)
    assert till.version() == "1.1.0"


@pytest.mark.usefixtures("no_rehearsal")
@pytest.mark.parametrize("fault", ["crash", "corrupt"])
def test_a_service_that_was_stopped_is_so_again_when_the_new_version_is_taken_back(
    till: Installation, fault: str
) -> None:
    """As it was found; and when it is started, it is the old version, with all that it had sold."""
    till.manager.stop()
    till.add("1.1.0", fault)
    state = till.upgrader().apply(*till.bundle("1.1.0"))
    assert (state.stage, state.queued_after, state.queue_hash_equal) == ("rolled_back", 3, True)
    assert (till.manager.status().state, till.upgrader().records.marker()) == ("stopped", None)
    assert state_text(state).startswith("1.0.0 rests, 1.1.0 was taken back")
    till.start().sell("after")
    assert till.version() == "1.0.0"
    till.manager.stop()
    assert till.sold() == {*QUEUE, "after"}


@pytest.mark.usefixtures("no_rehearsal")
def test_a_service_that_is_stopped_while_it_is_watched_serves_again(till: Installation) -> None:
    """The old version does: what was not proven is not left there."""

    def at(name: str) -> None:
        if name == "serving":
            till.manager.stop()

    state = till.upgrader(at=at).apply(*till.bundle("1.1.0"))
    assert (state.stage, state.queue_hash_equal) == ("rolled_back", True)
    assert till.version() == "1.0.0"


@pytest.mark.usefixtures("no_rehearsal")
def test_a_till_goes_back_by_hand_with_what_it_sold_and_forward_again(till: Installation) -> None:
    """The version that was left is refused until somebody says otherwise."""
    till.upgrader().apply(*till.bundle("1.1.0"))
    till.sell("on-the-new-one")
    state = till.upgrader().roll_back()
    assert (state.stage, state.code, state.from_version, state.to_version) == (
        "rolled_back",
        "by_hand",
        "1.0.0",
        "1.1.0",
    )
    assert (state.queued_before, state.queued_after, state.queue_hash_equal) == (4, 4, True)
    assert till.version() == "1.0.0"
    with pytest.raises(RefusedError) as caught:
        till.upgrader().roll_back()
    assert caught.value.code == "rolled_back_before"
    assert till.upgrader().apply(*till.bundle("1.1.0"), again=True).stage == "done"
    till.sell("after")
    till.manager.stop()
    assert till.sold() == {*QUEUE, "on-the-new-one", "after"}


@pytest.mark.usefixtures("no_rehearsal")
def test_a_way_back_by_hand_to_a_version_that_is_bad_by_now_leads_forward_again(till: Installation) -> None:
    """The version before no longer starts: the one that ran serves."""
    till.upgrader().apply(*till.bundle("1.1.0"))
    shutil.rmtree(till.layout.version_dir("1.0.0"))
    till.add("1.0.0", "crash")
    state = till.upgrader().roll_back()
    assert (state.stage, state.code, state.from_version, state.to_version) == (
        "rolled_back",
        "restarts",
        "1.1.0",
        "1.0.0",
    )
    assert till.version() == "1.1.0"
    assert (named(till.layout.current), named(till.layout.previous)) == ("1.1.0", "1.0.0")


def test_a_release_whose_journal_the_old_version_can_not_read_needs_one_way(till: Installation) -> None:
    """And one that can't read this till's is refused for good; nothing was stopped."""
    for version, journal, code in (("1.1.0", 2, "no_way_back"), ("1.2.0", 0, "journal_unreadable")):
        with pytest.raises(RefusedError) as caught:
            till.upgrader().apply(*till.bundle(version, journal=journal))
        assert caught.value.code == code
        assert till.upgrader().records.state().code == code
    assert till.upgrader().apply(*till.bundle("1.1.0", journal=2), one_way=True).stage == "done"


def test_a_release_with_another_cache_waits_for_the_line(till: Installation) -> None:
    """Without one nobody would be known until it is back."""
    with pytest.raises(RefusedError) as caught:
        till.upgrader().apply(*till.bundle("1.1.0", cache=99))
    assert caught.value.code == "cache_would_empty"
    assert till.version() == "1.0.0"


def test_too_little_room_is_refused_before_anything_is_begun(till: Installation) -> None:
    """For the version, the copies and the reserve together."""
    with pytest.raises(RefusedError) as caught:
        till.upgrader(free=lambda _: 100_000).apply(*till.bundle("1.1.0", size=30_000))
    assert caught.value.code == "disk_full"
    assert not till.layout.version_dir("1.1.0").exists()


def test_a_disk_that_fills_while_a_version_is_staged_leaves_the_old_one_serving(till: Installation) -> None:
    """What was begun is gone, so that its room is free again."""
    import errno

    def install(_bundle: Path, versions: Path) -> Path:
        folder = versions / "1.1.0"
        folder.mkdir()
        (folder / "part").write_bytes(bytes(100))
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(RefusedError) as caught:
        till.upgrader(install=install).apply(*till.bundle("1.1.0"))
    assert caught.value.code == "disk_full"
    assert not till.layout.version_dir("1.1.0").exists()
    till.sell("after")


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("unshare"), reason="needs a small disk of its own")
def test_a_release_that_fills_the_disk_is_taken_back_on_the_full_disk(till: Installation, tmp_path: Path) -> None:
    """The room that was kept for the way back is enough, and sales are written again after it."""
    till.manager.stop()
    out = tmp_path / "out.txt"
    jail = Path(__file__).with_name("upgrader_jail.py")
    command = ["unshare", "-Urm", sys.executable, str(jail), str(till.folder), str(out)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=200, env=dict(os.environ))
    if "unshare" in done.stderr and "not permitted" in done.stderr:
        pytest.skip("this machine lets nobody have a disk of one's own")
    assert done.returncode == 0, done.stderr[-3000:]
    assert out.read_text(encoding="utf-8").splitlines() == [
        "rolled_back 3 3 True",
        "1.0.0",
        "kept True",
    ]


@pytest.mark.usefixtures("no_rehearsal")
def test_sales_go_on_until_the_very_switch(till: Installation) -> None:
    """Those made while the journal was copied are counted as well."""
    uids = iter(f"during-{number}" for number in range(100))

    def at(name: str) -> None:
        if name == "stopping":
            till.sell(next(uids), next(uids))

    state = till.upgrader(at=at, pace=QUICK).apply(*till.bundle("1.1.0"))
    assert (state.queued_before, state.queued_after, state.queue_hash_equal) == (5, 5, True)
    wait_for(lambda: till.version() == "1.1.0", "the new version")
    pos = till.pos()
    pos.sell("after", receipt(100))
    pos.close()
