"""One open journal: the connection, where each epoch stands, and every change that can be made. One thread uses it."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from till_agent.exceptions import JournalCorrupt
from till_agent.journal import schema
from till_agent.journal.chain import FIRST, Row, row_hash
from till_agent.journal.changes import pack_change
from till_agent.journal.connect import make_room
from till_agent.journal.exceptions import HoldNotOpen, UidForgotten
from till_agent.journal.figures import Figures
from till_agent.journal.marks import mark_of
from till_agent.journal.reader import EntryReader, EpochState, as_entry
from till_agent.journal.witness import Mark, Witness
from till_agent.ports import Committed, Draft, Entry, StoredHold
from till_loyalty.exceptions import invariant
from till_sync.asking import HoldRequest
from till_sync.wire import OpResult

RELEASE_KIND = "hold-release"


class _Verdicts(NamedTuple):
    """How many ops the cloud did not simply take; see `Figures`."""

    adjusted: int
    rejected: int
    parked: int
    repeated: int


class Session:
    """Changes go through here, inside the transaction that the writer holds.

    `state` is what a rolled back change must put back; it is replaced, never altered.
    """

    def __init__(self, connection: sqlite3.Connection, till: str, witness: Witness, path: Path) -> None:
        self.connection = connection
        self._path = path
        self.reader = EntryReader(connection, till, _read_epochs(connection))
        self._witness = witness
        self._has_pruned = connection.execute(schema.HAS_PRUNED).fetchone() is not None
        self._verdicts = self._count_verdicts()
        self._oldest_waiting = (0, 0)
        self._began = (0, 0)

    @property
    def till(self) -> str:
        """Whose journal it is."""
        return self.reader.till

    @property
    def epochs(self) -> tuple[EpochState, ...]:
        """Oldest first; the last one is current."""
        return self.reader.epochs

    @epochs.setter
    def epochs(self, value: tuple[EpochState, ...]) -> None:
        self.reader.epochs = value

    def commit(self, decide: Callable[[EntryReader], Draft | Entry]) -> tuple[Committed, Draft | None]:
        """Ask `decide`; write its Draft, or hand back the Entry that it found."""
        decision = decide(self.reader)
        if isinstance(decision, Draft):
            return Committed(entry=self._append(decision), replayed=False), decision
        invariant(isinstance(decision, Entry), f"expected a Draft or an Entry, not {type(decision).__name__}")
        return Committed(entry=decision, replayed=True), None

    def _append(self, draft: Draft) -> Entry:
        self._expect_new(draft)
        current = self.reader.current
        op_id = self.reader.next_op_id
        invariant(op_id.seq <= schema.LARGEST_SEQ, f"expected a seq of at most {schema.LARGEST_SEQ}, not {op_id.seq}")
        row = Row(
            draft.at_wall_ms,
            draft.effect_points,
            draft.kind,
            draft.uid,
            draft.about_uid,
            draft.subject.key,
            draft.hold,
            draft.request_digest,
            draft.answer,
            draft.body,
        )
        head, _ = row_hash(current.head, op_id, current.salt, row)
        identity = schema.row_id(op_id.epoch, op_id.seq)
        if draft.hold:
            self._resolve_hold(draft, identity)
        append_row(self.connection, identity, head, row)
        grown = EpochState(current.epoch, current.salt, op_id.seq, current.acked_seq, head)
        self.epochs = (*self.epochs[:-1], grown)
        return as_entry(op_id, row)

    def _expect_new(self, draft: Draft) -> None:
        """A uid whose row was let go of for its age is no new one."""
        if self._has_pruned:
            mark = mark_of(draft.kind, draft.uid)
            if self.connection.execute(schema.IS_PRUNED, (mark,)).fetchone() is not None:
                raise UidForgotten(draft.kind, draft.uid)

    def rows_went(self) -> None:
        """Rows were let go of: from now on there are links and marks to look at."""
        self.reader.has_links = self._has_pruned = True

    def _resolve_hold(self, draft: Draft, identity: int) -> None:
        """A sale needs a granted hold; a release also takes one whose answer was never seen."""
        stored = self.hold(draft.hold)
        release = draft.kind == RELEASE_KIND
        if stored is None or stored.state not in (("asked", "granted") if release else ("granted",)):
            raise HoldNotOpen(draft.hold, stored.state if stored else "")
        self.connection.execute(schema.RESOLVE_HOLD, ("released" if release else "used", identity, draft.hold))

    def record(self, epoch: int, acked_seq: int, results: tuple[OpResult, ...]) -> None:
        """Store first verdicts and move the acknowledged position forward, never back."""
        state = self.epoch_state(epoch)
        self.connection.executemany(
            schema.RECORD_VERDICT,
            [
                (
                    schema.row_id(epoch, result.seq),
                    # What it was the first time, for an op whose first answer never came.
                    result.first or result.status,
                    result.code,
                    result.member_id,
                    result.tag,
                    result.balance,
                    result.held,
                    result.effect_points,
                    result.position,
                )
                for result in results
            ],
        )
        if acked_seq > state.acked_seq:
            self.move_acked(epoch, acked_seq)
        if any((result.first or result.status) in ("adjusted", "rejected") for result in results):
            self._verdicts = self._count_verdicts()

    def move_acked(self, epoch: int, acked_seq: int) -> None:
        """Set how far the cloud holds an epoch; backwards when the cloud was restored from an older backup."""
        state = self.epoch_state(epoch)
        invariant(0 <= acked_seq <= state.last_seq, f"expected acked_seq within 0 to {state.last_seq}, not {acked_seq}")
        self.connection.execute(schema.MOVE_ACKED, (acked_seq, epoch))
        moved = EpochState(epoch, state.salt, state.last_seq, acked_seq, state.head)
        self.epochs = tuple(moved if each.epoch == epoch else each for each in self.epochs)

    def add_epoch(self, epoch: int, salt: str, wall_ms: int, reason: str) -> None:
        """Begin a new epoch; the older ones keep their waiting ops, which go out first."""
        newest = self.epochs[-1].epoch if self.epochs else 0
        invariant(newest < epoch <= schema.LARGEST_EPOCH, f"expected an epoch above {newest}, not {epoch}")
        self.connection.execute(schema.ADD_EPOCH, (epoch, self.till, salt, wall_ms, reason))
        self.epochs = (*self.epochs, EpochState(epoch, salt, 0, 0, FIRST))

    def grown(self, last_seq: int, head: bytes) -> None:
        """Rows were added to the current epoch by other hands, in the transaction of this change."""
        current = self.reader.current
        self.epochs = (*self.epochs[:-1], EpochState(current.epoch, current.salt, last_seq, current.acked_seq, head))

    def epoch_state(self, epoch: int) -> EpochState:
        """The state of one of this journal's epochs."""
        for state in self.epochs:
            if state.epoch == epoch:
                return state
        raise JournalCorrupt(f"expected an epoch of this journal, not {epoch}")

    def remember_hold(self, request: HoldRequest, deadline_mono_ms: int, boot: str) -> StoredHold:
        """A hold about to be asked for; asked again under the same name, the first row stands."""
        values = (request.hold, request.sale_uid, request.member_id, request.points, deadline_mono_ms, boot)
        self.connection.execute(schema.REMEMBER_HOLD, values)
        return self._known_hold(request.hold)

    def grant_hold(self, hold: str, points: int, deadline_mono_ms: int, boot: str) -> StoredHold:
        """The cloud reserved it; a hold that was resolved meanwhile stays as it is."""
        self.connection.execute(schema.GRANT_HOLD, (points, deadline_mono_ms, boot, hold))
        return self._known_hold(hold)

    def refuse_hold(self, hold: str) -> StoredHold:
        """The cloud reserved nothing, so there is nothing to give back."""
        self.connection.execute(schema.RESOLVE_HOLD, ("released", None, hold))
        return self._known_hold(hold)

    def hold(self, hold: str) -> StoredHold | None:
        """A hold as stored."""
        columns = self.connection.execute(schema.HOLD, (hold,)).fetchone()
        return None if columns is None else _stored_hold(columns)

    def open_holds(self) -> list[StoredHold]:
        """Asked and granted ones, oldest first."""
        return [_stored_hold(columns) for columns in self.connection.execute(schema.OPEN_HOLDS)]

    def holds_between(self, first: str, end: str) -> list[StoredHold]:
        """Holds by id, from `first` up to but without `end`, whatever their state."""
        return [_stored_hold(columns) for columns in self.connection.execute(schema.HOLDS_BETWEEN, (first, end))]

    def effects_after(self, identity: int, limit: int) -> list[tuple[int, str, int]]:
        """(row id, subject key, points) of ops after `identity` that changed a balance."""
        try:
            return self.connection.execute(schema.EFFECTS_AFTER, (identity, limit)).fetchall()
        except sqlite3.DatabaseError:
            return self.connection.execute(schema.EFFECTS_WITHOUT_INDEX, (identity, limit)).fetchall()

    def changes_after(self, identity: int, limit: int) -> list[tuple[int, str, bytes]]:
        """(row id, subject key, changed facts) of sales, voids and returns after `identity`; one body at a time."""
        rows = self.connection.execute(schema.CHANGES_AFTER, (identity, limit))
        return [(found, subject_key, pack_change(kind, body)) for found, kind, subject_key, body in rows]

    def figures(self) -> Figures:
        """Where the journal stands now."""
        current = self.reader.current
        if current.epoch != self._began[0]:
            columns = self.connection.execute(schema.MADE_EPOCH, (current.epoch,)).fetchone()
            self._began = (current.epoch, int(columns[0]) if columns and current.epoch > 1 else 0)
        oldest = next((state for state in self.epochs if state.waiting), None)
        identity = schema.row_id(oldest.epoch, oldest.acked_seq + 1) if oldest else 0
        if identity != self._oldest_waiting[0]:
            columns = self.connection.execute(schema.MADE_AT, (identity,)).fetchone()
            self._oldest_waiting = (identity, columns[0] if columns else 0)
        return Figures(
            till=self.till,
            epoch=current.epoch,
            last_seq=current.last_seq,
            acked_seq=current.acked_seq,
            waiting=sum(state.waiting for state in self.epochs),
            oldest_waiting_wall_ms=self._oldest_waiting[1],
            adjusted=self._verdicts.adjusted,
            rejected=self._verdicts.rejected,
            parked=self._verdicts.parked,
            began_wall_ms=self._began[1],
            repeated=self._verdicts.repeated,
            head_hash=current.head.hex(),
        )

    def bear_witness(self) -> None:
        """Note outside the database how far it has come; called after each commit."""
        current = self.reader.current
        self._witness.write(Mark(self.till, current.epoch, current.last_seq))

    def note_salt(self) -> None:
        """Note the epoch's salt there too; called once the file is open."""
        current = self.reader.current
        self._witness.write_salt(current.epoch, current.salt)

    def make_room(self) -> None:
        """Make the log as long as it will be, so that no commit waits for the file to grow. OSError."""
        make_room(self._path)

    def checkpoint(self) -> None:
        """Copy the write-ahead log into the file, so that the log begins anew instead of growing."""
        self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def close(self) -> None:
        """Close the file; SQLite copies the write-ahead log and removes it."""
        self._witness.close()
        self.connection.close()

    def _known_hold(self, hold: str) -> StoredHold:
        stored = self.hold(hold)
        if stored is None:
            raise HoldNotOpen(hold, "")
        return stored

    def _count_verdicts(self) -> _Verdicts:
        counts = dict(self.connection.execute(schema.COUNT_VERDICTS).fetchall())
        rejected = counts.get("rejected", 0)
        parked, repeated = self.connection.execute(schema.COUNT_REFUSED).fetchone() if rejected else (0, 0)
        return _Verdicts(counts.get("adjusted", 0), rejected - repeated, parked, repeated)


