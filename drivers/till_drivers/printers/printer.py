"""An ESC/POS receipt printer over any transport.

What it promises: a job is PRINTED only when the printer itself said so behind the cut; REFUSED only when not one byte
of it can have reached the printer; everything in doubt is UNKNOWN, and is nobody's to repeat but a person's.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from till_drivers.clock import MonotonicClock
from till_drivers.exceptions import DriverError, TransportError, TransportRefused, TransportStalled
from till_drivers.ports import Clock, DeviceHealth, MaybeOneWay, Outcome, PrintJob, Transport
from till_drivers.printers.conversation import Conversation
from till_drivers.printers.resync import filler
from till_drivers.states import Backoff, DeviceState, HealthKeeper

T = TypeVar("T")

OPEN_TIMEOUT_MS = 3_000
"""A network printer that is on answers within milliseconds; one that sleeps, within a second or two."""
CLOSE_TIMEOUT_MS = 500
"""Stopping leaves a second in all."""
FRESH_MS = 1_000
"""An answer younger than this is not asked for again by `status`."""
SLOWEST_BYTES_PER_MS = 0.8
"""9600 baud: what ends a picture that broke off gets the time that it takes there."""
UNPROVEN_LIMIT = 2
"""Jobs without a proof after which a printer that has never given one is waited for only UNPROVEN_PATIENCE_MS."""
UNPROVEN_PATIENCE_MS = 3_000
"""A slip is on paper by then; a till that prints one every ten seconds must not queue behind silence."""

NO_ANSWER = "gives no answer to status requests; set status = false if its line goes one way only"
WENT_SILENT = "stopped answering: switched off?"
TAKES_NOTHING = "takes no data"
STILL_BUSY = "has not finished the last slip"
NO_PROOF = "prints without confirming it"


class EscposPrinter:
    """Implements `till_drivers.ports.PrinterDriver`; start-up needs no device, each try to reach one waits its turn.

    `status`: whether the printer is asked how it is; without that, or over a transport that turns out to go one way
    only, a job can only be ACCEPTED. `keep_open`: a serial port is held for good, a network printer is left to others
    between jobs.
    """

    def __init__(
        self,
        device_id: str,
        transport: Transport,
        *,
        clock: Clock | None = None,
        status: bool = True,
        keep_open: bool = True,
    ) -> None:
        self.device_id = device_id
        self._clock = clock or MonotonicClock()
        self._transport = transport
        self._wants_status = status
        self._keep_open = keep_open
        self._talk = Conversation(transport, self._clock)
        self._health = HealthKeeper(device_id, self._clock)
        self._backoff = Backoff(self._clock)
        self._one_at_a_time = asyncio.Lock()
        self._running: asyncio.Future[Any] | None = None
        self._is_open = False
        self._has_answered = False
        self._unproven = 0
        self._contact_ms: int | None = None
        self._began = False
        self._filler = b""
        """What goes ahead of the next job: the printer may still wait for the rest of a command that broke off."""
        self._stopping = asyncio.Event()

    def watch(self, listener: Callable[[DeviceHealth], None]) -> None:
        """Tell `listener` each change of state, from now on, in the loop's thread."""
        self._health.listen(listener)

    def resume_after(self, data: bytes) -> None:
        """An earlier run's job may have broken off: the printer may wait for the rest of one of its commands."""
        self._filler = max(self._filler, filler(data), key=len)

    async def status(self) -> DeviceHealth:
        """How the printer is: asked now, unless a job runs, the last answer is fresh, or it is not due to be tried."""
        is_fresh = self._contact_ms is not None and self._clock.mono_ms() - self._contact_ms < FRESH_MS
        is_due = self._is_open or not self._backoff.wait_ms
        if not self._stopping.is_set() and not is_fresh and is_due and not self._one_at_a_time.locked():
            async with self._one_at_a_time:
                await self._stoppable(self._probe())
        return self._health.health

    async def submit(self, job: PrintJob, deadline_ms: int) -> Outcome:
        """Print `job`, at most `deadline_ms` milliseconds from now; jobs wait for one another within that time."""
        until = self._clock.mono_ms() + deadline_ms
        try:
            async with asyncio.timeout(deadline_ms / 1000):
                await self._one_at_a_time.acquire()
        except TimeoutError:
            return Outcome.REFUSED
        try:
            self._began = False
            outcome = await self._stoppable(self._print(job.data, until))
            if outcome is None:
                return Outcome.UNKNOWN if self._began else Outcome.REFUSED
            return outcome
        finally:
            self._one_at_a_time.release()

    async def stop(self) -> None:
        """End within a second; a job that had begun is UNKNOWN. The printer takes no more jobs."""
        self._stopping.set()
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running}, timeout=CLOSE_TIMEOUT_MS / 1000)
        await self._close()
        self._health.move(DeviceState.DISABLED)

    async def _stoppable(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Result of `work`; None when `stop` ended it."""
        if self._stopping.is_set():
            work.close()
            return None
        running: asyncio.Task[T] = asyncio.ensure_future(work)
        self._running = running
        try:
            return await running
        except asyncio.CancelledError:
            self._is_open = False  # in the middle of who knows what: the next use starts with a new connection
            task = asyncio.current_task()
            if self._stopping.is_set() and not (task is not None and task.cancelling()):
                return None
            raise
        finally:
            self._running = None

    async def _probe(self) -> None:
        await self._reach(self._clock.mono_ms() + OPEN_TIMEOUT_MS)
        if not self._keep_open:
            await self._close(waits=False)

    async def _print(self, data: bytes, until: int) -> Outcome:
        if not await self._reach(until):
            return Outcome.REFUSED
        if self._clock.mono_ms() >= until:
            return Outcome.REFUSED  # the questions took all the time
        self._health.move(DeviceState.BUSY)
        earlier = self._filler
        try:
            self._began = True
            self._filler = max(earlier, filler(data), key=len)  # a filler that breaks off itself may be too short
            await self._transport.write(earlier + data, self._left(until))
            self._filler = b""
        except TransportError as exc:
            is_untouched = isinstance(exc, TransportRefused) or (
                isinstance(exc, TransportStalled) and exc.sent <= len(earlier)
            )
            if is_untouched:
                self._filler = earlier
            await self._fail(exc)
            return Outcome.REFUSED if is_untouched else Outcome.UNKNOWN
        if not self._asks:
            self._health.move(DeviceState.READY)
            if not self._keep_open:
                await self._close()  # nothing would tell that the printer has hung up meanwhile
            return Outcome.ACCEPTED
        try:
            outcome = await self._await_proof(until)
        except TransportError as exc:
            await self._fail(exc)
            return Outcome.UNKNOWN
        if not self._keep_open:
            await self._close(waits=outcome is not Outcome.PRINTED)
        return outcome

    async def _await_proof(self, until: int) -> Outcome:
        is_hopeless = not self._talk.has_proved and self._unproven >= UNPROVEN_LIMIT
        if is_hopeless:
            until = min(until, self._clock.mono_ms() + UNPROVEN_PATIENCE_MS)
        proof = await self._talk.proof(until, lambda fault: self._health.move(DeviceState.FAULT, fault))
        self._contact_ms = self._clock.mono_ms()
        if proof is None:
            self._unproven += 1
            if self._health.state is DeviceState.BUSY:
                self._health.move(DeviceState.DEGRADED, NO_PROOF if self._has_answered else NO_ANSWER)
            self._contact_ms = None
            return Outcome.UNKNOWN
        self._unproven = 0
        if proof.end:
            self._health.move(DeviceState.FAULT, "paper out")
            return Outcome.UNKNOWN
        self._settled(near_end=proof.near_end)
        return Outcome.PRINTED

    async def _reach(self, until: int) -> bool:
        """Open the printer if it is not, and ask how it is; True when it takes a job now."""
        was_open = self._is_open
        if not was_open and not await self._open(until):
            return False
        try:
            return await self._ask()
        except TransportError as exc:
            if not was_open:
                await self._fail(exc)
                return False
        # An idle connection may be dead without our knowing; no byte of a job has gone, so a new one is tried at once.
        await self._close()
        if not await self._open(until):
            return False
        try:
            return await self._ask()
        except TransportError as exc:
            await self._fail(exc)
            return False

    async def _open(self, until: int) -> bool:
        if self._backoff.wait_ms:
            return False
        await self._close()
        try:
            await self._transport.open(min(OPEN_TIMEOUT_MS, self._left(until)))
        except DriverError as exc:
            self._backoff.failed()
            if isinstance(exc, TransportRefused):
                self._found()
                self._health.move(DeviceState.FAULT, str(exc))
                return False
            is_new = self._health.state in (DeviceState.DISABLED, DeviceState.ABSENT)
            self._health.move(DeviceState.ABSENT if is_new else DeviceState.LOST, str(exc))
            return False
        self._is_open = True
        self._found()
        return True

    def _found(self) -> None:
        if self._health.state in (DeviceState.DISABLED, DeviceState.ABSENT, DeviceState.LOST):
            self._health.move(DeviceState.OPENING)

    @property
    def _asks(self) -> bool:
        return self._wants_status and not (isinstance(self._transport, MaybeOneWay) and self._transport.is_one_way)

    async def _ask(self) -> bool:
        """Ask how the printer is and move to the state that it names; True when a job may go."""
        if not self._asks:
            self._contact_ms = self._clock.mono_ms()
            self._backoff.succeeded()
            self._health.move(DeviceState.READY)
            return True
        report = await self._talk.report()
        is_silent = report.silent and self._has_answered
        is_settled = is_silent or bool(report.fault) or await self._settle(is_patient=not report.silent)
        self._contact_ms = self._clock.mono_ms()
        self._backoff.succeeded()
        if report.silent:
            if self._has_answered:
                self._health.move(DeviceState.FAULT, WENT_SILENT)
                return False
            self._health.move(DeviceState.DEGRADED, NO_ANSWER)
            return True
        self._has_answered = True
        if report.fault or not is_settled:
            self._health.move(DeviceState.FAULT, report.fault or STILL_BUSY)
            return False
        self._settled(near_end=report.near_end)
        return True

    async def _settle(self, *, is_patient: bool) -> bool:
        if is_patient and self._filler and self._talk.needs_settling:
            # Within a command that broke off, the question itself would be taken for a piece of a picture.
            await self._transport.write(self._filler, CLOSE_TIMEOUT_MS + int(len(self._filler) / SLOWEST_BYTES_PER_MS))
            self._filler = b""
        return await self._talk.settle(is_patient=is_patient)

    def _settled(self, *, near_end: bool) -> None:
        if near_end:
            self._health.move(DeviceState.DEGRADED, "paper near its end")
        else:
            self._health.move(DeviceState.READY)

    async def _fail(self, error: TransportError) -> None:
        """The connection is of no more use."""
        await self._close()
        self._backoff.failed()
        if isinstance(error, TransportStalled):
            self._health.move(DeviceState.FAULT, TAKES_NOTHING)
        elif isinstance(error, TransportRefused):
            self._health.move(DeviceState.FAULT, str(error))
        else:
            self._health.move(DeviceState.LOST, str(error))

    async def _close(self, *, waits: bool = True) -> None:
        self._is_open = False
        self._contact_ms = None if self._keep_open else self._contact_ms
        await self._transport.close(CLOSE_TIMEOUT_MS if waits else 0)

    def _left(self, until: int) -> int:
        return max(1, until - self._clock.mono_ms())
