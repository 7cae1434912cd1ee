"""Gives grants back beside the sales: what the cloud recalls, as soon as a page says so, and what has ended."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from till_agent.desk import Desk

log = logging.getLogger(__name__)


class GivingBack:
    """One task on the loop. `nudge` sends what was written, at once: at the cloud somebody may wait for it."""

    def __init__(self, desk: Desk, nudge: Callable[[], None]) -> None:
        self._desk = desk
        self._nudge = nudge
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="giving back")

    async def stop(self) -> None:
        """End; what is not given back yet is at the next start."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def wake(self) -> None:
        """There is a new page, or time has passed: look again."""
        self._woken.set()

    async def _run(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                if await self._desk.give_back_grants():
                    self._nudge()
            except Exception:  # Reason: sales go on whatever this meets, and the next page tries again.
                log.exception("grants could not be given back")
