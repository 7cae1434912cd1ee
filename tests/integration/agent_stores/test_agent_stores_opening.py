"""Whatever is found in the journal's place, the till starts; and what was there is kept and told of."""

import asyncio
import json
import shutil
import sqlite3
from pathlib import Path

import msgspec
import pytest

from kit.loops import run
from till_agent.audit_trail import AUDIT_FILE, read
from till_agent.balances import OwnEffects
from till_agent.exceptions import JournalUnavailable
from till_agent.journal import EpochKeeper, JournalTooNew, Place, open_journal
from till_agent.journal.aside import DamageReport
from till_agent.journal.place import OpenReport
from till_agent.journal.verify import HEAD_ROWS, TAIL_ROWS, check_at_start
from till_agent.journal.witness import Mark, Witness
from till_sync.asking import HoldRequest
from unit.agent_stores.stores_kit import TILL, Identity, StepClock, draft, journal_in, once, place


def fill(folder: Path, identity: Identity, *numbers: int) -> None:
    """A journal with a sale for each number, closed."""

    async def work() -> None:
        async with journal_in(folder, identity) as journal:
            for number in numbers:
                await journal.commit(once(draft(f"s-{number}", points=5)))

    run(work())


def reopen(folder: Path, identity: Identity, **other: object) -> OpenReport:
    """Open, sell once, close; what opening found."""

    async def work() -> OpenReport:
        async with journal_in(folder, identity, **other) as journal:
            await journal.commit(once(draft("after")))
            await journal.verify()
            return journal.report

    return run(work())


def damage_of(report: OpenReport) -> DamageReport:
    """Of a report that must have one."""
    assert report.damage is not None
    return report.damage


def change(folder: Path, *statements: str) -> None:
    """Change the file behind the journal's back."""
    connection = sqlite3.connect(folder / "journal.db", isolation_level=None)
    connection.execute("DROP TRIGGER IF EXISTS entries_never_change")
    connection.execute("DROP TRIGGER IF EXISTS entries_never_go")
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_the_identity_is_raised_before_the_journal_is_made(tmp_path: Path):
    """When the identity can't be stored there is no journal either, and the next start begins anew."""
    made: list[bool] = []

    def refuse(_epoch: int) -> None:
        made.append(any(b"entries" in path.read_bytes() for path in tmp_path.iterdir()))
        raise OSError("read-only")

    async def work() -> None:
        broken = Place(path=tmp_path / "journal.db", till=TILL, keeper=EpochKeeper(0, refuse), clock=StepClock())
        with pytest.raises(JournalUnavailable, match="identity"):
            await open_journal(broken, OwnEffects())

    run(work())
    assert made == [False]
    identity = Identity()
    assert reopen(tmp_path, identity).reason == "new"
    assert identity.saves == [1]


def test_an_untouched_journal_goes_on_in_its_epoch(tmp_path: Path):
    """Nothing is raised, moved or reported; every row was checked."""
    identity = Identity()
    fill(tmp_path, identity, 1, 2, 3)
    report = reopen(tmp_path, identity)
    assert report == OpenReport(epoch=1, checked_rows=report.checked_rows, checked_all=True)
    assert identity.saves == [1]


@pytest.mark.parametrize("content", [b"", b"x"])
def test_an_empty_file_is_as_good_as_none(tmp_path: Path, content: bytes):
    """A crash right after the file was made leaves one; SQLite takes what is shorter than a header for empty."""
    (tmp_path / "journal.db").write_bytes(content)
    assert reopen(tmp_path, Identity()).reason == "new"


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"not a database" * 100, "damaged"), (b"SQLite format 3\0" + b"\xff" * 4096, "damaged")],
    ids=["text", "header only"],
)
def test_rubbish_is_moved_aside_with_a_report(tmp_path: Path, content: bytes, code: str):
    """Byte for byte, and a new epoch begins."""
    (tmp_path / "journal.db").write_bytes(content)
    identity = Identity(4)
    report = reopen(tmp_path, identity)
    assert (report.epoch, report.reason, identity.saves) == (5, code, [5])
    moved = tmp_path / damage_of(report).moved_to
    assert moved.read_bytes() == content
    assert moved.name.startswith("journal.db.damaged-2023")
    written = msgspec.json.decode(moved.with_name(moved.name + ".json").read_bytes(), type=DamageReport)
    assert written == report.damage
    assert reopen(tmp_path, identity).reason == ""


def test_a_foreign_database_is_moved_aside_whole(tmp_path: Path):
    """It is somebody's; it is not ours to write to."""
    connection = sqlite3.connect(tmp_path / "journal.db")
    connection.execute("CREATE TABLE photos (name TEXT)")
    connection.execute("INSERT INTO photos VALUES ('cat')")
    connection.commit()
    connection.close()
    report = reopen(tmp_path, Identity())
    assert damage_of(report).code == "foreign"
    connection = sqlite3.connect(tmp_path / damage_of(report).moved_to)
    assert connection.execute("SELECT name FROM photos").fetchall() == [("cat",)]
    connection.close()


