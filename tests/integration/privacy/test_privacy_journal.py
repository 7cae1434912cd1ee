"""Old rows of the journal go, and everything that the journal promises holds without them."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace

from kit.loops import run
from kit.seeds import Seed, look
from till_agent.exceptions import JournalUnavailable
from till_agent.journal import DiskJournal, pruning, schema
from till_agent.journal.exceptions import UidForgotten
from till_agent.journal.wreck_marks import read_marks
from till_sync.exceptions import HistoryConflict
from till_sync.ops import OpId
from till_sync.wire import HelloAnswer, OpResult
from unit.agent_stores.stores_kit import TILL, Identity, StepClock, draft, journal_in, once

DAY_MS = 86_400_000
OLD_MS = 1_700_000_000_000
COUNT, ACKED, REFUSED, NEWEST = 250, 230, 37, 15


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "NEWEST_ROWS", NEWEST)


async def fill(journal: DiskJournal) -> None:
    """COUNT sales, of which the cloud has ACKED; it refused one."""
    await asyncio.gather(*(journal.commit(once(draft(f"secret-{n}-", points=n))) for n in range(1, COUNT + 1)))
    results = tuple(
        OpResult(seq=n, status="rejected" if n == REFUSED else "applied", member_id="m-1") for n in range(1, ACKED + 1)
    )
    await journal.record(1, ACKED, results)


def late(days: int = 91) -> StepClock:
    clock = StepClock()
    clock.wall = OLD_MS + days * DAY_MS
    return clock


def pruned(folder: Path, *, included: tuple[int, int] | None = (1, COUNT), days: int = 91, ask: int = 90) -> int:
    """A journal filled, and swept by a later run."""

    async def work() -> int:
        async with journal_in(folder) as journal:
            await fill(journal)
        async with journal_in(folder, Identity(1), clock=late(days)) as journal:
            journal._place = replace(journal._place, included=lambda: included)
            return await journal.prune(ask)

    return run(work())


def there(folder: Path) -> list[int]:
    async def work() -> list[int]:
        async with journal_in(folder, Identity(1)) as journal:
            found = [await journal.show(OpId(TILL, 1, n)) for n in range(1, COUNT + 1)]
            return [n for n, each in enumerate(found, 1) if each is not None]

    return run(work())


def test_what_nobody_needs_goes_and_the_rest_is_proven(tmp_path: Path) -> None:
    """The refused row, the cloud's position, what waits and the newest stay; the chain holds over each gap."""
    assert pruned(tmp_path) == ACKED - 2
    assert there(tmp_path) == [REFUSED, *range(ACKED, COUNT + 1)]

    async def work() -> None:
        async with journal_in(tmp_path, Identity(1)) as journal:
            assert journal.report.reason == ""
            assert await journal.verify() == COUNT - ACKED + 2
            batch = await journal.next_batch(max_ops=100, max_bytes=10**6, incarnation="i")
            assert batch is not None
            assert [op.seq for op in batch.ops] == list(range(ACKED + 1, COUNT + 1))
            assert (journal.figures.rejected, journal.figures.waiting) == (1, COUNT - ACKED)
            entry = (await journal.commit(once(draft("new-1")))).entry
            assert entry.op_id == OpId(TILL, 1, COUNT + 1)

    run(work())


def test_nothing_of_them_is_left_in_the_file(tmp_path: Path) -> None:
    """Neither in pages nor in the log, once the agent has stopped."""
    pruned(tmp_path)
    seeds = [Seed(str(n), f"secret-{n}-") for n in (1, 2, 200, ACKED - 1)]
    assert look([tmp_path], seeds) == []
    assert look([tmp_path], [Seed("kept", f"secret-{REFUSED}-")]) != []


def test_the_uid_of_a_row_that_went_is_never_sold_anew(tmp_path: Path) -> None:
    """A retry months later is refused, not a second sale; another kind or uid is not meant."""
    pruned(tmp_path)

    async def work() -> None:
        async with journal_in(tmp_path, Identity(1)) as journal:
            with pytest.raises(UidForgotten):
                await journal.commit(once(draft("secret-3-")))
            assert (await journal.commit(once(draft("secret-3-", kind="return")))).replayed is False
            assert (await journal.commit(once(draft(f"secret-{COUNT}-")))).replayed is True

    run(work())


def test_what_was_done_to_a_sale_stays_as_long_as_the_sale(tmp_path: Path) -> None:
    """The clock was ten years behind when goods came back: without the return's row they would come back twice."""
    years_ago = OLD_MS - 3_650 * DAY_MS
    away = draft("away", at_wall_ms=years_ago), draft("r-away", kind="return", about_uid="away", at_wall_ms=years_ago)
    stays = draft("kept"), draft("r-kept", kind="return", about_uid="kept", at_wall_ms=years_ago)

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            for each in (*away, *stays, *(draft(f"more-{n}") for n in range(NEWEST + 1))):
                await journal.commit(once(each))
            count = len(away + stays) + NEWEST + 1
            await journal.record(1, count, tuple(OpResult(seq=n, status="applied") for n in range(1, count + 1)))
        async with journal_in(tmp_path, Identity(1), clock=late(50)) as journal:
            journal._place = replace(journal._place, included=lambda: (1, count))
            assert await journal.prune(90) == len(away)
            assert await journal.read(lambda reader: [each.uid for each in reader.about("kept")]) == ["r-kept"]
            await journal.verify()

    run(work())


