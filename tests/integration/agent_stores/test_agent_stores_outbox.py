"""The journal as the push loop sees it."""

import hashlib
from pathlib import Path

import pytest

from kit.loops import run
from till_agent.balances import OwnEffects
from till_agent.exceptions import JournalCorrupt
from till_agent.journal import DiskJournal
from till_agent.journal.session import Session
from till_agent.journal.witness import Mark, Witness
from till_sync.exceptions import HistoryConflict
from till_sync.ops import PROTOCOL, OpId, fingerprint, protocol_of
from till_sync.wire import EpochEnd, HelloAnswer, OpResult, PushRequest
from unit.agent_stores.stores_kit import TILL, Identity, StepClock, draft, journal_in, once, place

ALL = {"max_ops": 1000, "max_bytes": 10**7, "incarnation": "i-1"}


async def sold(journal: DiskJournal, *numbers: int, points: int = 1) -> None:
    """One sale for each number, in order."""
    for number in numbers:
        await journal.commit(once(draft(f"s-{number}", points=points)))


async def batch_of(journal: DiskJournal, **limits: int) -> PushRequest:
    """The next batch, which must be there."""
    batch = await journal.next_batch(**(ALL | limits))
    assert batch is not None
    return batch


def hello(
    acked_seq: int, head_hash: str, *, epoch: int = 1, till: str = TILL, former: tuple[EpochEnd, ...] = ()
) -> HelloAnswer:
    """What the cloud holds of this till."""
    return HelloAnswer(
        former=former,
        incarnation="i-1",
        till=till,
        store="s",
        epoch=epoch,
        acked_seq=acked_seq,
        head_hash=head_hash,
        server_time_ms=1,
    )


def test_a_batch_has_the_ops_as_stored_and_the_chain_around_them(tmp_path: Path):
    """Fingerprints fit id, salt and body; heads of batches follow one another."""

    async def work() -> None:
        clock = StepClock()
        async with journal_in(tmp_path, clock=clock) as journal:
            assert await journal.next_batch(**ALL) is None
            await sold(journal, 1, 2, 3, 4)
            first = await batch_of(journal, max_ops=3)
            assert (first.protocol, first.epoch, first.incarnation) == (PROTOCOL, 1, "i-1")
            assert (first.first_seq, first.prev_hash, first.boot) == (1, "", clock.boot)
            assert (first.sent_wall_ms, first.sent_mono_ms) == (clock.wall, clock.mono)
            assert [bytes(op.body) for op in first.ops] == [draft(f"s-{n}").body for n in (1, 2, 3)]
            for op in first.ops:
                assert op.fingerprint == fingerprint(OpId(TILL, 1, op.seq), first.salt, bytes(op.body))
            await journal.record(1, 3, ())
            second = await batch_of(journal)
            assert (second.first_seq, second.prev_hash, len(second.ops)) == (4, first.head_hash, 1)
            assert second.salt == first.salt
            assert len(bytes.fromhex(second.head_hash)) == hashlib.sha256().digest_size
            await journal.record(1, 4, ())
            assert await journal.next_batch(**ALL) is None
            assert await journal.waiting() == 0

    run(work())


@pytest.mark.parametrize(("max_bytes", "expected"), [(1, 1), (1_500, 1), (2_400, 2), (3_600, 3), (10**6, 5)])
def test_a_batch_keeps_its_limits_but_always_has_an_op(tmp_path: Path, max_bytes: int, expected: int):
    """An op that is larger than the limit goes out by itself."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            for n in range(5):
                await journal.commit(once(draft(f"s-{n}", body=b"x" * 1_000)))
            assert len((await batch_of(journal, max_bytes=max_bytes)).ops) == expected
            assert len((await batch_of(journal, max_ops=2, max_bytes=max_bytes)).ops) == min(expected, 2)

    run(work())


def test_ops_of_a_later_protocol_begin_a_batch_of_it(tmp_path: Path):
    """A cloud that does not speak it takes what came before; what follows them is of no later one."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await sold(journal, 1, 2)
            for number, kind in ((3, "register"), (4, "sale"), (5, "attach-card"), (6, "sale")):
                await journal.commit(once(draft(f"s-{number}", kind=kind)))
            first = await batch_of(journal)
            assert (first.protocol, len(first.ops), first.remaining) == (PROTOCOL, 2, 4)
            await journal.record(1, 2, ())
            second = await batch_of(journal)
            assert (second.protocol, len(second.ops), second.prev_hash) == (protocol_of("register"), 4, first.head_hash)
            await journal.record(1, 5, ())
            assert (await batch_of(journal)).protocol == PROTOCOL

    run(work())


