"""Opens the journal whatever state the file is in: makes, migrates and checks it, or moves it aside and begins anew."""

import logging
import sqlite3
from pathlib import Path

from till_agent.exceptions import JournalCorrupt, JournalUnavailable
from till_agent.journal import schema
from till_agent.journal.aside import LOG_CODE, DamageReport, begun, copy_log_aside, finish_moves
from till_agent.journal.carry import begin_epoch, cut_off_report, finish_salvage, make_journal, put_aside
from till_agent.journal.connect import connect, is_damage, translate
from till_agent.journal.exceptions import DamagedError, IndexDamaged, JournalTooNew
from till_agent.journal.migrations import STEPS, migrate, version_of
from till_agent.journal.place import OpenReport, Place
from till_agent.journal.session import Session
from till_agent.journal.verify import Check, check_at_start
from till_agent.journal.witness import Mark, Witness
from till_agent.journal.wreck import read_log
from till_agent.journal.wreck_log import LOG_HEADER_BYTES
from till_loyalty.exceptions import InvariantError

_log = logging.getLogger(__name__)


def open_session(place: Place) -> tuple[Session, OpenReport]:
    """A session on a journal that is good to write to. A bad file is moved aside, and what can be proven of it comes
    along; only trouble with the disk raises: JournalUnavailable, JournalInUse, JournalTooNew.
    """
    try:
        finish_moves(place.path)
        damage = _clear_the_way(place)
        log = read_log(place.path)
        try:
            return _open(place, damage, log)
        except _CutOff:
            finish_moves(place.path)
            return _open(place, damage, b"")
        except DamagedError as exc:
            damage = put_aside(place, exc, log)
            return _open(place, damage, b"")
    except DamagedError as exc:
        raise JournalUnavailable(f"expected a new journal to be usable, not {exc}") from exc
    except OSError as exc:
        raise JournalUnavailable(f"expected to open {place.path.name}, not {exc}") from exc


class _CutOff(Exception):  # noqa: N818 - a turn of the opening, never seen outside
    """Raised when rows are missing and there was a log: it was put aside, and the file is opened again."""


def _open(place: Place, damage: DamageReport | None, log: bytes) -> tuple[Session, OpenReport]:
    connection: sqlite3.Connection | None = None
    try:
        connection = connect(place.path)
        return _prepare(connection, place, damage, log)
    except BaseException as exc:
        if connection is not None:
            connection.close()
        if isinstance(exc, sqlite3.Error):
            raise translate(place.path, exc) from exc
        if isinstance(exc, JournalCorrupt):
            raise DamagedError("chain", str(exc), exc.seq) from exc
        if isinstance(exc, InvariantError | TypeError | ValueError | OverflowError):
            # Columns of another type than the schema's: the file's doing, since sqlite3 gives what is stored.
            raise DamagedError("damaged", f"{type(exc).__name__}: {exc}") from exc
        raise


def _prepare(
    connection: sqlite3.Connection, place: Place, damage: DamageReport | None, log: bytes
) -> tuple[Session, OpenReport]:
    witness = Witness(place.witness_path)
    mark = witness.read()
    if mark is not None and mark.till != place.till:
        mark = None
    seen_epoch = max(place.keeper.last_epoch, mark.epoch if mark else 0)
    version = _recognise(connection)
    reason, rows_lost = "", 0
    if version == 0:
        unfinished = next((each for each in reversed(list(begun(place.path)))), None)
        # A salvage that was cut short leaves a log too; its epoch has no witness yet.
        never_open = unfinished is not None and mark is not None and mark.epoch < place.keeper.last_epoch
        if damage is None and mark is not None and len(log) > LOG_HEADER_BYTES and not never_open:
            raise DamagedError("damaged", "expected a journal, not an empty file whose log can't be read")
        # A start may have been cut short between moving the old file and making this one.
        damage = damage or unfinished
        reason = damage.code if damage else ("missing" if seen_epoch else "new")
        rows_lost = mark.seq if mark and not damage else 0
        damage = make_journal(connection, place, reason, damage, mark)
    else:
        migrate(connection, STEPS)
    session, check, reindexed = _checked_session(connection, place, witness)
    if version:
        reason, rows_lost = _compare(session, mark, seen_epoch)
        cut_off = [each for each in begun(place.path) if each.code == LOG_CODE]
        if reason == "gap" and log and not cut_off:
            copy_log_aside(place.path, cut_off_report(place, session), log)
            raise _CutOff
        if reason:
            epoch = max(seen_epoch, session.reader.current.epoch) + 1
            damage = begin_epoch(session, place, epoch, reason, cut_off[-1] if cut_off else None, rows_lost)
            session = Session(connection, place.till, witness, place.path)
            rows_lost -= damage.salvage.sent_on + damage.salvage.anew if damage and damage.salvage else 0
        else:
            place.keeper.raise_to(session.reader.current.epoch)
            finish_salvage(session, place)
    # Whatever else is asked of the file at once is asked while it can still be given up.
    session.figures()
    session.bear_witness()
    session.note_salt()
    report = OpenReport(
        epoch=session.reader.current.epoch,
        reason=reason,
        damage=damage,
        rows_lost=rows_lost,
        reindexed=reindexed,
        checked_rows=check.rows,
        checked_all=check.complete,
    )
    _tell(report)
    return session, report


