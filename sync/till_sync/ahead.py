"""What comes next, made ready while something else is awaited: a step ahead, for whoever takes its steps in turn."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


class Ahead(Generic[T]):
    """At most one thing under way or ready. Belongs to one task: `begin`, then `settle` and `take`, or `drop`."""

    def __init__(self) -> None:
        self._task: asyncio.Task[T | None] | None = None

    def begin(self, work: Coroutine[Any, Any, T | None]) -> None:
        """Make it ready beside what is done meanwhile; what was there before is dropped."""
        self.drop()
        self._task = asyncio.get_running_loop().create_task(work, name="ahead")

    @property
    def is_ready(self) -> bool:
        """Whether there is something to take."""
        task = self._task
        if task is None or not task.done() or task.cancelled() or task.exception() is not None:
            return False
        return task.result() is not None

    async def settle(self) -> None:
        """Wait until it is ready or has failed."""
        if self._task is not None:
            await asyncio.wait({self._task})

    def take(self) -> T | None:
        """It, which is nobody's then; None where there is nothing, or it is not ready."""
        task, self._task = self._task, None
        if task is None:
            return None
        if not task.done():
            task.cancel()
        if not task.done() or task.cancelled():
            return None
        if (error := task.exception()) is not None:
            # Whoever does the same in its turn is told of it again, and knows what to do.
            log.debug("Nothing could be made ready ahead: %r", error)
            return None
        return task.result()

    def drop(self) -> None:
        """Forget it."""
        self.take()
