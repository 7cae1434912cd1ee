"""A change of version that somebody breaks off by a signal is finished before the command ends."""

import os
import signal
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from till_installer.layout import Layout, linux_layout
from till_installer.upgrade.breaking import unbroken
from till_installer.upgrade.engine import Upgrader
from till_installer.upgrade.pointers import point
from till_installer.upgrade.record import Records
from till_installer.upgrade.telling import state_text
from till_sync.heartbeat import UpdateStage, UpdateState

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as POSIX has them")


class Changing:
    """An upgrader whose change is broken off in the middle, and that counts how often it is finished."""

    def __init__(self, layout: Layout) -> None:
        self.finished = 0
        self.layout = layout
        self.records = Records(layout)

    def finish(self) -> UpdateState | None:
        """A further signal meanwhile is not heard."""
        os.kill(os.getpid(), signal.SIGHUP)
        self.finished += 1
        return UpdateState(stage="refused", code="interrupted")


class Nothing(Changing):
    """An upgrader with no change to finish."""

    def finish(self) -> None:
        """Nothing was cut off."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_in_the_middle_ends_on_a_version_that_serves(number: signal.Signals, tmp_path: Path) -> None:
    """With the agent stopped there is nobody else to start it."""
    changing = Changing(linux_layout(tmp_path))
    before = signal.getsignal(number)

    def change() -> UpdateState:
        os.kill(os.getpid(), number)
        raise AssertionError("the signal was not heard")

    assert unbroken(cast("Upgrader", cast("Any", changing)), change).code == "interrupted"
    assert changing.finished == 1
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("last", ["done", "rolled_back"])
def test_a_signal_before_anything_was_begun_is_not_told_as_the_change_before(last: UpdateStage, tmp_path: Path) -> None:
    """It ended well, and this one was not made; or it was taken back, and this one was never in place."""
    layout = linux_layout(tmp_path)
    layout.versions.mkdir(parents=True)
    layout.state_dir.mkdir(parents=True)
    point(layout.current, "0.1.0")
    changing = Nothing(layout)
    changing.records.tell(UpdateState(stage=last, code="not_ready", from_version="0.0.9", to_version="0.1.0"))

    def change() -> UpdateState:
        os.kill(os.getpid(), signal.SIGHUP)
        raise AssertionError("the signal was not heard")

    state = unbroken(cast("Upgrader", cast("Any", changing)), change)
    assert (state.stage, state.code) == ("refused", "interrupted")
    assert "0.1.0 goes on" in state_text(state)
