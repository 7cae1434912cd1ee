"""How far each regular job has come, as rows; and the calendar that the chain's days are counted by."""

import sqlite3
from datetime import date

from till_loyalty.days import day_end_ms, local_day

_DONE_TO = "SELECT done_to FROM jobs WHERE job = ?"
_SET = """
INSERT INTO jobs (job, done_to, at_ms) VALUES (?, ?, ?)
ON CONFLICT (job) DO UPDATE SET done_to = excluded.done_to, at_ms = excluded.at_ms
"""
_TIME_ZONES = "SELECT DISTINCT time_zone FROM stores ORDER BY time_zone"


def done_to(connection: sqlite3.Connection, job: str) -> str:
    """What the job has done last, in its own words; "" before it ever ran."""
    row = connection.execute(_DONE_TO, (job,)).fetchone()
    return "" if row is None else str(row[0])


def set_done(connection: sqlite3.Connection, job: str, done: str, now_ms: int) -> None:
    connection.execute(_SET, (job, done, now_ms))


def chain_day(connection: sqlite3.Connection, at_ms: int) -> tuple[date, str]:
    """The day that every store has reached at a moment, and the time zone of the last one to reach it."""
    return min((local_day(at_ms, zone), zone) for zone in _time_zones(connection))


def end_of_day_ms(connection: sqlite3.Connection, day: date) -> int:
    """The last moment of a day in the store where it ends last."""
    return max(day_end_ms(day, zone) for zone in _time_zones(connection)) - 1


def _time_zones(connection: sqlite3.Connection) -> list[str]:
    return [str(row[0]) for row in connection.execute(_TIME_ZONES)] or ["UTC"]