def test_the_journal_of_another_till_is_moved_aside_with_its_queue_named(tmp_path: Path):
    """A disk that came from another till: what waits in it is in the report."""
    fill(tmp_path, Identity(), 1, 2)
    report = reopen(tmp_path, Identity(), till="t-8")
    damage = damage_of(report)
    assert (damage.code, damage.till, damage.waiting, damage.last_seq) == ("foreign", "t-7", 2, 2)
    assert [op.op for op in damage.waiting_ops] == ["t-7:1:1", "t-7:1:2"]
    assert damage.left_there == 2
    (line,) = read(tmp_path / AUDIT_FILE)[0]
    assert (line.what, line.facts["why"], line.facts["left_there"]) == ("journal_salvaged", "foreign", "2")


def test_a_folder_in_its_place_is_moved_aside(tmp_path: Path):
    """With what is in it."""
    (tmp_path / "journal.db").mkdir()
    (tmp_path / "journal.db" / "note").write_text("?")
    report = reopen(tmp_path, Identity())
    assert (tmp_path / damage_of(report).moved_to / "note").read_text() == "?"


def test_a_log_without_its_database_is_moved_aside(tmp_path: Path):
    """SQLite would delete it; it may hold the only copy of what was sold."""
    identity = Identity()
    fill(tmp_path, identity, 1)
    (tmp_path / "journal.db").unlink()
    (tmp_path / "journal.db-wal").write_bytes(b"frames")
    report = reopen(tmp_path, identity)
    assert report.reason == "foreign"
    assert (tmp_path / (damage_of(report).moved_to + "-wal")).read_bytes() == b"frames"
    assert report.epoch == 2


def test_a_journal_that_is_gone_begins_a_new_epoch(tmp_path: Path):
    """The ids of the lost one are never used again, even if the identity is an old copy too."""
    identity = Identity()
    fill(tmp_path, identity, 1, 2)
    (tmp_path / "journal.db").unlink()
    assert reopen(tmp_path, identity).reason == "missing"
    assert identity.last_epoch == 2
    (tmp_path / "journal.db").unlink()
    report = reopen(tmp_path, Identity(0))
    assert (report.reason, report.epoch) == ("missing", 3)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET body = x'00' WHERE uid = 's-2'",
        "UPDATE entries SET effect_points = 6 WHERE uid = 's-3'",
        "DELETE FROM entries WHERE uid = 's-1'",
        "UPDATE entries SET id = id + 7 WHERE uid = 's-3'",
        "UPDATE epochs SET salt = 'x' || substr(salt, 2)",
        "UPDATE epochs SET acked_seq = 9",
        "DELETE FROM epochs",
        "DROP TABLE verdicts",
        "DROP INDEX entries_by_uid",
    ],
)
def test_a_journal_that_was_tampered_with_is_moved_aside(tmp_path: Path, statement: str):
    """Its chain, its positions, its tables and indexes have to fit."""
    identity = Identity()
    fill(tmp_path, identity, 1, 2, 3)
    change(
        tmp_path, "UPDATE epochs SET salt = '0' || substr(salt, 2)" if "salt" in statement else "SELECT 1", statement
    )
    report = reopen(tmp_path, identity)
    assert report.reason in ("chain", "damaged", "foreign")
    assert report.epoch == 2
    assert (tmp_path / damage_of(report).moved_to).exists()


