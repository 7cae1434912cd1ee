"""Waves of the roll-out, the tills that each reached, and the statements of their migration."""

import sqlite3
from typing import Literal

import msgspec
from msgspec import Struct

WAVES = """
CREATE TABLE waves (
    wave INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('code', 'programme', 'config')),
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    former TEXT NOT NULL,
    sizes TEXT NOT NULL,
    stores TEXT NOT NULL,
    step INTEGER NOT NULL CHECK (step >= 1),
    soak_ms INTEGER NOT NULL CHECK (soak_ms >= 0),
    spread_ms INTEGER NOT NULL CHECK (spread_ms >= 0),
    halt_after INTEGER NOT NULL CHECK (halt_after >= 1),
    state TEXT NOT NULL CHECK (state IN ('running', 'halted', 'done', 'withdrawn')),
    reason TEXT NOT NULL DEFAULT '',
    started_at_ms INTEGER NOT NULL,
    step_at_ms INTEGER NOT NULL,
    changed_at_ms INTEGER NOT NULL,
    pardoned_at_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX waves_open ON waves (kind) WHERE state IN ('running', 'halted');

CREATE TABLE wave_tills (
    wave INTEGER NOT NULL REFERENCES waves,
    till TEXT NOT NULL REFERENCES tills,
    step INTEGER NOT NULL,
    outcome TEXT NOT NULL DEFAULT '' CHECK (outcome IN ('', 'taken', 'failed')),
    code TEXT NOT NULL DEFAULT '',
    problems TEXT NOT NULL DEFAULT '',
    rejected INTEGER NOT NULL DEFAULT -1,
    raised TEXT NOT NULL DEFAULT '',
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (wave, till)
) STRICT, WITHOUT ROWID;
CREATE INDEX wave_tills_outcome ON wave_tills (wave, outcome, at_ms)
"""
"""`name` is the programme's id. `former`: what tills outside the wave keep. A `sizes` of 0 is all tills. `problems` and
`rejected` of a till are as its last heartbeat before the new version had them; `raised`: what it has since.
"""

Kind = Literal["code", "programme", "config"]
State = Literal["running", "halted", "done", "withdrawn"]
ALL = 0
"""As a size: every till, also those that are enrolled later."""


class WaveRow(Struct, frozen=True, kw_only=True):
    """One roll-out of one version. Times are UTC milliseconds; `step` counts from 1 into `sizes`."""

    wave: int
    kind: Kind
    name: str
    version: str
    former: str
    sizes: tuple[int, ...]
    stores: tuple[str, ...]
    step: int
    soak_ms: int
    spread_ms: int
    halt_after: int
    state: State
    reason: str
    started_at_ms: int
    step_at_ms: int
    changed_at_ms: int
    pardoned_at_ms: int = 0
    """Failures up to then were seen by whoever resumed the wave, and count no more."""

    @property
    def reaches_all(self) -> bool:
        """Whether tills that nobody counted are in it as well."""
        return self.sizes[self.step - 1] == ALL

    @property
    def is_last(self) -> bool:
        """No step is left."""
        return self.step == len(self.sizes)


class WaveTill(Struct, frozen=True, kw_only=True):
    """One till in a wave, and what became of it there."""

    till: str
    step: int
    outcome: Literal["", "taken", "failed"]
    code: str
    problems: tuple[str, ...]
    rejected: int
    raised: tuple[str, ...]
    at_ms: int


_COLUMNS = (
    "wave, kind, name, version, former, sizes, stores, step, soak_ms, spread_ms, halt_after, state, reason, "
    "started_at_ms, step_at_ms, changed_at_ms, pardoned_at_ms"
)
_OPEN = f"SELECT {_COLUMNS} FROM waves WHERE kind = ? AND state IN ('running', 'halted')"  # noqa: S608 - constants of this module
_LAST_DONE = f"SELECT {_COLUMNS} FROM waves WHERE kind = ? AND state = 'done' ORDER BY wave DESC LIMIT 1"  # noqa: S608 - constants of this module
_NEWEST = f"SELECT {_COLUMNS} FROM waves WHERE kind = ? ORDER BY wave DESC LIMIT 1"  # noqa: S608 - constants of this module
_ALL = f"SELECT {_COLUMNS} FROM waves ORDER BY wave"  # noqa: S608 - constants of this module
_ADD = """
INSERT INTO waves (kind, name, version, former, sizes, stores, step, soak_ms, spread_ms, halt_after, state,
    started_at_ms, step_at_ms, changed_at_ms)
VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?, 'running', ?, ?, ?)
RETURNING wave
"""
_STEP = "UPDATE waves SET step = ?, step_at_ms = ?, changed_at_ms = ? WHERE wave = ?"
_STATE = "UPDATE waves SET state = ?, reason = ?, changed_at_ms = ? WHERE wave = ?"
_PARDON = "UPDATE waves SET pardoned_at_ms = ? WHERE wave = ?"
_JOIN = "INSERT INTO wave_tills (wave, till, step, at_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_TILL_COLUMNS = "till, step, outcome, code, problems, rejected, raised, at_ms"
_TILL = f"SELECT {_TILL_COLUMNS} FROM wave_tills WHERE wave = ? AND till = ?"  # noqa: S608 - constants of this module
_TILLS = f"SELECT {_TILL_COLUMNS} FROM wave_tills WHERE wave = ? ORDER BY step, till"  # noqa: S608 - constants of this module
_HAS = "SELECT 1 FROM wave_tills WHERE wave = ? AND till = ?"
_BEFORE = "UPDATE wave_tills SET problems = ?, rejected = ? WHERE wave = ? AND till = ?"
_OUTCOME = "UPDATE wave_tills SET outcome = ?, code = ?, raised = ?, at_ms = ? WHERE wave = ? AND till = ?"
_FAILED = "SELECT code, count(*) FROM wave_tills WHERE wave = ? AND outcome = 'failed' AND at_ms > ? GROUP BY code"
_RAISED = "SELECT raised FROM wave_tills WHERE wave = ? AND outcome = 'taken' AND raised != '' AND at_ms > ?"
_COUNTS = "SELECT step, outcome, count(*) FROM wave_tills WHERE wave = ? GROUP BY step, outcome"


