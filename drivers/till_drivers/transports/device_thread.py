"""One daemon thread for calls that may block for ever inside a device's driver.

A pool of `concurrent.futures` is no help here: the interpreter joins its threads at exit, so that one write that never
returns would keep the agent from ending.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from till_drivers.exceptions import TransportLost

T = TypeVar("T")

HUNG_LIMIT = 4
"""Threads of one device that may hang at once in its driver; past that the device is not tried again, since each
costs a stack and a descriptor."""


class DeviceThread:
    """Does calls one after another, off the loop. A call past its time is left behind with its thread."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._hung: list[threading.Thread] = []
        self._thread: threading.Thread | None = None
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    async def call(self, function: Callable[[], T], timeout_ms: int, *, undo: Callable[[T], None] | None = None) -> T:
        """Result of `function`, or TimeoutError. `undo` gets a result that came after nobody waited for it any more.

        Raises TransportLost when too many earlier calls hang.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def deliver(result: T) -> None:
            if not future.done():
                future.set_result(result)
            elif undo is not None:  # given up in the very moment that it came
                threading.Thread(target=undo, args=(result,), daemon=True).start()

        def fail(error: BaseException) -> None:
            if not future.done():
                future.set_exception(error)

        def work() -> None:
            try:
                result = function()
            except BaseException as exc:  # noqa: BLE001  # handed to the waiting task, whatever it is
                _tell(loop, fail, exc)
                return
            is_late = future.done()  # only the loop's thread settles it; an old answer here costs nothing
            if (is_late or not _tell(loop, deliver, result)) and undo is not None:
                undo(result)

        self._start()
        self._calls.put(work)
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                return await future
        except TimeoutError:
            if not future.cancelled():
                # The answer was there, and the loop, held up by something else, heard of it and of the deadline in one
                # turn. It counts: its bytes are gone from the device.
                return future.result()
            self.abandon()
            raise

    def end(self) -> None:
        """Let the thread finish what it does and go; the next call starts another."""
        if self._thread is not None:
            self._calls.put(None)
            self._thread = None
            self._calls = queue.SimpleQueue()

    def abandon(self) -> None:
        """Leave a thread that hangs to itself; it ends if its call ever returns."""
        if self._thread is not None:
            self._hung.append(self._thread)
        self.end()

    def _start(self) -> None:
        self._hung = [thread for thread in self._hung if thread.is_alive()]
        if len(self._hung) >= HUNG_LIMIT:
            raise TransportLost(f"{self._name}: expected the device's driver to answer, not {HUNG_LIMIT} calls hanging")
        if self._thread is None:
            self._thread = threading.Thread(target=_serve, args=(self._calls,), name=self._name, daemon=True)
            self._thread.start()


def _serve(calls: "queue.SimpleQueue[Any]") -> None:
    while (call := calls.get()) is not None:
        call()


def _tell(loop: asyncio.AbstractEventLoop, function: Callable[..., None], value: object) -> bool:
    """Call `function` in the loop; False when the loop has ended while the device was thinking."""
    try:
        loop.call_soon_threadsafe(function, value)
    except RuntimeError:
        return False
    return True
