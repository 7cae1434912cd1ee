"""All jobs in their order, block by block."""

import sqlite3
from collections.abc import Callable
from typing import Protocol

from till_cloud.jobs import birthdays, lending, lots, tiers, usage, windows
from till_cloud.jobs.done import JobsDone
from till_cloud.registry import Registry

Transact = Callable[[Callable[[sqlite3.Connection], bool]], bool]
"""Runs a block in one transaction of the database, and answers what the block answers."""


class Job(Protocol):
    """One job of one run."""

    def block(self, connection: sqlite3.Connection) -> bool:
        """Do the next piece within the caller's transaction; whether there may be more. Undone: may come again."""
        ...

    def tell(self, done: JobsDone) -> None:
        """Add what was kept to the run's figures."""
        ...


def run_jobs(
    transact: Transact,
    *,
    registry: Registry,
    wall_ms: Callable[[], int],
    to_ms: int | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> JobsDone:
    """Do what is due by now, or by the moment `to_ms`; every movement is stamped with the time of `wall_ms`.

    Safe to stop, or to be killed, between any two blocks. An error of the database goes to the caller, after the blocks
    that were kept; the next run does the rest.
    """
    due_ms = wall_ms() if to_ms is None else to_ms
    jobs: tuple[Job, ...] = (
        # Points awake before they expire: those whose last day is over may have had their first one meanwhile.
        lots.Waking(due_ms, wall_ms),
        lots.Expiry(due_ms, wall_ms),
        tiers.TierPeriods(registry, due_ms, wall_ms),
        birthdays.Birthdays(registry, due_ms, wall_ms),
        usage.OldUsage(due_ms, wall_ms),
        lending.Lending(registry, wall_ms),
        windows.Windows(due_ms, wall_ms),
    )
    done = JobsDone()
    for job in jobs:
        while not stopping() and transact(job.block):
            pass
        job.tell(done)
    return done
