"""The waiting part of the journal as a file for the centre, while the agent sells on.

The journal is read from a copy: the agent is the only one on the file itself. Nothing in it changes, also not what
counts as sent: until the cloud acknowledges by the line, each carrying out has all that waits, and the centre knows
what it has.
"""

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from till_agent.exceptions import AgentError
from till_agent.journal.copies import place_for_copy
from till_agent.journal.outbox import BatchBuilder, Slice
from till_agent.journal.reader import EntryReader, EpochState
from till_sync.carried import PIECE_BYTES, PIECE_OPS, SUFFIX, CarriedWriter, Head, Stretch
from till_sync.clock import SystemClock
from till_sync.files import sync_folder
from till_sync.identity import Identity

COPY_TRIES = 50
COPY_PAUSE_S = 0.02
"""The log begins anew after some hundred sales; a copy that met that is made again."""


class CarryingError(AgentError):
    """Raised when the queue can't be carried out; nothing was written under its name then."""


class CarriedOut(Struct, frozen=True, kw_only=True):
    """What was written: `path` "" when nothing waits."""

    path: str
    till: str
    operations: int
    bytes: int = 0


@contextlib.contextmanager
def copied(journal: Path) -> Iterator[Path]:
    """A copy of the journal as of one moment, beside it, for its owner alone. CarryingError, OSError."""
    with place_for_copy(journal.parent) as copy:
        log, log_copy = Path(f"{journal}-wal"), Path(f"{copy}-wal")
        for _ in range(COPY_TRIES):
            before = _state(journal, log)
            _copy(journal, copy)
            log_copy.unlink(missing_ok=True)
            if log.exists():
                _copy(log, log_copy)
            # The log's salts change when it begins anew: only then may the file itself have changed in between.
            if _state(journal, log) == before:
                break
            threading.Event().wait(COPY_PAUSE_S)
        else:
            raise CarryingError("expected the journal to hold still for a moment; try again when less is sold")
        yield copy


def _copy(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    target.touch(mode=0o600)
    shutil.copyfile(source, target)


def carry_out(view: EntryReader, epochs: tuple[EpochState, ...], identity: Identity, folder: Path) -> CarriedOut:
    """Write what waits into a new file in `folder`, whole and synced or not at all. CarryingError, OSError."""
    waiting = [each for each in epochs if each.waiting]
    if not waiting:
        return CarriedOut(path="", till=identity.till, operations=0)
    if not identity.seal_key or not identity.private_key:
        raise CarryingError("expected this till to know the cloud's key and have its own: let it greet once")
    clock = SystemClock()
    head = Head(
        till=identity.till,
        made_ms=clock.wall_ms(),
        stretches=tuple(
            Stretch(epoch=each.epoch, first_seq=each.acked_seq + 1, last_seq=each.last_seq) for each in waiting
        ),
        key=identity.seal_key,
    )
    path = folder / f"{identity.till}-{waiting[-1].epoch}-{waiting[-1].last_seq}{SUFFIX}"
    draft = path.with_name(f".{path.name}.new")
    try:
        with draft.open("wb") as file:
            writer = CarriedWriter(file, head)
            for state in waiting:
                _write(writer, view, state, clock)
            writer.close(identity.private_key)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(folder)
    finally:
        draft.unlink(missing_ok=True)
    return CarriedOut(path=str(path), till=identity.till, operations=head.count, bytes=path.stat().st_size)


def _write(writer: CarriedWriter, view: EntryReader, state: EpochState, clock: SystemClock) -> None:
    """All waiting operations of one epoch, each checked against the journal's chain."""
    seq = state.acked_seq + 1
    while seq <= state.last_seq:
        rows = list(view.stretch(state.epoch, seq, state.last_seq, PIECE_OPS))
        builder = BatchBuilder(PIECE_OPS, PIECE_BYTES)
        builder.add(Slice(state, view.hash_of(state.epoch, seq - 1), rows))
        push = builder.request("", clock, 0)
        if push is None:
            raise CarryingError(f"expected operations of epoch {state.epoch} from {seq} on")
        # -1: nobody knows what the till has made since, so that nothing may be taken for forgotten.
        writer.add(replace(push, remaining=-1))
        seq = builder.next_seq


def _state(journal: Path, log: Path) -> tuple[bytes, int]:
    """The log's header, and the journal's own size."""
    try:
        with log.open("rb") as file:
            return file.read(32), journal.stat().st_size
    except FileNotFoundError:
        return b"", journal.stat().st_mtime_ns
