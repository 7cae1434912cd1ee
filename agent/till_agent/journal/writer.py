"""The one thread that owns the journal's one connection, and group commit.

Everything that waits when the thread looks is written in one transaction and made durable by one sync. Each piece of
work runs in a savepoint, so that one that fails is undone alone; one that is by itself needs none. Answers go back to
the loop only after the commit. After any database error the connection is closed, never used again: what a failed sync
left behind in memory is not what is on the disk, and asking a second time would be told "done".
"""

import asyncio
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct

from till_agent.exceptions import AgentError, JournalCorrupt, JournalUnavailable
from till_agent.going_first import go_first
from till_agent.journal.connect import is_damage
from till_agent.journal.exceptions import JournalBusy
from till_agent.journal.figures import Figures
from till_agent.journal.place import OpenReport
from till_agent.journal.schema import row_id
from till_agent.journal.session import Session
from till_agent.ports import StoredHold

_log = logging.getLogger(__name__)

T = TypeVar("T")

QUEUE_LIMIT = 256
"""Work that may wait for the disk. A till has a few at once; 256 means that the disk has stalled, and saying so is
better than letting cash software wait for minutes."""
BATCH_LIMIT = 64
"""Work in one transaction: bounds how long the first of them waits for the last."""
IDLE_SECONDS = 0.25
"""Quiet for as long: time to copy the log into the file, which no sale then waits for."""
CHECKPOINT_BYTES = 3 * 1024 * 1024
"""Log worth copying when there is time, before it outgrows the room that was made for it (`connect.LOG_BYTES`)."""
COMMIT_OVERHEAD_BYTES = 24 * 1024
"""A commit writes some six pages besides its text: the table, its indexes, what stands above them."""
STOP_WAIT_SECONDS = 10.0
"""To finish what waits and to close; the process may end after that, and loses nothing that was acknowledged."""


class Job(Generic[T]):
    """A piece of work: `run` in the writer thread, then, once it is durable, `after` on the loop, then the future."""

    __slots__ = ("after", "before_opening", "future", "run", "writes")

    def __init__(
        self,
        run: Callable[[Session], T],
        future: "asyncio.Future[T]",
        *,
        writes: bool,
        after: Callable[[T], None] | None,
        before_opening: Callable[[], None] | None = None,
    ) -> None:
        self.run = run
        self.future = future
        self.writes = writes
        self.after = after
        self.before_opening = before_opening


class Reopened(Struct, frozen=True):
    """What the loop must know after the file was opened (again): ops that it was told had failed may be in it."""

    report: OpenReport
    figures: Figures
    effects: list[tuple[int, str, int]]
    changes: list[tuple[int, str, bytes]]
    holds: list[StoredHold]


_OF_ITS_OWN_MAKING = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)
"""A uid that is there already, a value of a wrong type: the statement was refused, the database is well."""

Outcome = tuple[Job[Any], Any, BaseException | None]


