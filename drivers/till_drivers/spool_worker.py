"""Takes jobs from the spool to the printers, one task a printer; keeps an eye on printers that have nothing to do.

A job is committed as printing before its first byte goes; whatever happens after that, it is never begun a second time,
unless the printer's driver says that not one byte went.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from till_drivers.clock import MonotonicClock
from till_drivers.exceptions import SpoolClosed, SpoolError
from till_drivers.ports import Clock, DeviceHealth, Outcome, PrinterDriver, PrintJob
from till_drivers.spool import Spool
from till_drivers.spool_store import PrintState, SpoolJob
from till_drivers.states import USABLE

_log = logging.getLogger(__name__)

JOB_DEADLINE_MS = 20_000
"""A slip is on paper in two seconds; somebody who adds paper in mid-slip needs some more."""
SLOWEST_BYTES_PER_MS = 0.8
"""9600 baud: each job gets the time that its bytes take on the slowest line, on top."""
IDLE_PROBE_MS = 15_000
"""How often a printer with nothing to do is asked how it is: paper out is seen before the next customer."""
MISSING_PROBE_MS = 5_000
"""How often a printer that takes no job is asked, while none waits."""
RETRY_MS = 500
"""The same while jobs wait for it; its driver's own back-off holds as well."""
STOP_SECONDS = 1.0
"""Stopping all printers, together."""

SUBMIT_GRACE_MS = 5_000
"""How much longer than its deadline a driver may take; one that takes more, a third party's, hangs."""
STATUS_TIMEOUT_MS = 60_000
"""Ours ends long before; bringing a printer on the slowest line back into step takes it half of this."""

_STATES = {
    Outcome.PRINTED: PrintState.PRINTED,
    Outcome.ACCEPTED: PrintState.ACCEPTED,
    Outcome.REFUSED: PrintState.REFUSED,
    Outcome.UNKNOWN: PrintState.UNKNOWN,
}


@runtime_checkable
class Watched(Protocol):
    """A driver that tells its changes itself, as they happen; those of others are seen when they are asked."""

    def watch(self, listener: Callable[[DeviceHealth], None]) -> None: ...


@runtime_checkable
class Resumable(Protocol):
    """A driver that can bring its printer back into step after a job that broke off in an earlier run."""

    def resume_after(self, data: bytes) -> None: ...


