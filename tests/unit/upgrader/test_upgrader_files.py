"""A database is copied whole while somebody writes to it, and a copy is brought up to date by what differs."""

import contextlib
import errno
import sqlite3
from pathlib import Path

import pytest

from till_installer.upgrade import files
from till_installer.upgrade.exceptions import RefusedError
from till_installer.upgrade.files import bring_up_to_date, copy_live, mirror_at_rest, need_room


@pytest.fixture
def writer(tmp_path: Path):  # type: ignore[no-untyped-def]  # a generator of one connection
    """A database as the agent has it open: with a log, and locked for itself."""
    with contextlib.closing(sqlite3.connect(tmp_path / "live.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)")
        add(connection, 200)
        yield connection


def add(connection: sqlite3.Connection, count: int) -> None:
    """Rows of some size in one transaction."""
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO t (text) VALUES (?)", [("x" * 500,)] * count)
    connection.execute("COMMIT")


def rows(path: Path) -> int:
    """How many there are in a copy, which must be whole."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return int(connection.execute("SELECT count(*) FROM t").fetchone()[0])


def test_a_database_that_is_open_is_copied_with_its_log(tmp_path: Path, writer: sqlite3.Connection) -> None:
    """The writer notices nothing, though it has the file for itself."""
    assert copy_live(tmp_path / "live.db", tmp_path / "copy.db")
    assert rows(tmp_path / "copy.db") == 200
    add(writer, 10)


def test_a_checkpoint_between_database_and_log_makes_no_mixture(
    tmp_path: Path, writer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log begins anew while it is copied: the copy is made again, until it was left in peace."""
    copied = files._copy
    disturbed: list[str] = []

    def copy(source: Path, target: Path) -> None:
        copied(source, target)
        if source.name == "live.db" and len(disturbed) < 3:
            disturbed.append(source.name)
            writer.execute("PRAGMA wal_checkpoint(RESTART)")
            add(writer, 200)

    monkeypatch.setattr(files, "_copy", copy)
    assert copy_live(tmp_path / "live.db", tmp_path / "copy.db")
    assert rows(tmp_path / "copy.db") == 800


def test_rows_that_come_during_the_copy_do_no_harm(
    tmp_path: Path, writer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are in the log, whole, or not in the copy."""
    copied = files._copy

    def copy(source: Path, target: Path) -> None:
        add(writer, 7)
        copied(source, target)

    monkeypatch.setattr(files, "_copy", copy)
    assert copy_live(tmp_path / "live.db", tmp_path / "copy.db")
    assert rows(tmp_path / "copy.db") in (207, 214)


def test_a_log_that_never_holds_still_is_given_up(
    tmp_path: Path, writer: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a word on what to do."""
    copied = files._copy

    def copy(source: Path, target: Path) -> None:
        copied(source, target)
        writer.execute("PRAGMA wal_checkpoint(RESTART)")
        add(writer, 1)

    monkeypatch.setattr(files, "_copy", copy)
    with pytest.raises(RefusedError, match="try again"):
        copy_live(tmp_path / "live.db", tmp_path / "copy.db")


def test_nothing_is_copied_where_there_is_nothing(tmp_path: Path) -> None:
    """A till that is not enrolled has no journal."""
    assert not copy_live(tmp_path / "none.db", tmp_path / "copy.db")


@pytest.mark.parametrize("size", [0, 10, files.BLOCK_BYTES, 3 * files.BLOCK_BYTES + 5])
@pytest.mark.parametrize("was", [0, 10, 2 * files.BLOCK_BYTES, 5 * files.BLOCK_BYTES])
def test_a_copy_is_the_same_after_it_was_brought_up_to_date(tmp_path: Path, size: int, was: int) -> None:
    """Longer, shorter, changed in the middle."""
    new, old = tmp_path / "new", tmp_path / "old"
    content = bytes(range(256)) * (size // 256 + 1)
    new.write_bytes(content[:size])
    old.write_bytes(bytes(was))
    bring_up_to_date(new, old)
    assert old.read_bytes() == new.read_bytes()


def test_a_log_that_went_goes_from_the_copy_too(tmp_path: Path) -> None:
    """Else the copy would be what the file was, with an old log over it."""
    (tmp_path / "a.db").write_bytes(b"new")
    (tmp_path / "b.db").write_bytes(b"old")
    (tmp_path / "b.db-wal").write_bytes(b"old log")
    mirror_at_rest(tmp_path / "a.db", tmp_path / "b.db")
    assert (tmp_path / "b.db").read_bytes() == b"new"
    assert not (tmp_path / "b.db-wal").exists()


def test_too_little_room_is_refused_with_both_figures(tmp_path: Path) -> None:
    """Before anything is begun."""
    need_room(tmp_path, 1_000, lambda _: 1_000)
    with pytest.raises(RefusedError, match=r"expected 5 MB free for .*, not 2") as caught:
        need_room(tmp_path, 4_500_000, lambda _: 2_000_000)
    assert caught.value.code == "disk_full"


def test_a_full_disk_is_known_by_its_error() -> None:
    """Also one that is full by quota."""
    from till_installer.upgrade.staging import _is_full

    found = [_is_full(OSError(number, "")) for number in (errno.ENOSPC, errno.EDQUOT, errno.EIO)]
    assert found == [True, True, False]