def test_the_report_names_what_waited_and_what_was_held(tmp_path: Path):
    """So that somebody can make it good."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await journal.holds.remember(
                HoldRequest(hold="h-1", till=TILL, sale_uid="s-9", member_id="m-1", points=5), 1
            )
            for number in (1, 2, 3):
                await journal.commit(once(draft(f"s-{number}", points=5)))
            await journal.record(1, 1, ())

    run(work())
    change(tmp_path, "UPDATE entries SET body = x'00' WHERE uid = 's-2'")
    damage = damage_of(reopen(tmp_path, Identity(1)))
    assert (damage.code, damage.first_bad_seq, damage.last_seq, damage.acked_seq) == ("chain", 2, 3, 1)
    assert (damage.till, damage.epoch, damage.waiting, damage.open_holds) == ("t-7", 1, 2, ("h-1",))
    assert [(op.op, op.uid, op.effect_points) for op in damage.waiting_ops] == [
        ("t-7:1:2", "s-2", 5),
        ("t-7:1:3", "s-3", 5),
    ]
    text = json.loads((tmp_path / (damage.moved_to + ".json")).read_text())
    assert text["waiting_ops"][0]["uid"] == "s-2"


def test_two_bad_files_in_one_second_are_both_kept(tmp_path: Path):
    """The second gets a name of its own."""
    for content in (b"first", b"second", b"third"):
        (tmp_path / "journal.db").write_bytes(content)
        (tmp_path / "journal.db-witness").unlink(missing_ok=True)
        reopen(tmp_path, Identity())
    kept = [path.read_bytes() for path in tmp_path.glob("journal.db.damaged-*Z*") if path.suffix != ".json"]
    assert sorted(kept) == [b"first", b"second", b"third"]


@pytest.mark.parametrize("wall", [-(10**18), 0, 10**18])
def test_an_absurd_wall_clock_does_not_stop_the_start(tmp_path: Path, wall: int):
    """The file is moved under some name."""
    (tmp_path / "journal.db").write_bytes(b"rubbish")
    clock = StepClock()
    clock.wall = wall
    assert reopen(tmp_path, Identity(), clock=clock).reason == "damaged"


def test_an_old_copy_put_back_begins_a_new_epoch_and_keeps_its_queue(tmp_path: Path):
    """Rows were sold and acknowledged after the copy was made: their ids are never given to others."""
    identity = Identity()
    fill(tmp_path, identity, 1, 2)
    shutil.copy(tmp_path / "journal.db", tmp_path / "copy")
    fill(tmp_path, identity, 3, 4, 5)
    shutil.copy(tmp_path / "copy", tmp_path / "journal.db")
    report = reopen(tmp_path, identity)
    assert (report.reason, report.rows_lost, report.epoch, report.damage) == ("gap", 3, 2, None)

    async def work() -> None:
        async with journal_in(tmp_path, identity) as journal:
            assert journal.report.reason == ""
            assert await journal.waiting() == 3
            assert (await journal.commit(once(draft("s-1")))).replayed

    run(work())


def test_a_crash_between_raising_the_identity_and_the_journal_only_skips_an_epoch(tmp_path: Path):
    """Epochs need not be gapless; they must never be used twice."""
    identity = Identity()
    fill(tmp_path, identity, 1)
    identity.save(2)
    report = reopen(tmp_path, identity)
    assert (report.reason, report.epoch, report.rows_lost) == ("restored", 3, 0)


def test_an_identity_that_is_an_old_copy_is_brought_up_to_the_journal(tmp_path: Path):
    """The journal knows better, and goes on."""
    fill(tmp_path, Identity(6), 1)
    identity = Identity(2)
    assert reopen(tmp_path, identity).reason == ""
    assert identity.saves == [7]


def test_a_journal_of_a_newer_program_is_left_alone(tmp_path: Path):
    """It is good: moving it aside would lose the queue for nothing."""
    identity = Identity()
    fill(tmp_path, identity, 1)
    connection = sqlite3.connect(tmp_path / "journal.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(JournalTooNew):
        reopen(tmp_path, identity)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal.db", "journal.db-witness"]


def test_a_folder_that_is_not_there_is_the_disks_fault(tmp_path: Path):
    """There is nowhere to make a journal: that is said, and nothing hangs."""
    with pytest.raises(JournalUnavailable):
        fill(tmp_path / "absent", Identity(), 1)


def test_a_foreign_mark_is_not_believed(tmp_path: Path):
    """A witness of another till says nothing of this journal."""
    identity = Identity()
    fill(tmp_path, identity, 1)
    witness = Witness(place(tmp_path).witness_path)
    witness.write(Mark("t-8", 1, 500))
    witness.close()
    assert reopen(tmp_path, identity).reason == ""


def test_start_checks_the_tail_and_the_queue_and_the_rest_while_there_is_time(tmp_path: Path):
    """A journal that is too large to check whole still shows damage where the next push and the last writes are."""
    identity = Identity()
    rows = TAIL_ROWS + HEAD_ROWS + 1_000

    async def make() -> None:
        async with journal_in(tmp_path, identity) as journal:
            for start in range(1, rows + 1, 200):
                await asyncio.gather(*(journal.commit(once(draft(f"s-{n}"))) for n in range(start, start + 200)))
            await journal.record(1, 500, ())

            def check(session, step_ms: int) -> tuple[int, bool]:
                ticks = iter(range(0, 10**9, step_ms))
                found = check_at_start(session.reader, lambda: next(ticks))
                return found.rows, found.complete

            whole, complete = await journal._writer.submit(lambda session: check(session, 1), writes=False)
            assert (whole >= rows, complete) == (True, True)
            some, complete = await journal._writer.submit(lambda session: check(session, 10_000), writes=False)
            assert (some, complete) == (TAIL_ROWS + HEAD_ROWS, False)

    run(make())
    change(tmp_path, "UPDATE entries SET body = x'00' WHERE uid = 's-501'")
    assert damage_of(reopen(tmp_path, identity)).first_bad_seq == 501


@pytest.mark.parametrize("column", ["epoch", "till", "salt", "made_wall_ms", "acked_seq", "at_wall_ms", "subject_key"])
def test_a_bit_in_the_name_of_a_column_stops_no_till(tmp_path: Path, column: str):
    """The schema stands in the file as text: a name that is another one is damage like any other."""
    identity = Identity()
    fill(tmp_path, identity, 1, 2, 3)
    path = tmp_path / "journal.db"
    content, name = path.read_bytes(), f"        {column} ".encode()
    assert name in content
    path.write_bytes(content.replace(name, name[:-2] + bytes([name[-2] ^ 2]) + name[-1:]))
    report = reopen(tmp_path, identity)
    assert report.reason
    assert (tmp_path / damage_of(report).moved_to).exists()
