"""The member search's index on disk: it finds exactly what looking at every member would find, whatever happened."""

import asyncio
import contextlib
import random
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from till_agent.cache import CacheStore, open_cache, search_index, searching
from till_agent.cache.matching import wanted
from till_sync.wire import ChangesAnswer, MemberRow, StretchDigest

NAMES = ("Анна К.", "Мария П.", "Алёна", "Ян Б.", "John S.", "", "Зигмунд Ц.", "Жұлдыз Қ.")
QUERIES = (
    "анна",
    "ан к",
    "алена",
    "12",
    "3412",
    "+7 701 000 34 12",
    "я",
    "0018",
    "мария 3412",
    "john 12",
    "зиг",
    "жұл қ",
)


def row(number: int, name: str, digits: int, *, removed: bool = False, **changes: Any) -> MemberRow:
    return MemberRow(
        member_id=f"m-{number:05d}",
        status="removed" if removed else "active",
        name_masked=name,
        phone_masked=f"+7 *** ***-{digits % 100:02d}-12" if digits % 3 else "",
        card_masked=f"**** {digits % 100:04d}" if digits % 2 else "**** 12",
        tags=(f"card:{number:032x}",),
        **changes,
    )


def page(number: int, rows: list[MemberRow], **changes: Any) -> ChangesAnswer:
    fields: dict[str, Any] = {
        "incarnation": "i",
        "rows": tuple(rows),
        "next": f"c{number}",
        "more": False,
        "epoch": 0,
        "acked_seq": 0,
        "server_time_ms": number,
    }
    return ChangesAnswer(**(fields | changes))


@contextlib.asynccontextmanager
async def cache_in(folder: Path) -> AsyncIterator[CacheStore]:
    cache = await open_cache(folder / "cache.db", "t1")
    try:
        yield cache
    finally:
        await cache.stop()


async def packed(cache: CacheStore) -> None:
    """The index is as far as it comes."""
    cache.finder.prepare()
    assert cache.finder._packing is not None
    await cache.finder._packing


async def found(cache: CacheStore, query: str) -> set[str]:
    hits = await cache.finder.find(wanted(query), 10_000)
    assert not hits.more
    assert not hits.partial
    ids = [each.row.member_id for each in hits.members]
    assert len(ids) == len(set(ids))
    return set(ids)