def _row(values: tuple[object, ...] | None) -> WaveRow | None:
    if values is None:
        return None
    named = dict(zip(WaveRow.__struct_fields__, values, strict=True))
    for name in ("sizes", "stores"):
        named[name] = msgspec.json.decode(str(named[name]))
    return msgspec.convert(named, WaveRow)


def _till(values: tuple[object, ...] | None) -> WaveTill | None:
    if values is None:
        return None
    named = dict(zip(WaveTill.__struct_fields__, values, strict=True))
    for name in ("problems", "raised"):
        named[name] = tuple(str(named[name]).split())
    return msgspec.convert(named, WaveTill)


def open_wave(connection: sqlite3.Connection, kind: Kind) -> WaveRow | None:
    """The one that runs or was halted; None when nothing is under way."""
    return _row(connection.execute(_OPEN, (kind,)).fetchone())


def last_done(connection: sqlite3.Connection, kind: Kind) -> WaveRow | None:
    """The newest that reached every till."""
    return _row(connection.execute(_LAST_DONE, (kind,)).fetchone())


def newest(connection: sqlite3.Connection, kind: Kind) -> WaveRow | None:
    """The newest of its kind, whatever became of it."""
    return _row(connection.execute(_NEWEST, (kind,)).fetchone())


def all_waves(connection: sqlite3.Connection) -> list[WaveRow]:
    """Every wave, the oldest first."""
    return [row for values in connection.execute(_ALL) if (row := _row(values)) is not None]


def add(connection: sqlite3.Connection, row: WaveRow) -> WaveRow:
    """Begin a wave at its first step; its number is given here."""
    lists = (msgspec.json.encode(row.sizes).decode(), msgspec.json.encode(row.stores).decode())
    values = (
        *(row.kind, row.name, row.version, row.former, *lists, row.soak_ms, row.spread_ms, row.halt_after),
        *(row.started_at_ms, row.step_at_ms, row.changed_at_ms),
    )
    number = int(connection.execute(_ADD, values).fetchone()[0])
    return msgspec.structs.replace(row, wave=number)


def set_step(connection: sqlite3.Connection, wave: int, step: int, now_ms: int) -> None:
    """Open a further step."""
    connection.execute(_STEP, (step, now_ms, now_ms, wave))


def set_state(connection: sqlite3.Connection, wave: int, state: State, reason: str, now_ms: int) -> None:
    """Halt, resume, end."""
    connection.execute(_STATE, (state, reason, now_ms, wave))


def pardon(connection: sqlite3.Connection, wave: int, now_ms: int) -> None:
    """Count no failure up to now any more."""
    connection.execute(_PARDON, (now_ms, wave))


def join(connection: sqlite3.Connection, wave: int, till: str, step: int, now_ms: int) -> None:
    """Put a till into a wave; one that is in it stays as it is."""
    connection.execute(_JOIN, (wave, till, step, now_ms))


def has(connection: sqlite3.Connection, wave: int, till: str) -> bool:
    """Whether the till was put into the wave."""
    return connection.execute(_HAS, (wave, till)).fetchone() is not None


def till(connection: sqlite3.Connection, wave: int, till_id: str) -> WaveTill | None:
    """What became of a till in a wave."""
    return _till(connection.execute(_TILL, (wave, till_id)).fetchone())


def tills(connection: sqlite3.Connection, wave: int) -> list[WaveTill]:
    """All tills in a wave."""
    return [row for values in connection.execute(_TILLS, (wave,)) if (row := _till(values)) is not None]


def set_before(
    connection: sqlite3.Connection, wave: int, till_id: str, problems: tuple[str, ...], rejected: int
) -> None:
    """What the till had before the new version."""
    connection.execute(_BEFORE, (" ".join(problems), rejected, wave, till_id))


def set_outcome(
    connection: sqlite3.Connection,
    wave: int,
    till_id: str,
    outcome: Literal["", "taken", "failed"],
    code: str,
    raised: tuple[str, ...],
    now_ms: int,
) -> None:
    """What became of it; `raised` are problems that it has since."""
    connection.execute(_OUTCOME, (outcome, code, " ".join(raised), now_ms, wave, till_id))


def failures(connection: sqlite3.Connection, row: WaveRow) -> dict[str, int]:
    """How many tills failed since the wave was last resumed, by code."""
    return dict(connection.execute(_FAILED, (row.wave, row.pardoned_at_ms)).fetchall())


def raised(connection: sqlite3.Connection, row: WaveRow) -> dict[str, int]:
    """How many tills that took the version have a problem since, by code."""
    found: dict[str, int] = {}
    for (codes,) in connection.execute(_RAISED, (row.wave, row.pardoned_at_ms)):
        for code in codes.split():
            found[code] = found.get(code, 0) + 1
    return found


def counts(connection: sqlite3.Connection, wave: int) -> list[tuple[int, str, int]]:
    """(step, outcome, tills)."""
    return connection.execute(_COUNTS, (wave,)).fetchall()
