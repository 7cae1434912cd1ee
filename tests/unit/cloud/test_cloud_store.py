"""The database file: every earlier schema, one writer, many readers, other processes, other people's files."""

import sqlite3
import threading
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlite_utils

from till_cloud.centre import Centre
from till_cloud.exceptions import StoreFormatError, StoreUnavailableError
from till_cloud.store import meta, migrations
from till_cloud.store.connection import APPLICATION_ID, SCHEMA_VERSION, Gate, check_format, open_reader, open_writer
from till_cloud.store.readers import Readers
from till_cloud.store.writer import Writer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "c.db"


def made_at(path: Path, version: int) -> None:
    """A database as version `version` of the schema left it."""
    names = [migration.name for migration in migrations.migrations._migrations]
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        stop = names[version] if version < len(names) else None
        migrations.migrations.apply(sqlite_utils.Database(connection), stop_before=stop)
        connection.execute(f"PRAGMA user_version={version}")
    connection.close()


def schema(path: Path) -> list[tuple]:
    connection = sqlite3.connect(path)
    found = connection.execute(
        "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE '%migrations%' ORDER BY type, name"
    ).fetchall()
    connection.close()
    return found


def test_the_schemas_number_is_the_count_of_migrations() -> None:
    assert len(migrations.migrations._migrations) == SCHEMA_VERSION


@pytest.mark.parametrize("version", range(SCHEMA_VERSION + 1))
def test_every_earlier_schema_becomes_todays(tmp_path: Path, version: int) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    made_at(old, version)
    for path in (old, new):
        Writer(path).close()
    assert schema(old) == schema(new)
    connection = sqlite3.connect(old)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    connection.close()


