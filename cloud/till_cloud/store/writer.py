"""The one writer: a thread with one connection. Work that arrives together shares one commit, each in its savepoint."""

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Generic, TypeVar

from till_cloud.exceptions import StoreUnavailableError
from till_cloud.store.connection import Gate, open_writer

log = logging.getLogger(__name__)

T = TypeVar("T")

QUEUE_LIMIT = 512
"""Works that may wait for the writer: at 1,000 ops each, over two minutes of work; more is refused, to be retried."""

GROUP_LIMIT = 32
"""Works that share one commit at most: keeps the wait of the first of them, and the time of the lock, short."""

CLOSE_TIMEOUT_S = 30.0
"""Longest wait for the writer to finish what it has taken on."""


class _Work(Generic[T]):
    def __init__(self, run: Callable[[sqlite3.Connection], T]) -> None:
        self.run = run
        self.future: Future[T] = Future()
        self.result: Any = None
        self.error: Exception | None = None


class Writer:
    """Runs works one by one in its own thread; a work's future resolves only after its commit is on disk.

    A work that raises is undone alone, and its error is the future's. `on_commit` is called in the writer's thread
    after each commit that succeeded.
    """

    def __init__(self, path: Path, *, on_commit: Callable[[], None] = lambda: None) -> None:
        self._path = path
        self._on_commit = on_commit
        self._queue: queue.Queue[_Work[Any] | None] = queue.Queue(QUEUE_LIMIT)
        self._stopped = False
        self._lock = threading.Lock()
        self._gate = Gate(path)
        try:
            with self._gate.held():
                self._connection = open_writer(path)
        except BaseException:
            self._gate.close()
            raise
        self._thread = threading.Thread(target=self._loop, name="cloud-writer", daemon=True)
        self._thread.start()

    def submit(self, run: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Queue `run(connection)`; StoreUnavailableError when the queue is full or the writer has stopped."""
        work = _Work(run)
        with self._lock:
            if self._stopped:
                raise StoreUnavailableError("the cloud is stopping")
            try:
                self._queue.put_nowait(work)
            except queue.Full:
                raise StoreUnavailableError(f"{QUEUE_LIMIT} writes are waiting already") from None
        return work.future

    def call(self, run: Callable[[sqlite3.Connection], T]) -> T:
        """`submit` and wait: for threads other than an event loop's."""
        return self.submit(run).result()

    def close(self) -> None:
        """Finish what was taken on, then close. Safe to call twice."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
        self._queue.put(None)
        self._thread.join(CLOSE_TIMEOUT_S)
        if self._thread.is_alive():
            raise StoreUnavailableError(f"the writer did not finish within {CLOSE_TIMEOUT_S:.0f} s")

    def _loop(self) -> None:
        stop = False
        while not stop:
            group: list[_Work[Any]] = []
            first = self._queue.get()
            stop = first is None
            if first is not None:
                group.append(first)
            while not stop and len(group) < GROUP_LIMIT:
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    stop = True
                else:
                    group.append(following)
            if group:
                self._commit(group)
        self._shut()

    def _commit(self, group: list[_Work[Any]]) -> None:
        live = [work for work in group if work.future.set_running_or_notify_cancel()]
        if not live:
            return
        try:
            with self._gate.held():
                self._transact(live)
        except (sqlite3.Error, StoreUnavailableError) as error:
            if self._connection.in_transaction:
                self._connection.rollback()
            log.exception("Nothing of %d writes was kept", len(live))
            failure = StoreUnavailableError(f"the database can't be written: {error}")
            failure.__cause__ = error
            for work in live:
                work.error = failure
        else:
            self._on_commit()
        for work in live:
            if work.error is not None:
                work.future.set_exception(work.error)
            else:
                work.future.set_result(work.result)

    def _transact(self, live: list[_Work[Any]]) -> None:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        for work in live:
            execute("SAVEPOINT work")
            try:
                work.result = work.run(self._connection)
            except Exception as error:
                # Whatever a work raises is its caller's; the others go on.
                if not self._connection.in_transaction:
                    # SQLite has undone the whole transaction (disk full, input/output error): nothing of it may count.
                    raise sqlite3.OperationalError(f"transaction lost: {error}") from error
                execute("ROLLBACK TO work")
                if isinstance(error, sqlite3.OperationalError):
                    work.error = StoreUnavailableError(f"the database can't be written: {error}")
                    work.error.__cause__ = error
                else:
                    work.error = error
            execute("RELEASE work")
        execute("COMMIT")

    def _shut(self) -> None:
        try:
            with self._gate.held():
                self._connection.close()
        except StoreUnavailableError:
            # Another process writes for very long. Leaving the file to it is safe: the next opening recovers the WAL.
            log.warning("Left the database without a last checkpoint")
        self._gate.close()
