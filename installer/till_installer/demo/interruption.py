"""Ctrl-C and SIGTERM as one KeyboardInterrupt, never raised between the start of a child and its entry in a list."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


class Interruption:
    """After `listen` the first signal is raised, late where it would do harm; the ending that follows is not cut.

    A second Ctrl-C changes nothing: by then the parts are being ended, and each wait for one is bounded.
    """

    def __init__(self) -> None:
        self._held = 0
        self._came = False

    def listen(self) -> None:
        """Take over both signals; one that the caller's parent has set to be ignored stays ignored."""
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._heard)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """A signal that comes meanwhile is raised at the end of this."""
        came_before = self._came
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
        if self._came and not came_before and not self._held:
            raise KeyboardInterrupt

    def _heard(self, _signal: int, _frame: FrameType | None) -> None:
        first, self._came = not self._came, True
        if first and not self._held:
            raise KeyboardInterrupt


interruption = Interruption()
"""Of this process: signals are the process's, not of one demo."""
