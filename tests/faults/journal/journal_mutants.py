"""Deliberately broken builds: each is a mistake that somebody could make, and that a test has to catch."""

import sqlite3
from typing import Any

from msgspec.structs import replace

from till_agent.balances import _Effects
from till_agent.cache import pages, schema
from till_agent.journal import (
    DiskJournal,
    aside,
    carry,
    connect,
    outbox,
    pruning,
    reader,
    salvage,
    witness,
    wreck,
    writer,
)
from till_agent.journal.chain import row_hash
from till_agent.journal.reader import EntryReader
from till_agent.journal.rebuilding import Rebuilding
from till_agent.journal.session import Session
from till_sync.ops import OpId


def _pragma(wanted: str) -> Any:
    whole = connect.connect

    def mutant(path: Any) -> Any:
        connection = whole(path)
        connection.execute(f"PRAGMA synchronous = {wanted}")
        return connection

    return mutant


def _answers_before_the_commit() -> tuple[Any, str, Any]:
    """The futures are resolved, and then the transaction is committed."""
    apply = writer._apply

    def mutant(session: Session, job: Any) -> Any:
        outcome = apply(session, job)
        if outcome[2] is None:
            loop = job.future.get_loop()
            loop.call_soon_threadsafe(lambda: job.future.done() or job.future.set_result(outcome[1]))
        return outcome

    return writer, "_apply", mutant


def _forgets_the_chain() -> tuple[Any, str, Any]:
    """Rows are taken as they are read."""

    def mutant(self: EntryReader, columns: tuple[Any, ...], _previous: bytes) -> Any:
        epoch, seq = reader.schema.split_id(columns[0])
        op_id = OpId(self.till, epoch, seq)
        row = reader.Row(*columns[2:])
        salt = next(state.salt for state in self.epochs if state.epoch == epoch)
        return reader.CheckedRow(op_id, row, columns[1], row_hash(b"", op_id, salt, row)[1])

    return EntryReader, "_check", mutant


def _counts_the_included_op() -> tuple[Any, str, Any]:
    """Effects from the included op on, not after it."""

    def mutant(self: _Effects, identity: int) -> int:
        return sum(points for each, points in zip(self.ids, self.points, strict=True) if each >= identity)

    return _Effects, "after", mutant


def _leaves_out_the_op_after_the_included_one() -> tuple[Any, str, Any]:
    """One op too few."""

    def mutant(self: _Effects, identity: int) -> int:
        return sum(points for each, points in zip(self.ids, self.points, strict=True) if each > identity + 1)

    return _Effects, "after", mutant


def _forgets_early() -> tuple[Any, str, Any]:
    """What the cloud has acknowledged is forgotten, whether the cached balances include it or not."""
    whole = DiskJournal.record

    async def mutant(self: DiskJournal, epoch: int, acked_seq: int, results: Any) -> None:
        self._effects.forget((epoch, acked_seq))
        await whole(self, epoch, acked_seq, results)

    return DiskJournal, "record", mutant


def _lost_ops_stay_forgotten() -> tuple[Any, str, Any]:
    """After the cloud lost ops, they are sent again, and not counted again."""

    async def mutant(self: DiskJournal, hello: Any) -> None:
        await self._writer.submit(lambda session: outbox.reconcile_with(session, hello), writes=True)

    return DiskJournal, "reconcile", mutant


def _floor_ignored() -> tuple[Any, str, Any]:
    """After a restart only ops that wait are counted, though acknowledged ones may not be in the cache."""
    whole = Rebuilding.load

    async def mutant(self: Rebuilding, _floor: object) -> None:
        await whole(self, None)

    return Rebuilding, "load", mutant


def _believes_no_witness() -> tuple[Any, str, Any]:
    """The mark beside the journal is not looked at."""
    return witness.Witness, "read", lambda _self: None


def _cursor_before_rows() -> tuple[Any, str, Any]:
    """The cursor is committed by itself, and then the rows."""
    whole = pages.write_page

    def mutant(connection: Any, progress: Any, page: Any, *more: Any) -> Any:
        bare = type(page)(**{name: getattr(page, name) for name in page.__struct_fields__ if name != "rows"}, rows=())
        whole(connection, progress, bare, *more)
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        return whole(connection, progress, page, *more)

    return pages, "write_page", mutant


def _verdicts_in_any_order() -> tuple[Any, str, Any]:
    """A verdict replaces whatever balance is there."""
    return schema, "JUDGE_BALANCE", schema.JUDGE_BALANCE.replace("(included_epoch, included_seq) < (?, ?)", "? + ? > 0")