def expected(members: dict[str, MemberRow], query: str) -> set[str]:
    asked = wanted(query)
    return {each.member_id for each in members.values() if asked.fits_row(each)}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps and limits so small that everything that a large cache goes through happens."""
    make_small(monkeypatch.setattr)


def make_small(put: Callable[[Any, str, Any], None]) -> None:
    put(search_index, "CHUNK_MEMBERS", 7)
    put(search_index, "DUE_LIMIT", 3)
    put(search_index, "STALE_MEMBERS", 20)
    put(searching, "PAUSE_S", 0.0)


def of_changes(folder: Path, seed: int = 1) -> None:
    """New members, new names, removed ones, members read anew: after every page all queries find the same."""

    async def work() -> None:
        chance = random.Random(seed)
        members: dict[str, MemberRow] = {}
        async with cache_in(folder) as cache:
            for number in range(1, 30):
                rows = [
                    row(
                        chance.randrange(60), chance.choice(NAMES), chance.randrange(100), removed=chance.random() < 0.2
                    )
                    for _ in range(chance.randrange(1, 12))
                ]
                rows = list({each.member_id: each for each in rows}.values())
                if number % 9 == 8:
                    stretch = StretchDigest(after="m-00010", last="m-00030", count=0, digest="")
                    rows = [each for each in rows if "m-00010" < each.member_id <= "m-00030"]
                    members = {key: each for key, each in members.items() if not "m-00010" < key <= "m-00030"}
                    await cache.mend(page(number, rows, stretch=stretch))
                else:
                    await cache.store_page(page(number, rows))
                members |= {each.member_id: each for each in rows}
                if number == 20:
                    await cache.reset()
                    await cache.store_page(page(number, list(members.values()), incarnation="j"))
                if number > 4 and number % 3 == 0:
                    await packed(cache)
                for query in chance.sample(QUERIES, 4):
                    assert await found(cache, query) == expected(members, query), (number, query)
            await packed(cache)
            for query in QUERIES:
                assert await found(cache, query) == expected(members, query), query

    asyncio.run(work())


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_finds_what_looking_at_everybody_finds(tmp_path: Path, seed: int) -> None:
    of_changes(tmp_path, seed)


def of_a_restart(folder: Path) -> None:
    """The index serves on after a restart; nobody is looked at one by one then."""

    async def work() -> None:
        async with cache_in(folder) as cache:
            await cache.store_page(page(1, [row(number, "Анна К.", number) for number in range(30)]))
            await packed(cache)
        async with cache_in(folder) as cache:
            await cache.store_page(page(2, [row(30, "Анна Я.", 5)]))
            assert await found(cache, "анна я") == {"m-00030"}
            assert len(await found(cache, "анна")) == 31

    asyncio.run(work())


@pytest.mark.usefixtures("small")
def test_it_serves_on_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "LOOKED_THROUGH", 0)
    monkeypatch.setattr(searching._Looked, "partial", False)
    of_a_restart(tmp_path)


def of_another_program(folder: Path) -> None:
    """A former release writes pages and knows nothing of the index: it is not believed, and begun anew."""

    async def work() -> None:
        async with cache_in(folder) as cache:
            await cache.store_page(page(1, [row(number, "Анна К.", number) for number in range(30)]))
            await packed(cache)
        with contextlib.closing(sqlite3.connect(folder / "cache.db")) as former:
            former.execute("CREATE TEMP TABLE kept AS SELECT * FROM search_state")
            kept = former.execute("SELECT cursor FROM kept").fetchone()
        async with cache_in(folder) as cache:
            await cache.store_page(page(2, [row(40, "Вера В.", 5), row(3, "Вера Г.", 5)]))
        with contextlib.closing(sqlite3.connect(folder / "cache.db")) as former:
            former.execute("DELETE FROM search_due")
            former.execute("UPDATE search_state SET cursor = ?", kept)
            former.commit()
        async with cache_in(folder) as cache:
            assert await found(cache, "вера") == {"m-00040", "m-00003"}
            await packed(cache)
            assert await found(cache, "вера") == {"m-00040", "m-00003"}

    asyncio.run(work())


@pytest.mark.usefixtures("small")
def test_an_index_that_missed_a_page_is_begun_anew(tmp_path: Path) -> None:
    of_another_program(tmp_path)


@pytest.mark.usefixtures("small")
def test_a_search_before_the_index_is_there_says_that_it_saw_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next one, once it is there, sees everybody."""
    monkeypatch.setattr(searching, "LOOKED_THROUGH", 10)
    monkeypatch.setattr(searching, "PAUSE_S", 60.0)

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(1, [row(number, "Анна К.", number) for number in range(40)]))
            hits = await cache.finder.find(wanted("анна"), 100)
            # The first stretch may be in the index by then.
            assert hits.partial
            assert len(hits.members) in (10, 17)
            await cache.finder.stop()
            monkeypatch.setattr(searching, "PAUSE_S", 0.0)
            await packed(cache)
            assert len(await found(cache, "анна")) == 40

    asyncio.run(work())


@pytest.mark.usefixtures("small")
def test_there_are_more_than_were_asked_for(tmp_path: Path) -> None:
    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(1, [row(number, "Анна К.", number) for number in range(40)]))
            for _ in range(2):
                few = await cache.finder.find(wanted("анна"), 5)
                assert (len(few.members), few.more) == (5, True)
                exact = await cache.finder.find(wanted("анна"), 40)
                assert (len(exact.members), exact.more) == (40, False)
                await packed(cache)

    asyncio.run(work())


@pytest.mark.usefixtures("small")
def test_stale_lines_do_not_pile_up(tmp_path: Path) -> None:
    """Members whose shown names change again and again: the index is begun anew before it is twice the cache."""

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(1, [row(number, "Анна К.", number) for number in range(40)]))
            await packed(cache)
            for round_ in range(2, 40):
                rows = [row(number, f"Анна {'АБВГД'[round_ % 5]}.", number) for number in range(5)]
                await cache.store_page(page(round_, rows))
                await packed(cache)
            lines = await cache._write(lambda connection: connection.execute(search_index.COUNT_LINES).fetchone()[0])
            assert lines <= 40 + 10 + 20 + 7
            assert len(await found(cache, "анна")) == 40

    asyncio.run(work())


def test_an_index_that_says_nonsense_is_not_believed_and_harms_nobody(tmp_path: Path) -> None:
    """Members are looked up and pages are stored as ever."""

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(1, [row(1, "Анна К.", 1)]))
            await packed(cache)
            await cache._write(lambda connection: connection.execute("UPDATE search_state SET tails = 'x'"))
            assert await found(cache, "анна 12") == {"m-00001"}
            await packed(cache)
            assert await found(cache, "анна 12") == {"m-00001"}
            assert cache.by_id("m-00001") is not None

    asyncio.run(work())


def test_a_search_of_a_file_that_is_not_there_finds_nobody(tmp_path: Path) -> None:
    async def work() -> None:
        store = CacheStore(tmp_path / "nowhere" / "cache.db", "t1")
        hits = await store.finder.find(wanted("анна"), 5)
        assert (hits.members, hits.partial) == ((), True)
        await store.stop()

    asyncio.run(work())
