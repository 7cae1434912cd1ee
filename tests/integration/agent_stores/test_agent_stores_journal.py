"""The journal on real SQLite: commits, replays, failures, the queue, stopping."""

import asyncio
import contextlib
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from kit.loops import run
from till_agent.balances import OwnEffects
from till_agent.cli.files import JournalView
from till_agent.exceptions import JournalCorrupt, JournalUnavailable
from till_agent.journal import DiskJournal, EntryReader, JournalBusy, JournalInUse
from till_agent.journal.connect import LOG_BYTES
from till_agent.journal.open import open_session
from till_agent.journal.place import OpenReport
from till_agent.journal.session import Session
from till_agent.journal.witness import Witness
from till_agent.journal.writer import QUEUE_LIMIT, Writer
from till_agent.ports import Draft, Entry
from till_agent.queued import Queue
from till_loyalty.exceptions import InvariantError
from till_sync.ops import OpId
from till_sync.wire import OpResult
from unit.agent_stores.stores_kit import TILL, Identity, StepClock, draft, journal_in, once, place


def rows_in(folder: Path) -> list[tuple[str, str]]:
    """(kind, uid) of every row, read by SQLite alone."""
    with contextlib.closing(sqlite3.connect(folder / "journal.db")) as connection:
        return connection.execute("SELECT kind, uid FROM entries ORDER BY id").fetchall()


def test_a_commit_gives_the_next_op_and_keeps_every_byte(tmp_path: Path):
    """Ops count from 1, and the entry read back is the one that was written."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            first = await journal.commit(once(draft("s-1")))
            second = await journal.commit(once(draft("s-2", kind="return", about_uid="s-1")))
            assert (first.entry.op_id, first.replayed) == (OpId(TILL, 1, 1), False)
            assert second.entry.op_id == OpId(TILL, 1, 2)
            assert await journal.read(lambda reader: reader.find("sale", "s-1")) == first.entry
            assert await journal.read(lambda reader: reader.about("s-1")) == [second.entry]
            assert await journal.read(lambda reader: reader.recent(1)) == [second.entry]
            assert await journal.read(lambda reader: reader.next_op_id) == OpId(TILL, 1, 3)
            assert first.entry.answer == draft("s-1").answer

    run(work())
    assert rows_in(tmp_path) == [("sale", "s-1"), ("return", "s-2")]


def test_the_same_uid_again_gives_the_first_row(tmp_path: Path):
    """A replay writes nothing and costs no sync, after a restart too."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            first = await journal.commit(once(draft("s-1")))
        async with journal_in(tmp_path, Identity(1)) as journal:
            again = await journal.commit(once(draft("s-1", points=99)))
            assert again.replayed
            assert again.entry == first.entry

    run(work())
    assert len(rows_in(tmp_path)) == 1


def test_the_same_uid_twice_at_once_is_written_once(tmp_path: Path):
    """Both wait in one transaction; the second finds the first one's row, and both get the same entry."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            answers = await asyncio.gather(*(journal.commit(once(draft("s-1"))) for _ in range(10)))
            assert sum(not answer.replayed for answer in answers) == 1
            assert len({answer.entry.op_id for answer in answers}) == 1

    run(work())


def test_commits_that_wait_together_share_a_transaction(tmp_path: Path):
    """A hundred at once take a handful of syncs, not a hundred, and stay in the order of asking."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            before = journal.transactions
            answers = await asyncio.gather(*(journal.commit(once(draft(f"s-{n}"))) for n in range(100)))
            assert journal.transactions - before <= 10
            assert [answer.entry.op_id.seq for answer in answers] == list(range(1, 101))

    run(work())


def refuse(_reader: EntryReader) -> Draft:
    """A decision that fails."""
    raise LookupError("no such sale")


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (refuse, LookupError),
        (lambda _reader: draft("s-0"), sqlite3.IntegrityError),
        (lambda _reader: draft("s-9", body=object()), TypeError),
        (lambda _reader: draft("s-9", kind=None), AttributeError),
        (lambda _reader: "neither", InvariantError),
    ],
    ids=["a decision that fails", "uid already there", "body of another type", "no kind", "neither draft nor entry"],
)
def test_a_draft_that_can_not_be_written_fails_alone(tmp_path: Path, bad, error: type[Exception]):
    """What the caller did wrong is the caller's; the connection and the neighbours in the same transaction are well,
    and there is no gap in sequence."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await journal.commit(once(draft("s-0")))
            jobs = [journal.commit(once(draft("s-1"))), journal.commit(bad), journal.commit(once(draft("s-2")))]
            first, failed, second = await asyncio.gather(*jobs, return_exceptions=True)
            assert isinstance(failed, error)
            assert not isinstance(first, BaseException)
            assert not isinstance(second, BaseException)
            assert (first.entry.op_id.seq, second.entry.op_id.seq) == (2, 3)
            assert await journal.verify() == 3

    run(work())


def test_rows_can_be_neither_changed_nor_removed(tmp_path: Path):
    """SQLite itself refuses, whoever asks."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await journal.commit(once(draft("s-1")))

    run(work())
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        for statement in ("UPDATE entries SET effect_points = 9", "DELETE FROM entries"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)


