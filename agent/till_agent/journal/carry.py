"""What opening does with a journal that is given up: puts it aside, and carries over what can be proven of it.

The new file and all that is carried into it are one transaction: a start that is cut short begins again with the file
that was put aside. Its report says `begun` until then.
"""

import contextlib
import logging
import sqlite3
from urllib.parse import quote

import msgspec

from till_agent.audit_trail import note
from till_agent.journal import schema
from till_agent.journal.aside import DamageReport, begun, move_aside, survey, write_report
from till_agent.journal.exceptions import DamagedError
from till_agent.journal.migrations import STEPS, migrate
from till_agent.journal.place import Place
from till_agent.journal.salvage import ATTEMPTS, Carrier, NewEpoch, Salvage, deadline
from till_agent.journal.session import Session
from till_agent.journal.witness import Mark, Witness
from till_agent.journal.wreck import Wreck, WreckEpoch
from till_sync.files import sync_folder

_log = logging.getLogger(__name__)

OLD_COPY = "old_copy"
"""The file is whole, and an older one than the cloud has seen: its ids may stand for other ops there."""

REPLACED_A_DAY_LIMIT = 3
"""Files put aside while the agent runs; more is no accident, and a person must look."""
DAY_MS = 24 * 3_600_000


def replaced_of_late(place: Place) -> int:
    """Files of this journal that were put aside within a day, by the wall clock, either way."""
    now, found = place.clock.wall_ms(), 0
    for written in place.path.parent.glob(f"{place.path.name}.damaged-*.json"):
        with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
            report = msgspec.json.decode(written.read_bytes(), type=DamageReport)
            found += abs(now - report.found_wall_ms) < DAY_MS
    return found


def put_aside(place: Place, damage: DamagedError, log: bytes = b"") -> DamageReport:
    """Move the journal's files away with a report that says what waited in them. OSError."""
    report = DamageReport(
        found_wall_ms=place.clock.wall_ms(),
        code=damage.code,
        detail=damage.detail,
        moved_to="",
        first_bad_seq=damage.seq,
        salvage=Salvage() if place.path.is_file() else None,
    )
    connection = None
    index = place.path.with_name(place.path.name + "-shm")
    had_index = index.exists()
    if place.path.is_file():
        with contextlib.suppress(sqlite3.Error):
            # To read only: closing would else copy the log into the file, and what is moved is what was found.
            source = f"file:{quote(str(place.path))}?mode=ro"
            connection = sqlite3.connect(source, uri=True, isolation_level=None)
            connection.execute("PRAGMA query_only = ON")
    try:
        report = survey(connection, report)
    finally:
        if connection is not None:
            connection.close()
            if not had_index:
                index.unlink(missing_ok=True)
    return move_aside(place.path, report, log)


def cut_off_report(place: Place, session: Session) -> DamageReport:
    """Of a journal that is whole and shorter than the witness says, while its log holds more than SQLite reads."""
    current = session.reader.current
    return DamageReport(
        found_wall_ms=place.clock.wall_ms(),
        code="log",
        detail=f"expected rows after {current.epoch}:{current.last_seq}, not a log that can't be read to its end",
        moved_to="",
        till=place.till,
        epoch=current.epoch,
        first_bad_seq=current.last_seq + 1,
        last_seq=current.last_seq,
        acked_seq=current.acked_seq,
        salvage=Salvage(),
    )


def make_journal(
    connection: sqlite3.Connection, place: Place, reason: str, damage: DamageReport | None, mark: Mark | None
) -> DamageReport | None:
    """A new journal with what can be carried over from the one that `damage` tells of; gives the report as it is then.

    The identity first: an epoch that was never used is harmless, one that is used twice is not.
    """
    damage = _attempt(place, damage)
    with contextlib.ExitStack() as stack:
        wreck, epochs = None, []
        if damage is not None and damage.salvage is not None and damage.salvage.state == "begun":
            out_of_time = deadline(place.clock.mono_ms, place.salvage_budget_ms)
            noted = Witness(place.witness_path).read_salt()
            wreck = stack.enter_context(Wreck(place.path.with_name(damage.moved_to), out_of_time, noted))
            epochs = wreck.epochs(place.till)
        # An epoch that only the wreck tells of counts if it has rows; a changed number has none.
        there = [each.epoch for each in epochs if wreck is not None and _has_rows(wreck, each)]
        epoch = max([place.keeper.last_epoch, mark.epoch if mark else 0, *there]) + 1
        place.keeper.raise_to(epoch)
        salt, now = place.make_salt(), place.clock.wall_ms()
        found: list[Salvage] = []

        def add_epochs(fresh: sqlite3.Connection) -> None:
            if wreck is not None and damage is not None:
                new = NewEpoch(fresh, place.till, epoch, salt, included=place.included())
                top = schema.row_id(mark.epoch, mark.seq) if mark else 0
                ids = damage.code != OLD_COPY
                carrier = Carrier(fresh, wreck, place.till, new, keeps_ids=ids, keeps_past=True, top=top)
                found.append(carrier.run([each for each in epochs if each.epoch < epoch]))
            fresh.execute(schema.ADD_EPOCH, (epoch, place.till, salt, now, reason))

        migrate(connection, STEPS, add_epochs)
    sync_folder(place.path.parent)
    return _conclude(place, damage, found[0]) if damage is not None and found else damage