def test_a_large_batch_is_gathered_in_slices_without_a_seam(tmp_path: Path):
    """More ops than one turn of the writer reads, while others go on committing."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await sold(journal, *range(1, 251))
            batch = await batch_of(journal, max_ops=240)
            assert [op.seq for op in batch.ops] == list(range(1, 241))
            assert (await batch_of(journal, max_ops=1000)).head_hash != batch.head_hash
            await journal.record(1, 240, ())
            assert (await batch_of(journal)).prev_hash == batch.head_hash

    run(work())


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("body", b'{"kind":"sale","uid":"s-2 "}'),
        ("answer", b"{}"),
        ("uid", "s-x"),
        ("effect_points", 1000),
        ("at_wall_ms", 1),
        ("subject_key", "m-2"),
        ("row_hash", b"\0" * 32),
    ],
)
def test_a_changed_row_is_found_before_it_is_pushed(tmp_path: Path, column: str, value: object):
    """Whatever of it was changed, no batch that would hold it leaves the till; the ops before it can."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await sold(journal, 1, 2, 3)

            def spoil(session: Session) -> None:
                session.connection.execute("DROP TRIGGER entries_never_change")
                statement = f"UPDATE entries SET {column} = ? WHERE uid = 's-2'"
                session.connection.execute(statement, (value,))

            await journal._writer.submit(spoil, writes=True)
            with pytest.raises(JournalCorrupt) as caught:
                await journal.next_batch(**ALL)
            assert caught.value.seq == 2
            assert len((await batch_of(journal, max_ops=1)).ops) == 1

    run(work())


@pytest.mark.parametrize("uid", ["s-1", "s-2", "s-3"])
def test_a_row_that_is_gone_is_found_before_anything_is_pushed(tmp_path: Path, uid: str):
    """The first, one in the middle, or the last one."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await sold(journal, 1, 2, 3)

            def spoil(session: Session) -> None:
                session.connection.execute("DROP TRIGGER entries_never_go")
                session.connection.execute("DELETE FROM entries WHERE uid = ?", (uid,))

            await journal._writer.submit(spoil, writes=True)
            with pytest.raises(JournalCorrupt):
                await journal.next_batch(**ALL)

    run(work())


def test_the_first_verdict_stays(tmp_path: Path):
    """A later one, whatever it says, changes nothing; `duplicate` stands only where no verdict is known."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await sold(journal, 1, 2)
            first = OpResult(
                seq=1, status="adjusted", code="limit", member_id="m-1", balance=4, effect_points=4, position=7
            )
            await journal.record(1, 1, (first,))
            await journal.record(1, 1, (OpResult(seq=1, status="applied", balance=99),))
            await journal.record(1, 1, (OpResult(seq=1, status="duplicate", balance=98),))
            assert await journal.read(lambda reader: reader.verdict(OpId(TILL, 1, 1))) == first
            await journal.record(1, 2, (OpResult(seq=2, status="duplicate", balance=5),))
            await journal.record(1, 2, (OpResult(seq=2, status="rejected", code="late"),))
            await journal.record(1, 2, (OpResult(seq=2, status="duplicate", balance=6),))
            verdict = await journal.read(lambda reader: reader.verdict(OpId(TILL, 1, 2)))
            assert verdict == OpResult(seq=2, status="rejected", code="late")
            assert (journal.figures.adjusted, journal.figures.rejected) == (1, 1)

    run(work())


def test_the_acknowledged_position_never_goes_back_by_an_answer(tmp_path: Path):
    """An old answer that arrives late takes nothing back."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await sold(journal, 1, 2, 3)
            await journal.record(1, 3, ())
            await journal.record(1, 1, ())
            assert await journal.waiting() == 0

    run(work())


@pytest.mark.parametrize(("epoch", "acked", "seq"), [(1, 4, 1), (1, 1, 4), (2, 1, 1)], ids=["acked", "result", "epoch"])
def test_an_answer_about_ops_that_were_never_made_is_refused(tmp_path: Path, epoch: int, acked: int, seq: int):
    """And nothing of it is stored."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await sold(journal, 1, 2, 3)
            with pytest.raises(HistoryConflict):
                await journal.record(epoch, acked, (OpResult(seq=seq, status="applied"),))
            assert await journal.waiting() == 3
            assert await journal.read(lambda reader: reader.verdict(OpId(TILL, 1, 1))) is None

    run(work())