class Writer:
    """Runs jobs in order. `on_opened` and `on_figures` are called on the loop, before the futures they belong to.

    `transactions` and `checkpoints` count what was committed and copied; tests of group commit read them.
    """

    def __init__(
        self,
        open_session: Callable[[], tuple[Session, OpenReport]],
        *,
        on_opened: Callable[[Reopened], None],
        on_figures: Callable[[Figures], None],
        queue_limit: int = QUEUE_LIMIT,
    ) -> None:
        self._open_session = open_session
        self._on_opened = on_opened
        self._on_figures = on_figures
        self._queue_limit = queue_limit
        self._jobs: deque[Job[Any]] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Future[None] | None = None
        self._session: Session | None = None
        self._durable_id = -1
        self._log_bytes = 0
        self._room_made = False
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self.transactions = 0
        self.checkpoints = 0
        self._at_disk = False

    @property
    def state(self) -> Literal["dead", "disk", "work"]:
        """Whether the thread has ended, waits for the disk (or may), or does neither. From any thread."""
        if not self._thread.is_alive():
            return "dead"
        return "disk" if self._at_disk else "work"

    async def start(self) -> None:
        """Open the journal in the thread; raises what opening raises, and then nothing runs."""
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        opened: asyncio.Future[None] = self._loop.create_future()
        self._jobs.append(Job(lambda _session: None, opened, writes=False, after=None))
        self._thread.start()
        try:
            await opened
        except BaseException:
            await self.stop()
            raise

    def submit(
        self,
        run: Callable[[Session], T],
        *,
        writes: bool,
        after: Callable[[T], None] | None = None,
        before_opening: Callable[[], None] | None = None,
    ) -> "asyncio.Future[T]":
        """Hand over work; called on the loop. JournalBusy when too much waits, JournalUnavailable after stop."""
        if self._loop is None:
            raise JournalUnavailable("expected a journal that was started")
        future: asyncio.Future[T] = self._loop.create_future()
        with self._wake:
            if self._stopping:
                raise JournalUnavailable("expected a running journal, not one that is stopping")
            if len(self._jobs) >= self._queue_limit:
                raise JournalBusy(f"expected at most {self._queue_limit} waiting for the disk")
            self._jobs.append(Job(run, future, writes=writes, after=after, before_opening=before_opening))
            self._wake.notify()
        return future

    def replace(self, before_opening: Callable[[], None]) -> "asyncio.Future[None]":
        """Close the file, do that in the thread, and open what is there then; raises what either raises."""
        return self.submit(lambda _session: None, writes=False, before_opening=before_opening)

    async def stop(self, wait_seconds: float = STOP_WAIT_SECONDS) -> bool:
        """Finish what waits, close the file, end the thread. False when that took longer than it may."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._ended is None:
            return True
        try:
            await asyncio.wait_for(asyncio.shield(self._ended), wait_seconds)
        except TimeoutError:
            _log.error("the journal did not close within %.1f s; its disk does not answer", wait_seconds)
            return False
        return True

    def _run(self) -> None:
        go_first()
        try:
            while True:
                jobs = self._take()
                if jobs:
                    self._serve(jobs)
                elif self._stopping:
                    return
                else:
                    self._at_disk = True
                    self._tidy()
                self._at_disk = False
        finally:
            self._drop_session()
            self._tell(self._end)

    def _take(self) -> list[Job[Any]]:
        """What waits, oldest first; nothing when it is time to tidy or to stop."""
        with self._wake:
            if not self._jobs and not self._stopping:
                self._wake.wait(IDLE_SECONDS if self._has_chores() else None)
            return [self._jobs.popleft() for _ in range(min(len(self._jobs), BATCH_LIMIT))]

    def _serve(self, jobs: list[Job[Any]]) -> None:
        try:
            self._at_disk = True
            for job in jobs:
                if job.before_opening is not None:
                    self._drop_session()
                    job.before_opening()
            session = self._session or self._open()
            self._at_disk = False
        # Whatever keeps the file shut is told to those who asked; the thread itself must live on to try again.
        except Exception as exc:  # noqa: BLE001
            self._deliver([(job, None, _unavailable(exc)) for job in jobs], None)
            return
        writes = [job for job in jobs if job.writes]
        reads = [job for job in jobs if not job.writes]
        if writes:
            self._write(session, writes)
        for job in reads:
            self._read(job)

    def _write(self, session: Session, jobs: list[Job[Any]]) -> None:
        """One transaction, one sync, for all of `jobs`."""
        outcomes: list[Outcome] = []
        try:
            session.connection.execute("BEGIN IMMEDIATE")
            if len(jobs) == 1:
                outcomes.append(_apply_alone(session, jobs[0]))
                if not session.connection.in_transaction:
                    self._deliver(outcomes, None)
                    return
            else:
                outcomes.extend(_apply(session, job) for job in jobs)
            self._at_disk = True
            session.connection.execute("COMMIT")
            self.transactions += 1
            session.bear_witness()
            self._at_disk = False
            self._durable_id = row_id(session.reader.current.epoch, session.reader.current.last_seq)
            self._log_bytes += COMMIT_OVERHEAD_BYTES + sum(_size_of(value) for _job, value, _error in outcomes)
            figures = session.figures()
        except sqlite3.Error as exc:
            _log.error("the journal could not be written, its connection is given up: %s", exc)
            self._drop_session()
            self._deliver([(job, None, _unavailable(exc)) for job in jobs], None)
            return
        self._deliver(outcomes, figures)

    def _read(self, job: Job[Any]) -> None:
        """One query by itself, on what is committed."""
        try:
            session = self._session or self._open()
            outcome: Outcome = (job, job.run(session), None)
        except sqlite3.Error as exc:
            _log.error("the journal could not be read, its connection is given up: %s", exc)
            self._drop_session()
            outcome = (job, None, _unavailable(exc))
        except Exception as exc:  # noqa: BLE001 - whatever a caller's query raises is that caller's
            outcome = (job, None, exc)
        self._deliver([outcome], None)

    def _open(self) -> Session:
        """Open, check, and tell the loop what is in the file beyond what it was told of."""
        again = self._durable_id >= 0
        session, report = self._open_session()
        try:
            if again:
                # What a failed sync left in the system's memory is copied into the database and synced there anew.
                session.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            known = self._durable_id if again else row_id(session.reader.current.epoch, session.reader.current.last_seq)
            effects = session.effects_after(known, QUEUE_LIMIT)
            changes = session.changes_after(known, QUEUE_LIMIT)
            reopened = Reopened(report, session.figures(), effects, changes, session.open_holds())
        except BaseException:
            session.close()
            raise
        self._session = session
        self._durable_id = row_id(session.reader.current.epoch, session.reader.current.last_seq)
        self._log_bytes = 0
        self._room_made = False
        self._tell(lambda: self._on_opened(reopened))
        return session

    def _has_chores(self) -> bool:
        return self._session is not None and (not self._room_made or self._log_bytes >= CHECKPOINT_BYTES)

    def _tidy(self) -> None:
        """Nothing waits: make room for the log, or copy it into the file."""
        session = self._session
        if session is None:
            return
        if not self._room_made:
            self._room_made = True
            try:
                session.make_room()
            except OSError as exc:
                _log.warning("no room could be made for the journal's log: %s", exc)
            return
        try:
            session.checkpoint()
            self.checkpoints += 1
        except sqlite3.Error as exc:
            # All commits are safe in the log; the next opening reads it.
            _log.warning("the journal's log could not be copied into the file: %s", exc)
            self._drop_session()
        self._log_bytes = 0

    def _drop_session(self) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        try:
            session.close()
        except sqlite3.Error as exc:
            _log.warning("the journal did not close well: %s", exc)

    def _deliver(self, outcomes: list[Outcome], figures: Figures | None) -> None:
        """One call to the loop for a whole batch."""
        self._tell(lambda: self._resolve(outcomes, figures))

    def _resolve(self, outcomes: list[Outcome], figures: Figures | None) -> None:
        """On the loop: first what all must see, then each job's own consequences, then those who wait."""
        if figures is not None:
            self._on_figures(figures)
        for job, value, error in outcomes:
            if error is None and job.after is not None:
                try:
                    job.after(value)
                # It is committed: those who wait must hear so, whatever our own bookkeeping made of it.
                except Exception:  # noqa: BLE001
                    _log.exception("what follows a commit failed")
        for job, value, error in outcomes:
            if job.future.done():  # the caller was cancelled; what was committed stays, and `after` has told so
                continue
            if error is None:
                job.future.set_result(value)
            else:
                job.future.set_exception(error)

    def _end(self) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def _tell(self, call: Callable[[], None]) -> None:
        if self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            # The loop is closed: nobody waits for an answer any more. What was committed is in the file.
            _log.debug("the loop ended before the journal did")


