"""Numbered steps from one schema to the next, and files that earlier versions left."""

import sqlite3
from pathlib import Path

import pytest
import sqlite_utils

from kit.loops import run
from till_agent.journal.migrations import STEPS, migrate, version_of
from till_agent.journal.schema import VERSION
from till_sync.ops import OpId
from till_sync.wire import OpResult
from unit.agent_stores.stores_kit import Identity, draft, journal_in, once

GOLDEN = Path(__file__).with_name("golden")


def connection_to(path: Path) -> sqlite3.Connection:
    """In autocommit mode, as the journal's."""
    return sqlite3.connect(path, isolation_level=None)


def one(connection: sqlite3.Connection) -> None:
    """Step 1 of the test's own schema."""
    connection.execute("CREATE TABLE sales (uid TEXT PRIMARY KEY, total TEXT)")


def two(connection: sqlite3.Connection) -> None:
    """Step 2 reshapes the table with sqlite-utils, as steps of ours may."""
    sqlite_utils.Database(connection)["sales"].transform(types={"total": int}, rename={"total": "total_minor"})


def three_fails(connection: sqlite3.Connection) -> None:
    """Step 3 gets half-way."""
    connection.execute("ALTER TABLE sales ADD COLUMN cashier TEXT")
    raise OSError("the disk went away")


def test_steps_run_once_and_in_order(tmp_path: Path):
    """A file goes from where it stands to the newest version, with its rows, and no further."""
    connection = connection_to(tmp_path / "f.db")
    assert migrate(connection, (one,)) == 0
    connection.execute("INSERT INTO sales VALUES ('u-1', '250')")
    assert migrate(connection, (one, two)) == 1
    assert migrate(connection, (one, two)) == 2
    assert connection.execute("SELECT uid, total_minor FROM sales").fetchall() == [("u-1", 250)]
    connection.close()


def test_a_step_that_fails_leaves_the_version_before_it(tmp_path: Path):
    """Neither half a step nor its number stays, and the same step can run later."""
    connection = connection_to(tmp_path / "f.db")
    migrate(connection, (one, two))
    with pytest.raises(OSError, match="went away"):
        migrate(connection, (one, two, three_fails))
    assert version_of(connection) == 2
    assert [columns[1] for columns in connection.execute("PRAGMA table_info(sales)")] == ["uid", "total_minor"]
    assert not connection.in_transaction
    connection.close()


def test_the_version_is_the_number_of_steps():
    """A step that is added without its number, or the other way round, is noticed here."""
    assert len(STEPS) == VERSION


def load(golden: Path, path: Path) -> None:
    """Make a journal file of a golden dump."""
    connection = sqlite3.connect(path)
    connection.executescript(golden.read_text())
    connection.close()


def schema_of(path: Path) -> list[tuple[str, str]]:
    """Every table, index and trigger, spaces aside."""
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    connection.close()
    return [(name, " ".join(sql.split())) for name, sql in found]


@pytest.mark.parametrize("golden", sorted(GOLDEN.glob("journal_v*.sql")), ids=lambda path: path.stem)
def test_a_journal_of_an_earlier_version_opens_with_all_it_held(tmp_path: Path, golden: Path):
    """Its chain fits, its queue and its verdicts are there, and it has the schema of a new one."""
    load(golden, tmp_path / "journal.db")

    async def work() -> None:
        async with journal_in(tmp_path, Identity(last_epoch=1)) as journal:
            assert journal.report.reason == ""
            assert await journal.verify() == 4
            assert (await journal.waiting(), journal.figures.acked_seq, journal.figures.adjusted) == (2, 2, 1)
            batch = await journal.next_batch(max_ops=10, max_bytes=10**6, incarnation="i")
            assert batch is not None
            assert [op.seq for op in batch.ops] == [3, 4]
            assert batch.salt == "5a17" * 8
            assert batch.head_hash == "3b340b767140930b66869c55498d34c12120782bcd9ad233f8f35c170db5c68d"
            assert await journal.read(lambda reader: reader.verdict(OpId("t-7", 1, 2))) == OpResult(
                seq=2, status="adjusted", code="limit", member_id="m-1", balance=42, effect_points=-50, position=5
            )
            assert journal.holds.unresolved() == []
            assert (await journal.commit(once(draft("s-4")))).entry.op_id.seq == 5

    run(work())
    (tmp_path / "new").mkdir()

    async def make_new() -> None:
        async with journal_in(tmp_path / "new"):
            pass

    run(make_new())
    assert schema_of(tmp_path / "journal.db") == schema_of(tmp_path / "new" / "journal.db")
