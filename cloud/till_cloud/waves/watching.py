"""What tills in a wave say of it, and when that halts it: in the transaction that keeps their heartbeat, so that no
till begins after the one whose word was enough.
"""

import logging
import sqlite3

from till_cloud import heartbeats
from till_cloud.store import waves as rows
from till_cloud.store.waves import WaveRow, WaveTill
from till_cloud.waves.choosing import in_wave, wanted_for
from till_cloud.waves.moving import halt
from till_sync.heartbeat import Heartbeat, Wanted

log = logging.getLogger(__name__)

BLAMED = {"programme": frozenset({"slip_template_failed"})}
"""Problems that a new version of that kind makes by itself: a till that has one since has failed."""

REFUSED_PERCENT = 5
REFUSED_LEAST = 3
"""Tills that could not take new programs (no room, no line): their own trouble until it is so many of the wave."""

RAISED_PERCENT = 10
RAISED_LEAST = 3
"""Tills with the same new problem since the new version. Somewhere a scanner is always unplugged."""

REJECTED_RISE = 2
"""Operations that the cloud rejected, of a till with a new programme, more than it had before."""

_KINDS: tuple[rows.Kind, ...] = ("code", "programme", "config")


def at_heartbeat(connection: sqlite3.Connection, till: str, now_ms: int) -> Wanted:
    """Take the newest heartbeat into account, then say what the till is to have. In the writer's transaction."""
    kept = heartbeats.newest(connection, till)
    if kept is not None:
        note(connection, till, kept.beat, now_ms)
    return wanted_for(connection, till, now_ms)


def note(connection: sqlite3.Connection, till: str, beat: Heartbeat, now_ms: int) -> None:
    """Keep what a heartbeat says of the waves that its till is in, and halt a wave that it speaks against."""
    for kind in _KINDS:
        row = rows.open_wave(connection, kind)
        if row is None or not in_wave(connection, row, till):
            continue
        if not rows.has(connection, row.wave, till):
            rows.join(connection, row.wave, till, row.step, now_ms)
        one = rows.till(connection, row.wave, till)
        if one is not None and _note_one(connection, row, one, beat, now_ms) and row.state == "running":
            reason = why_halt(connection, row)
            if reason:
                log.error("The wave of %s %s is halted: %s", row.kind, row.version, reason)
                halt(connection, row.kind, reason, now_ms)


def _note_one(connection: sqlite3.Connection, row: WaveRow, one: WaveTill, beat: Heartbeat, now_ms: int) -> bool:
    """Whether anything about this till changed."""
    code = _failure(row, one, beat)
    if code:
        if one.outcome == "failed":
            return False
        rows.set_outcome(connection, row.wave, one.till, "failed", code, (), now_ms)
        return True
    if not _has_it(row, beat):
        if one.outcome == "":
            rows.set_before(connection, row.wave, one.till, beat.problems, beat.rejected)
        return False
    if one.rejected < 0:
        rows.set_before(connection, row.wave, one.till, beat.problems, beat.rejected)
        one = rows.till(connection, row.wave, one.till) or one
    raised = tuple(sorted(set(beat.problems) - set(one.problems)))
    if one.outcome == "taken" and raised == one.raised:
        return False
    rows.set_outcome(connection, row.wave, one.till, "taken", "", raised, now_ms)
    return True


def _has_it(row: WaveRow, beat: Heartbeat) -> bool:
    if row.kind == "code":
        return _same(beat.version, row.version) and beat.update.stage not in ("switching", "proving")
    if row.kind == "config":
        return beat.policy_version == int(row.version)
    return (beat.programme, beat.programme_version) == (row.name, int(row.version))


def _failure(row: WaveRow, one: WaveTill, beat: Heartbeat) -> str:
    """Code of how this till failed with the version; "" when it did not."""
    if row.kind == "code":
        if _same(beat.update.to_version, row.version) and beat.update.at_ms and not _same(beat.version, row.version):
            if beat.update.stage == "rolled_back":
                return f"rolled_back:{beat.update.code}"[:80]
            # Halted in time, while it waited for a quiet moment: that speaks for the till, not against the version.
            if beat.update.stage == "refused" and beat.update.code != "halted":
                return f"refused:{beat.update.code}"[:80]
        return ""
    if row.kind == "config":
        return "policy_refused" if beat.policy_refused == int(row.version) else ""
    if not _has_it(row, beat):
        return ""
    blamed = (BLAMED["programme"] & set(beat.problems)) - set(one.problems)
    if blamed:
        return min(blamed)
    return "rejected_rise" if 0 <= one.rejected <= beat.rejected - REJECTED_RISE else ""


def _same(version: str, wanted: str) -> bool:
    """A till with cameras has `1.2.0+camera` where the wave says `1.2.0`."""
    return wanted in (version, version.partition("+")[0])


def why_halt(connection: sqlite3.Connection, row: WaveRow) -> str:
    """The reason that is enough to halt a wave; "" when there is none."""
    failed = rows.failures(connection, row)
    hard = {code: count for code, count in failed.items() if not code.startswith("refused:")}
    if sum(hard.values()) >= row.halt_after:
        return _most(hard, "failed")
    tills = sum(count for _, _, count in rows.counts(connection, row.wave))
    refused = {code: count for code, count in failed.items() if code.startswith("refused:")}
    if sum(refused.values()) >= max(REFUSED_LEAST, tills * REFUSED_PERCENT // 100):
        return _most(refused, "refused it")
    taken = sum(count for _, outcome, count in rows.counts(connection, row.wave) if outcome == "taken")
    raised = rows.raised(connection, row)
    enough = max(RAISED_LEAST, taken * RAISED_PERCENT // 100)
    risen = {code: count for code, count in raised.items() if count >= enough}
    return _most(risen, "have a problem since") if risen else ""


def _most(found: dict[str, int], what: str) -> str:
    code = max(found, key=lambda each: (found[each], each))
    return f"{sum(found.values())} tills {what}, most of them: {code}"
