"""Moves a journal that can't be used out of the way, with a report of what it held. Nothing is ever deleted.

The report is there before the file is moved, and says `begun` until it tells what became of the ops: whoever opens the
journal next can see that a start was cut short, and go on with it.
"""

import contextlib
import datetime as dt
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from till_agent.journal import schema
from till_agent.journal.salvage import Salvage
from till_sync.files import sync_folder

REPORT_OPS_LIMIT = 1_000
"""Waiting ops named one by one in a report; beyond it only their number, or a big queue would make a bigger report."""
NAMES_LIMIT = 1_000
"""Tries for a free name within one second."""

LOG_CODE = "log"
"""Of a report on a journal that is whole, and shorter than it was: its log has a hole."""

SIDE_FILES = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database; without its log a database is not what it was."""


class LostOp(Struct, frozen=True):
    """An op in the moved file that the cloud had not acknowledged, as far as it could be read."""

    op: str
    kind: str
    uid: str
    at_wall_ms: int
    effect_points: int


class DamageReport(Struct, frozen=True, kw_only=True):
    """Written beside the moved file. `code`: damaged, chain, foreign, old_copy, or log for a log with a hole, which is
    copied. Counts are -1 where unreadable. `salvage`: None where nothing of ours was looked for.
    """

    found_wall_ms: int
    code: str
    detail: str
    moved_to: str
    till: str = ""
    epoch: int = 0
    first_bad_seq: int = 0
    last_seq: int = -1
    acked_seq: int = -1
    waiting: int = -1
    waiting_ops: tuple[LostOp, ...] = ()
    open_holds: tuple[str, ...] = ()
    salvage: Salvage | None = None

    @property
    def left_there(self) -> int:
        """Operations of another till that waited in the file: they are not ours to send, and stay in it."""
        return self.waiting if self.code == "foreign" and self.waiting > 0 else 0


def reports_beside(path: Path) -> list[DamageReport]:
    """Reports on files of this journal that were put aside, oldest first; without those that can't be read."""
    found: list[DamageReport] = []
    for written in sorted(path.parent.glob(f"{path.name}.damaged-*.json")):
        with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
            found.append(msgspec.json.decode(written.read_bytes(), type=DamageReport))
    return found


def move_aside(path: Path, report: DamageReport, log: bytes = b"") -> DamageReport:
    """Rename the file and what stands beside it to `<name>.damaged-<UTC time>`, the report first. OSError if it can't.

    The log goes before the database: after a crash between the two, the database is still there to be found bad or
    short, while SQLite would delete a log without its database as rubbish. `log` is what the log was before somebody
    opened the file; closing it may have taken the log away, and with it what SQLite would not read.
    """
    target = _free_name(path, report.found_wall_ms)
    report = msgspec.structs.replace(report, moved_to=target.name)
    write_report(path.parent, report)
    for suffix in SIDE_FILES:
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{target}{suffix}")  # noqa: PTH105 - the names are not paths of their own
    if log:
        _put_log(target, log)
    with contextlib.suppress(FileNotFoundError):
        path.replace(target)
    sync_folder(path.parent)
    return report


def copy_log_aside(path: Path, report: DamageReport, log: bytes) -> DamageReport:
    """The first half of keeping a journal whose log has a hole: its log, while the file is open. OSError."""
    target = _free_name(path, report.found_wall_ms)
    report = msgspec.structs.replace(report, moved_to=target.name)
    write_report(path.parent, report)
    _put_log(target, log)
    return report


def finish_moves(path: Path) -> None:
    """Do what a crash kept from being done: a database goes where its log went; that of a log with a hole is copied.

    No connection may be open: to close a copy's source would drop SQLite's locks on it.
    """
    for report in begun(path):
        target = path.with_name(report.moved_to)
        if target.exists() or not path.is_file() or not Path(f"{target}-wal").exists():
            continue
        if report.code == LOG_CODE:
            draft = target.with_name(target.name + ".draft")
            shutil.copyfile(path, draft)
            draft.replace(target)
        else:
            path.replace(target)
        sync_folder(path.parent)


