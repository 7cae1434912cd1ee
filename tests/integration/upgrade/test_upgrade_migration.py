"""A cloud database of 0.1.0 becomes one of today as a whole or not at all, wherever the migration is broken off."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from integration.upgrade.upgrade_kit import content, golden_cloud
from till_cloud.centre import Centre
from till_cloud.exceptions import StoreUnavailableError
from till_cloud.store import connection as connection_module
from till_cloud.store import copying
from till_cloud.store.connection import SCHEMA_VERSION, open_writer
from till_cloud.store.copying import kept_as
from till_cloud.verify import verify

OLD_VERSION = 1
MOST_STATEMENTS = 2_000
"""A bound for the search for the last statement."""
KILLER = """
import os, signal, sys
from pathlib import Path
from integration.upgrade.test_upgrade_migration import breaking, open_writer, connection_module
def die():
    os.kill(os.getpid(), signal.SIGKILL)
connection_module.sqlite3.connect = breaking(int(sys.argv[2]), die)
open_writer(Path(sys.argv[1]))
"""

_connect = sqlite3.connect


def breaking(at: int, how: Callable[[], None], counts: list[int] | None = None) -> Callable[..., sqlite3.Connection]:
    """`sqlite3.connect` whose connections break at their statement number `at`, before it is carried out."""

    class Breaking(sqlite3.Connection):
        done = 0

        def execute(self, *words: object) -> sqlite3.Cursor:  # type: ignore[override]  # any words
            self.done += 1
            if counts is not None:
                counts[0] = max(counts[0], self.done)
            if self.done == at:
                how()
            return super().execute(*words)  # type: ignore[arg-type]  # as they came

    def connect(*words: object, **options: object) -> sqlite3.Connection:
        return _connect(*words, factory=Breaking, **options)  # type: ignore[call-overload]  # as they came

    return connect


def disk_error() -> None:
    raise sqlite3.OperationalError("disk I/O error")


def statements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many statements opening and migrating a golden database takes."""
    counts = [0]
    with monkeypatch.context() as patched:
        patched.setattr(connection_module.sqlite3, "connect", breaking(MOST_STATEMENTS, disk_error, counts))
        open_writer(golden_cloud(tmp_path / "counted")).close()
    return counts[0]


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def must_hold(path: Path) -> None:
    """The migration goes through, and the ledger adds up."""
    centre = Centre(path)
    try:
        found = centre.read(verify)
        assert found.holds, found.breaches
        assert centre.read(lambda c: c.execute("PRAGMA foreign_key_check").fetchall()) == []
        assert centre.read(lambda c: c.execute("PRAGMA integrity_check").fetchall()) == [("ok",)]
    finally:
        centre.close()
    assert version(path) == SCHEMA_VERSION


def test_an_error_at_any_statement_leaves_the_old_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each statement in turn fails as on a bad disk; then the same file is migrated, and its ledger adds up."""
    count = statements(tmp_path, monkeypatch)
    assert count > 100, "fewer statements than the migrations have: the wrong thing was counted"
    path = golden_cloud(tmp_path / "broken")
    before = content(path)
    for at in range(1, count + 1):
        with monkeypatch.context() as patched:
            patched.setattr(connection_module.sqlite3, "connect", breaking(at, disk_error))
            with pytest.raises(StoreUnavailableError):
                open_writer(path)
        assert content(path) == before, f"broken off at statement {at} of {count}"
    must_hold(path)


@pytest.mark.parametrize("spare_pages", [0, 1, 5, 12])
def test_a_full_disk_leaves_the_old_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spare_pages: int
) -> None:
    """SQLite itself finds no page more."""
    path = golden_cloud(tmp_path)
    before = content(path)

    def connect(*words: object, **options: object) -> sqlite3.Connection:
        connection = _connect(*words, **options)  # type: ignore[call-overload]  # as they came
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages + spare_pages}")
        return connection

    with monkeypatch.context() as patched:
        patched.setattr(connection_module.sqlite3, "connect", connect)
        with pytest.raises(StoreUnavailableError, match="full"):
            open_writer(path)
    assert content(path) == before
    must_hold(path)


@pytest.mark.faults
@pytest.mark.parametrize("share", [0.15, 0.4, 0.7, 0.99, 1.0])
def test_a_kill_leaves_the_old_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    """The process is gone at once, at its beginning, in its middle, and before the commit, which comes last."""
    at = max(1, round(statements(tmp_path, monkeypatch) * share))
    path = golden_cloud(tmp_path / "killed")
    before = content(path)
    tests = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(path), str(at)],
        env=os.environ | {"PYTHONPATH": tests},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert content(path) == before
    must_hold(path)


def test_a_migrated_file_is_migrated_once(tmp_path: Path) -> None:
    """Opening it again changes nothing of it."""
    path = golden_cloud(tmp_path)
    assert version(path) == OLD_VERSION
    must_hold(path)
    before = content(path)
    must_hold(path)
    assert content(path) == before


def test_a_new_database_is_whole_or_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken off anywhere while it is made, the next start makes it."""
    path = tmp_path / "new.db"
    at = 0
    while version(path) == 0:
        at += 3
        assert at < MOST_STATEMENTS
        with monkeypatch.context() as patched:
            patched.setattr(connection_module.sqlite3, "connect", breaking(at, disk_error))
            try:
                open_writer(path).close()
            except StoreUnavailableError:
                assert content(path).count("CREATE TABLE") == 0
    must_hold(path)


def test_the_file_is_kept_as_the_former_release_has_it(tmp_path: Path) -> None:
    """Beside the database, for the way back: whole, in one file, for its owner's eyes only."""
    path = golden_cloud(tmp_path)
    before = content(path)
    must_hold(path)
    kept = kept_as(path, OLD_VERSION)
    assert content(kept) == before
    assert kept.stat().st_mode & 0o777 == 0o600
    assert sorted(found.name for found in tmp_path.iterdir() if kept.name in found.name) == [kept.name]
    kept.unlink()
    must_hold(path)
    assert not kept.exists(), "a file of today's schema is not kept"


def test_a_kept_file_is_replaced_by_that_of_the_next_upgrade(tmp_path: Path) -> None:
    """Of a migration that failed, or of an upgrade that was undone: the newest one is the way back."""
    path = golden_cloud(tmp_path)
    kept_as(path, OLD_VERSION).write_bytes(b"of an earlier try")
    before = content(path)
    must_hold(path)
    assert content(kept_as(path, OLD_VERSION)) == before


@pytest.mark.parametrize("trouble", ["no room", "bad disk"])
def test_an_upgrade_goes_on_where_nothing_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    """It says so; the file itself needs no copy to be safe."""
    path = golden_cloud(tmp_path)

    def refuse(*_words: object) -> int:
        raise sqlite3.OperationalError("disk I/O error")

    if trouble == "no room":
        free = SimpleNamespace(free=path.stat().st_size)
        monkeypatch.setattr(copying.shutil, "disk_usage", lambda _path: free)
    else:
        monkeypatch.setattr(copying, "write_copy", refuse)
    must_hold(path)
    assert not kept_as(path, OLD_VERSION).exists()
    assert "back only by a backup" in caplog.text
