"""`kill -9` of a process that sells without end: every acknowledged sale is there, once (invariant 1)."""

import functools
import os
import random
import signal
import time
from pathlib import Path

import pytest

from faults.journal.journal_child import draft_of, last_epoch, place_in
from faults.journal.journal_faults import CHILD, Zygote
from kit.loops import run
from till_agent.balances import OwnEffects
from till_agent.journal import open_journal

pytestmark = pytest.mark.faults

KILLS = 30
SEED = 9
LONGEST_LIFE_SECONDS = 0.05
"""From the journal's opening on; a commit takes about a millisecond, so that is some tens of transactions."""


def check(folder: Path, acknowledged: set[str]) -> int:
    """All of them are there, as they were sold, in one whole chain. Gives how many rows there are."""

    async def work() -> int:
        journal = await open_journal(place_in(folder), OwnEffects())
        try:
            assert (journal.report.reason, journal.report.damage) == ("", None)
            rows = await journal.verify()
            for uid in acknowledged:
                entry = await journal.read(functools.partial(lambda wanted, reader: reader.find("sale", wanted), uid))
                assert entry is not None, f"{uid} was acknowledged and is gone"
                assert entry.body == draft_of(uid).body
            entries = await journal.read(lambda reader: reader.recent(10**6))
            assert len({entry.uid for entry in entries}) == len(entries) == rows == journal.figures.last_seq
            return rows
        finally:
            assert await journal.stop()

    return run(work())


def test_nothing_acknowledged_is_lost_or_doubled_by_kills(tmp_path: Path):
    """Thirty times at a random moment, on one journal; each child first repeats what the last one had no answer to."""
    assert CHILD.exists()
    draw = random.Random(SEED)
    acknowledged: set[str] = set()
    zygote = Zygote(tmp_path)
    first = 0
    try:
        for _ in range(KILLS):
            child = zygote.start(first)
            assert zygote.line().startswith("open ")
            time.sleep(draw.random() * LONGEST_LIFE_SECONDS)
            os.kill(child, signal.SIGKILL)
            while (line := zygote.line()) != "gone":
                word, _, uid = line.partition(" ")
                assert word == "sold"
                acknowledged.add(uid)
                first = max(first, int(uid.removeprefix("k-")) - 2)
    finally:
        zygote.close()
    assert len(acknowledged) > KILLS
    rows = check(tmp_path, acknowledged)
    assert rows <= len(acknowledged) + 3 * KILLS
    assert last_epoch(tmp_path) == 1
