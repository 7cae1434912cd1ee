"""Every state that a power cut can leave on the disk holds every op that was acknowledged (invariant 1)."""

import random
import shutil
from pathlib import Path

import pytest

from faults.journal.journal_disk import TRACE_OPTIONS, Disk, put, read_trace
from faults.journal.journal_faults import check_day, fresh_folder, needs_strace, traced_day

pytestmark = [pytest.mark.faults, needs_strace]

SEED = 20_171_223
STATES_LIMIT = 800
"""Enough for every call of the day with every kind of loss; a longer day would be sampled."""


def bad_states(parent: Path, mutant: str = "", enough: int = STATES_LIMIT) -> tuple[int, int]:
    """(states tried, states in which something acknowledged is gone or the journal is damaged); ends at `enough`."""
    folder = fresh_folder(parent)
    lines = traced_day(folder, *TRACE_OPTIONS, mutant=mutant)
    assert lines[-1] == "stopped"
    draw = random.Random(SEED)
    disk, tried, bad = Disk(), 0, 0
    witness = str(folder / "journal.db-witness")
    for event in read_trace(folder / "trace", folder):
        disk.take(event)
        for state in disk.states(draw):
            tried += 1
            assert tried <= STATES_LIMIT
            target = fresh_folder(parent)
            # The mark is never synced: either what was last written to it came through, or none of it.
            if disk.pending.get(witness) and draw.random() < 0.5:
                state[witness] = disk.pending[witness][-1].data or b""
            put(state, folder, target)
            try:
                check_day(target, disk.said)
            except AssertionError:
                bad += 1
            shutil.rmtree(target)
            if bad >= enough:
                return tried, bad
    return tried, bad


@pytest.mark.timeout(180)
def test_no_power_cut_loses_an_acknowledged_op(tmp_path: Path):
    """Whatever of the unsynced writes came through."""
    tried, bad = bad_states(tmp_path)
    assert tried > 200
    assert bad == 0


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "mutant",
    [
        "synchronous normal",
        pytest.param("synchronous off", marks=pytest.mark.mutants),
        pytest.param("ack before commit", marks=pytest.mark.mutants),
    ],
)
def test_a_journal_that_does_not_sync_in_time_is_caught(tmp_path: Path, mutant: str):
    """The control: without the sync, or with the answer before it, there are states with something lost."""
    _tried, bad = bad_states(tmp_path, mutant, enough=1)
    assert bad == 1