def test_the_effect_is_known_before_the_caller_goes_on(tmp_path: Path):
    """Also when the caller was cancelled while the disk was at work."""

    async def work() -> None:
        effects = OwnEffects()
        async with journal_in(tmp_path, effects=effects) as journal:
            await journal.commit(once(draft("s-1", points=5)))
            assert effects.effect(("m-1",), (0, 0)) == 5
            task = asyncio.ensure_future(journal.commit(once(draft("s-2", points=7))))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await journal.commit(once(draft("s-3", points=1)))
            assert effects.effect(("m-1",), (0, 0)) == 13

    run(work())


def test_a_restart_counts_effects_after_the_floor(tmp_path: Path):
    """With no cache, the ops that wait; with one, the ops that not every cached balance includes."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            for n in range(1, 7):
                await journal.commit(once(draft(f"s-{n}", points=10**n)))
            await journal.record(1, 4, ())
        for floor, expected in ((None, 1_100_000), ((0, 0), 1_111_110), ((1, 2), 1_111_000), ((1, 6), 0)):
            effects = OwnEffects()
            async with journal_in(tmp_path, Identity(1), effects=effects, floor=floor):
                assert effects.effect(("m-1",), (0, 0)) == expected

    run(work())


def test_figures_follow_the_queue(tmp_path: Path):
    """Counts, the age of the oldest op, and the warning at 80 % of a limit."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            assert journal.figures.level(0) == "ok"
            assert journal.figures.oldest_waiting_wall_ms == 0
            for n in range(3):
                await journal.commit(once(draft(f"s-{n}", at_wall_ms=1000 + n)))
            await journal.record(1, 1, (OpResult(seq=1, status="adjusted"),))
            figures = journal.figures
            assert (figures.last_seq, figures.acked_seq, figures.waiting, figures.adjusted) == (3, 1, 2, 1)
            assert figures.oldest_waiting_wall_ms == 1001
            days = 24 * 3600 * 1000
            assert [figures.level(1001 + n * days) for n in (0, 23, 24, 30)] == ["ok", "ok", "warning", "over"]
            assert figures.level(0) == "ok"  # a wall clock that ran backwards
        async with journal_in(tmp_path, Identity(1)) as journal:
            assert journal.figures == figures

    run(work())


def test_ops_are_listed_from_the_oldest_waiting_one(tmp_path: Path):
    """With what the cloud said, and what it has not said yet."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            for n in range(1, 6):
                await journal.commit(once(draft(f"s-{n}")))
            await journal.record(
                1, 3, (OpResult(seq=1, status="applied"), OpResult(seq=3, status="rejected", code="x"))
            )
            assert [(op.op, op.status) for op in await journal.list_ops()] == [
                ("t-7:1:4", "waiting"),
                ("t-7:1:5", "waiting"),
            ]
            every = await journal.list_newest()
            assert [op.status for op in every] == ["waiting", "waiting", "rejected", "acknowledged", "applied"]
            assert await journal.list_newest(2) == every[:2]
            body = draft("s-3").body
            assert (every[2].op, every[2].uid, every[2].code, every[2].bytes) == ("t-7:1:3", "s-3", "x", len(body))
            assert await journal.show(OpId(TILL, 1, 3)) == (every[2], body)
            assert await journal.show(OpId(TILL, 1, 99)) is None
            assert await journal.show(OpId("t-8", 1, 1)) is None
            # Numbers beyond any op's: the first would make the key of op 3 itself, the second none that SQLite holds.
            assert await journal.show(OpId(TILL, 1, (1 << 40) + 3)) is None
            assert await journal.show(OpId(TILL, 9_999_999, 1)) is None

    run(work())


def test_what_waits_in_a_former_epoch_is_shown_so(tmp_path: Path):
    """After a journal was put aside its ops go on under their ids; the newest of all are listed, not of one epoch."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            for n in range(1, 4):
                await journal.commit(once(draft(f"s-{n}")))
            await journal.record(1, 1, ())
            await journal._writer.submit(lambda session: session.add_epoch(2, "salt-2", 1, "test"), writes=True)
            await journal.commit(once(draft("of the newer")))
            queue = Queue(journal, TILL)
            told = {"t-7:2:1": "waiting", "t-7:1:3": "waiting", "t-7:1:2": "waiting", "t-7:1:1": "acknowledged"}
            waiting, newest = await queue.listed(waiting_only=False, limit=10)
            assert (waiting, {op.op: op.status for op in newest}) == (3, told)
            assert [op.op for op in newest] == list(told)
            for op in newest:
                epoch, seq = map(int, op.op.split(":")[1:])
                found = await queue.one(seq, epoch)
                assert found is not None
                assert found[0] == op
            present = await queue.one(1, None)
            assert present is not None
            assert present[0].uid == "of the newer"
        with contextlib.closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
            reader = Session(connection, TILL, Witness(tmp_path / "none"), tmp_path / "journal.db").reader
            assert JournalView(reader, TILL, reader.epochs).listed(waiting_only=False, limit=10) == list(newest)

    run(work())


