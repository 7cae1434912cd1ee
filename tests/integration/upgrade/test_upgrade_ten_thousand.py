"""A till that sold for a month with no line is upgraded: its ten thousand waiting ops are the same after it."""

from pathlib import Path

import pytest

from integration.upgrade.upgrade_kit import TILL, golden_cloud, lengthen, opened_journal, queue, unpack
from kit.loops import run
from till_cloud.centre import Centre
from till_cloud.verify import verify

WAITING = 10_000
ACKED = 14
VOIDS = 4


async def look(state_dir: Path) -> None:
    """Open, check every row, close."""
    async with opened_journal(state_dir) as journal:
        assert journal.figures.waiting == WAITING
        assert journal.report.reason == ""
        assert await journal.verify() == WAITING + ACKED


@pytest.mark.slow
def test_ten_thousand_waiting_ops_are_the_same_after_an_upgrade(tmp_path: Path) -> None:
    """Count and hash of the queue, and again after a second start."""
    state_dir = unpack("till", tmp_path / "state")
    lengthen(state_dir, WAITING)
    before = queue(state_dir / "journal.db")
    assert before[0] == WAITING
    for _ in range(2):
        run(look(state_dir))
        assert queue(state_dir / "journal.db") == before


@pytest.mark.slow
def test_ten_thousand_waiting_ops_go_out_whole(tmp_path: Path) -> None:
    """Into the upgraded cloud: each op once, with a verdict that the till has, and a ledger that adds up."""
    state_dir = unpack("till", tmp_path / "state")
    lengthen(state_dir, WAITING)
    centre = Centre(golden_cloud(tmp_path / "cloud"))

    async def drain() -> None:
        async with opened_journal(state_dir) as journal:
            while (batch := await journal.next_batch(max_ops=500, max_bytes=4_000_000, incarnation="")) is not None:
                answer = centre.push(TILL, batch).result()
                await journal.record(batch.epoch, answer.acked_seq, answer.results)
            assert journal.figures.waiting == 0

    try:
        run(drain())
        found = centre.read(
            lambda c: c.execute(
                "SELECT count(*), count(DISTINCT uid), max(seq) FROM ops WHERE till = ?", (TILL,)
            ).fetchone()
        )
        assert found == (WAITING + ACKED, WAITING + ACKED - VOIDS, WAITING + ACKED), "a void has the uid of its sale"
        assert centre.read(lambda c: c.execute("SELECT count(*) FROM ops WHERE status = 'rejected'").fetchone()) == (0,)
        checked = centre.read(verify)
        assert checked.holds, checked.breaches
    finally:
        centre.close()
    assert queue(state_dir / "journal.db")[0] == 0
