"""Moves a journal that can't be used out of the way, with a report of what it held. Nothing is ever deleted."""

import contextlib
import datetime as dt
import os
import sqlite3
from pathlib import Path

import msgspec
from msgspec import Struct

from till_agent.journal import schema

REPORT_OPS_LIMIT = 1_000
"""Waiting ops named one by one in a report; beyond it only their number, or a big queue would make a bigger report."""
NAMES_LIMIT = 1_000
"""Tries for a free name within one second."""

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
    """Written beside the moved file. `code`: damaged, chain, foreign, missing. Counts are -1 where unreadable."""

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


def move_aside(path: Path, report: DamageReport) -> DamageReport:
    """Rename the file and what stands beside it to `<name>.damaged-<UTC time>`, the report first. OSError if it can't.

    The log goes before the database: after a crash between the two, the database is still there to be found bad or
    short, while SQLite would delete a log without its database as rubbish.
    """
    target = _free_name(path, report.found_wall_ms)
    report = msgspec.structs.replace(report, moved_to=target.name)
    written = target.with_name(target.name + ".json")
    written.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    for suffix in SIDE_FILES:
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{target}{suffix}")  # noqa: PTH105 - the names are not paths of their own
    with contextlib.suppress(FileNotFoundError):
        path.replace(target)
    sync_directory(path.parent)
    return report


def sync_directory(folder: Path) -> None:
    """Make renames and new names durable; Windows does so by itself and can't be asked."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