class StuckOpening:
    """Opens a session, and lets the writer thread work only when it is let go."""

    def __init__(self, folder: Path) -> None:
        self.place = place(folder)
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self) -> tuple[Session, OpenReport]:
        return open_session(self.place)

    def hold_up(self, _session: Session) -> None:
        """A read that takes as long as a disk that does not answer."""
        self.gate.wait(20)


def test_a_full_queue_says_so_and_recovers(tmp_path: Path):
    """More than the limit waiting is refused at once; what was taken is done once the disk answers."""

    async def work() -> None:
        opening = StuckOpening(tmp_path)
        writer = Writer(opening, on_opened=lambda _opened: None, on_figures=lambda _figures: None)
        await writer.start()
        opening.gate.clear()
        stuck = writer.submit(opening.hold_up, writes=False)
        while writer._jobs:
            await asyncio.sleep(0)
        taken = [
            writer.submit(lambda session: session.commit(once(draft("s-1"))), writes=True) for _ in range(QUEUE_LIMIT)
        ]
        with pytest.raises(JournalBusy):
            writer.submit(lambda session: session.commit(once(draft("s-2"))), writes=True)
        opening.gate.set()
        await asyncio.gather(stuck, *taken)
        await writer.submit(lambda session: session.commit(once(draft("s-2"))), writes=True)
        assert await writer.stop()

    run(work())
    assert rows_in(tmp_path) == [("sale", "s-1"), ("sale", "s-2")]


def test_stopping_writes_what_waits_and_refuses_what_comes(tmp_path: Path):
    """Nothing that was taken is dropped; the file is closed and its log is gone."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            waiting = [asyncio.ensure_future(journal.commit(once(draft(f"s-{n}")))) for n in range(20)]
            await asyncio.sleep(0)
            assert await journal.stop()
            assert len(await asyncio.gather(*waiting)) == 20
            with pytest.raises(JournalUnavailable, match="stopping"):
                await journal.commit(once(draft("late")))

    run(work())
    assert len(rows_in(tmp_path)) == 20
    assert not (tmp_path / "journal.db-wal").exists()


def test_stopping_does_not_wait_for_a_disk_that_is_stuck(tmp_path: Path):
    """The wait is bounded, and says that it was in vain."""

    async def work() -> None:
        opening = StuckOpening(tmp_path)
        writer = Writer(opening, on_opened=lambda _opened: None, on_figures=lambda _figures: None)
        await writer.start()
        opening.gate.clear()
        stuck = writer.submit(opening.hold_up, writes=False)
        assert not await writer.stop(wait_seconds=0.01)
        opening.gate.set()
        await stuck
        assert await writer.stop()

    run(work())


def test_a_second_agent_is_told_that_the_journal_is_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It does not take the file for a bad one, and moves nothing."""
    monkeypatch.setattr("till_agent.journal.connect.LOCK_WAIT_SECONDS", 0.05)

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await journal.commit(once(draft("s-1")))
            second = DiskJournal(place(tmp_path, Identity(1)), OwnEffects())
            with pytest.raises(JournalInUse):
                await second.start()
            await journal.commit(once(draft("s-2")))

    run(work())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal.db", "journal.db-witness"]


