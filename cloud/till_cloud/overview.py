"""All tills of the chain at a glance: what each said last, and what of it somebody should look at."""

import sqlite3
from typing import Literal

from msgspec import Struct

from till_cloud.store import heartbeats, tills
from till_cloud.store.heartbeats import Finding, Kept
from till_cloud.store.tills import TillRow
from till_sync.heartbeat import HEARTBEAT_PAUSE_MS, UpdateStage

SILENT_MS = 3 * HEARTBEAT_PAUSE_MS
"""Two heartbeats may get lost; a till that sends none for as long is off or has no line."""

State = Literal["quarantined", "found", "silent", "not_ready", "problems", "never", "ok"]
"""The gravest that is so. `found`: its journal is not what it was. `never`: enrolled or not, it told nothing yet."""

STATES: tuple[State, ...] = ("quarantined", "found", "not_ready", "silent", "problems", "never", "ok")

_WELL = frozenset({"ready", "busy", "disabled", "opening"})


class TillState(Struct, frozen=True, kw_only=True):
    """One till. Times are the cloud's, 0: never; figures are those of the newest heartbeat."""

    till: str
    store: str
    state: State
    seen_at_ms: int
    """Newest of heartbeat and push."""
    heartbeat_at_ms: int = 0
    version: str = ""
    ready: bool = False
    waiting: int = 0
    oldest_waiting_ms: int = 0
    rejected: int = 0
    parked: int = 0
    problems: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    devices_down: tuple[str, ...] = ()
    clock_offset_ms: int | None = None
    disk_free_bytes: int = -1
    members_cached: int = 0
    cache_as_of_ms: int = 0
    prints_waiting: int = 0
    programme: str = ""
    programme_version: int = 0
    policy_version: int = 0
    policy_refused: int = 0
    update_stage: UpdateStage = "none"
    update_to: str = ""
    update_code: str = ""
    rollbacks: int = 0
    quarantined: str = ""


def overview(connection: sqlite3.Connection, now_ms: int) -> list[TillState]:
    """Every till, by store. A few hundred microseconds a hundred tills: not on an event loop."""
    beats = heartbeats.all_newest(connection)
    found: dict[str, list[Finding]] = {}
    for finding in heartbeats.findings(connection):
        found.setdefault(finding.till, []).append(finding)
    return [_state(row, beats.get(row.till), found.get(row.till, []), now_ms) for row in tills.all_tills(connection)]


def _state(row: TillRow, kept: Kept | None, found: list[Finding], now_ms: int) -> TillState:
    findings = tuple(sorted({each.code for each in found}))
    quarantined = row.quarantine_reason if row.quarantined_at_ms else ""
    if kept is None:
        state: State = "quarantined" if row.quarantined_at_ms else "found" if findings else "never"
        return TillState(
            till=row.till,
            store=row.store,
            state=state,
            seen_at_ms=row.seen_at_ms,
            findings=findings,
            quarantined=quarantined,
        )
    beat = kept.beat
    return TillState(
        till=row.till,
        store=row.store,
        state=_gravest(row, kept, findings, now_ms),
        seen_at_ms=max(row.seen_at_ms, kept.received_at_ms),
        heartbeat_at_ms=kept.received_at_ms,
        version=beat.version,
        ready=beat.ready,
        waiting=beat.waiting,
        oldest_waiting_ms=beat.oldest_waiting_ms,
        rejected=beat.rejected,
        parked=beat.parked,
        problems=beat.problems,
        findings=findings,
        devices_down=tuple([each.name for each in beat.devices if each.state not in _WELL]),
        clock_offset_ms=beat.clock_offset_ms,
        disk_free_bytes=beat.disk_free_bytes,
        members_cached=beat.members_cached,
        cache_as_of_ms=beat.cache_as_of_ms,
        prints_waiting=beat.prints_waiting,
        programme=beat.programme,
        programme_version=beat.programme_version,
        policy_version=beat.policy_version,
        policy_refused=beat.policy_refused,
        update_stage=beat.update.stage,
        update_to=beat.update.to_version,
        update_code=beat.update.code,
        rollbacks=beat.update.rollbacks,
        quarantined=quarantined,
    )


def _gravest(row: TillRow, kept: Kept, findings: tuple[str, ...], now_ms: int) -> State:
    if row.quarantined_at_ms:
        return "quarantined"
    if findings:
        return "found"
    if now_ms - kept.received_at_ms > SILENT_MS:
        return "silent"
    if not kept.beat.ready:
        return "not_ready"
    return "problems" if kept.beat.problems else "ok"
