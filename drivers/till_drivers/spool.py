"""The print queue on disk: a slip survives a restart, a dead printer holds no sale, nothing prints twice by itself.

Whoever sells calls `enqueue`, which takes microseconds and never waits. One thread of its own draws the slip (if it was
handed over undrawn) and writes; commits that come together share one sync to disk.
"""

import asyncio
import concurrent.futures
import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

from msgspec import Struct

from till_drivers.exceptions import SpoolClosed, SpoolUnavailable
from till_drivers.spool_jobs import drawn, refused
from till_drivers.spool_store import (
    JobTable,
    PrintState,
    SpoolJob,
    connect,
    connect_reader,
    is_damage,
    move_aside,
)

T = TypeVar("T")
_log = logging.getLogger(__name__)

PENDING_LIMIT = 1_000
"""Jobs handed over and not yet on disk: some minutes of a whole store's sales while a disk stalls."""
WAITING_LIMIT = 5_000
"""Jobs on disk that wait for a printer: more than a till sells in the time a job may wait."""
JOB_BYTES_LIMIT = 1 << 20
"""Bytes of one slip: 500 lines drawn as dots."""
BATCH_LIMIT = 64
"""Changes that share one commit; keeps a batch below some milliseconds."""
LOST_LIMIT = 1_000
"""Jobs that could not be written, remembered so that their look-up says so."""
TRIM_EVERY = 100
"""Finished jobs between two clean-ups."""
REOPEN_SECONDS = 0.25
"""Between two tries to open the file, while its disk is full or not mounted yet."""
STOP_SECONDS = 1.0
"""Stopping writes what was handed over, within this."""


class Enqueued(Struct, frozen=True, kw_only=True):
    """What became of a hand-over. `state` is the job's, also when it was there before.

    Not accepted: `reason` is full, stopped or too-large, and nothing of it will be printed.
    """

    accepted: bool
    state: PrintState
    reason: Literal["", "full", "stopped", "too-large"] = ""


class _Stop:
    """Ends the thread."""


_Command = Callable[[JobTable], Callable[[], None]]
"""Changes the file within the batch's transaction; what it returns is called when that is committed."""
_Ordered = tuple[_Command, Callable[[SpoolUnavailable], None]]
"""A command, and whom to tell when the file refused it."""


