"""The jobs of a running cloud: once at the start, then every minute."""

import asyncio
import contextlib
import logging
import threading
import time

from till_cloud.centre import Centre
from till_cloud.jobs import slow_phones
from till_cloud.jobs.done import JobsDone
from till_cloud.jobs.lending import Lending, waiting
from till_cloud.jobs.running import run_jobs
from till_cloud.jobs.turns import in_turn, in_turns
from till_cloud.store import slow_tags

log = logging.getLogger(__name__)

PERIOD_S = 60.0
"""A lot that is due wakes or expires this much later at most; with nothing due, a run takes some ten reads."""


LENDING_PERIOD_S = 2.0
"""What was earned is at hand of tills this much later, or once fewer pushes wait (`till_cloud.jobs.turns`); with
nothing changed, a look takes three indexed reads."""


class JobsService:
    """Runs the jobs in a worker thread, behind the centre's one writer. `start` once, then `stop`."""

    def __init__(
        self, centre: Centre, *, period_s: float = PERIOD_S, lending_period_s: float = LENDING_PERIOD_S
    ) -> None:
        self._centre = centre
        self._period_s = period_s
        self._lending_period_s = lending_period_s
        self._lending: asyncio.Task[None] | None = None
        self._slow: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._halt = threading.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._loop(), name="cloud-jobs")
        self._lending = asyncio.create_task(self._lend(), name="cloud-lending")
        self._slow = asyncio.create_task(self._slow_phones(), name="cloud-slow-phones")

    async def stop(self) -> None:
        """End after the block under way."""
        self._stop.set()
        self._halt.set()
        for task in (self._task, self._lending, self._slow):
            if task is not None:
                await task
        self._task = self._lending = self._slow = None

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

    async def _lend(self) -> None:
        """Lend often: a till that loses its line can spend only what it has by then."""
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self._lending_period_s)
            try:
                await asyncio.to_thread(self._lend_once)
            except Exception:  # whatever failed is tried again, as with the other jobs
                log.exception("Points were not lent; that goes on in %.0f s", self._lending_period_s)

    async def _slow_phones(self) -> None:
        """Make slow tags of phones, at most half of the time of one core."""
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self._lending_period_s)
            try:
                await asyncio.to_thread(self._make_slow)
            except Exception:  # whatever failed is tried again, as with the other jobs
                log.exception("Slow tags of phones were not made; that goes on in %.0f s", self._lending_period_s)

    def _make_slow(self) -> None:
        centre = self._centre
        if self._stop.is_set() or not centre.quick(slow_phones.is_due):
            return
        began_s = time.monotonic()

        def pause() -> bool:
            nonlocal began_s
            until_s = 2 * time.monotonic() - began_s
            stopping = self._halt.wait(max(0.0, until_s - time.monotonic()))
            began_s = time.monotonic()
            return stopping

        done = slow_phones.run(
            centre.read,
            lambda work: centre.write(work).result(),
            cost=centre.quick(slow_tags.phone_tags).cost,
            registry=centre.registry,
            wall_ms=centre.wall_ms,
            pause=pause,
        )
        log.info("Slow tags of phones: %d made", done)

    def _lend_once(self) -> None:
        centre = self._centre
        if self._stop.is_set():
            return
        if not centre.quick(lambda connection: waiting(connection, centre.registry, centre.wall_ms())):
            return
        # A till's push waits while points are lent; and a member who is in the next one too is lent to again after it.
        in_turns(centre, Lending(centre.registry, centre.wall_ms).block, pause=self._halt.wait)

    def _run(self) -> JobsDone:
        centre = self._centre
        return run_jobs(
            lambda block: in_turn(centre, block, pause=self._halt.wait),
            registry=centre.registry,
            wall_ms=centre.wall_ms,
            stopping=self._stop.is_set,
        )
