"""Heartbeats at the cloud: kept, held against the books, and answered with what the till is to have.

A till's journal only grows. So a heartbeat whose journal is shorter than an earlier one said, or than what had been
acknowledged by then, or that names another hash for the same row, tells of a journal that somebody cut or rewrote.
"""

import sqlite3
from collections.abc import Callable

from till_cloud.store import heartbeats as rows
from till_cloud.store.heartbeats import Kept, newest
from till_cloud.store.tills import TillRow
from till_sync.heartbeat import Heartbeat, HeartbeatAnswer, Wanted

__all__ = ["JOURNAL_CUT", "JOURNAL_OLD", "JOURNAL_REWRITTEN", "Arrivals", "newest", "nothing_wanted", "receive"]

JOURNAL_CUT = "journal_cut"
"""The journal is shorter than it was: rows at its end are gone."""
JOURNAL_REWRITTEN = "journal_rewritten"
"""A row that was there before has another hash: it, or one before it, was changed."""
JOURNAL_OLD = "journal_old"
"""The journal is of an earlier epoch than one that was told before: an old copy was put back."""

HASH_SHOWN = 12
"""Digits of a hash in a finding: enough to tell two apart."""

WantedFor = Callable[[sqlite3.Connection, str, int], Wanted]
"""What a till is to have by now: (connection, till, now_ms)."""


def nothing_wanted(_connection: sqlite3.Connection, _till: str, _now_ms: int) -> Wanted:
    """Where no waves roll: each till keeps what it has."""
    return Wanted()


class Arrivals:
    """Which heartbeat of a till is the newest: by the counter that the till signs its requests with, which only rises,
    whatever its clock does. In memory: what was signed before this process began is refused anyway."""

    def __init__(self) -> None:
        self._highest: dict[str, tuple[str, int]] = {}

    def is_late(self, till: TillRow, counter: int) -> bool | None:
        """Whether one that was signed with a higher number came before; None for a till that signs nothing yet."""
        if not till.public_key:
            return None
        key, highest = self._highest.get(till.till, ("", -1))
        # Another key is another enrolment, whose numbers begin anew.
        if key == till.public_key and counter < highest:
            return True
        self._highest[till.till] = (till.public_key, counter)
        return False


def receive(
    connection: sqlite3.Connection,
    till: TillRow,
    beat: Heartbeat,
    now_ms: int,
    *,
    wanted_for: WantedFor = nothing_wanted,
    is_late: bool | None = None,
) -> HeartbeatAnswer:
    """Keep a heartbeat, note what does not fit the books, say what the till is to have. In the writer's transaction.

    One that was held up on its way and overtaken is answered, and changes nothing. `is_late`: as `Arrivals` knows it.
    """
    before = newest(connection, till.till)
    late = _late(before, beat) if is_late is None else is_late
    if not late:
        _keep(connection, till, before, beat, now_ms)
    return HeartbeatAnswer(server_time_ms=now_ms, wanted=wanted_for(connection, till.till, now_ms))


def _keep(connection: sqlite3.Connection, till: TillRow, before: Kept | None, beat: Heartbeat, now_ms: int) -> None:
    found = compare(before, beat)
    if found is not None:
        rows.find(connection, till.till, *found, now_ms)
    kept = Kept(
        till=till.till,
        received_at_ms=now_ms,
        beat=beat,
        acked_epoch=till.epoch,
        acked_seq=till.acked_seq,
        acked_hash=till.head_hash,
    )
    rows.put(connection, kept)


def compare(before: Kept | None, beat: Heartbeat) -> tuple[str, str] | None:
    """(code, detail) of what can't be true of one journal that only grows; None when all may be.

    Held against what was known when the heartbeat before came, not against now: a push may have overtaken this one.
    """
    if before is None or not beat.epoch:
        return None
    known = [
        (before.beat.epoch, before.beat.head_seq, before.beat.head_hash),
        (before.acked_epoch, before.acked_seq, before.acked_hash),
    ]
    for epoch, seq, head in known:
        if beat.epoch < epoch:
            return JOURNAL_OLD, f"expected epoch {epoch} or later, not {beat.epoch}"
        if beat.epoch > epoch:
            continue
        if beat.head_seq < seq:
            return JOURNAL_CUT, f"expected at least {seq} rows of epoch {epoch}, not {beat.head_seq}"
        if beat.head_seq == seq and head and beat.head_hash and beat.head_hash != head:
            was, now = head[:HASH_SHOWN], beat.head_hash[:HASH_SHOWN]
            return JOURNAL_REWRITTEN, f"expected row {seq} of epoch {epoch} with hash {was}..., not {now}..."
    return None


def _late(before: Kept | None, beat: Heartbeat) -> bool:
    """Of a till that signs nothing: of the same start, and journal and clock both stood lower than in the last one
    that came. A clock alone may have been set back, and within one run no journal shrinks."""
    if before is None or before.beat.started_ms != beat.started_ms:
        return False
    was = before.beat
    return beat.at_ms < was.at_ms and (beat.epoch, beat.head_seq) < (was.epoch, was.head_seq)