def begin_epoch(
    session: Session, place: Place, epoch: int, reason: str, damage: DamageReport | None, rows_lost: int
) -> DamageReport | None:
    """A new epoch in the same file; first come the rows that a log with a hole still held, if `damage` tells of one."""
    place.keeper.raise_to(epoch)
    damage = _attempt(place, damage)
    salt, found = place.make_salt(), None
    connection, current = session.connection, session.reader.current
    with contextlib.ExitStack() as stack:
        connection.execute("BEGIN IMMEDIATE")
        if damage is not None and damage.salvage is not None and damage.salvage.state == "begun":
            out_of_time = deadline(place.clock.mono_ms, place.salvage_budget_ms)
            wreck = stack.enter_context(Wreck(place.path.with_name(damage.moved_to), out_of_time))
            carrier = Carrier(
                connection, wreck, place.till, NewEpoch(connection, place.till, epoch, salt, included=place.included())
            )
            cut = WreckEpoch(current.epoch, place.till, current.salt, current.acked_seq)
            first = current.last_seq + 1
            found = carrier.continue_epoch(cut, current.head, first, current.last_seq + rows_lost)
        session.add_epoch(epoch, salt, place.clock.wall_ms(), reason)
        connection.execute("COMMIT")
    return damage if damage is None or found is None else _conclude(place, damage, found)


def finish_salvage(session: Session, place: Place) -> None:
    """Files whose salvage was cut short after the journal had begun anew: say what became of their ops.

    What is not here by now, though it could be, comes anew.
    """
    for report in list(begun(place.path)):
        attempted = _attempt(place, report)
        if attempted is not None and attempted.salvage is not None and attempted.salvage.state == "begun":
            session.connection.execute("BEGIN IMMEDIATE")
            found = _carry_later(session, place, attempted.moved_to)
            session.connection.execute("COMMIT")
            before = attempted.salvage
            _conclude(place, attempted, msgspec.structs.replace(found, kept=before.kept, holds=before.holds))


def _carry_later(session: Session, place: Place, name: str) -> Salvage:
    """Journal anew what a file that was put aside still holds; within the transaction that the caller has begun."""
    current = session.reader.current
    new = NewEpoch(
        session.connection,
        place.till,
        current.epoch,
        current.salt,
        current.last_seq,
        current.head,
        included=place.included(),
    )
    with Wreck(place.path.with_name(name), deadline(place.clock.mono_ms, place.salvage_budget_ms)) as wreck:
        carrier = Carrier(session.connection, wreck, place.till, new)
        found = carrier.run(wreck.epochs(place.till))
    session.grown(new.seq, new.head)
    if found.marks:
        session.rows_went()
    return found


def _has_rows(wreck: Wreck, epoch: WreckEpoch) -> bool:
    return wreck.last_seq(epoch.epoch) > 0


def _attempt(place: Place, damage: DamageReport | None) -> DamageReport | None:
    """Count a try before it is made: one that ends the process must not be made for ever."""
    if damage is None or damage.salvage is None or damage.salvage.state != "begun":
        return damage
    tried = damage.salvage.attempts
    state = "given_up" if tried >= ATTEMPTS else "begun"
    damage = msgspec.structs.replace(
        damage, salvage=msgspec.structs.replace(damage.salvage, attempts=tried + 1, state=state)
    )
    write_report(place.path.parent, damage)
    if state == "given_up":
        _log.error("%s was looked into %d times in vain: use `tillside queue salvage`", damage.moved_to, tried)
    return damage


def _conclude(place: Place, damage: DamageReport, found: Salvage) -> DamageReport:
    """The report, complete. The ops are safe by now; a disk that takes no report is told of and tried at next start."""
    attempts = 0 if damage.salvage is None else damage.salvage.attempts
    counts = {name: getattr(found, name) for name in ("sent_on", "anew", "known", "lost", "unread", "kept")}
    counts |= {"left_there": damage.left_there}
    note(place.path.parent, "journal_salvaged", file=damage.moved_to, why=damage.code, **counts)
    damage = msgspec.structs.replace(damage, salvage=msgspec.structs.replace(found, attempts=attempts))
    try:
        write_report(place.path.parent, damage)
    except OSError as exc:
        _log.warning("the report on %s could not be completed: %s", damage.moved_to, exc)
    return damage