def test_verdicts_go_on_to_the_cache(tmp_path: Path):
    """After they are on the disk."""
    seen: list[tuple[int, tuple[OpResult, ...]]] = []

    class Verdicts:
        async def record_results(self, epoch: int, results: tuple[OpResult, ...]) -> None:
            seen.append((epoch, results))

    async def work() -> None:
        async with journal_in(tmp_path, verdicts=Verdicts()) as journal:
            await sold(journal, 1)
            await journal.record(1, 1, (OpResult(seq=1, status="applied"),))

    run(work())
    assert seen == [(1, (OpResult(seq=1, status="applied"),))]


def test_ops_whose_answer_was_lost_are_sent_again_for_their_verdicts(tmp_path: Path):
    """The cloud holds more than we knew, and its chain is ours: still each op wants its verdict, told as the first."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await sold(journal, 1, 2, 3)
            head = (await batch_of(journal, max_ops=2)).head_hash
            await journal.reconcile(hello(2, head))
            assert (await batch_of(journal)).first_seq == 1
            firsts = ("applied", "rejected")
            again = tuple(
                OpResult(seq=seq, status="duplicate", first=first) for seq, first in enumerate(firsts, start=1)
            )
            await journal.record(1, 2, again)
            assert (await batch_of(journal)).first_seq == 3
            verdicts = [await journal.read(lambda reader, n=n: reader.verdict(OpId(TILL, 1, n))) for n in (1, 2)]
            assert [verdict.status for verdict in verdicts if verdict] == ["applied", "rejected"]
            assert journal.figures.rejected == 1

    run(work())


def test_a_cloud_restored_from_a_backup_gets_again_what_it_lost(tmp_path: Path):
    """Its ops wait again and count as unconfirmed again; their verdicts stay what they were."""

    async def work() -> None:
        effects = OwnEffects()
        async with journal_in(tmp_path, effects=effects) as journal:
            await sold(journal, 1, 2, 3, points=10)
            head = (await batch_of(journal, max_ops=1)).head_hash
            results = tuple(OpResult(seq=n, status="applied", balance=n) for n in (1, 2, 3))
            await journal.record(1, 3, results)
            effects.forget((1, 3))
            assert effects.effect(("m-1",), (0, 0)) == 0
            await journal.reconcile(hello(1, head))
            assert await journal.waiting() == 2
            assert effects.effect(("m-1",), (1, 1)) == 20
            assert (await batch_of(journal)).first_seq == 2
            assert await journal.read(lambda reader: reader.verdict(OpId(TILL, 1, 3))) == results[2]
            await journal.reconcile(hello(0, "", epoch=0))
            assert await journal.waiting() == 3
            assert effects.effect(("m-1",), (0, 0)) == 30

    run(work())


@pytest.mark.parametrize(
    "answer",
    [
        hello(9, "00" * 32),
        hello(2, "00" * 32),
        hello(0, "", epoch=2),
        hello(0, "", till="t-8"),
    ],
    ids=["more than we made", "another chain", "a later epoch", "another till"],
)
def test_a_past_that_is_not_ours_is_a_conflict_and_changes_nothing(tmp_path: Path, answer: HelloAnswer):
    """A copied till, or an old copy of the journal: a person has to look; sales go on."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await sold(journal, 1, 2, 3)
            await journal.record(1, 1, ())
            with pytest.raises(HistoryConflict):
                await journal.reconcile(answer)
            assert await journal.waiting() == 2
            await sold(journal, 4)

    run(work())