@pytest.mark.parametrize(
    ("included", "days", "ask", "count"),
    [
        (None, 91, 90, 0),
        ((1, 100), 91, 90, 98),
        ((1, COUNT), 89, 90, 0),
        ((1, COUNT), 29, 1, 0),
        ((1, COUNT), 31, 1, ACKED - 2),
        ((1, COUNT), 3_650, 90, ACKED - 2),
    ],
)
def test_only_what_is_old_acknowledged_and_in_every_balance_goes(
    tmp_path: Path, included: tuple[int, int] | None, days: int, ask: int, count: int
) -> None:
    """A cache that is behind needs the rows; under 30 days nothing goes whatever is asked; a clock years ahead takes
    nothing that waits."""
    assert pruned(tmp_path, included=included, days=days, ask=ask) == count


def hello(acked_seq: int, head_hash: str = "") -> HelloAnswer:
    return HelloAnswer(
        incarnation="i", till=TILL, store="s", epoch=1, acked_seq=acked_seq, head_hash=head_hash, server_time_ms=1
    )


def test_a_cloud_that_lost_more_than_is_kept_here_stops_the_line_and_not_the_till(tmp_path: Path) -> None:
    """Nothing is put aside and nothing sent: a person must find a newer backup."""
    pruned(tmp_path)

    async def work() -> None:
        async with journal_in(tmp_path, Identity(1)) as journal:
            head = await journal.read(lambda reader: reader.hash_of(1, ACKED).hex())
            with pytest.raises(HistoryConflict) as caught:
                await journal.reconcile(hello(100))
            assert caught.value.code == "history_pruned"
            with pytest.raises(HistoryConflict) as caught:
                await journal.reconcile(replace(hello(0), epoch=0))  # of a backup from before this journal began
            assert caught.value.code == "history_pruned"
            assert journal.figures.acked_seq == ACKED
            await journal.reconcile(hello(ACKED, head))
            assert journal.figures.waiting == COUNT - ACKED
            assert journal.figures.epoch == 1
            assert (await journal.commit(once(draft("after")))).replayed is False

    run(work())


def test_a_changed_bit_behind_a_gap_is_found(tmp_path: Path) -> None:
    """The hash of the row that went is what the next one is proven by."""
    import sqlite3

    pruned(tmp_path)
    connection = sqlite3.connect(tmp_path / "journal.db")
    connection.execute("UPDATE links SET row_hash = zeroblob(32)")
    connection.commit()
    connection.close()

    async def work() -> str:
        async with journal_in(tmp_path, Identity(1)) as journal:
            return journal.report.reason

    try:
        assert run(work()) == "chain"
    except JournalUnavailable:
        pytest.fail("a damaged journal must not keep the till from selling")


def test_marks_of_what_went_outlive_the_file(tmp_path: Path) -> None:
    """The journal is given up for damage: what it had let go of is not sold again as if it were new; no bad page but
    its own marks goes with them."""
    gone = pruned(tmp_path)
    path = tmp_path / "journal.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER entries_never_change")
        connection.execute("UPDATE entries SET effect_points = 7 WHERE uid = 'secret-240-'")

    async def work() -> int:
        async with journal_in(tmp_path, Identity(1)) as journal:
            report = journal.report
            assert report.damage is not None
            assert report.damage.salvage is not None
            with pytest.raises(UidForgotten):
                await journal.commit(once(draft("secret-12-")))
            assert await journal.verify()
            # Each has a gap before it, and nobody else has what was refused.
            assert await journal.show(OpId(TILL, 1, REFUSED)) is not None
            assert await journal.show(OpId(TILL, 1, ACKED)) is not None
            return report.damage.salvage.marks

    assert run(work()) == gone


def test_marks_around_a_bad_page_are_read(tmp_path: Path) -> None:
    """Of 20,000 marks only those of the page itself are lost, and of a view that has none nothing is."""
    path = tmp_path / "marks.db"
    step = 2**63 // 20_000
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(schema.CREATE_PRUNED)
        connection.execute("BEGIN")
        connection.executemany(schema.ADD_PRUNED, [(step * n,) for n in range(20_000)])
        connection.execute("COMMIT")
        leaves = connection.execute("PRAGMA page_count").fetchone()[0]
    content = bytearray(path.read_bytes())
    content[4096 * (leaves // 2) : 4096 * (leaves // 2 + 1)] = b"\xa5" * 4096
    path.write_bytes(bytes(content))
    found: list[tuple[int]] = []
    with contextlib.closing(sqlite3.connect(path)) as view:
        assert not read_marks(view, found.extend, (sqlite3.Error,), lambda: None)
    assert 20_000 - 3 * (20_000 // leaves) < len(set(found)) < 20_000
    with contextlib.closing(sqlite3.connect(":memory:")) as empty:
        assert read_marks(empty, found.extend, (sqlite3.Error,), lambda: None)
