"""A till that sold for a month with no line is upgraded: its ten thousand waiting ops are the same after it."""

import sqlite3
from pathlib import Path

import pytest

from integration.upgrade.upgrade_kit import TILL, golden_cloud, opened_journal, queue, run, unpack
from till_agent.journal.chain import FIRST, Row, row_hash
from till_agent.journal.schema import APPEND, row_id
from till_cloud.centre import Centre
from till_cloud.verify import verify
from till_loyalty.exceptions import invariant
from till_sync.ops import OpId

WAITING = 10_000
ACKED = 14
VOIDS = 4
COLUMNS = (
    "id, row_hash, at_wall_ms, effect_points, kind, uid, about_uid, subject_key, hold, request_digest, answer, body"
)


def long_queue(state_dir: Path) -> None:
    """Lengthen the golden journal by sales of its own, each with another uid, chained as 0.1.0 chained them.

    That the chain is made the same way is checked on the golden rows first.
    """
    connection = sqlite3.connect(state_dir / "journal.db", isolation_level=None)
    salt = connection.execute("SELECT salt FROM epochs").fetchone()[0]
    rows = connection.execute(f"SELECT {COLUMNS} FROM entries ORDER BY id").fetchall()
    head = FIRST
    for seq, (_id, stored, *columns) in enumerate(rows, start=1):
        head, _fingerprint = row_hash(head, OpId(TILL, 1, seq), salt, Row(*columns))
        invariant(head == stored, f"expected the chain of 0.1.0 at {seq}")
    sales = [Row(*row[2:]) for row in rows[ACKED:] if row[4] == "sale" and not row[8]]
    connection.execute("BEGIN")
    for seq in range(len(rows) + 1, ACKED + WAITING + 1):
        like = sales[seq % len(sales)]
        uid = f"long-{seq}"
        old, new = f'"uid":"{like.uid}"'.encode(), f'"uid":"{uid}"'.encode()
        row = Row(
            like.at_wall_ms + 1000 * seq,
            like.effect_points,
            like.kind,
            uid,
            like.about_uid,
            like.subject_key,
            like.hold,
            seq.to_bytes(32, "big"),
            like.answer.replace(old, new),
            like.body.replace(old, new),
        )
        head, _fingerprint = row_hash(head, OpId(TILL, 1, seq), salt, row)
        columns = (getattr(row, name) for name in row.__struct_fields__)
        connection.execute(APPEND, (row_id(1, seq), head, *columns))
    connection.execute("COMMIT")
    connection.close()
    mark = state_dir / "journal.db-witness"
    mark.unlink()  # it speaks of fewer rows, and a mark that is missing speaks of none


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
    long_queue(state_dir)
    before = queue(state_dir / "journal.db")
    assert before[0] == WAITING
    for _ in range(2):
        run(look(state_dir))
        assert queue(state_dir / "journal.db") == before


@pytest.mark.slow
def test_ten_thousand_waiting_ops_go_out_whole(tmp_path: Path) -> None:
    """Into the upgraded cloud: each op once, with a verdict that the till has, and a ledger that adds up."""
    state_dir = unpack("till", tmp_path / "state")
    long_queue(state_dir)
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