def test_a_long_upgrade_says_that_it_goes_on(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Every five seconds, by the copy for the way back and by the statements; a short one says nothing."""
    made_at(path, 7)
    Writer(path).close()
    assert "is being brought" not in caplog.text
    made_at(short := path.with_name("d.db"), 7)
    clock = iter(range(0, 10**6, 3))
    monkeypatch.setattr("till_cloud.store.connection.time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr("till_cloud.store.connection.STEPS_BETWEEN", 50)
    Writer(short).close()
    told = [record.getMessage() for record in caplog.records if "is being brought" in record.getMessage()]
    assert told[:2] == [f"{short} is being brought up to date, for {seconds} s so far" for seconds in (6, 12)]


def test_opening_again_changes_nothing(path: Path) -> None:
    first = Centre(path)
    incarnation, key = first.quick(meta.incarnation), first.quick(meta.identifier_key)
    first.close()
    again = Centre(path)
    assert (again.quick(meta.incarnation), again.quick(meta.identifier_key)) == (incarnation, key)
    again.close()


def test_the_connection_is_durable_and_strict(path: Path) -> None:
    connection = open_writer(path)
    pragmas = [
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")
    ]
    assert pragmas == ["wal", 2, 1]
    connection.close()


def test_a_later_schema_is_not_touched(path: Path) -> None:
    Writer(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=999")
    connection.close()
    with pytest.raises(StoreFormatError, match="later Tillside"):
        Writer(path)
    reader = open_reader(path)
    with pytest.raises(StoreFormatError):
        check_format(reader, path)
    reader.close()


def test_another_programs_file_is_not_touched(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreFormatError, match="expected a cloud database"):
        Writer(path)
    assert schema(path) == [("table", "theirs", "CREATE TABLE theirs (x)")]
    assert len(path.read_bytes()) == len(before)


def test_a_file_that_is_no_database_is_told_so(path: Path) -> None:
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(StoreFormatError):
        Writer(path)


def test_a_folder_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError):
        Writer(tmp_path / "nowhere" / "c.db")


def test_a_work_that_fails_is_undone_alone(path: Path) -> None:
    """Its neighbours in the same commit stay; its error is its own caller's."""
    writer = Writer(path)
    writer.call(meta.initialise)
    started, go = threading.Event(), threading.Event()

    def slow(_connection: sqlite3.Connection) -> None:
        started.set()
        go.wait(10)

    def bad(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO meta VALUES ('bad', '1')")
        raise ValueError("no")

    first = writer.submit(slow)
    started.wait(10)
    good = writer.submit(lambda c: c.execute("INSERT INTO meta VALUES ('good', '1')").rowcount)
    failing: Future[None] = writer.submit(bad)
    also = writer.submit(lambda c: c.execute("INSERT INTO meta VALUES ('also', '1')").rowcount)
    go.set()
    first.result(10)
    assert good.result(10) == also.result(10) == 1
    with pytest.raises(ValueError, match="no"):
        failing.result(10)
    names = writer.call(
        lambda c: [row[0] for row in c.execute("SELECT name FROM meta WHERE value = '1' ORDER BY name")]
    )
    assert names == ["also", "good"]
    writer.close()


def test_a_commit_that_fails_fails_every_work_in_it(path: Path) -> None:
    """Nothing is acknowledged that is not on disk: here a deferred constraint breaks at COMMIT."""
    writer = Writer(path)

    def orphan(connection: sqlite3.Connection) -> str:
        connection.execute("PRAGMA defer_foreign_keys=ON")
        connection.execute("INSERT INTO tills (till, store, added_at_ms) VALUES ('k', 'nowhere', 0)")
        return "done"

    with pytest.raises(StoreUnavailableError):
        writer.call(orphan)
    assert writer.call(lambda c: c.execute("SELECT count(*) FROM tills").fetchone()) == (0,)
    writer.close()


def test_a_stopped_writer_takes_nothing(path: Path) -> None:
    writer = Writer(path)
    writer.close()
    writer.close()
    with pytest.raises(StoreUnavailableError):
        writer.submit(lambda _: None)


def test_a_full_queue_refuses_more(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("till_cloud.store.writer.QUEUE_LIMIT", 2)
    writer = Writer(path)
    started, go = threading.Event(), threading.Event()

    def slow(_connection: sqlite3.Connection) -> None:
        started.set()
        go.wait(10)

    futures = [writer.submit(slow)]
    started.wait(10)
    futures += [writer.submit(lambda _: None) for _ in range(2)]
    with pytest.raises(StoreUnavailableError):
        writer.submit(lambda _: None)
    go.set()
    for future in futures:
        future.result(10)
    writer.close()


def test_commits_are_told(path: Path) -> None:
    told: list[int] = []
    writer = Writer(path, on_commit=lambda: told.append(1))
    writer.call(lambda _: None)
    assert told == [1]
    writer.close()


def test_a_snapshot_is_of_one_moment(path: Path) -> None:
    writer = Writer(path)
    writer.call(meta.initialise)
    readers = Readers(path, count=1)
    with readers.snapshot() as connection:
        assert meta.position(connection) == 0
        writer.call(lambda c: meta.set_position(c, 5))
        assert meta.position(connection) == 0
    with readers.snapshot() as connection:
        assert meta.position(connection) == 5
        with pytest.raises(sqlite3.OperationalError):
            connection.execute("DELETE FROM meta")
    readers.close()
    writer.close()


def test_only_one_holds_the_gate(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two writers of two processes never commit or checkpoint at the same time; a waiting one gives up some day."""
    monkeypatch.setattr("till_cloud.store.connection.BUSY_TIMEOUT_MS", 50)
    one, two = Gate(path), Gate(path)
    with one.held(), pytest.raises(StoreUnavailableError), two.held():
        pytest.fail("both hold it")
    with two.held():
        pass
    one.close()
    two.close()


def test_two_writers_take_turns(path: Path) -> None:
    """The command line beside the running cloud: every increment of both counts."""
    writers = [Writer(path), Writer(path)]
    writers[0].call(meta.initialise)

    def add(connection: sqlite3.Connection) -> None:
        meta.set_position(connection, meta.position(connection) + 1)

    def work(writer: Writer) -> None:
        for _ in range(50):
            writer.call(add)

    threads = [threading.Thread(target=work, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert writers[0].call(meta.position) == 100
    for writer in writers:
        writer.close()


def seen_when_answered(path: Path) -> list[bool]:
    """Whether another connection sees a work's row at the very moment its answer is there."""
    writer = Writer(path)
    seen: list[bool] = []

    def look(_future: Future[int]) -> None:
        reader = open_reader(path)
        seen.append(reader.execute("SELECT count(*) FROM meta WHERE name = 'x'").fetchone() == (1,))
        reader.close()

    go = threading.Event()
    writer.submit(lambda _: go.wait(10))
    future = writer.submit(lambda c: c.execute("INSERT INTO meta VALUES ('x', '1')").rowcount)
    future.add_done_callback(look)
    go.set()
    future.result(10)
    writer.close()
    return seen


def test_an_answer_leaves_after_its_commit(path: Path) -> None:
    assert seen_when_answered(path) == [True]


def test_an_answer_before_its_commit_would_be_found_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: results are handed out as soon as each work has run."""

    def transact(self: Writer, live: list) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for work in live:
            work.future.set_result(work.run(self._connection))
        self._connection.execute("COMMIT")
        live.clear()

    monkeypatch.setattr(Writer, "_transact", transact)
    assert seen_when_answered(path) == [False]