class SpoolWorker:
    """`printers` by the name that jobs carry. `health` is called in the loop's thread, once for each change."""

    def __init__(
        self,
        spool: Spool,
        printers: Mapping[str, PrinterDriver],
        *,
        clock: Clock | None = None,
        health: Callable[[DeviceHealth], None] | None = None,
    ) -> None:
        self._spool = spool
        self._printers = dict(printers)
        self._clock = clock or MonotonicClock()
        self._health = health or (lambda _: None)
        self._seen: dict[str, tuple[str, str]] = {}
        self._news: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._leaving: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unsaved: dict[str, dict[str, tuple[PrintState, str]]] = {}
        """By printer: one that saved another's would put a job back in line that its own printer has begun again."""
        self._is_stopping = False

    async def start(self) -> None:
        """Begin; waits for no device and no disk."""
        self._loop = asyncio.get_running_loop()
        self._spool.listen(self._wake_from_thread)
        for name, driver in self._printers.items():
            self._begin(name, driver)

    def add(self, name: str, driver: PrinterDriver) -> None:
        """One more printer, or the one of that name again after `remove`: jobs that wait for it are printed."""
        self._printers[name] = driver
        self._begin(name, driver)

    async def remove(self, name: str) -> None:
        """Stop one printer, within about a second, as `stop` does; jobs that wait for it go on waiting."""
        driver, task = self._printers.pop(name, None), self._tasks.pop(name, None)
        if driver is None or task is None:
            return
        self._leaving.add(name)
        self._news[name].set()
        await self._ended([asyncio.ensure_future(driver.stop()), task])
        self._leaving.discard(name)
        self._seen.pop(driver.device_id, None)

    def _begin(self, name: str, driver: PrinterDriver) -> None:
        if isinstance(driver, Watched):
            driver.watch(self._tell)
        self._news[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._serve(name, driver), name=f"print-{name}")

    async def stop(self) -> None:
        """Stop the printers and end, within about a second; a slip under way is recorded as unknown."""
        self._is_stopping = True
        self._spool.unlisten(self._wake_from_thread)
        for event in self._news.values():
            event.set()
        stops = [asyncio.ensure_future(driver.stop()) for driver in self._printers.values()]
        await self._ended([*stops, *self._tasks.values()])
        self._tasks.clear()

    async def _ended(self, tasks: "list[asyncio.Future[None]]") -> None:
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
        for task in late:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                _log.error("a printer did not stop cleanly", exc_info=result)

    def _wake_from_thread(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for event in self._news.values():
            event.set()

    def _tell(self, health: DeviceHealth) -> None:
        change = (health.state, health.detail)
        if self._seen.get(health.device_id) != change:
            self._seen[health.device_id] = change
            self._health(health)

    async def _serve(self, name: str, driver: PrinterDriver) -> None:
        is_resumed = was_refused = False
        while not self._ends(name):
            self._news[name].clear()
            wait_ms = IDLE_PROBE_MS
            try:
                if not is_resumed:
                    await self._resume(name, driver)
                    is_resumed = True
                await self._save_outcomes(name)
                may_go_at_once = not was_refused and self._may_go_at_once(driver)
                if may_go_at_once or await self._is_usable(driver):
                    job = await self._spool.next(name)
                    if job is not None:
                        was_refused = not await self._print(driver, job)
                        if not was_refused:
                            continue
                        wait_ms = RETRY_MS
                else:
                    wait_ms = RETRY_MS if self._spool.waiting_count else MISSING_PROBE_MS
            except SpoolClosed as exc:
                _log.error("%s", exc)  # started before the spool, or still running after it: the wiring is wrong
                return
            except SpoolError as exc:
                _log.warning("%s", exc)
                wait_ms = RETRY_MS
            if not self._ends(name):
                await self._pause(name, wait_ms)

    def _ends(self, name: str) -> bool:
        return self._is_stopping or name in self._leaving

    async def _resume(self, name: str, driver: PrinterDriver) -> None:
        await self._spool.opened()
        torn = self._spool.torn(name)
        if torn and isinstance(driver, Resumable):
            driver.resume_after(torn)

    async def _pause(self, name: str, wait_ms: int) -> None:
        """Until something new may be there to print; after a refusal the whole time, since asking more helps nobody."""
        if wait_ms == RETRY_MS:
            await self._clock.sleep(wait_ms / 1000)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_ms / 1000):
                await self._news[name].wait()

    def _may_go_at_once(self, driver: PrinterDriver) -> bool:
        """Whether a slip waits for a printer that was well when it was last heard of: asked once, not twice, it begins
        some milliseconds sooner, and a driver asks before each job anyway."""
        return bool(self._spool.waiting_count) and self._seen.get(driver.device_id, ("", ""))[0] in USABLE

    async def _is_usable(self, driver: PrinterDriver) -> bool:
        try:
            async with asyncio.timeout(STATUS_TIMEOUT_MS / 1000):
                health = await driver.status()
        except Exception:  # noqa: BLE001  # a third party's driver: its defect must not end the printing of others
            _log.exception("the printer %s can't tell its state", driver.device_id)
            return False
        self._tell(health)
        return health.state in USABLE

    async def _print(self, driver: PrinterDriver, job: SpoolJob) -> bool:
        """Whether the printer is done with the job; False when it refused."""
        if not await self._spool.begin(job.job_id):
            return True
        deadline_ms = JOB_DEADLINE_MS + int(len(job.data) / SLOWEST_BYTES_PER_MS)
        detail = ""
        try:
            async with asyncio.timeout((deadline_ms + SUBMIT_GRACE_MS) / 1000):
                outcome = await driver.submit(PrintJob(job_id=job.job_id, data=job.data), deadline_ms)
        except Exception as exc:  # noqa: BLE001  # the same; nobody knows what it has printed, so nobody prints it again
            _log.exception("the printer %s failed in a job", driver.device_id)
            outcome, detail = Outcome.UNKNOWN, f"driver failed: {type(exc).__name__}"
        if not detail and outcome not in (Outcome.PRINTED, Outcome.ACCEPTED):
            detail = self._seen.get(driver.device_id, ("", ""))[1]
        self._unsaved.setdefault(job.printer, {})[job.job_id] = (_STATES[outcome], detail)
        await self._save_outcomes(job.printer)
        return outcome is not Outcome.REFUSED

    async def _save_outcomes(self, printer: str) -> None:
        """Commit what became of jobs; one that the disk refuses stays `printing` there and is saved later."""
        unsaved = self._unsaved.get(printer, {})
        for job_id, (state, detail) in list(unsaved.items()):
            await self._spool.finish(job_id, state, detail)
            del unsaved[job_id]