def test_an_older_epoch_goes_out_whole_before_the_newer_one(tmp_path: Path):
    """Ops of both wait after rows were lost; sequence and chain are each epoch's own."""

    async def work() -> None:
        identity = Identity()
        async with journal_in(tmp_path, identity) as journal:
            await sold(journal, 1, 2)
        identity.save(4)
        effects = OwnEffects()
        async with journal_in(tmp_path, identity, effects=effects) as journal:
            assert (journal.report.reason, journal.figures.epoch) == ("restored", 5)
            await sold(journal, 3)
            assert effects.effect(("m-1",), (0, 0)) == 3
            assert await journal.waiting() == 3
            old = await batch_of(journal)
            assert (old.epoch, [op.seq for op in old.ops]) == (1, [1, 2])
            await journal.record(1, 2, ())
            new = await batch_of(journal)
            assert (new.epoch, new.first_seq, new.prev_hash) == (5, 1, "")
            assert new.salt != old.salt
            with pytest.raises(HistoryConflict):
                await journal.reconcile(hello(0, "", epoch=6))
            await journal.record(5, 1, ())
            assert await journal.waiting() == 0
            await journal.reconcile(hello(2, old.head_hash, epoch=1))
            assert await journal.waiting() == 1
            assert (await journal.commit(once(draft("s-1")))).replayed

    run(work())


def test_a_cloud_that_is_past_an_epoch_with_ops_waiting_is_a_conflict(tmp_path: Path):
    """It would refuse them as stale: they must not be skipped without a word."""

    async def work() -> None:
        identity = Identity()
        async with journal_in(tmp_path, identity) as journal:
            await sold(journal, 1, 2)
        identity.save(2)
        async with journal_in(tmp_path, identity) as journal:
            with pytest.raises(HistoryConflict, match="2 ops waiting"):
                await journal.reconcile(hello(0, "", epoch=3))

    run(work())


@pytest.mark.parametrize(
    ("last", "is_ours", "through"), [(3, True, True), (4, False, True), (2, True, False), (3, False, False)]
)
def test_what_waits_again_of_an_epoch_that_the_cloud_is_past_is_through_where_it_holds_all_of_it(
    tmp_path: Path, last: int, is_ours: bool, through: bool
) -> None:
    """It was restored from an old backup, and then from a newer one: 1:2 and 1:3 wait again, and can't be sent."""

    async def work() -> None:
        identity = Identity()
        async with journal_in(tmp_path, identity) as journal:
            await sold(journal, 1, 2, 3)
            first, batch = await batch_of(journal, max_ops=1), await batch_of(journal)
            await journal.record(1, 3, ())
        identity.save(2)
        async with journal_in(tmp_path, identity) as journal:
            await sold(journal, 4)
            await journal.reconcile(hello(1, first.head_hash))
            assert (await journal.waiting(), (await batch_of(journal)).first_seq) == (3, 2)
            mark = batch.ops[min(last, 3) - 1].fingerprint if is_ours else "ab" * 32
            newer = hello(0, "", epoch=3, former=(EpochEnd(epoch=1, seq=last, fingerprint=mark),))
            if through:
                await journal.reconcile(newer)
                assert (await batch_of(journal)).epoch == 3
            else:
                with pytest.raises(HistoryConflict, match="2 ops waiting"):
                    await journal.reconcile(newer)

    run(work())


def test_a_cloud_that_holds_rows_we_lost_closes_that_epoch(tmp_path: Path):
    """The epoch that was given up when rows were found missing is through: the cloud has all of it and more."""

    async def work() -> None:
        identity = Identity()
        async with journal_in(tmp_path, identity) as journal:
            await sold(journal, 1, 2)
        witness = Witness(place(tmp_path).witness_path)
        witness.write(Mark(TILL, 1, 9))
        witness.close()
        async with journal_in(tmp_path, identity) as journal:
            assert (journal.report.reason, journal.report.rows_lost, journal.figures.epoch) == ("gap", 7, 2)
            await sold(journal, 3)
            await journal.reconcile(hello(9, "aa" * 32, epoch=1))
            assert await journal.waiting() == 1
            assert (await batch_of(journal)).epoch == 2

    run(work())


def test_a_batch_says_how_many_ops_wait_behind_it(tmp_path: Path):
    """Only a batch with nothing behind it lets the cloud give forgotten holds back."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await sold(journal, 1, 2, 3)
            assert [(await batch_of(journal, max_ops=size)).remaining for size in (1, 2, 3)] == [2, 1, 0]
            await journal.record(1, 2, ())
            assert (await batch_of(journal)).remaining == 0

    run(work())
