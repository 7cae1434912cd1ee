"""What one till is to have, by the waves that reached it. Reads only: a few rows by their keys."""

import sqlite3

from till_cloud.store import programmes
from till_cloud.store import waves as rows
from till_cloud.store.waves import WaveRow
from till_sync.heartbeat import Wanted


def in_wave(connection: sqlite3.Connection, row: WaveRow, till: str) -> bool:
    """Whether a wave has reached a till. The last step of all tills reaches those too that are enrolled later."""
    return row.reaches_all or rows.has(connection, row.wave, till)


def wanted_for(connection: sqlite3.Connection, till: str, now_ms: int) -> Wanted:
    """What the till is to have now. Fields are empty where it keeps what it has."""
    del now_ms  # a step is opened by a person or the job; no version comes by the clock alone
    release, paused, spread_ms = _release(connection, till)
    return Wanted(release=release, policy_version=_policy(connection, till), paused=paused, spread_ms=spread_ms)


def _release(connection: sqlite3.Connection, till: str) -> tuple[str, bool, int]:
    row = rows.open_wave(connection, "code")
    if row is not None and in_wave(connection, row, till):
        # Halted: tills that have it keep it, if they like it; those that have not must not begin.
        return (row.version, False, row.spread_ms) if row.state == "running" else ("", True, 0)
    done = rows.last_done(connection, "code")
    return ("" if done is None else done.version), False, (0 if done is None else done.spread_ms)


def _policy(connection: sqlite3.Connection, till: str) -> int:
    row = rows.open_wave(connection, "config")
    if row is not None and row.state == "running" and in_wave(connection, row, till):
        return int(row.version)
    return 0


def held_back(connection: sqlite3.Connection, till: str) -> int:
    """The version of a config policy that this till must not have yet, or no more; 0: none."""
    row = rows.open_wave(connection, "config")
    if row is None or (row.state == "running" and in_wave(connection, row, till)):
        return 0
    return int(row.version)


def programme_key(connection: sqlite3.Connection, till: str) -> tuple[str, int] | None:
    """Id and number of the programme version that a till is to sell by; None when there is none.

    A halted wave gives all its tills the former version back: that takes no restart, and no receipt notices, since each
    is judged by the version that it was made with.
    """
    row = rows.open_wave(connection, "programme")
    if row is not None and row.state == "running" and in_wave(connection, row, till):
        return row.name, int(row.version)
    return programmes.active_key(connection)
