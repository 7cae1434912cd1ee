"""Ctrl-C or a closed terminal: a change of version ends on a version that serves all the same, for between stop and
start there is no agent, and nobody would start it.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING

from till_installer.upgrade.pointers import named
from till_sync.heartbeat import UpdateState

if TYPE_CHECKING:
    from till_installer.upgrade.engine import Upgrader

BREAKS = ("SIGINT", "SIGHUP", "SIGBREAK")
"""Each where the system has it. Not SIGTERM: a machine that is shut down ends the agent too, and what doesn't answer
then is no bad version; the change is finished at the next start."""


class _BrokenOff(BaseException):
    """Raised where a signal was received; nothing catches it on its way but `unbroken`."""


def unbroken(upgrader: "Upgrader", change: Callable[[], UpdateState]) -> UpdateState:
    """Make the change. Broken off by a signal it is finished or undone, deaf to further ones; then the state is told:
    `interrupted` also where nothing was begun, for what was told last is another change's.

    InstallerError of the change, or of its end.
    """
    before = upgrader.records.state()
    try:
        with _handled(_break):
            return change()
    except _BrokenOff:
        with _handled(signal.SIG_IGN):
            state = upgrader.finish() or upgrader.records.state()
            if state != before:
                return state
            return UpdateState(stage="refused", code="interrupted", from_version=named(upgrader.layout.current))


def _break(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise _BrokenOff


@contextlib.contextmanager
def _handled(handler: "Callable[[int, FrameType | None], None] | signal.Handlers") -> Iterator[None]:
    """Signals are only the main thread's to handle."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in BREAKS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)
