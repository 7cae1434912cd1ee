"""Members are written in short turns: with pauses while somebody sells, without where nobody does; a page is one."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from kit.loops import run
from till_agent.cache import open_cache, search_index, turns
from till_sync.snapshot_rows import pack
from till_sync.wire import ChangesAnswer, MemberRow
from unit.agent_stores.stores_kit import TILL

ROWS = 5 * turns.TURN_ROWS
CALL_S = turns.CALL_S


def page(first: int, *, more: bool = False) -> ChangesAnswer:
    """Members `first` and those after it, five turns of them."""
    rows = [
        MemberRow(member_id=f"m-{number}", tags=(f"card:{number}",), balance=number)
        for number in range(first, first + ROWS)
    ]
    return ChangesAnswer(
        incarnation="i-1", rows=tuple(rows), next=f"c{first}", more=more, epoch=1, acked_seq=0, server_time_ms=1
    )


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, by a pace of the test's own; each call is through at once."""
    found: list[float] = []
    pace = turns.Pace()
    monkeypatch.setattr(turns.time, "sleep", found.append)
    monkeypatch.setattr(turns, "CALL_S", 0.0)
    monkeypatch.setattr(turns, "pace", pace)
    monkeypatch.setattr("till_agent.cache.pages.in_turns", pace.in_turns)
    return found


def test_members_are_written_with_pauses_only_after_somebody_has_asked_to_sell(
    tmp_path: Path, pauses: list[float]
) -> None:
    """A first load at night takes no longer for sales that nobody makes; verdicts have their pauses too."""

    async def work() -> None:
        cache = await open_cache(tmp_path / "cache.db", TILL)
        try:
            await cache.store_page(page(0, more=True))
            assert pauses == []
            cache.programme()
            await cache.store_page(page(ROWS))
            assert len(pauses) == 4
            assert cache.member_count == 2 * ROWS
        finally:
            await cache.stop()

    run(work())


