"""Opens the journal whatever state the file is in: makes, migrates and checks it, or moves it aside and begins anew."""

import contextlib
import logging
import sqlite3
from pathlib import Path

from till_agent.exceptions import JournalCorrupt, JournalUnavailable
from till_agent.journal import schema
from till_agent.journal.aside import DamageReport, move_aside, survey, sync_directory
from till_agent.journal.connect import connect, is_damage, translate
from till_agent.journal.exceptions import DamagedError, IndexDamaged, JournalTooNew
from till_agent.journal.migrations import STEPS, migrate, version_of
from till_agent.journal.place import OpenReport, Place
from till_agent.journal.session import Session
from till_agent.journal.verify import Check, check_at_start
from till_agent.journal.witness import Mark, Witness
from till_loyalty.exceptions import InvariantError

_log = logging.getLogger(__name__)


def open_session(place: Place) -> tuple[Session, OpenReport]:
    """A session on a journal that is good to write to. A bad file is moved aside; only trouble with the disk raises:
    JournalUnavailable, JournalInUse, JournalTooNew.
    """
    try:
        damage = _clear_the_way(place)
        try:
            return _open(place, damage)
        except DamagedError as exc:
            damage = _put_aside(place, exc)
            return _open(place, damage)
    except DamagedError as exc:
        raise JournalUnavailable(f"expected a new journal to be usable, not {exc}") from exc
    except OSError as exc:
        raise JournalUnavailable(f"expected to open {place.path.name}, not {exc}") from exc


def _open(place: Place, damage: DamageReport | None) -> tuple[Session, OpenReport]:
    connection: sqlite3.Connection | None = None
    try:
        connection = connect(place.path)
        return _prepare(connection, place, damage)
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


def _prepare(connection: sqlite3.Connection, place: Place, damage: DamageReport | None) -> tuple[Session, OpenReport]:
    witness = Witness(place.witness_path)
    mark = witness.read()
    if mark is not None and mark.till != place.till:
        mark = None
    seen_epoch = max(place.keeper.last_epoch, mark.epoch if mark else 0)
    version = _recognise(connection)
    reason, rows_lost = "", 0
    if version == 0:
        reason = damage.code if damage else ("missing" if seen_epoch else "new")
        rows_lost = mark.seq if mark and not damage else 0
        _create(connection, place, seen_epoch + 1, reason)
    else:
        migrate(connection, STEPS)
    session, check, reindexed = _checked_session(connection, place, witness)
    if version:
        reason, rows_lost = _compare(session, mark, seen_epoch)
        if reason:
            _begin_epoch(session, place, max(seen_epoch, session.reader.current.epoch) + 1, reason)
        else:
            place.keeper.raise_to(session.reader.current.epoch)
    session.bear_witness()
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
            return session, check_at_start(session.reader, place.clock.mono_ms), reindexed
        except (IndexDamaged, sqlite3.DatabaseError) as exc:
            if reindexed or not (isinstance(exc, IndexDamaged) or is_damage(exc)):
                raise
            _log.warning("the journal's indexes are made anew: %s", exc)
            connection.execute("REINDEX")
            reindexed = True


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


def _create(connection: sqlite3.Connection, place: Place, epoch: int, reason: str) -> None:
    """The identity first: an epoch that was never used is harmless, one that is used twice is not."""
    place.keeper.raise_to(epoch)
    salt, now = place.make_salt(), place.clock.wall_ms()

    def add_epoch(fresh: sqlite3.Connection) -> None:
        fresh.execute(schema.ADD_EPOCH, (epoch, place.till, salt, now, reason))

    migrate(connection, STEPS, add_epoch)
    sync_directory(place.path.parent)


def _begin_epoch(session: Session, place: Place, epoch: int, reason: str) -> None:
    place.keeper.raise_to(epoch)
    session.connection.execute("BEGIN IMMEDIATE")
    session.add_epoch(epoch, place.make_salt(), place.clock.wall_ms(), reason)
    session.connection.execute("COMMIT")


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
        return _put_aside(place, DamagedError("foreign", "expected a file with its log, not something else"))
    return None


def _put_aside(place: Place, damage: DamagedError) -> DamageReport:
    report = DamageReport(
        found_wall_ms=place.clock.wall_ms(),
        code=damage.code,
        detail=damage.detail,
        moved_to="",
        first_bad_seq=damage.seq,
    )
    connection = None
    if place.path.is_file():
        with contextlib.suppress(sqlite3.Error):
            connection = sqlite3.connect(place.path, isolation_level=None)
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA query_only = ON")
    try:
        report = survey(connection, report)
    finally:
        if connection is not None:
            connection.close()
    return move_aside(place.path, report)


def _tell(report: OpenReport) -> None:
    if report.damage is not None:
        _log.error(
            "the journal could not be used (%s: %s) and was moved to %s; epoch %d began",
            report.damage.code,
            report.damage.detail,
            report.damage.moved_to,
            report.epoch,
        )
    elif report.reason in {"gap", "restored", "missing"}:
        found = (report.reason, report.rows_lost, report.epoch)
        _log.error("the journal is not as it was left (%s, rows lost: %d); epoch %d began", *found)