class Spool:
    """The queue in `path`. All methods may be called from any thread; the async ones from a loop.

    `wall_ms` gives the wall clock in milliseconds. A file that can't be read is moved aside (`moved_aside`).
    """

    def __init__(self, path: Path, *, wall_ms: Callable[[], int] | None = None) -> None:
        self._path = path
        self._wall_ms = wall_ms or (lambda: time.time_ns() // 1_000_000)
        self._commands: queue.SimpleQueue[_Ordered | _Stop] = queue.SimpleQueue()
        self._guard = threading.RLock()
        self._pending: OrderedDict[str, SpoolJob] = OrderedDict()
        self._lost: OrderedDict[str, SpoolJob] = OrderedDict()
        self._waiting = 0
        self._finished = 0
        self._has_new = False
        self._torn: dict[str, bytes] = {}
        self._reader: JobTable | None = None
        self._listeners: list[Callable[[], None]] = []
        self._thread: threading.Thread | None = None
        self._is_stopped = False
        self.moved_aside: Path | None = None
        """Where a broken file of an earlier run was put, if there was one."""
        self.trouble = ""
        """Why the file can't be opened or written at the moment; empty when it can."""

    def start(self) -> None:
        """Begin; the file is opened in the spool's own thread. Jobs are taken from now on."""
        if self._thread is None and not self._is_stopped:
            self._thread = threading.Thread(target=self._serve, name="till-spool", daemon=True)
            self._thread.start()

    def stop(self, timeout_seconds: float = STOP_SECONDS) -> bool:
        """Write what was handed over and end; False when that took longer than the time given. Blocks."""
        self._is_stopped = True
        thread = self._thread
        if thread is None:
            return True
        self._commands.put(_Stop())
        thread.join(timeout_seconds)
        return not thread.is_alive()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` when new jobs are on disk, in the spool's thread: it must neither block nor raise."""
        self._listeners.append(listener)

    def unlisten(self, listener: Callable[[], None]) -> None:
        """Call it no more."""
        with contextlib.suppress(ValueError):
            self._listeners.remove(listener)

    @property
    def waiting_count(self) -> int:
        """Jobs that are not on paper yet: those not yet on disk and the one under way included."""
        with self._guard:
            return self._waiting + len(self._pending)

    def enqueue(
        self,
        *,
        job_id: str,
        printer: str,
        reference: str,
        data: bytes | Callable[[], bytes],
        copy: bool = False,
    ) -> Enqueued:
        """Hand over a slip for `printer`; `reference` is the sale it belongs to. Never waits, never raises.

        The same `job_id` again changes nothing. `data` may be a function that draws the slip: it is called in the
        spool's thread; if it raises a DriverError the job is refused with that as its detail.
        """
        with self._guard:
            known = self._pending.get(job_id) or self._lost.get(job_id) or self._look_up(lambda t: t.by_id(job_id))
            if known is not None:
                return Enqueued(accepted=True, state=known.state)
            if self._is_stopped or self._thread is None:
                return Enqueued(accepted=False, state=PrintState.REFUSED, reason="stopped")
            if len(self._pending) >= PENDING_LIMIT or self.waiting_count >= WAITING_LIMIT:
                return Enqueued(accepted=False, state=PrintState.REFUSED, reason="full")
            if isinstance(data, bytes) and len(data) > JOB_BYTES_LIMIT:
                return Enqueued(accepted=False, state=PrintState.REFUSED, reason="too-large")
            now = self._wall_ms()
            job = SpoolJob(
                seq=0,
                job_id=job_id,
                printer=printer,
                reference=reference,
                copy=copy,
                state=PrintState.QUEUED,
                waits=True,
                attempts=0,
                detail="",
                created_ms=now,
                updated_ms=now,
                data=data if isinstance(data, bytes) else b"",
            )
            self._pending[job_id] = job
        draw = None if isinstance(data, bytes) else data
        self._commands.put((lambda table: self._add(table, job, draw), lambda exc: self._lose(job, exc)))
        return Enqueued(accepted=True, state=PrintState.QUEUED)

    def newest(self, reference: str) -> SpoolJob | None:
        """The newest job about a sale, without its bytes; None when there is none or it was long ago."""
        with self._guard:
            for job in reversed(self._pending.values()):
                if job.reference == reference:
                    return job
            stored = self._look_up(lambda table: table.by_reference(reference))
            lost = next((job for job in reversed(self._lost.values()) if job.reference == reference), None)
            # A copy that came out after a slip was lost is the newer one.
            return lost if lost is not None and (stored is None or stored.created_ms < lost.created_ms) else stored

    def get(self, job_id: str) -> SpoolJob | None:
        """A job by its id, without its bytes."""
        with self._guard:
            known = self._pending.get(job_id) or self._lost.get(job_id)
            return known or self._look_up(lambda table: table.by_id(job_id))

    async def opened(self) -> None:
        """Wait until the file is open and what the last run left is put in order. Raises SpoolError."""
        await self._do(lambda _: None)

    async def recent(self, limit: int) -> list[SpoolJob]:
        """The newest jobs first, without their bytes."""
        return await self._do(lambda table: table.recent(limit))

    async def next(self, printer: str) -> SpoolJob | None:
        """The oldest job that `printer` should print, with its bytes; gives up those that waited too long."""
        return await self._do(lambda table: table.next(printer, self._wall_ms()))

    def torn(self, printer: str) -> bytes:
        """Bytes of a job that may have broken off in that printer in an earlier run, and nothing has followed; or b"".

        Known from `opened` on.
        """
        return self._torn.get(printer, b"")

    async def begin(self, job_id: str) -> bool:
        """Commit that the job is being printed; only then may its first byte go. False: it is not to be printed."""
        return await self._do(lambda table: table.begin(job_id, self._wall_ms()))

    async def finish(self, job_id: str, state: PrintState, detail: str = "") -> None:
        """Commit what became of a job that was begun; REFUSED puts it back in line."""

        def work(table: JobTable) -> None:
            job = table.by_id(job_id)
            if job is not None and state is not PrintState.REFUSED:
                table.mended(job.printer)  # whatever was torn there before, another slip has gone through since
            table.finish(job_id, state, detail, self._wall_ms())
            self._finished += 1
            if self._finished % TRIM_EVERY == 0:
                table.trim(self._wall_ms())

        await self._do(work)

    async def _do(self, work: Callable[[JobTable], T]) -> T:
        if self._thread is None or self._is_stopped:
            raise SpoolClosed("expected a started print queue, not one before its start or after its stop")
        future: concurrent.futures.Future[T] = concurrent.futures.Future()

        def command(table: JobTable) -> Callable[[], None]:
            result = work(table)
            return lambda: _settle(future, result)

        self._commands.put((command, lambda exc: _fail(future, exc)))
        return await asyncio.wrap_future(future)

    def _look_up(self, query: Callable[[JobTable], SpoolJob | None]) -> SpoolJob | None:
        """By the reading connection, under the guard; a file that can't be read knows nothing."""
        if self._reader is None:
            return None
        try:
            return query(self._reader)
        except SpoolUnavailable:
            _log.warning("the print queue can't be read")
            return None

    # In the spool's thread.
    def _serve(self) -> None:
        table: JobTable | None = None
        try:
            running = True
            while running:
                running, batch = self._take(waits=table is not None)
                try:
                    table = table or self._open()
                    self._run_batch(table, [command for command, _ in batch])
                    self.trouble = ""
                except SpoolUnavailable as exc:
                    if str(exc) != self.trouble:  # a disk that is full for a night is not to be filled by its own log
                        self.trouble = str(exc)
                        _log.error("%s", exc)
                    for _, failed in batch:
                        failed(exc)
                    if table is not None and _is_damaged(exc):
                        self._let_go(table)
                        table = None
                    if table is None and running:
                        time.sleep(REOPEN_SECONDS)
        finally:
            self._is_stopped = True
            self._let_go(table)
            for _, failed in self._take(waits=False)[1]:
                failed(SpoolUnavailable("the print queue has stopped"))

    def _let_go(self, table: JobTable | None) -> None:
        """Close the file: at the end, or so that one that has broken is put aside when it is opened again."""
        with self._guard:
            reader, self._reader = self._reader, None
        for each in (reader, table):
            if each is not None:
                each.close()

    def _take(self, *, waits: bool) -> tuple[bool, list[_Ordered]]:
        """The next commands, at least one if `waits`; and whether to go on after them."""
        batch: list[_Ordered] = []
        while len(batch) < BATCH_LIMIT:
            try:
                command = self._commands.get(block=waits and not batch)
            except queue.Empty:
                break
            if isinstance(command, _Stop):
                return False, batch
            batch.append(command)
        return True, batch

    def _open(self) -> JobTable:
        try:
            try:
                connection = connect(self._path)
            except sqlite3.DatabaseError as exc:
                if not is_damage(exc):
                    raise
                self.moved_aside = move_aside(self._path, self._wall_ms())
                _log.error("the print queue was broken (%s) and is put aside as %s", exc, self.moved_aside.name)
                connection = connect(self._path)
            table = JobTable(connection)
            now = self._wall_ms()
            cut_short = table.recover(now)
            table.trim(now)
            self._waiting = table.waiting()
            self._torn = table.torn()
            with self._guard:
                self._reader = JobTable(connect_reader(self._path))
        except (sqlite3.Error, OSError) as exc:
            raise SpoolUnavailable(f"the print queue can't be opened: {exc}") from exc
        if cut_short:
            _log.warning("%d slips were being printed when the till stopped; they are not printed again", cut_short)
        return table

    def _run_batch(self, table: JobTable, commands: list[_Command]) -> None:
        if not commands:
            return
        table.begin_transaction()
        try:
            settled = [command(table) for command in commands]
            waiting = table.waiting()
            table.commit()
        except SpoolUnavailable:
            table.rollback()
            raise
        except Exception as exc:
            # Whoever waits must hear of it, and this thread is all printing that there is.
            _log.exception("the print queue failed")
            table.rollback()
            raise SpoolUnavailable(f"the print queue failed: {type(exc).__name__}") from exc
        with self._guard:  # a job that goes from memory to the file is never counted twice
            self._waiting = waiting
            for settle in settled:
                settle()
        if self._has_new:
            self._has_new = False
            for listener in list(self._listeners):
                listener()

    def _add(self, table: JobTable, job: SpoolJob, draw: Callable[[], bytes] | None) -> Callable[[], None]:
        if draw is not None:
            job = drawn(job, draw, JOB_BYTES_LIMIT)
        table.add(job)
        self._has_new = True
        return lambda: self._forget_pending(job.job_id)

    def _forget_pending(self, job_id: str) -> None:
        with self._guard:
            self._pending.pop(job_id, None)

    def _lose(self, job: SpoolJob, error: SpoolUnavailable) -> None:
        with self._guard:
            self._pending.pop(job.job_id, None)
            self._lost[job.job_id] = refused(job, str(error))
            while len(self._lost) > LOST_LIMIT:
                self._lost.popitem(last=False)


def _is_damaged(exc: SpoolUnavailable) -> bool:
    return isinstance(exc.__cause__, sqlite3.DatabaseError) and is_damage(exc.__cause__)


def _settle(future: "concurrent.futures.Future[T]", result: T) -> None:
    with contextlib.suppress(concurrent.futures.InvalidStateError):  # cancelled meanwhile
        future.set_result(result)


def _fail(future: "concurrent.futures.Future[T]", error: BaseException) -> None:
    with contextlib.suppress(concurrent.futures.InvalidStateError):
        future.set_exception(error)
