"""Every state that a power cut can leave of the cloud's database holds every operation that it acknowledged, whole
batches only, and the day goes on from there. A kill at any system call is one of these states: all was written."""

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from faults import cloud_child
from faults.journal.journal_disk import TRACE_OPTIONS, Disk, put, read_trace
from faults.journal.journal_faults import environment, fresh_folder, needs_strace
from till_cloud.centre import Centre
from till_cloud.verify import verify
from till_sync.wire import PushRequest

pytestmark = [pytest.mark.faults, needs_strace]

SEED = 20_171_223
WAIT_S = 120
EVERY = 16
"""Of the states, so many are tried in the suite: each is a database that is opened, added up, and gone on with."""
BALANCES = "SELECT member_id, balance, earned, redeemed, reversed, debt FROM balances ORDER BY member_id"


def traced(folder: Path, mutant: str) -> None:
    """The day under strace."""
    strace = ["strace", "-f", "-qq", "-o", str(folder / "trace"), *TRACE_OPTIONS]
    child = [sys.executable, cloud_child.__file__, str(folder), *([mutant] if mutant else [])]
    subprocess.run([*strace, *child], check=True, capture_output=True, timeout=WAIT_S, env=environment())


def finished(database: Path, day: list[PushRequest]) -> tuple[list[tuple[str, ...]], list[tuple[int, ...]]]:
    """All verdicts and all balances after the whole day was sent, what is held already too."""
    centre = Centre(database)
    try:
        told = [tuple(each.first or each.status for each in centre.push("k1", push).result().results) for push in day]
        checked = centre.read(verify)
        assert checked.holds, checked.breaches
        return told, centre.read(lambda connection: connection.execute(BALANCES).fetchall())
    finally:
        centre.close()


def check(database: Path, said: list[str], day: list[PushRequest]) -> int:
    """What the cut left; AssertionError where something acknowledged is gone or half a batch is there."""
    acknowledged = max((int(line.split()[1]) for line in said if line.startswith("acked")), default=0)
    centre = Centre(database)
    try:
        stored = int(centre.read(lambda c: c.execute("SELECT acked_seq FROM tills").fetchone()[0]))
        rows = centre.read(lambda c: c.execute("SELECT count(*) FROM ops").fetchone()[0])
        checked = centre.read(verify)
        assert centre.read(lambda c: c.execute("PRAGMA quick_check").fetchone()[0]) == "ok"
    finally:
        centre.close()
    assert checked.holds, checked.breaches
    assert stored >= acknowledged, f"{acknowledged} were acknowledged, {stored} are there"
    assert stored == rows
    assert stored in {0, *(push.first_seq + len(push.ops) - 1 for push in day)}, "half a batch was kept"
    return stored


def bad_states(parent: Path, mutant: str = "", *, every: int = EVERY, enough: int = 10**6) -> tuple[int, int]:
    """(states tried, of these with something lost); ends at `enough` of the latter."""
    folder, wanted = fresh_folder(parent), fresh_folder(parent)
    traced(folder, mutant)
    day = cloud_child.found(wanted)
    expected = finished(wanted / cloud_child.DATABASE, day)
    draw, disk, tried, bad, number = random.Random(SEED), Disk(), 0, 0, 0
    for event in read_trace(folder / "trace", folder):
        disk.take(event)
        if cloud_child.READY not in disk.said:
            continue
        for state in disk.states(draw):
            number += 1
            if number % every:
                continue
            tried += 1
            target = fresh_folder(parent)
            put({path: content for path, content in state.items() if cloud_child.DATABASE in path}, folder, target)
            try:
                check(target / cloud_child.DATABASE, disk.said, day)
                assert finished(target / cloud_child.DATABASE, day) == expected
            except AssertionError:
                bad += 1
            shutil.rmtree(target)
            if bad >= enough:
                return tried, bad
    assert disk.said[-1] == "closed"
    return tried, bad


@pytest.mark.timeout(300)
@pytest.mark.parametrize("every", [EVERY, pytest.param(1, marks=(pytest.mark.soak, pytest.mark.timeout(0)))])
def test_no_power_cut_loses_what_the_cloud_acknowledged(tmp_path: Path, every: int) -> None:
    """Whatever of the unsynced writes came through."""
    tried, bad = bad_states(tmp_path, every=every)
    assert tried > 600 // every
    assert bad == 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "mutant", ["synchronous normal", pytest.param("acknowledges first", marks=pytest.mark.mutants)]
)
def test_a_cloud_that_does_not_sync_in_time_is_caught(tmp_path: Path, mutant: str) -> None:
    """The control: with the answer before the sync there are states with something lost."""
    _tried, bad = bad_states(tmp_path, mutant, enough=1)
    assert bad == 1