def _checked_session(connection: sqlite3.Connection, place: Place, witness: Witness) -> tuple[Session, Check, bool]:
    """A session whose rows were checked; when only an index is damaged, it is made anew from the rows, once."""
    reindexed = False
    while True:
        try:
            session = Session(connection, _owner(connection, place.till), witness, place.path)
            check = check_at_start(session.reader, place.clock.mono_ms)
            session.open_holds()  # read again once all is open, when the file can't be given up any more
        except (IndexDamaged, sqlite3.DatabaseError) as exc:
            if reindexed or not (isinstance(exc, IndexDamaged) or is_damage(exc)):
                raise
            _log.warning("the journal's indexes are made anew: %s", exc)
            connection.execute("REINDEX")
            reindexed = True
        else:
            return session, check, reindexed


def _compare(session: Session, mark: Mark | None, seen_epoch: int) -> tuple[str, int]:
    """(reason for a new epoch, rows lost), by what stands outside the file: the witness and the identity."""
    current = session.reader.current
    if mark and mark.epoch == current.epoch and mark.seq > current.last_seq:
        return "gap", mark.seq - current.last_seq
    return ("restored", 0) if seen_epoch > current.epoch else ("", 0)


def _recognise(connection: sqlite3.Connection) -> int:
    """The schema version; 0 for an empty file. Foreign files are damage to us, newer ones are not."""
    version = version_of(connection)
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if version == 0 and application == 0 and tables == 0:
        return 0
    if application != schema.APPLICATION_ID or version == 0 or tables == 0:
        raise DamagedError("foreign", f"expected a journal, not application {application:#x} version {version}")
    if version > len(STEPS):
        raise JournalTooNew(f"expected a journal of version {len(STEPS)} or earlier, not {version}: a newer program's")
    return version


def _owner(connection: sqlite3.Connection, till: str) -> str:
    owners = {columns[1] for columns in connection.execute(schema.EPOCHS).fetchall()}
    if owners != {till}:
        raise DamagedError("foreign", f"expected the journal of till {till!r}, not of {sorted(map(str, owners))}")
    return till


def _clear_the_way(place: Place) -> DamageReport | None:
    """Move away what stands in the journal's place without being a file, and a log that has lost its database."""
    path = place.path
    orphaned = not path.exists() and Path(f"{path}-wal").exists()
    if orphaned or (path.exists() and not path.is_file()):
        return put_aside(place, DamagedError("foreign", "expected a file with its log, not something else"))
    return None


def _tell(report: OpenReport) -> None:
    damage = report.damage
    if damage is not None and damage.salvage is not None:
        saved = damage.salvage
        fates: tuple[object, ...] = (saved.sent_on, saved.anew, saved.known, saved.needless, saved.lost, saved.unread)
        words = "of its waiting operations: sent on %d, journalled anew %d, known %d, needless %d, lost %d, unread %d"
        if damage.left_there:
            words, fates = "operations of till %s that waited stay in the file: %d", (damage.till, damage.left_there)
        _log.log(logging.ERROR if saved.lost or saved.unread else logging.WARNING, words, *fates)
    if damage is not None and damage.code != LOG_CODE:
        _log.error(
            "the journal could not be used (%s: %s) and was moved to %s; epoch %d began",
            damage.code,
            damage.detail,
            damage.moved_to,
            report.epoch,
        )
    elif report.reason in {"gap", "restored", "missing"}:
        found = (report.reason, report.rows_lost, report.epoch)
        _log.error("the journal is not as it was left (%s, rows lost: %d); epoch %d began", *found)