def test_a_row_that_was_changed_is_never_read_as_if_it_were_whole(tmp_path: Path):
    """Every way to read it says so; the rows around it are served."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            for n in range(1, 4):
                await journal.commit(once(draft(f"s-{n}", kind="return", about_uid="s-0")))

            def spoil(session: Session) -> None:
                session.connection.execute("DROP TRIGGER entries_never_change")
                session.connection.execute("UPDATE entries SET answer = x'00' WHERE uid = 's-2'")

            await journal._writer.submit(spoil, writes=True)
            assert await journal.read(lambda reader: reader.find("return", "s-1")) is not None
            assert await journal.read(lambda reader: reader.find("return", "s-3")) is not None
            for query in (
                lambda reader: reader.find("return", "s-2"),
                lambda reader: reader.about("s-0"),
                lambda reader: reader.recent(3),
                lambda reader: reader.by_op(OpId(TILL, 1, 2)),
            ):
                with pytest.raises(JournalCorrupt) as caught:
                    await journal.read(query)
                assert caught.value.seq == 2
            with pytest.raises(JournalCorrupt):
                await journal.verify()
            with pytest.raises(JournalCorrupt):
                await journal.commit(once(draft("s-2", kind="return")))
            with pytest.raises(JournalCorrupt):
                await journal.next_batch(max_ops=10, max_bytes=10**6, incarnation="i")

    run(work())


def test_reads_see_only_what_is_committed(tmp_path: Path):
    """A read sees each commit that was asked for before it; one asked for after it may be of the same group, or not."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:

            def find(reader: EntryReader) -> list[Entry]:
                return reader.recent(10)

            _, found, _ = await asyncio.gather(
                journal.commit(once(draft("s-1"))), journal.read(find), journal.commit(once(draft("s-2")))
            )
            assert {"s-1"} <= {entry.uid for entry in found} <= {"s-1", "s-2"}

    run(work())


def test_room_for_the_log_is_made_once_and_commits_do_not_lengthen_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """In the first pause; what a crash leaves of it is opened like any other log."""
    monkeypatch.setattr("till_agent.journal.writer.IDLE_SECONDS", 0.01)
    log = tmp_path / "journal.db-wal"

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await journal.commit(once(draft("s-0")))
            async with asyncio.timeout(10):
                while log.stat().st_size < LOG_BYTES:
                    await asyncio.sleep(0.005)
            size = log.stat().st_size
            for n in range(1, 50):
                await journal.commit(once(draft(f"s-{n}")))
            assert log.stat().st_size == size
            (tmp_path / "crashed").mkdir()
            for path in tmp_path.glob("journal.db*"):
                shutil.copy(path, tmp_path / "crashed")
        async with journal_in(tmp_path / "crashed", Identity(1)) as journal:
            assert (journal.report.reason, await journal.verify()) == ("", 50)

    run(work())


def test_a_disk_without_room_for_the_log_is_sold_on_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Room is a matter of speed; the log is left as it was."""
    # The writer must not find time for it before the disk is full.
    monkeypatch.setattr("till_agent.journal.writer.IDLE_SECONDS", 3_600)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await journal.commit(once(draft("s-0")))
            before = (tmp_path / "journal.db-wal").stat().st_size
            monkeypatch.setattr("till_agent.journal.connect.os.fsync", full)
            monkeypatch.setattr("till_agent.journal.writer.IDLE_SECONDS", 0.01)
            await journal._writer.submit(lambda _session: None, writes=False)
            async with asyncio.timeout(10):
                while "no room" not in caplog.text:
                    await asyncio.sleep(0.005)
            monkeypatch.undo()
            assert (tmp_path / "journal.db-wal").stat().st_size == before
            await journal.commit(once(draft("s-1")))

    run(work())


def test_the_log_is_copied_into_the_file_when_nothing_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Then it begins anew instead of growing, and no sale ever waits for it."""
    monkeypatch.setattr("till_agent.journal.writer.CHECKPOINT_BYTES", 200_000)
    monkeypatch.setattr("till_agent.journal.writer.IDLE_SECONDS", 0.01)

    async def work() -> None:
        async with journal_in(tmp_path, clock=StepClock()) as journal:
            largest = 0
            for round_number in range(6):
                for n in range(20):
                    await journal.commit(once(draft(f"s-{round_number}-{n}", body=b"x" * 5_000)))
                wanted = journal._writer.checkpoints + 1
                async with asyncio.timeout(10):
                    while journal._writer.checkpoints < wanted:
                        await asyncio.sleep(0.005)
                largest = max(largest, (tmp_path / "journal.db-wal").stat().st_size)
            assert largest < LOG_BYTES + 100_000
            assert (tmp_path / "journal.db").stat().st_size > 500_000
            assert await journal.verify() == 120

    run(work())