def test_who_is_erased_is_looked_for_with_pauses(pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand stretches of the search's index, at a till that holds a million members."""
    monkeypatch.setattr("till_agent.cache.search_index.in_turns", turns.pace.in_turns)
    lines = b"".join([b"\n anna k\x1f1234\x1f5678\x1fm-%d" % number for number in range(3)])
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in search_index.CREATE:
            connection.execute(statement)
        connection.execute(search_index.SAVE_STATE, ("c", "", 1, "0"))
        connection.executemany(search_index.ADD_CHUNK, [(3, lines)] * 3 * search_index.TURN_CHUNKS)
        turns.pace.called()
        search_index.forget(connection, ["m-1"])
        assert connection.execute(search_index.COUNT_LINES).fetchone() == (2 * 3 * search_index.TURN_CHUNKS,)
    assert len(pauses) == 2


def test_the_index_of_a_search_is_made_and_kept_with_pauses(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whom a page brings, and those whose lines are put together."""
    monkeypatch.setattr("till_agent.cache.search_index.in_turns", turns.pace.in_turns)
    data = pack(MemberRow(member_id="m", name_masked="Anna K"))
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE members (member_id TEXT PRIMARY KEY, data BLOB)")
        connection.executemany("INSERT INTO members VALUES (?, ?)", [(f"m-{each}", data) for each in range(ROWS)])
        turns.pace.called()
        assert search_index.pack_more(connection, "c", ROWS) is False
        assert connection.execute(search_index.COUNT_LINES).fetchone() == (ROWS,)
        assert len(pauses) == 4
        search_index.note(connection, "c", "c2", [f"m-{each}" for each in range(ROWS)])
        assert connection.execute(search_index.COUNT_DUE).fetchone() == (ROWS,)
        assert len(pauses) == 8


def test_pauses_end_a_while_after_the_last_call(pauses: list[float]) -> None:
    """So many turns later; each call begins that while anew."""
    turns.pace.called()
    rows = range((turns.PAUSES_A_CALL + 2) * turns.TURN_ROWS)
    parts = list(turns.pace.in_turns(rows))
    assert [row for part in parts for row in part] == list(rows)
    assert len(pauses) == turns.PAUSES_A_CALL
    turns.pace.called()
    list(turns.pace.in_turns(rows[: 3 * turns.TURN_ROWS]))
    assert len(pauses) == turns.PAUSES_A_CALL + 2


@pytest.fixture
def clock(pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses again, by which alone time goes on; a call takes a while."""
    monkeypatch.setattr(turns.time, "monotonic", lambda: 100.0 + sum(pauses))
    monkeypatch.setattr(turns, "CALL_S", CALL_S)
    return pauses


def test_nothing_is_written_while_a_call_goes_on(clock: list[float]) -> None:
    """One pause lets a call in; until it is through there is another and another, and after it one each."""
    parts = turns.pace.in_turns(range(4 * turns.TURN_ROWS))
    next(parts)
    turns.pace.called()
    next(parts)
    assert CALL_S - turns.PAUSE_S / 2 < sum(clock) < CALL_S + 2 * turns.PAUSE_S
    before = len(clock)
    next(parts)
    assert len(clock) == before + 1
    turns.pace.called()
    next(parts)
    assert sum(clock[before + 1 :]) > CALL_S - turns.PAUSE_S / 2


def test_a_rush_without_end_does_not_keep_a_page_from_being_written(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody calls in each pause: then it goes on all the same."""

    def call(seconds: float) -> None:
        pauses.append(seconds)
        turns.pace.called()

    monkeypatch.setattr(turns.time, "sleep", call)
    monkeypatch.setattr(turns, "CALL_S", CALL_S)
    monkeypatch.setattr(turns.time, "monotonic", lambda: 100.0)
    turns.pace.called()
    assert len(list(turns.pace.in_turns(range(3 * turns.TURN_ROWS)))) == 3
    assert len(pauses) == 2 * turns.WAITS_A_TURN


def test_nobody_reads_half_a_page_between_two_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another connection, in each pause: none of the page, and all of it after it."""
    seen: list[int] = []
    path = tmp_path / "cache.db"

    def look(_seconds: float) -> None:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
            seen.append(reader.execute("SELECT count(*) FROM members").fetchone()[0])

    async def work() -> None:
        cache = await open_cache(path, TILL)
        try:
            cache.programme()
            monkeypatch.setattr(turns.time, "sleep", look)
            await cache.store_page(page(0))
            monkeypatch.undo()
            assert len(seen) >= 4
            assert set(seen) == {0}
            assert cache.by_tag("card:7") is not None
        finally:
            await cache.stop()

    run(work())


DIES_IN_A_PAUSE = """
import asyncio, os, sys
from pathlib import Path
from till_agent.cache import open_cache, turns
from integration.agent_stores.test_cache_turns import page, ROWS
from unit.agent_stores.stores_kit import TILL

async def work():
    cache = await open_cache(Path(sys.argv[1]), TILL)
    await cache.store_page(page(0, more=True))
    cache.programme()
    turns.time.sleep = lambda _seconds: os._exit(7)
    await cache.store_page(page(ROWS))

asyncio.run(work())
"""


def test_a_process_that_dies_between_two_turns_leaves_the_page_before(tmp_path: Path) -> None:
    """Rows and cursor are those of one page; the same page comes again."""
    path = tmp_path / "cache.db"
    folders = os.pathsep.join(each for each in sys.path if each)
    died = subprocess.run(
        [sys.executable, "-c", DIES_IN_A_PAUSE, str(path)], check=False, env={**os.environ, "PYTHONPATH": folders}
    )
    assert died.returncode == 7

    async def work() -> None:
        cache = await open_cache(path, TILL)
        try:
            assert (await cache.cursor(), cache.member_count, cache.filling) == ("c0", ROWS, True)
            assert cache.by_id(f"m-{ROWS}") is None
            await cache.store_page(page(ROWS))
            assert (cache.member_count, cache.filling) == (2 * ROWS, False)
        finally:
            await cache.stop()

    asyncio.run(work())