def _apply_alone(session: Session, job: Job[Any]) -> Outcome:
    """Run the one job of a transaction, which its failure ends, without a savepoint: two statements less."""
    before = session.epochs
    try:
        return job, job.run(session), None
    except Exception as exc:
        if isinstance(exc, sqlite3.Error) and not isinstance(exc, _OF_ITS_OWN_MAKING):
            raise
        session.connection.execute("ROLLBACK")
        session.epochs = before
        return job, None, exc


def _apply(session: Session, job: Job[Any]) -> Outcome:
    """Run one job so that its failure undoes it alone; a database error that is not of its making is the batch's."""
    before = session.epochs
    session.connection.execute("SAVEPOINT job")
    try:
        value = job.run(session)
    except Exception as exc:
        if isinstance(exc, sqlite3.Error) and not isinstance(exc, _OF_ITS_OWN_MAKING):
            raise
        session.connection.execute("ROLLBACK TO job")
        session.connection.execute("RELEASE job")
        session.epochs = before
        return job, None, exc
    session.connection.execute("RELEASE job")
    return job, value, None


def _unavailable(exc: BaseException) -> AgentError:
    """One error for each who waits: an exception that is raised in two places mixes up their tracebacks."""
    if isinstance(exc, JournalUnavailable):
        return type(exc)(*exc.args)
    if is_damage(exc):
        error: AgentError = JournalCorrupt(f"expected a whole file, not {exc}")
    else:
        error = JournalUnavailable(f"expected the disk to take the journal, not {type(exc).__name__}: {exc}")
    error.__cause__ = exc
    return error


def _size_of(value: object) -> int:
    entry = getattr(getattr(value, "committed", None), "entry", None)
    return 0 if entry is None else len(entry.body) + len(entry.answer)
