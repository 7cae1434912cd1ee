"""The batch after the one under way, and verdicts that are stored in parts."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from kit.loops import run
from till_agent.exceptions import JournalCorrupt
from till_agent.journal import DiskJournal, journal, outbox
from till_agent.journal.session import Session
from till_sync.exceptions import HistoryConflict
from till_sync.ops import OpId
from till_sync.wire import OpResult, PushRequest
from unit.agent_stores.stores_kit import TILL, StepClock, draft, journal_in, once

INCARNATION = {"max_bytes": 10**7, "incarnation": "i-1"}


async def sold(store: DiskJournal, count: int) -> None:
    """So many sales more."""
    first = store.figures.last_seq + 1
    await asyncio.gather(*[store.commit(once(draft(f"s-{n}"))) for n in range(first, first + count)])


def applied(first: int, last: int) -> tuple[OpResult, ...]:
    """The cloud took them all."""
    return tuple([OpResult(seq=seq, status="applied") for seq in range(first, last + 1)])


def test_what_follows_is_what_would_be_read_after_the_answer(tmp_path: Path):
    """Ops, chain, fingerprints and what remains: byte for byte, whatever the sizes of batches."""

    async def work() -> None:
        async with journal_in(tmp_path, clock=StepClock()) as store:
            await sold(store, 130)
            under_way = await store.next_batch(max_ops=40, **INCARNATION)
            assert under_way is not None
            ahead = [await store.batch_after((1, 40), max_ops=most, **INCARNATION) for most in (1, 60, 1000)]
            tight = await store.batch_after((1, 40), max_ops=1000, max_bytes=1000, incarnation="i-1")
            await store.record(1, 40, applied(1, 40))
            for most, found in zip((1, 60, 1000), ahead, strict=True):
                later = await store.next_batch(max_ops=most, **INCARNATION)
                assert found == later
                assert found is not None
                assert found.prev_hash == under_way.head_hash
            assert tight == await store.next_batch(max_ops=1000, max_bytes=1000, incarnation="i-1")

    run(work())


def test_less_is_read_at_once_while_somebody_sells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A sale since the last batch: whoever comes next waits for less. What is read is the same."""
    limits: list[int] = []
    read_slice = outbox.read_slice

    def noted(session: Session, epoch: int, first_seq: int, limit: int) -> outbox.Slice | None:
        limits.append(limit)
        return read_slice(session, epoch, first_seq, limit)

    monkeypatch.setattr(outbox, "read_slice", noted)

    async def work() -> None:
        async with journal_in(tmp_path, clock=StepClock()) as store:
            await sold(store, 130)
            selling = await store.next_batch(max_ops=100, **INCARNATION)
            assert limits == [outbox.SLICE_OPS_SELLING] * 5
            limits.clear()
            at_rest = await store.next_batch(max_ops=100, **INCARNATION)
            assert limits == [outbox.SLICE_OPS] * 2
            limits.clear()
            await sold(store, 1)
            await store.batch_after((1, 100), max_ops=20, **INCARNATION)
            assert limits == [outbox.SLICE_OPS_SELLING]
            assert selling is not None
            assert at_rest is not None
            assert selling.ops == at_rest.ops

    run(work())


def test_nothing_follows_the_last_op_of_an_epoch(tmp_path: Path):
    """What waits in a newer one comes when the older is through."""

    async def work() -> None:
        async with journal_in(tmp_path) as store:
            await sold(store, 3)
            assert await store.batch_after((1, 3), max_ops=10, **INCARNATION) is None
            await store._writer.submit(lambda session: session.add_epoch(2, "salt-2", 1, "test"), writes=True)
            await store.commit(once(draft("of the newer")))
            await store.commit(once(draft("of the newer too")))
            assert await store.batch_after((1, 3), max_ops=10, **INCARNATION) is None
            before = await store.batch_after((1, 2), max_ops=10, **INCARNATION)
            assert before is not None
            assert ([op.seq for op in before.ops], before.remaining) == ([3], 2)

    run(work())


