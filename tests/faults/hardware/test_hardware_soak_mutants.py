"""The soak with a mistake made on purpose in what it tries: each is found out within a few minutes of the shop."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faults.hardware.test_hardware_soak import pytestmark, soak
from till_drivers import spool_worker
from till_drivers.ports import Outcome
from till_drivers.scanners.framing import Framer
from till_drivers.spool_store import PrintState
from till_drivers.transports import serial as serial_transport
from till_drivers.transports.device_thread import DeviceThread

__all__ = ["pytestmark"]

ACTIONS = 80
SEED = 7
PATIENCE_S = 4.0
"""A code that is never told is waited for in vain."""
Patch = pytest.MonkeyPatch


def prints_unknown_ones_again(patch: Patch) -> None:
    """To be on the safe side."""
    patch.setitem(spool_worker._STATES, Outcome.UNKNOWN, PrintState.REFUSED)


def keeps_half_a_code(patch: Patch) -> None:
    """Over an unplug, and puts it before the next."""

    def finish(self: Any) -> bytes:
        frame = bytes(self._partial)
        self._partial.clear()
        return frame

    patch.setattr(Framer, "_finish", finish)
    patch.setattr(Framer, "reset", lambda _: None)


def takes_one_code_of_a_read(patch: Patch) -> None:
    """Two that came together are told as one."""
    feed = Framer.feed
    patch.setattr(Framer, "feed", lambda self, data: feed(self, data)[:1])


def leaves_ports_open(patch: Patch) -> None:
    """A held descriptor is why a scanner comes back under another name."""
    patch.setattr(serial_transport, "_close", [].append)


def leaves_threads_behind(patch: Patch) -> None:
    """One for each time that a port was opened."""

    def end(self: DeviceThread) -> None:
        self._thread = None

    patch.setattr(DeviceThread, "end", end)


@pytest.mark.parametrize(
    ("mutant", "word"),
    [
        (prints_unknown_ones_again, "printed twice"),
        (keeps_half_a_code, "read, not told"),
        (takes_one_code_of_a_read, "read, not told"),
        (leaves_ports_open, "descriptors"),
        (leaves_threads_behind, "threads"),
    ],
)
def test_a_mistake_is_found_out(
    mutant: Callable[[Patch], None], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the promise that it breaks."""
    mutant(monkeypatch)
    with pytest.raises(AssertionError, match=word):
        soak(tmp_path, ACTIONS, SEED, patience_s=PATIENCE_S)
