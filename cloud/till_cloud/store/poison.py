"""Rejected operations that staff have to look at: those that our own code or the way here could not take, and marks."""

import sqlite3

from msgspec import Struct

from till_sync.ops import OpId


class RejectedRow(Struct, frozen=True):
    """A rejected op; `op` is `till:epoch:seq`. `reason`, `place` and `detail` say why, without personal data.

    `resolved_at_ms` 0: nobody has marked it as put right.
    """

    op: str
    kind: str
    uid: str
    code: str
    reason: str
    detail: str
    member_id: str
    received_at_ms: int
    resolved_at_ms: int
    resolved_by: str
    note: str


# One op that was rejected for what broke over it.
_ADD = "INSERT INTO poison (till, epoch, seq, reason, detail, at_ms) VALUES (?, ?, ?, ?, ?, ?)"

# How many came lately that nobody has looked at: of the chain, and of one till.
_LATELY = """
SELECT count(*), coalesce(sum(till = ?), 0) FROM poison WHERE at_ms > ? AND resolved_at_ms = 0
"""

# Rejected ops by their flags, which are few where ops are many.
_REJECTED = """
SELECT o.till || ':' || o.epoch || ':' || o.seq, o.kind, o.uid, o.code, coalesce(p.reason, ''), f.detail,
    o.member_id, o.received_at_ms, coalesce(p.resolved_at_ms, 0), coalesce(p.resolved_by, ''), coalesce(p.note, '')
FROM flags f JOIN ops o ON o.till = f.till AND o.epoch = f.epoch AND o.seq = f.seq AND o.code = f.code
LEFT JOIN poison p ON p.till = o.till AND p.epoch = o.epoch AND p.seq = o.seq
WHERE o.status = 'rejected' AND (:till = '' OR f.till = :till) AND (:all OR coalesce(p.resolved_at_ms, 0) = 0)
ORDER BY f.at_ms DESC, f.till, f.epoch, f.seq LIMIT :limit
"""
_ONE = """
SELECT o.till || ':' || o.epoch || ':' || o.seq, o.kind, o.uid, o.code, coalesce(p.reason, ''),
    coalesce((SELECT f.detail FROM flags f WHERE f.till = o.till AND f.epoch = o.epoch AND f.seq = o.seq
        AND f.code = o.code), ''),
    o.member_id, o.received_at_ms, coalesce(p.resolved_at_ms, 0), coalesce(p.resolved_by, ''), coalesce(p.note, ''),
    o.status, o.body
FROM ops o LEFT JOIN poison p ON p.till = o.till AND p.epoch = o.epoch AND p.seq = o.seq
WHERE o.till = ? AND o.epoch = ? AND o.seq = ?
"""

# The mark on any rejected op; the first one stays.
_RESOLVE = """
INSERT INTO poison (till, epoch, seq, reason, detail, at_ms, resolved_at_ms, resolved_by, note)
VALUES (?, ?, ?, ?, '', ?, ?, ?, ?)
ON CONFLICT (till, epoch, seq) DO UPDATE SET resolved_at_ms = excluded.resolved_at_ms,
    resolved_by = excluded.resolved_by, note = excluded.note WHERE poison.resolved_at_ms = 0
"""


def add(connection: sqlite3.Connection, op_id: OpId, *, reason: str, detail: str, now_ms: int) -> None:
    connection.execute(_ADD, (op_id.till, op_id.epoch, op_id.seq, reason, detail, now_ms))


def lately(connection: sqlite3.Connection, till: str, since_ms: int) -> tuple[int, int]:
    """(of the chain, of the till): poison and parked ops since a moment that nobody has marked."""
    chain, own = connection.execute(_LATELY, (till, since_ms)).fetchone()
    return int(chain), int(own)


def rejected(connection: sqlite3.Connection, *, till: str, everything: bool, limit: int) -> list[RejectedRow]:
    """The newest `limit` rejected ops, newest first; without `everything` only those that nobody has marked."""
    named = {"till": till, "all": everything, "limit": limit}
    return [RejectedRow(*row) for row in connection.execute(_REJECTED, named)]


def one(connection: sqlite3.Connection, op_id: OpId) -> tuple[RejectedRow, str, bytes] | None:
    """Any op with its verdict's status and its bytes as received; None when it never came."""
    row = connection.execute(_ONE, (op_id.till, op_id.epoch, op_id.seq)).fetchone()
    return None if row is None else (RejectedRow(*row[:-2]), str(row[-2]), bytes(row[-1]))


def resolve(connection: sqlite3.Connection, op_id: OpId, *, code: str, by: str, note: str, now_ms: int) -> bool:
    """Mark a rejected op as put right; False when it was marked before."""
    values = (op_id.till, op_id.epoch, op_id.seq, code, now_ms, now_ms, by, note)
    return connection.execute(_RESOLVE, values).rowcount > 0
