"""What waits for the cloud, counted and hashed in the journal's file, before a change of version and after it."""

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct

from till_agent.exceptions import JournalCorrupt
from till_agent.journal import schema
from till_agent.journal.reader import EntryReader, EpochState
from till_installer.upgrade.files import beside
from till_loyalty.exceptions import InvariantError

NO_QUEUE = hashlib.sha256().hexdigest()


class Waits(Struct, frozen=True):
    """What waited of one epoch: rows after `acked_seq` up to `last_seq`."""

    epoch: int
    acked_seq: int
    last_seq: int


class QueueProof(Struct, frozen=True, kw_only=True):
    """How many ops waited, and SHA-256 over their places and row hashes, which cover all rows before them."""

    count: int = 0
    digest: str = NO_QUEUE
    waits: tuple[Waits, ...] = ()
    tip: tuple[int, int] = (0, 0)
    """Epoch and seq of the newest row, waiting or not."""
    schema_version: int = 0


class UnreadableError(Exception):
    """Raised when a journal's file does not hold what it must: damaged, of another format, or not there."""


def count_queue(journal: Path, known: "KnownRows | None" = None) -> QueueProof:
    """Of a journal that no agent has open, or of a copy; every row that waits is checked. UnreadableError.

    Rows of `known` were checked in an earlier copy: they are not read again.
    """
    with _opened(journal) as (connection, epochs, till):
        known = known or KnownRows()
        known.extend(EntryReader(connection, till, epochs), epochs)
        newest = epochs[-1]
        return QueueProof(
            count=known.count,
            digest=known.digest(),
            waits=tuple([Waits(each.epoch, each.acked_seq, each.last_seq) for each in epochs if each.waiting]),
            tip=(newest.epoch, newest.last_seq),
            schema_version=_schema_version(connection),
        )


def count_again(journal: Path, before: QueueProof) -> tuple[int, bool]:
    """How many of the ops that waited before are there, and whether all are as they were. (0, False) if unreadable.

    Some may have reached the cloud meanwhile: they stay in the journal.
    """
    total, count = hashlib.sha256(), 0
    try:
        with _opened(journal) as (connection, epochs, till):
            reader = EntryReader(connection, till, epochs)
            for each in before.waits:
                for row in reader.stretch(each.epoch, each.acked_seq + 1, each.last_seq, each.last_seq):
                    _add(total, schema.row_id(each.epoch, row.op_id.seq), row.hash)
                    count += 1
            # What came after is part of the chain, and what is broken there is broken by the newer version.
            for state in epochs:
                first = max((each.last_seq for each in before.waits if each.epoch == state.epoch), default=0)
                first = max(first, state.acked_seq, before.tip[1] if state.epoch == before.tip[0] else 0)
                for _ in _rows_after(reader, state, first):
                    pass
    except (UnreadableError, JournalCorrupt, sqlite3.Error):
        return count, False
    return count, count == before.count and total.hexdigest() == before.digest


def schema_of(journal: Path) -> int:
    """The schema version of a journal's file. UnreadableError."""
    with _opened(journal) as (connection, _epochs, _till):
        return _schema_version(connection)


class KnownRows:
    """Row hashes of what waits, gathered over several copies of a journal that grows."""

    def __init__(self) -> None:
        self._rows: dict[int, bytes] = {}

    @property
    def count(self) -> int:
        """How many wait."""
        return len(self._rows)

    def extend(self, reader: EntryReader, epochs: tuple[EpochState, ...]) -> None:
        """Forget what was acknowledged since, and check and add what is new. JournalCorrupt becomes UnreadableError."""
        waiting: dict[int, bytes] = {}
        try:
            for state in epochs:
                seq = state.acked_seq
                while (known := self._rows.get(schema.row_id(state.epoch, seq + 1))) is not None:
                    seq += 1
                    waiting[schema.row_id(state.epoch, seq)] = known
                if (
                    seq > state.acked_seq
                    and reader.hash_of(state.epoch, seq) != waiting[schema.row_id(state.epoch, seq)]
                ):
                    raise UnreadableError(f"expected the rows of epoch {state.epoch} as they were copied before")
                waiting |= dict(_rows_after(reader, state, seq))
        except JournalCorrupt as exc:
            raise UnreadableError(str(exc)) from exc
        self._rows = waiting

    def digest(self) -> str:
        """Over all of them, in order."""
        total = hashlib.sha256()
        for identity in sorted(self._rows):
            _add(total, identity, self._rows[identity])
        return total.hexdigest()


def _rows_after(reader: EntryReader, state: EpochState, seq: int) -> Iterator[tuple[int, bytes]]:
    """Key and hash of the rows of an epoch after one, each checked. JournalCorrupt."""
    if seq < state.last_seq:
        for row in reader.stretch(state.epoch, seq + 1, state.last_seq, schema.LARGEST_SEQ):
            yield schema.row_id(state.epoch, row.op_id.seq), row.hash


def _add(total: "hashlib._Hash", identity: int, row_hash: bytes) -> None:
    total.update(identity.to_bytes(8, "big") + row_hash)


@contextlib.contextmanager
def _opened(journal: Path) -> Iterator[tuple[sqlite3.Connection, tuple[EpochState, ...], str]]:
    """To read only: nothing is written, copied into the file, or left beside it."""
    if not journal.is_file():
        raise UnreadableError(f"expected a journal at {journal}")
    index = beside(journal, "-shm")
    had_index, had_log = index.exists(), beside(journal, "-wal").exists()
    connection = None
    try:
        connection = sqlite3.connect(f"file:{quote(str(journal))}?mode=ro", uri=True, isolation_level=None)
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        if connection.execute("PRAGMA application_id").fetchone()[0] != schema.APPLICATION_ID:
            raise UnreadableError(f"expected a journal at {journal}, not another file")
        rows = connection.execute(schema.EPOCHS).fetchall()
        if not rows:
            raise UnreadableError(f"expected a journal with an epoch at {journal}")
        yield connection, tuple([_state(connection, row) for row in rows]), str(rows[-1][1])
    except (sqlite3.Error, InvariantError, ValueError, TypeError) as exc:
        raise UnreadableError(f"{journal} can't be read: {exc}") from exc
    finally:
        if connection is not None:
            connection.close()
        if not had_index:
            index.unlink(missing_ok=True)
        if not had_log:
            beside(journal, "-wal").unlink(missing_ok=True)


def _state(connection: sqlite3.Connection, row: tuple[int, str, str, int]) -> EpochState:
    epoch, _till, salt, acked_seq = row
    bounds = (schema.row_id(epoch, 1), schema.row_id(epoch, schema.LARGEST_SEQ))
    last = connection.execute(schema.LAST_OF, bounds).fetchone()
    last_seq, head = (schema.split_id(last[0])[1], bytes(last[1])) if last else (0, b"")
    # A salvaged journal may lack rows that the cloud has.
    return EpochState(epoch, salt, max(last_seq, acked_seq), acked_seq, head)


def _schema_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
