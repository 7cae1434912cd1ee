"""The jobs of a running cloud: once at the start, then every minute."""

import asyncio
import contextlib
import logging

from till_cloud.centre import Centre
from till_cloud.jobs.running import JobsDone, run_jobs

log = logging.getLogger(__name__)

PERIOD_S = 60.0
"""A lot that is due wakes or expires this much later at most; with nothing due, a run takes some ten reads."""


class JobsService:
    """Runs the jobs in a worker thread, behind the centre's one writer. `start` once, then `stop`."""

    def __init__(self, centre: Centre, *, period_s: float = PERIOD_S) -> None:
        self._centre = centre
        self._period_s = period_s
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._loop(), name="cloud-jobs")

    async def stop(self) -> None:
        """End after the block under way."""
        self._stop.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def _loop(self) -> None:
        while not self._stop.is_set():
            try:
                done = await asyncio.to_thread(self._run)
            except Exception:  # whatever failed is tried again: points must not stop expiring until a restart
                log.exception("The regular jobs did not finish; they go on in %.0f s", self._period_s)
            else:
                if done != JobsDone():
                    log.info("Jobs: %s", done)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self._period_s)

    def _run(self) -> JobsDone:
        centre = self._centre
        return run_jobs(
            lambda block: centre.write(block).result(),
            registry=centre.registry,
            wall_ms=centre.wall_ms,
            stopping=self._stop.is_set,
        )
