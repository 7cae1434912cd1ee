"""A copy of the database: whole, of one moment, private, and never over something else."""

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from till_cloud.backup import back_up
from till_cloud.cli import cloud
from till_cloud.exceptions import AdminError, StoreUnavailableError
from till_cloud.store import meta, tills
from till_cloud.store.connection import open_reader
from till_cloud.store.writer import Writer


@pytest.fixture
def writer(tmp_path: Path):
    made = Writer(tmp_path / "c.db")
    made.call(meta.initialise)
    yield made
    made.close()


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def add_store(writer: Writer, name: str) -> None:
    writer.call(lambda connection: tills.put_store(connection, tills.StoreRow(name, name, "Asia/Almaty"), 1))


def test_a_new_database_can_be_read_by_its_owner_only(tmp_path: Path, writer: Writer) -> None:
    """It holds the identifier key, with which tags can be traced to phones; what SQLite puts beside it is as closed."""
    add_store(writer, "a")
    assert {name: rights(tmp_path / name) for name in ("c.db", "c.db-wal", "c.db-shm")} == {
        "c.db": 0o600,
        "c.db-wal": 0o600,
        "c.db-shm": 0o600,
    }


def test_a_backup_is_what_the_reader_saw_while_the_cloud_went_on(tmp_path: Path, writer: Writer) -> None:
    """What was committed before its moment is in it, what came later is not; it is one closed file."""
    add_store(writer, "before")
    reader = open_reader(tmp_path / "c.db")
    reader.execute("BEGIN")
    assert [store.store for store in tills.all_stores(reader)] == ["before"]
    add_store(writer, "after")
    size = back_up(reader, tmp_path / "copy.db")
    reader.close()
    copy = open_reader(tmp_path / "copy.db")
    assert [store.store for store in tills.all_stores(copy)] == ["before"]
    assert meta.incarnation(copy) == writer.call(meta.incarnation)
    copy.close()
    assert size == (tmp_path / "copy.db").stat().st_size
    assert rights(tmp_path / "copy.db") == 0o600
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db"]


def test_a_backup_never_takes_the_place_of_another_file(tmp_path: Path, writer: Writer) -> None:
    """Least of all that of the database itself."""
    reader = open_reader(tmp_path / "c.db")
    with pytest.raises(AdminError, match="expected a new name"):
        back_up(reader, tmp_path / "c.db")
    reader.close()


def test_a_backup_that_can_not_be_written_leaves_nothing(tmp_path: Path, writer: Writer) -> None:
    """A folder that is not there is said so."""
    reader = open_reader(tmp_path / "c.db")
    with pytest.raises(StoreUnavailableError, match="can't be written"):
        back_up(reader, tmp_path / "nowhere" / "copy.db")
    reader.close()
    assert not (tmp_path / "nowhere").exists()


def test_the_draft_of_a_backup_that_broke_off_is_in_nobodys_way(tmp_path: Path, writer: Writer) -> None:
    """The power went in the middle of the last one."""
    (tmp_path / "copy.db.new").write_bytes(b"half of it")
    reader = open_reader(tmp_path / "c.db")
    back_up(reader, tmp_path / "copy.db")
    reader.close()
    assert not (tmp_path / "copy.db.new").exists()


def test_the_command_makes_a_copy_that_the_other_commands_take(tmp_path: Path, writer: Writer) -> None:
    """`verify` adds it up, `init --restored` gives it a new life."""

    def call(*words: str | Path) -> str:
        done = CliRunner().invoke(cloud, [str(word) for word in words])
        assert done.exit_code == 0, done.output
        return done.output

    copy = tmp_path / "copy.db"
    assert call("backup", "--db", tmp_path / "c.db", copy).startswith(f"{copy}: ")
    assert '"holds": true' in call("verify", "--db", copy)
    call("init", "--db", copy, "--restored")
    restored = open_reader(copy)
    assert meta.incarnation(restored) != writer.call(meta.incarnation)
    restored.close()
