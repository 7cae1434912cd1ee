"""An event loop whose time is made up: it jumps to the next timer instead of waiting, and has one order of events.

Work for other threads is done on the spot. With the same seed everything happens again in the same order.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

TURNS_TO_END = 50
"""Turns of the loop in which tasks that were cancelled end, and those that they had waited for."""


class Deadlock(Exception):  # noqa: N818 - a state of the simulation, told by name
    """Raised when nothing is left that could ever happen, and somebody still waits."""


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits for sockets, of which there are none: the time asked for is passed on to the loop."""

    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Deadlock("everybody waits, and no timer is set")
        if timeout > 0:
            self._jump(timeout)
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Seconds since the simulation began are `time()`."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_JumpingSelector(self._jump))
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._now

    def _jump(self, seconds: float) -> None:
        self._now += seconds

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector, so nobody has to be woken."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end in a loop of its own; what others have left undone then is dropped without a word."""
    loop = SimulatedLoop()
    loop.set_exception_handler(lambda _loop, _context: None)
    try:
        return loop.run_until_complete(main)
    finally:
        for _ in range(TURNS_TO_END):
            left = asyncio.all_tasks(loop)
            if not left:
                break
            for task in left:
                task.cancel()
            loop.call_soon(loop.stop)
            loop.run_forever()
        loop.close()