def begun(path: Path) -> Iterator[DamageReport]:
    """Reports on files of this journal whose salvage was begun and is not over, oldest first."""
    for report in reports_beside(path):
        if report.salvage is not None and report.salvage.state == "begun" and "/" not in report.moved_to:
            yield report


def write_report(folder: Path, report: DamageReport) -> None:
    """Put a report beside its file, whole or not at all. OSError."""
    written = folder / f"{report.moved_to}.json"
    draft = folder / f"{report.moved_to}.json.draft"
    draft.unlink(missing_ok=True)
    # New, and its owner's alone: whoever puts one aside may be root in the agent's folder.
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600), "wb") as file:  # noqa: PTH123 - of a handle
        file.write(msgspec.json.format(msgspec.json.encode(report), indent=2))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(written)


def _put_log(target: Path, log: bytes) -> None:
    with contextlib.suppress(OSError), Path(f"{target}-wal").open("wb") as file:
        file.write(log)
        file.flush()
        os.fsync(file.fileno())


def survey(connection: sqlite3.Connection | None, report: DamageReport) -> DamageReport:
    """Fill in what can still be read of a damaged journal."""
    if connection is None:
        return report
    # Each part by itself: a damaged page may stop one and not the next.
    for part in (_positions, _waiting, _holds):
        with contextlib.suppress(sqlite3.Error, ValueError, TypeError, OverflowError, msgspec.ValidationError):
            report = part(connection, report)
    return report


def _positions(connection: sqlite3.Connection, report: DamageReport) -> DamageReport:
    epoch, till, _salt, acked_seq = connection.execute(f"{schema.EPOCHS} DESC LIMIT 1").fetchone()
    bounds = (schema.row_id(epoch, 1), schema.row_id(epoch, schema.LARGEST_SEQ))
    last = connection.execute(schema.LAST_OF, bounds).fetchone()
    last_seq = schema.split_id(last[0])[1] if last else 0
    return msgspec.structs.replace(report, till=str(till), epoch=epoch, last_seq=last_seq, acked_seq=acked_seq)


def _waiting(connection: sqlite3.Connection, report: DamageReport) -> DamageReport:
    """Rows beyond what the cloud acknowledged, epoch by epoch."""
    ops: list[LostOp] = []
    count = 0
    for epoch, till, _salt, acked_seq in connection.execute(schema.EPOCHS).fetchall():
        bounds = (schema.row_id(epoch, acked_seq + 1), schema.row_id(epoch, schema.LARGEST_SEQ))
        rows = connection.execute(
            "SELECT id, kind, uid, at_wall_ms, effect_points FROM entries WHERE id BETWEEN ? AND ? ORDER BY id", bounds
        )
        for identity, kind, uid, at_wall_ms, effect_points in rows:
            count += 1
            if len(ops) < REPORT_OPS_LIMIT:
                seq = schema.split_id(identity)[1]
                ops.append(LostOp(f"{till}:{epoch}:{seq}", str(kind), str(uid), at_wall_ms, effect_points))
    return msgspec.structs.replace(report, waiting=count, waiting_ops=tuple(ops))


def _holds(connection: sqlite3.Connection, report: DamageReport) -> DamageReport:
    holds = tuple(str(columns[0]) for columns in connection.execute(schema.OPEN_HOLDS).fetchall())
    return msgspec.structs.replace(report, open_holds=holds)


def _free_name(path: Path, wall_ms: int) -> Path:
    # A wall clock may say anything; whatever it says must not stop the start.
    try:
        stamp = dt.datetime.fromtimestamp(wall_ms // 1000, tz=dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, OverflowError, OSError):
        stamp = str(wall_ms)
    for number in range(NAMES_LIMIT):
        target = path.with_name(f"{path.name}.damaged-{stamp}" + (f"-{number}" if number else ""))
        if not target.exists() and not target.with_name(target.name + ".json").exists():
            return target
    raise FileExistsError(f"expected a free name beside {path.name}, not {NAMES_LIMIT} taken ones")
