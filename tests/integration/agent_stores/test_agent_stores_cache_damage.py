"""A cache that can't be used is begun anew; the till starts and sells without it meanwhile."""

import asyncio
import contextlib
import random
import sqlite3
from pathlib import Path

import pytest

from kit.loops import run
from till_agent.cache import CacheUnavailable
from till_sync.wire import ChangesAnswer, MemberRow, OpResult
from unit.agent_stores.stores_kit import cache_in


def page_of(count: int, acked: int = 1) -> ChangesAnswer:
    """A last page of `count` members."""
    rows = tuple(MemberRow(member_id=f"m-{n}", balance=n, tags=(f"card:{n}",), tier="t" * 50) for n in range(count))
    return ChangesAnswer(
        incarnation="i-1", rows=rows, next="end", more=False, epoch=1, acked_seq=acked, server_time_ms=5
    )


def fill(folder: Path, count: int = 50) -> None:
    """A cache of `count` members, closed."""

    async def work() -> None:
        async with cache_in(folder) as cache:
            await cache.store_page(page_of(count))

    run(work())


@pytest.mark.parametrize("damage", ["rubbish", "header", "other version", "other program", "no progress", "folder"])
def test_a_file_that_is_no_cache_is_begun_anew(tmp_path: Path, damage: str):
    """The cursor is at the beginning, so the next pull brings everything."""
    path = tmp_path / "cache.db"
    if damage != "folder":
        fill(tmp_path)
    if damage == "rubbish":
        path.write_bytes(b"rubbish" * 1000)
    elif damage == "header":
        path.write_bytes(b"SQLite format 3\0" + b"\xee" * 200 + path.read_bytes()[216:])
    elif damage == "folder":
        path.mkdir()
    else:
        statement = {
            "other version": "PRAGMA user_version = 99",
            "other program": "PRAGMA application_id = 5",
            "no progress": "DELETE FROM progress",
        }[damage]
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute(statement)
        connection.close()

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            assert (await cache.cursor(), cache.member_count, cache.by_id("m-1")) == ("", 0, None)
            await cache.store_page(page_of(3))
            assert cache.by_id("m-1") is not None
        assert (tmp_path / "cache.db.damaged").exists()

    run(work())


def test_the_cache_of_another_till_is_begun_anew(tmp_path: Path):
    """Its members and positions are another journal's."""
    fill(tmp_path)

    async def work() -> None:
        async with cache_in(tmp_path, till="t-8") as cache:
            assert (await cache.cursor(), cache.member_count) == ("", 0)

    run(work())


def test_damage_met_by_a_look_up_empties_the_cache_and_heals(tmp_path: Path):
    """The look-up finds nobody instead of failing a sale; the next pull fills a new file."""
    fill(tmp_path, 3_000)
    path = tmp_path / "cache.db"
    content = bytearray(path.read_bytes())
    pages = len(content) // 4096
    for number in range(16, pages):
        content[number * 4096 : number * 4096 + 512] = b"\xa5" * 512
    path.write_bytes(content)

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            assert cache.member_count == 3_000
            assert [cache.by_id(f"m-{n}") for n in range(0, 3_000, 100)].count(None) > 0
            async with asyncio.timeout(10):
                while await cache.cursor():
                    await asyncio.sleep(0.01)
            assert cache.member_count == 0
            await cache.store_page(page_of(10))
            assert cache.by_tag("card:9") is not None

    run(work())


def test_damage_met_by_a_page_is_said_and_healed(tmp_path: Path):
    """The page is refused, so that it is asked for again, from the beginning."""
    fill(tmp_path, 3_000)
    path = tmp_path / "cache.db"
    content = bytearray(path.read_bytes())
    for number in range(16, len(content) // 4096):
        content[number * 4096 : number * 4096 + 512] = b"\xa5" * 512
    path.write_bytes(content)

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            with pytest.raises(CacheUnavailable):
                await cache.store_page(page_of(3_000, acked=2))
            assert (await cache.cursor(), cache.member_count) == ("", 0)
            await cache.record_results(1, (OpResult(seq=5, status="applied", member_id="m-1", balance=5),))
            await cache.store_page(page_of(3_000, acked=3))
            assert cache.by_tag("card:2999") is not None

    run(work())


def test_a_disk_that_is_not_there_leaves_an_empty_cache(tmp_path: Path):
    """Sales need the journal, not the cache; once there is a disk, a page goes through."""
    folder = tmp_path / "absent"

    async def work() -> None:
        async with cache_in(folder) as cache:
            assert (cache.by_id("m-1"), cache.by_tag("card:1"), cache.programme(), cache.member_count) == (
                None,
            ) * 3 + (0,)
            with pytest.raises(CacheUnavailable):
                await cache.store_page(page_of(3))
            await cache.record_results(1, (OpResult(seq=1, status="applied", member_id="m-1"),))
            folder.mkdir()
            await cache.store_page(page_of(3))
            assert cache.by_id("m-1") is not None

    run(work())


def test_no_flipped_bit_stops_the_start_or_a_look_up(tmp_path: Path):
    """A hundred caches, each with a bit changed: they open, look-ups answer, a pull goes through.

    Whether each row is right is not asked: the cache has no chain, and nothing is decided by it alone.
    """
    fill(tmp_path, 200)
    good = (tmp_path / "cache.db").read_bytes()
    draw = random.Random(20_171_223)

    async def survive(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        bad = bytearray(good)
        bit = draw.randrange(len(bad) * 8) if number > 20 else draw.randrange(100 * 8)
        bad[bit // 8] ^= 1 << bit % 8
        (folder / "cache.db").write_bytes(bad)
        async with cache_in(folder) as cache:
            for n in range(0, 200, 20):
                cache.by_id(f"m-{n}")
                cache.by_tag(f"card:{n}")
            with contextlib.suppress(CacheUnavailable):
                await cache.store_page(page_of(200, acked=2))
            await cache.store_page(page_of(200, acked=3))
            assert await cache.cursor() == "end"
            for n in range(200):
                cache.by_id(f"m-{n}")
                cache.by_tag(f"card:{n}")

    async def work() -> None:
        for number in range(100):
            await survive(number)

    run(work())
