"""What tills said of themselves, as rows: the newest heartbeat of each, a day of its figures, and what was found."""

import sqlite3

import msgspec
from msgspec import Struct

from till_sync.heartbeat import Heartbeat

HEARTBEATS = """
CREATE TABLE heartbeats (
    till TEXT PRIMARY KEY,
    received_at_ms INTEGER NOT NULL,
    body BLOB NOT NULL,
    acked_epoch INTEGER NOT NULL,
    acked_seq INTEGER NOT NULL,
    acked_hash TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE heartbeat_history (
    till TEXT NOT NULL,
    received_at_ms INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    head_seq INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    oldest_waiting_ms INTEGER NOT NULL,
    ready INTEGER NOT NULL CHECK (ready IN (0, 1)),
    problems INTEGER NOT NULL,
    PRIMARY KEY (till, received_at_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE till_findings (
    till TEXT NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL,
    first_at_ms INTEGER NOT NULL,
    last_at_ms INTEGER NOT NULL,
    times INTEGER NOT NULL,
    settled_at_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (till, code, first_at_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX till_findings_open ON till_findings (till, code) WHERE settled_at_ms = 0;
"""

HISTORY_MS = 24 * 3_600_000
"""How far back the figures of a till go: a rate of what it sells wants a day."""
HISTORY_STEP_MS = 240_000
"""Between two rows of them: a till that says much is not kept more of. 360 rows a till, 800 tills take 20 MB."""

_decoder = msgspec.json.Decoder(Heartbeat)
_encode = msgspec.json.Encoder().encode


class Kept(Struct, frozen=True, kw_only=True):
    """A till's newest heartbeat. `acked_*`: what the cloud held of its journal when it came."""

    till: str
    received_at_ms: int
    beat: Heartbeat
    acked_epoch: int
    acked_seq: int
    acked_hash: str


class Point(Struct, frozen=True):
    """Figures of one moment of the last day."""

    received_at_ms: int
    epoch: int
    head_seq: int
    waiting: int
    oldest_waiting_ms: int
    ready: bool
    problems: int


class Finding(Struct, frozen=True):
    """Something that a till's word and the cloud's books do not both say. `settled_at_ms` 0: nobody looked yet."""

    till: str
    code: str
    detail: str
    first_at_ms: int
    last_at_ms: int
    times: int
    settled_at_ms: int


_NEWEST = "SELECT till, received_at_ms, body, acked_epoch, acked_seq, acked_hash FROM heartbeats WHERE till = ?"
_ALL = "SELECT till, received_at_ms, body, acked_epoch, acked_seq, acked_hash FROM heartbeats ORDER BY till"
_PUT = """
INSERT INTO heartbeats (till, received_at_ms, body, acked_epoch, acked_seq, acked_hash) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (till) DO UPDATE SET received_at_ms = excluded.received_at_ms, body = excluded.body,
    acked_epoch = excluded.acked_epoch, acked_seq = excluded.acked_seq, acked_hash = excluded.acked_hash
"""
_LAST_POINT = "SELECT max(received_at_ms) FROM heartbeat_history WHERE till = ?"
_ADD_POINT = "INSERT OR IGNORE INTO heartbeat_history VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
# Also what lies ahead: a cloud whose clock was set back must not keep rows of the future for ever.
_FORGET_POINTS = "DELETE FROM heartbeat_history WHERE till = ? AND (received_at_ms < ? OR received_at_ms > ?)"
_POINTS = """
SELECT received_at_ms, epoch, head_seq, waiting, oldest_waiting_ms, ready, problems
FROM heartbeat_history WHERE till = ? ORDER BY received_at_ms
"""
_FINDINGS = """
SELECT till, code, detail, first_at_ms, last_at_ms, times, settled_at_ms FROM till_findings
WHERE settled_at_ms = 0 ORDER BY till, first_at_ms
"""
_FIND_AGAIN = """
UPDATE till_findings SET last_at_ms = ?, times = times + 1, detail = ?
WHERE till = ? AND code = ? AND settled_at_ms = 0
"""
_FIND = """
INSERT OR IGNORE INTO till_findings (till, code, detail, first_at_ms, last_at_ms, times) VALUES (?, ?, ?, ?, ?, 1)
"""
_SETTLE = "UPDATE till_findings SET settled_at_ms = ? WHERE till = ? AND settled_at_ms = 0"


def newest(connection: sqlite3.Connection, till_id: str) -> Kept | None:
    """A till's newest heartbeat; None of one that never sent any that can be read."""
    row = connection.execute(_NEWEST, (till_id,)).fetchone()
    return None if row is None else _kept(row)


def all_newest(connection: sqlite3.Connection) -> dict[str, Kept]:
    """The newest heartbeat of every till that sent any that can be read."""
    return {kept.till: kept for row in connection.execute(_ALL) if (kept := _kept(row)) is not None}


def put(connection: sqlite3.Connection, kept: Kept) -> None:
    """Keep a heartbeat as the newest one, and its figures for a day."""
    beat, now_ms = kept.beat, kept.received_at_ms
    connection.execute(_PUT, (kept.till, now_ms, _encode(beat), kept.acked_epoch, kept.acked_seq, kept.acked_hash))
    last_ms = connection.execute(_LAST_POINT, (kept.till,)).fetchone()[0]
    if last_ms is not None and 0 <= now_ms - last_ms < HISTORY_STEP_MS:
        return
    connection.execute(_FORGET_POINTS, (kept.till, now_ms - HISTORY_MS, now_ms))
    point = (beat.epoch, beat.head_seq, beat.waiting, beat.oldest_waiting_ms, int(beat.ready), len(beat.problems))
    connection.execute(_ADD_POINT, (kept.till, now_ms, *point))


def history(connection: sqlite3.Connection, till_id: str) -> list[Point]:
    """A till's figures of the last day, oldest first."""
    return [
        Point(at_ms, epoch, head, waiting, oldest_ms, bool(ready), problems)
        for at_ms, epoch, head, waiting, oldest_ms, ready, problems in connection.execute(_POINTS, (till_id,))
    ]


def find(connection: sqlite3.Connection, till_id: str, code: str, detail: str, now_ms: int) -> None:
    """Note a finding; one of that code that nobody settled is found again."""
    if not connection.execute(_FIND_AGAIN, (now_ms, detail, till_id, code)).rowcount:
        connection.execute(_FIND, (till_id, code, detail, now_ms, now_ms))


def findings(connection: sqlite3.Connection) -> list[Finding]:
    """What nobody has settled yet, by till."""
    return [Finding(*row) for row in connection.execute(_FINDINGS)]


def settle(connection: sqlite3.Connection, till_id: str, now_ms: int) -> int:
    """Somebody has looked at a till's findings; how many there were."""
    return connection.execute(_SETTLE, (now_ms, till_id)).rowcount


def _kept(row: tuple[str, int, bytes, int, int, str]) -> Kept | None:
    """None for one that another version of this program kept and this one can't read: the next one takes its place, and
    one till must not keep all others from being shown."""
    till, received_at_ms, body, epoch, seq, head = row
    try:
        beat = _decoder.decode(body)
    except msgspec.DecodeError:
        return None
    return Kept(
        till=till,
        received_at_ms=received_at_ms,
        beat=beat,
        acked_epoch=epoch,
        acked_seq=seq,
        acked_hash=head,
    )