def _stored_hold(columns: tuple[str, str, str, int, str, int, str]) -> StoredHold:
    hold, sale_uid, member_id, points, state, deadline_mono_ms, boot = columns
    return StoredHold(
        hold=hold,
        sale_uid=sale_uid,
        member_id=member_id,
        points=points,
        state=state,
        deadline_mono_ms=deadline_mono_ms,
        boot=boot,
    )


def _read_epochs(connection: sqlite3.Connection) -> tuple[EpochState, ...]:
    """Where each epoch stands by its rows; JournalCorrupt when the acknowledged position lies past them."""
    states: list[EpochState] = []
    for epoch, _till, salt, acked_seq in connection.execute(schema.EPOCHS).fetchall():
        bounds = (schema.row_id(epoch, 1), schema.row_id(epoch, schema.LARGEST_SEQ))
        last = connection.execute(schema.LAST_OF, bounds).fetchone()
        last_seq, head = (schema.split_id(last[0])[1], bytes(last[1])) if last else (0, FIRST)
        if not 0 <= acked_seq <= last_seq:
            raise JournalCorrupt(f"expected acked_seq of epoch {epoch} within 0 to {last_seq}, not {acked_seq}")
        states.append(EpochState(epoch, salt, last_seq, acked_seq, head))
    return tuple(states)


def append_row(connection: sqlite3.Connection, identity: int, row_hash: bytes, row: Row) -> None:
    """Write one row; its columns come in the table's order."""
    connection.execute(
        schema.APPEND,
        (
            identity,
            row_hash,
            row.at_wall_ms,
            row.effect_points,
            row.kind,
            row.uid,
            row.about_uid,
            row.subject_key,
            row.hold,
            row.request_digest,
            row.answer,
            row.body,
        ),
    )
