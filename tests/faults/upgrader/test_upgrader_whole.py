"""A till is upgraded, and a bad version is taken back, with real processes; the queue is the same before and after."""

import threading

import pytest

from faults.upgrader.conftest import QUEUE
from kit.bridge import receipt
from kit.upgrades import Installation
from kit.waiting import wait_for
from till_installer.upgrade.exceptions import RefusedError
from till_installer.upgrade.pointers import named
from till_installer.upgrade.telling import standing, standing_text, state_text


@pytest.mark.slow
def test_a_version_is_staged_rehearsed_and_switched_to_when_nobody_is_at_a_receipt(till: Installation) -> None:
    """And sells on in the same journal, in which nothing of the rehearsal stands."""
    pos = till.pos()
    pos.quote(receipt(10_000, sale_uid="open"))
    said: list[str] = []
    done = threading.Event()
    upgrader = till.upgrader(say=said.append)
    found: list[object] = []

    def upgrade() -> None:
        found.append(upgrader.apply(*till.bundle("1.1.0")))
        done.set()

    thread = threading.Thread(target=upgrade)
    thread.start()
    wait_for(lambda: "waiting for an open receipt" in said, "the upgrade to wait for the receipt", patience_s=60)
    assert named(till.layout.current) == "1.0.0"
    pos.sell("open", receipt(10_000))
    pos.close()
    thread.join(100)
    assert done.is_set(), said
    assert state_text(found[0]).splitlines()[:2] == [  # type: ignore[arg-type]  # of a thread
        "1.1.0 serves, in place of 1.0.0",
        "4 queued before, 4 after, hash equal",
    ]
    assert till.version() == "1.1.0"
    till.sell("after")
    shown = standing(till.layout)
    assert (shown.current, shown.previous, shown.under_way) == ("1.1.0", "1.0.0", "")
    assert "version 1.1.0, before it 1.0.0" in standing_text(shown)
    till.manager.stop()
    assert till.sold() == {*QUEUE, "open", "after"}
    assert {path.name for path in till.layout.updates_dir.iterdir()} == {"upgrade.lock"}
    assert not (till.layout.state_dir / "rehearsal").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("no_rehearsal")
def test_a_version_that_crashes_at_its_start_is_taken_back_and_refused_from_then_on(till: Installation) -> None:
    """The cloud is told why, and how the queue is."""
    till.add("1.1.0", "crash")
    state = till.upgrader().apply(*till.bundle("1.1.0"))
    assert (state.stage, state.code, state.rollbacks) == ("rolled_back", "restarts", 1)
    assert (state.queued_before, state.queued_after, state.queue_hash_equal) == (3, 3, True)
    assert till.version() == "1.0.0"
    assert (named(till.layout.current), named(till.layout.previous)) == ("1.0.0", "")
    with pytest.raises(RefusedError) as caught:
        till.upgrader().apply(*till.bundle("1.1.0"))
    assert caught.value.code == "rolled_back_before"
    assert till.upgrader().records.state() == state, "the cloud knows it already"
