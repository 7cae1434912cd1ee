"""Looking into the journal of an agent that does not run: nothing is written, migrated, mended or moved."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from till_agent.api import QueuedOp
from till_agent.bridge.exceptions import AgentUnreachableError
from till_agent.core import JOURNAL_FILE
from till_agent.exceptions import JournalUnavailable
from till_agent.journal import listing, schema
from till_agent.journal.connect import translate
from till_agent.journal.reader import EntryReader, EpochState
from till_sync.exceptions import IdentityError
from till_sync.identity import IDENTITY_FILE, load_identity
from till_sync.ops import OpId


class JournalView(Struct, frozen=True):
    """The journal at rest. `epochs` are in order, the present one last."""

    reader: EntryReader
    till: str
    epochs: tuple[EpochState, ...]
    time_zone: str = "UTC"

    @property
    def waiting(self) -> int:
        """Ops that the cloud has not acknowledged."""
        return sum(state.waiting for state in self.epochs)

    def listed(self, *, waiting_only: bool, limit: int) -> list[QueuedOp]:
        """As the running agent lists them: the oldest waiting ones, or the newest, newest first."""
        return (listing.waiting if waiting_only else listing.newest)(self.reader, limit)

    def rejected(self, limit: int) -> list[QueuedOp]:
        """Those that the cloud refused, newest first."""
        return listing.judged(self.reader, "rejected", limit)

    def one(self, seq: int, epoch: int | None) -> tuple[QueuedOp, bytes] | None:
        """An op with its body; None when there is none. JournalCorrupt when it is not as it was written."""
        return listing.one(self.reader, OpId(self.till, epoch or self.epochs[-1].epoch, seq))


@contextlib.contextmanager
def open_view(state_dir: Path, name: str = JOURNAL_FILE) -> Iterator[JournalView]:
    """The journal of `state_dir`, or one put aside there. AgentUnreachableError in one line when it can't be read."""
    path = state_dir / Path(name).name
    try:
        identity = load_identity(state_dir / IDENTITY_FILE)
    except IdentityError as exc:
        raise AgentUnreachableError(str(exc)) from exc
    if not path.is_file():
        raise AgentUnreachableError(f"there is no journal at {path}")
    connection = sqlite3.connect(path, timeout=1, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        epochs = _epochs(connection)
        yield JournalView(EntryReader(connection, identity.till, epochs), identity.till, epochs, identity.time_zone)
    except sqlite3.Error as exc:
        if getattr(exc, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            # A running agent has it to itself, and one that serves answers by its port.
            raise AgentUnreachableError(
                f"{path} is open to an agent alone that starts just now, or hangs: try again in a minute"
            ) from exc
        if isinstance(translate(path, exc), JournalUnavailable):
            raise AgentUnreachableError(
                f"the disk does not let {path} be read ({exc}); `tillside doctor` says what is wrong with it"
            ) from exc
        raise AgentUnreachableError(
            f"{path} can't be read: {exc}; at its next start the agent looks into it, and keeps what it can't use"
        ) from exc
    finally:
        connection.close()


@contextlib.contextmanager
def open_live_view(state_dir: Path) -> Iterator[JournalView]:
    """The journal whether an agent runs or not: a running one is the only one on its file, so a copy is looked at.

    AgentUnreachableError as `open_view`, also when there is no room for the copy.
    """
    from till_agent.journal.carrying_out import CarryingError, copied
    from till_agent.journal.copies import is_held

    journal = state_dir / JOURNAL_FILE
    with contextlib.ExitStack() as stack:
        name = journal.name
        if is_held(journal):
            try:
                name = stack.enter_context(copied(journal)).name
            except (CarryingError, OSError) as exc:
                raise AgentUnreachableError(f"the journal of the agent that runs can't be copied: {exc}") from exc
        yield stack.enter_context(open_view(state_dir, name))


def _epochs(connection: sqlite3.Connection) -> tuple[EpochState, ...]:
    if connection.execute("PRAGMA application_id").fetchone()[0] != schema.APPLICATION_ID:
        raise AgentUnreachableError("expected a journal, not another SQLite file")
    states: list[EpochState] = []
    for epoch, _till, salt, acked_seq in connection.execute(schema.EPOCHS).fetchall():
        bounds = (schema.row_id(epoch, 1), schema.row_id(epoch, schema.LARGEST_SEQ))
        last = connection.execute(schema.LAST_OF, bounds).fetchone()
        last_seq, head = (schema.split_id(last[0])[1], bytes(last[1])) if last else (0, b"")
        states.append(EpochState(epoch, salt, last_seq, acked_seq, head))
    if not states:
        raise AgentUnreachableError("expected a journal with an epoch, not an empty one")
    return tuple(states)
