"""A disk that refuses while the agent runs: said to those who waited, and got over."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from kit.loops import run
from till_agent.balances import OwnEffects
from till_agent.exceptions import JournalCorrupt, JournalUnavailable
from till_agent.journal import DiskJournal
from till_agent.journal.session import Session
from till_sync.asking import HoldAnswer, HoldRequest
from till_sync.ops import OpId
from unit.agent_stores.stores_kit import TILL, Identity, draft, journal_in, once


class Refusing:
    """A connection whose next commit fails, before or after it was made; what is left of a failed sync is either."""

    def __init__(self, connection: sqlite3.Connection, *, done: bool, code: int = sqlite3.SQLITE_IOERR_FSYNC) -> None:
        self._connection = connection
        self._done = done
        self._code = code

    def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        """As the connection does, but for the commit."""
        if statement == "COMMIT":
            if self._done:
                self._connection.execute(statement)
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self._code
            raise error
        return self._connection.execute(statement, *values)

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


async def refuse_next(journal: DiskJournal, *, done: bool) -> None:
    """Put the refusing connection in place of the good one."""

    def put(session: Session) -> None:
        session.connection = Refusing(session.connection, done=done)

    await journal._writer.submit(put, writes=False)


@pytest.mark.parametrize("done", [True, False], ids=["it was written all the same", "it was not written"])
def test_a_refused_commit_is_neither_lost_nor_doubled(tmp_path: Path, done: bool):
    """The caller tries again with the same uid; whatever the disk had made of the first try, it counts once."""
    effects = OwnEffects()

    async def work() -> None:
        async with journal_in(tmp_path, effects=effects) as journal:
            await journal.commit(once(draft("s-1", points=1)))
            await refuse_next(journal, done=done)
            with pytest.raises(JournalUnavailable):
                await journal.commit(once(draft("s-2", points=10)))
            assert journal.figures.last_seq == 1
            await journal.commit(once(draft("s-3", points=100)))
            assert effects.effect(("m-1",), (0, 0)) == (111 if done else 101)
            again = await journal.commit(once(draft("s-2", points=10)))
            assert again.replayed == done
            assert effects.effect(("m-1",), (0, 0)) == 111
            assert journal.figures.last_seq == await journal.verify() == 3
            assert journal.report.reason == "new"

    run(work())


def test_all_that_shared_the_transaction_are_told(tmp_path: Path):
    """Each with an error of its own; none is answered as done, and a decision that failed keeps its own reason."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await journal.commit(once(draft("s-0")))
            await refuse_next(journal, done=False)
            answers = await asyncio.gather(
                *(journal.commit(once(draft(f"s-{n}"))) for n in range(1, 6)), return_exceptions=True
            )
            assert [type(answer) for answer in answers] == [JournalUnavailable] * 5
            assert len({id(answer) for answer in answers}) == 5
            assert (await journal.commit(once(draft("s-9")))).entry.op_id == OpId(TILL, 1, 2)

    run(work())


def test_a_hold_that_was_used_by_a_refused_commit_is_known_as_the_file_has_it(tmp_path: Path):
    """The sale is there after all, so its hold is used."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            hold = HoldRequest(hold="h-1", till=TILL, sale_uid="s-1", member_id="m-1", points=5)
            answer = HoldAnswer(hold="h-1", points=5, expires_at_ms=1, server_time_ms=1, balance=9, held=5, position=1)
            await journal.holds.remember(hold, 1)
            await journal.holds.granted(answer, 1)
            await refuse_next(journal, done=True)
            with pytest.raises(JournalUnavailable):
                await journal.commit(once(draft("s-1", hold="h-1")))
            assert journal.holds.for_member("m-1") == 5
            await journal.read(lambda reader: reader.next_op_id)
            assert journal.holds.for_member("m-1") == 0
            assert (await journal.commit(once(draft("s-1", hold="h-1")))).replayed

    run(work())


def test_a_disk_that_is_gone_is_asked_again_with_each_commit(tmp_path: Path):
    """Nothing is queued up for it meanwhile, and the first commit after its return goes through."""
    folder = tmp_path / "disk"
    folder.mkdir()
    unmounted = tmp_path / "unmounted"

    async def work() -> None:
        async with journal_in(folder) as journal:
            await journal.commit(once(draft("s-1")))
            await refuse_next(journal, done=False)
            folder.rename(unmounted)
            for _ in range(3):
                with pytest.raises(JournalUnavailable):
                    await journal.commit(once(draft("s-2")))
            with pytest.raises(JournalUnavailable):
                await journal.read(lambda reader: reader.recent(1))
            unmounted.rename(folder)
            assert (await journal.commit(once(draft("s-2")))).entry.op_id.seq == 2

    run(work())


def test_a_journal_that_breaks_while_it_is_used_is_replaced(tmp_path: Path):
    """Its structure is damaged: it is moved aside, a new epoch begins, and the store goes on selling."""
    identity = Identity()

    async def work() -> None:
        async with journal_in(tmp_path, identity) as journal:
            for n in range(40):
                await journal.commit(once(draft(f"s-{n}", points=1, body=b"x" * 3_000)))

            def spoil(session: Session) -> None:
                session.checkpoint()
                with (tmp_path / "journal.db").open("r+b") as file:
                    size = file.seek(0, 2)
                    file.seek(4096)
                    file.write(b"\xa5" * (size - 4096))
                raise sqlite3.OperationalError("disk I/O error")

            with pytest.raises(JournalUnavailable):
                await journal._writer.submit(spoil, writes=False)
            done = await journal.commit(once(draft("s-99")))
            assert done.entry.op_id == OpId(TILL, 2, 1)
            assert journal.report.damage is not None
            assert identity.last_epoch == 2
            assert (tmp_path / journal.report.damage.moved_to).exists()
            await journal.commit(once(draft("s-100")))
            assert journal.figures.epoch == 2

    run(work())


def test_structural_damage_met_by_a_read_is_called_damage(tmp_path: Path):
    """So that the push loop does not take it for a passing trouble."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:

            def meet(_session: Session) -> None:
                error = sqlite3.DatabaseError("database disk image is malformed")
                error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                raise error

            with pytest.raises(JournalCorrupt):
                await journal._writer.submit(meet, writes=False)
            await journal.commit(once(draft("s-1")))

    run(work())
