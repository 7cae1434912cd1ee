"""A change of version that somebody breaks off by a signal is finished before the command ends."""

import os
import signal
import sys
from typing import Any, cast

import pytest

from till_installer.upgrade.breaking import unbroken
from till_installer.upgrade.engine import Upgrader
from till_sync.heartbeat import UpdateState

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as POSIX has them")


class Changing:
    """An upgrader whose change is broken off in the middle, and that counts how often it is finished."""

    def __init__(self) -> None:
        self.finished = 0

    def finish(self) -> UpdateState:
        """A further signal meanwhile is not heard."""
        os.kill(os.getpid(), signal.SIGHUP)
        self.finished += 1
        return UpdateState(stage="refused", code="interrupted")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_in_the_middle_ends_on_a_version_that_serves(number: signal.Signals) -> None:
    """With the agent stopped there is nobody else to start it."""
    changing = Changing()
    before = signal.getsignal(number)

    def change() -> UpdateState:
        os.kill(os.getpid(), number)
        raise AssertionError("the signal was not heard")

    assert unbroken(cast("Upgrader", cast("Any", changing)), change).code == "interrupted"
    assert changing.finished == 1
    assert signal.getsignal(number) is before
