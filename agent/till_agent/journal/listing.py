"""Ops as people see them, of a running agent's journal and of one at rest: without bodies, with verdicts."""

from collections.abc import Iterable

from till_agent.api import QueuedOp
from till_agent.journal import schema
from till_agent.journal.reader import EntryReader
from till_sync.ops import OpId

LIST_LIMIT = 1_000
"""Ops in one answer."""


def waiting(reader: EntryReader, limit: int) -> list[QueuedOp]:
    """Those that the cloud has not acknowledged, oldest first."""
    state = next((each for each in reader.epochs if each.waiting), None)
    if state is None:
        return []
    after = schema.row_id(state.epoch, state.acked_seq)
    return _shown(reader, reader.connection.execute(schema.LIST, (after, min(limit, LIST_LIMIT))))


def newest(reader: EntryReader, limit: int) -> list[QueuedOp]:
    """The newest, of whatever epoch, newest first."""
    return _shown(reader, reader.connection.execute(schema.LIST_NEWEST, (min(limit, LIST_LIMIT),)))


def judged(reader: EntryReader, verdict: str, limit: int) -> list[QueuedOp]:
    """Those that the cloud refused (`rejected`) or `adjusted`, newest first."""
    return _shown(reader, reader.connection.execute(schema.LIST_JUDGED, (verdict, min(limit, LIST_LIMIT))))


def one(reader: EntryReader, op_id: OpId) -> tuple[QueuedOp, bytes] | None:
    """An op and its body; None when there is none. JournalCorrupt when it is not as it was written."""
    entry = reader.by_op(op_id)
    if entry is None:
        return None
    before = schema.row_id(op_id.epoch, op_id.seq) - 1
    return _shown(reader, reader.connection.execute(schema.LIST, (before, 1)))[0], entry.body


def _shown(
    reader: EntryReader, rows: Iterable[tuple[int, str, str, int, int, str | None, str | None]]
) -> list[QueuedOp]:
    acked = {state.epoch: state.acked_seq for state in reader.epochs}
    found: list[QueuedOp] = []
    for identity, kind, uid, at_wall_ms, size, status, code in rows:
        epoch, seq = schema.split_id(identity)
        found.append(
            QueuedOp(
                op=str(OpId(reader.till, epoch, seq)),
                kind=kind,
                uid=uid,
                at_wall_ms=at_wall_ms,
                status=status or ("waiting" if seq > acked.get(epoch, 0) else "acknowledged"),
                code=code or "",
                bytes=size,
            )
        )
    return found
