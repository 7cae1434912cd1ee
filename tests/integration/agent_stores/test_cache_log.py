"""The cache's log is copied into its file when nobody sells: no sale waits for those syncs. The log has its limit."""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from integration.agent_stores.test_cache_turns import ROWS, page
from kit.loops import run
from till_agent.cache import CacheStore, open_cache, opening, turns
from till_agent.cache import log as cache_log
from unit.agent_stores.stores_kit import TILL


@pytest.fixture(autouse=True)
def pace(monkeypatch: pytest.MonkeyPatch) -> turns.Pace:
    """One of the test's own; a page is worth a copy."""
    made = turns.Pace()
    monkeypatch.setattr(turns, "pace", made)
    monkeypatch.setattr(cache_log, "WORTH_ROWS", ROWS)
    return made


def in_the_file(path: Path) -> int:
    """Members in the database file itself, without its log."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        try:
            found: int = connection.execute("SELECT count(*) FROM members").fetchone()[0]
        except sqlite3.DatabaseError:  # not even its tables are there
            return 0
        return found


async def sell_and_store(cache: CacheStore, *firsts: int) -> None:
    """Pages, each after a call."""
    for first in firsts:
        cache.programme()
        await cache.store_page(page(first, more=True))


def test_the_log_is_copied_by_the_first_write_before_which_nobody_called(tmp_path: Path) -> None:
    """Beside sales not even by pages; then by an empty one, and the cache has it all the time."""
    path = tmp_path / "cache.db"

    async def work() -> None:
        cache = await open_cache(path, TILL)
        try:
            await sell_and_store(cache, 0, ROWS, 2 * ROWS)
            assert in_the_file(path) == 0
            assert cache.by_id(f"m-{2 * ROWS}") is not None
            await cache.store_page(page(2 * ROWS))
            assert in_the_file(path) == 3 * ROWS
            await cache.store_page(page(3 * ROWS))
            assert in_the_file(path) == 4 * ROWS, "with nobody there each page is copied"
        finally:
            await cache.stop()

    run(work())


def test_little_is_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A till that hears nothing new every two seconds has no use for two syncs each."""
    path = tmp_path / "cache.db"
    monkeypatch.setattr(cache_log, "WORTH_ROWS", 100 * ROWS)

    async def work() -> None:
        cache = await open_cache(path, TILL)
        try:
            await cache.store_page(page(0))
            await cache.store_page(page(0))
            assert in_the_file(path) == 0
        finally:
            await cache.stop()

    run(work())


def test_a_rush_without_end_does_not_let_the_log_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its limit SQLite copies it, whoever calls, and begins it anew; what it was longer is given back."""
    path = tmp_path / "cache.db"
    monkeypatch.setattr(opening, "LOG_PAGES", 20)
    monkeypatch.setattr(opening, "LOG_KEPT_BYTES", 16_384)

    async def work() -> None:
        cache = await open_cache(path, TILL)
        try:
            await sell_and_store(cache, *range(0, 6 * ROWS, ROWS))
            assert in_the_file(path) >= 5 * ROWS
            most = path.with_name("cache.db-wal").stat().st_size
            await sell_and_store(cache, *range(0, 30 * ROWS, ROWS))
            assert path.with_name("cache.db-wal").stat().st_size <= 2 * most
            await cache.store_page(page(0))
            await cache.store_page(msgspec.structs.replace(page(0), rows=()))
            assert path.with_name("cache.db-wal").stat().st_size < most / 2
        finally:
            await cache.stop()

    run(work())


def test_a_log_that_can_not_be_copied_is_tried_again_and_nothing_is_lost(tmp_path: Path) -> None:
    """Another process reads the file: what is committed is in the log, and the write has succeeded."""
    path = tmp_path / "cache.db"

    async def work() -> None:
        cache = await open_cache(path, TILL)
        try:
            await sell_and_store(cache, 0)
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN")
                assert other.execute("SELECT count(*) FROM members").fetchone() == (ROWS,)
                await cache.store_page(page(ROWS))
                assert in_the_file(path) <= ROWS
                assert cache.member_count == 2 * ROWS
            await cache.store_page(page(2 * ROWS))
            assert in_the_file(path) == 3 * ROWS
        finally:
            await cache.stop()

    run(work())
