"""What a till holds of people, counted from its files at rest or in use: kinds, numbers, ages, and nothing personal."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from till_agent.journal.carrying_out import CarryingError, copied
from till_agent.journal.copies import is_held
from till_sync.ops import is_sealed

WAIT_S = 2.0
"""For another program's transaction."""


class Holding(Struct, frozen=True, kw_only=True):
    """One kind of thing in one file. `oldest_wall_ms` 0: none, or it has no age. `note`: in what form, for how long."""

    file: str
    what: str
    count: int
    oldest_wall_ms: int = 0
    note: str = ""


_JOURNAL = "SELECT kind, count(*), min(at_wall_ms) FROM entries GROUP BY kind ORDER BY kind"
_REGISTRATIONS = "SELECT body FROM entries WHERE kind = 'register'"
_CACHE = (
    ("members", "SELECT count(*), 0 FROM members", "ids, masked names and numbers, day and month of birth; no year"),
    ("numbers", "SELECT count(*), 0 FROM tags", "keyed tags"),
)
_SPOOL = "SELECT count(*), min(created_ms) FROM jobs"
_FRONTOL = "SELECT count(*), min(changed_ms) FROM documents"


def holdings(state_dir: Path) -> tuple[list[Holding], list[str]]:
    """What is held, and the files that could not be read now, each with why."""
    found: list[Holding] = []
    unread: list[str] = []
    for name, read in (("journal.db", _journal), ("cache.db", _cache), ("spool.db", _spool), ("frontol.db", _frontol)):
        path = state_dir / name
        if not path.is_file():
            continue
        try:
            with _opened(path) as connection:
                found += list(read(connection))
        except (sqlite3.Error, CarryingError, OSError) as exc:
            unread.append(f"{name}: {exc}")
    aside = [each for each in state_dir.glob("journal.db.damaged-*") if each.suffix != ".json"]
    if aside:
        oldest = min(int(each.stat().st_mtime * 1000) for each in aside)
        note = "journals that were put aside; remove them once nothing waits in them"
        found.append(
            Holding(file="journal.db.damaged-*", what="files", count=len(aside), oldest_wall_ms=oldest, note=note)
        )
    return found, unread


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """To read. A running agent is the only one on its journal: a copy of that then. CarryingError, OSError."""
    with contextlib.ExitStack() as stack:
        opening = f"{path.absolute().as_uri()}?mode=ro"
        if is_held(path):
            # With a log beside it, which only who may write can read.
            opening = f"{stack.enter_context(copied(path)).absolute().as_uri()}?mode=rw"
        yield stack.enter_context(contextlib.closing(sqlite3.connect(opening, uri=True, timeout=WAIT_S)))


def _journal(connection: sqlite3.Connection) -> Iterator[Holding]:
    for kind, count, oldest in connection.execute(_JOURNAL).fetchall():
        note = "by id or keyed tag" if kind != "register" else _sealed(connection)
        yield Holding(file="journal.db", what=f"{kind} operations", count=count, oldest_wall_ms=oldest, note=note)


def _sealed(connection: sqlite3.Connection) -> str:
    bodies = [bytes(row[0]) for row in connection.execute(_REGISTRATIONS)]
    clear = sum(not is_sealed(body) for body in bodies)
    return "sealed to the cloud's key" if not clear else f"{clear} of them in clear: from before the cloud gave a key"


def _cache(connection: sqlite3.Connection) -> Iterator[Holding]:
    for what, statement, note in _CACHE:
        yield _one(connection, "cache.db", what, statement, note)


def _spool(connection: sqlite3.Connection) -> Iterator[Holding]:
    yield _one(connection, "spool.db", "slips", _SPOOL, "masked names and numbers; 7 days, the bytes until printed")


def _frontol(connection: sqlite3.Connection) -> Iterator[Holding]:
    yield _one(connection, "frontol.db", "documents of sales reports", _FRONTOL, "by id or keyed tag")


def _one(connection: sqlite3.Connection, file: str, what: str, statement: str, note: str) -> Holding:
    row: Any = connection.execute(statement).fetchone()
    return Holding(file=file, what=what, count=row[0], oldest_wall_ms=row[1] or 0, note=note)


def cached_floor(path: Path) -> tuple[int, int] | None:
    """The last own op (epoch, seq) that every balance of the cache at rest includes; None when it does not say."""
    if not path.is_file():
        return None
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=WAIT_S)) as connection:
            row = connection.execute("SELECT floor_epoch, floor_seq FROM progress WHERE as_of_ms > 0").fetchone()
    except sqlite3.Error:
        return None
    return None if row is None else (row[0], row[1])
