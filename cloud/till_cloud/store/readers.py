"""Read connections, lent out one caller at a time."""

import contextlib
import queue
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from till_cloud.exceptions import StoreUnavailableError
from till_cloud.store.connection import open_reader

READERS = 4
"""Reads at once: more than the cores of a small server would only wait for each other."""

LEND_TIMEOUT_S = 10.0
"""Longest wait for a free connection: the largest page of changes takes well under a second."""


class Readers:
    """A fixed number of read-only connections. Open it after the writer, so that the database exists."""

    def __init__(self, path: Path, *, count: int = READERS) -> None:
        self._free: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._count = count
        for _ in range(count):
            self._free.put(open_reader(path))

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection inside one read transaction: all that the block reads is of one moment."""
        try:
            connection = self._free.get(timeout=LEND_TIMEOUT_S)
        except queue.Empty:
            raise StoreUnavailableError(f"no read connection was free within {LEND_TIMEOUT_S:.0f} s") from None
        try:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")
        finally:
            self._free.put(connection)

    def close(self) -> None:
        """Close every connection; waits for those that are lent out."""
        for _ in range(self._count):
            try:
                self._free.get(timeout=LEND_TIMEOUT_S).close()
            except queue.Empty:
                raise StoreUnavailableError("a read did not end, so its connection stays open") from None