def test_a_changed_row_is_found_ahead_and_the_journal_stays_as_it_is(tmp_path: Path):
    """Only whoever comes to send it puts a damaged journal aside."""

    async def work() -> None:
        async with journal_in(tmp_path) as store:
            await sold(store, 4)

            def spoil(session: Session) -> None:
                session.connection.execute("DROP TRIGGER entries_never_change")
                session.connection.execute("UPDATE entries SET body = X'7B7D' WHERE uid = 's-3'")

            await store._writer.submit(spoil, writes=True)
            with pytest.raises(JournalCorrupt):
                await store.batch_after((1, 2), max_ops=10, **INCARNATION)
            assert (store.figures.epoch, store.figures.waiting) == (1, 4)

    run(work())


@pytest.fixture
def parts_of_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that few ops are many parts."""
    monkeypatch.setattr(journal, "VERDICTS_AT_ONCE", 10)


@pytest.mark.usefixtures("parts_of_ten")
def test_a_long_answer_is_stored_in_parts_and_a_sale_comes_between_them(tmp_path: Path):
    """All its verdicts are there in the end, and the sale did not wait for them."""

    async def work() -> None:
        async with journal_in(tmp_path) as store:
            count = 31
            await sold(store, count)
            recording = asyncio.ensure_future(store.record(1, count, applied(1, count)))
            await asyncio.sleep(0)
            await store.commit(once(draft("between")))
            assert not recording.done()
            await recording
            assert store.figures.acked_seq == count
            verdicts = await store.read(
                lambda reader: [reader.verdict(OpId(TILL, 1, seq)) is not None for seq in range(1, count + 2)]
            )
            assert verdicts == [True] * count + [False], "the sale's own is not there"

    run(work())


@pytest.mark.usefixtures("parts_of_ten")
def test_the_position_comes_with_the_last_part_and_the_same_answer_again_ends_it(tmp_path: Path):
    """A till that dies between two parts sends these ops again; first verdicts stay."""

    async def work() -> None:
        async with journal_in(tmp_path) as store:
            count = 20
            await sold(store, count)
            batch = await store.next_batch(max_ops=1000, **INCARNATION)
            recording = asyncio.ensure_future(store.record(1, count, applied(1, count)))
            await asyncio.sleep(0)
            recording.cancel()  # the first part is with the writer already
            await asyncio.gather(recording, return_exceptions=True)
            assert await store.read(lambda reader: reader.verdict(OpId(TILL, 1, 1))) is not None
            assert (store.figures.acked_seq, store.figures.waiting) == (0, count)
        async with journal_in(tmp_path) as store:
            again = await store.next_batch(max_ops=1000, **INCARNATION)
            assert _ops(again) == _ops(batch)
            duplicates = [OpResult(seq=seq, status="duplicate", first="applied") for seq in range(1, count + 1)]
            await store.record(1, count, tuple(duplicates))
            assert store.figures.waiting == 0
            first = await store.read(lambda reader: reader.verdict(OpId(TILL, 1, 1)))
            assert first is not None
            assert first.status == "applied"

    run(work())


@pytest.mark.usefixtures("parts_of_ten")
def test_a_long_answer_about_an_op_that_was_never_made_stores_nothing(tmp_path: Path):
    """Also where only its last part says so."""

    async def work() -> None:
        async with journal_in(tmp_path) as store:
            await sold(store, 2)
            results = (*[OpResult(seq=1, status="applied")] * 10, *applied(2, 3))
            with pytest.raises(HistoryConflict):
                await store.record(1, 2, results)
            assert await store.read(lambda reader: reader.verdict(OpId(TILL, 1, 1))) is None

    run(work())


def _ops(batch: PushRequest | None) -> list[bytes]:
    return [] if batch is None else [msgspec.json.encode(op) for op in batch.ops]
