"""Whatever happens, each connection that was opened is closed again, and nothing half built is left."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from integration.agent_stores.snapshot_kit import add_members, make_snapshot, pulling, served
from kit.loops import run
from till_agent.cache import CacheStore, CacheUnavailable, opening
from till_agent.cache.aside import Aside
from till_agent.journal import wreck
from unit.cloud.cloud_kit import Chain

CONNECT = sqlite3.connect


class Opened:
    """Knows the connections to files of one name that are not closed; statements in `refused` fail."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.paths: list[str] = []
        self.refused: set[str] = set()

    def connect(self, path: Any, **named: Any) -> sqlite3.Connection:
        if self.name not in str(path):
            return CONNECT(path, **named)
        opened = self
        opened.paths.append(str(path))

        class Connection(sqlite3.Connection):
            def close(self) -> None:
                opened.paths.remove(str(path))
                super().close()

            def execute(self, statement: str, *more: Any) -> sqlite3.Cursor:
                if statement in opened.refused:
                    raise sqlite3.OperationalError("disk I/O error")
                return super().execute(statement, *more)

        return CONNECT(path, factory=Connection, **named)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    found = Opened("cache.db")
    monkeypatch.setattr(sqlite3, "connect", found.connect)
    return found


def test_a_cache_that_is_being_built_goes_with_the_agent(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is closed and its file cleared away: the next start would do so."""
    chain = Chain(tmp_path / "cloud.db")
    add_members(chain, 50)
    make_snapshot(chain)
    till = chain.till()

    async def no_page(*_: Any) -> None:
        raise CacheUnavailable("no page is taken now")

    monkeypatch.setattr(CacheStore, "_store_aside", no_page)

    async def work() -> None:
        async with served(chain) as port, pulling(tmp_path, chain, till, port) as here:
            with pytest.raises(CacheUnavailable):
                await here.pull()
            assert Aside(tmp_path / "cache.db", till.name).path.exists()

    run(work())
    assert opened.paths == []
    assert not Aside(tmp_path / "cache.db", till.name).path.exists()


def test_a_reader_that_fails_half_way_is_closed(tmp_path: Path, opened: Opened) -> None:
    """Of the cache, and of a journal that was given up."""
    opened.refused.add("PRAGMA query_only = ON")
    (tmp_path / "cache.db").touch()
    with pytest.raises(sqlite3.OperationalError):
        opening.open_reader(tmp_path / "cache.db")
    with pytest.raises(sqlite3.OperationalError):
        wreck._connect(tmp_path / "cache.db", "mode=ro")
    assert opened.paths == []


def test_a_mistake_of_ours_is_no_damage_to_the_cache() -> None:
    """A look-up on a closed connection, or with values of a wrong type, must not cost a till its million members."""
    connection = CONNECT(":memory:")
    with pytest.raises(sqlite3.ProgrammingError) as wrong:
        connection.execute("SELECT ?", (object(),))
    connection.close()
    with pytest.raises(sqlite3.ProgrammingError) as closed:
        connection.execute("SELECT 1")
    assert not opening.is_damage(wrong.value)
    assert not opening.is_damage(closed.value)
    assert opening.is_damage(ValueError("a row that can't be decoded"))
