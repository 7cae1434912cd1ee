"""A wave as people look at it."""

import sqlite3

from msgspec import Struct

from till_cloud.store import waves as rows
from till_cloud.store.waves import WaveRow, WaveTill


class StepView(Struct, frozen=True, kw_only=True):
    """Tills that were put in at one step, and what became of them."""

    step: int
    tills: int = 0
    taken: int = 0
    failed: int = 0
    waiting: int = 0


class WaveView(Struct, frozen=True, kw_only=True):
    """`failures`: tills that failed since the wave was last resumed, by code. `soak_left_ms`: of the step that is open.

    `raised`: tills that have a problem since they took the version, by code. `tills` only where they are asked for.
    """

    wave: WaveRow
    steps: tuple[StepView, ...]
    failures: dict[str, int]
    raised: dict[str, int]
    soak_left_ms: int
    tills: tuple[WaveTill, ...] = ()


def view(connection: sqlite3.Connection, row: WaveRow, now_ms: int, *, with_tills: bool = False) -> WaveView:
    """Counted now."""
    steps: dict[int, dict[str, int]] = {}
    for step, outcome, count in rows.counts(connection, row.wave):
        steps.setdefault(step, {})[outcome] = count
    return WaveView(
        wave=row,
        steps=tuple(
            StepView(
                step=step,
                tills=sum(found.values()),
                taken=found.get("taken", 0),
                failed=found.get("failed", 0),
                waiting=found.get("", 0),
            )
            for step, found in sorted(steps.items())
        ),
        failures=rows.failures(connection, row),
        raised=rows.raised(connection, row),
        soak_left_ms=max(0, row.step_at_ms + row.soak_ms - now_ms) if row.state == "running" else 0,
        tills=tuple(rows.tills(connection, row.wave)) if with_tills else (),
    )