def _older_pages_win() -> tuple[Any, str, Any]:
    """A page replaces the balance of a later verdict."""
    return schema, "PUT_BALANCE", schema.PUT_BALANCE_ANYWAY


def _salvage_doubles() -> tuple[Any, str, Any]:
    """What the journal has already is journalled once more, since it came from another file."""

    def mutant(self: salvage.Carrier, proven: Any, _identity: int, _body: bytes) -> None:
        row = replace(proven.row, uid=f"{proven.row.uid}.again")
        self._tell(proven, "anew", str(self._new.append(replace(proven, row=row))))

    return salvage.Carrier, "_tell_known", mutant


def _moved_aside_silently() -> tuple[Any, str, Any]:
    """No report is written, so that nobody knows of the file."""
    return aside, "write_report", lambda _folder, _report: None


def _damaged_row_carried() -> tuple[Any, str, Any]:
    """A row is taken for what it says, whatever its hash."""

    def mutant(op_id: OpId, _salt: str, columns: Any, befores: Any) -> Any:
        before = next(iter(befores), b"")
        row = reader.Row(*columns[2:])
        made = row_hash(before, op_id, _salt, row)[0]
        return wreck.Proven(op_id.epoch, op_id.seq, before, made, row)

    return wreck, "_fits", mutant


def _failed_sync_tried_again() -> tuple[Any, str, Any]:
    """After a sync that failed the same connection commits once more; the kernel has forgotten the failure by then."""
    whole = writer.Writer._write

    def mutant(self: writer.Writer, session: Session, jobs: Any) -> None:
        class Patient:
            def __init__(self, connection: Any) -> None:
                self._connection = connection

            def __getattr__(self, name: str) -> Any:
                return getattr(self._connection, name)

            def execute(self, statement: str, *values: Any) -> Any:
                try:
                    return self._connection.execute(statement, *values)
                except sqlite3.OperationalError:
                    if statement != "COMMIT":
                        raise
                    if self._connection.in_transaction:
                        return self._connection.execute(statement)
                    self._connection.execute("BEGIN IMMEDIATE")
                    session.epochs = before
                    for job in jobs:
                        writer._apply(session, job)
                    return self._connection.execute("COMMIT")

        before, connection = session.epochs, session.connection
        session.connection = Patient(connection)  # type: ignore[assignment]  # stands for the connection
        try:
            whole(self, session, jobs)
        finally:
            session.connection = connection

    return writer.Writer, "_write", mutant


def _rows_go_before_their_marks() -> tuple[Any, str, Any]:
    """Old rows are let go of in a transaction of their own, and then it is noted which they were."""
    whole = pruning._let_go

    def mutant(session: Session, rows: Any) -> None:
        execute = session.connection.execute
        execute(pruning._DROP_TRIGGER)
        for row in rows:
            execute("DELETE FROM entries WHERE id = ?", (row[0],))
        for statement in (pruning._TRIGGER, "COMMIT", "BEGIN IMMEDIATE", "SAVEPOINT job"):
            execute(statement)
        whole(session, rows)

    return pruning, "_let_go", mutant


MUTANTS = {
    "synchronous off": lambda: (_opening(), "connect", _pragma("OFF")),
    "synchronous normal": lambda: (_opening(), "connect", _pragma("NORMAL")),
    "ack before commit": _answers_before_the_commit,
    "chain not checked": _forgets_the_chain,
    "included op counted": _counts_the_included_op,
    "included op left out": _leaves_out_the_op_after_the_included_one,
    "effects forgotten early": _forgets_early,
    "lost ops not counted again": _lost_ops_stay_forgotten,
    "cache floor ignored": _floor_ignored,
    "witness not read": _believes_no_witness,
    "cursor before rows": _cursor_before_rows,
    "verdicts in any order": _verdicts_in_any_order,
    "older pages win": _older_pages_win,
    "salvage doubles": _salvage_doubles,
    "moved aside silently": _moved_aside_silently,
    "damaged row carried": _damaged_row_carried,
    "failed sync tried again": _failed_sync_tried_again,
    "rows go before their marks": _rows_go_before_their_marks,
}


def _opening() -> Any:
    """`till_agent.journal.open` as a module; the name is a function's elsewhere."""
    import till_agent.journal.open as module

    return module


def break_it(name: str) -> None:
    """Break this process for good; in tests use `mutated`."""
    holder, attribute, value = MUTANTS[name]()
    setattr(holder, attribute, value)
    if holder is aside:
        setattr(carry, attribute, value)
