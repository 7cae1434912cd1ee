"""The search's index forgets who is here no more: of somebody erased no name stays on the till."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kit.loops import run
from till_agent.cache import CacheStore, search_index
from till_agent.cache.matching import wanted
from till_sync.wire import ChangesAnswer, MemberRow, StretchDigest
from unit.agent_stores.stores_kit import cache_in, page

NAMES = {"m-1": "Anna K.", "m-12": "Boris L.", "m-2": "Clara M."}


def member(member_id: str, status: str = "active") -> MemberRow:
    name = NAMES[member_id] if status == "active" else ""
    return MemberRow(member_id=member_id, status=status, name_masked=name, phone_masked="+7 *** ***-12-34")  # type: ignore[arg-type]  # one of its words


async def filled(cache: CacheStore) -> None:
    """All three are in the index."""
    await cache.store_page(page(*map(member, NAMES)))
    assert await found(cache) == set(NAMES)
    assert indexed(cache) == {"anna", "boris", "clara"}


async def found(cache: CacheStore) -> set[str]:
    """Whom a search finds, once its index is made."""
    hits = await cache.finder.find(wanted("1234"), 10)
    assert cache.finder._packing is not None
    await cache.finder._packing
    return {hit.row.member_id for hit in hits.members}


def indexed(cache: CacheStore) -> set[str]:
    """First names in the file's index."""
    with closing(sqlite3.connect(cache._path)) as connection:
        chunks = b"".join(row[0] for row in connection.execute("SELECT lines FROM search_chunks"))
    return {name for name in ("anna", "boris", "clara") if name.encode() in chunks}


async def erased(cache: CacheStore) -> None:
    await cache.store_page(page(member("m-1", "removed"), acked=1))


async def mended(cache: CacheStore) -> None:
    """A stretch is read anew in which the cloud has only the others."""
    stretch = StretchDigest(after="", last="", count=2, digest="x")
    await cache.mend(page(member("m-12"), member("m-2"), acked=1, stretch=stretch))


async def filling(cache: CacheStore) -> None:
    """All is pulled anew, and the first page has come."""
    await cache.reset()
    first: ChangesAnswer = page(member("m-1", "removed"), acked=1, more=True)
    await cache.store_page(first)


def test_of_many_who_go_the_whole_index_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_index, "FORGOTTEN_ONE_BY_ONE", 1)

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            await filled(cache)
            packing, cache.finder.go_on = cache.finder.go_on, lambda: None
            await cache.store_page(page(member("m-1", "removed"), member("m-2", "removed"), acked=1))
            assert indexed(cache) == set()
            cache.finder.go_on = packing
            assert await found(cache) == {"m-12"}

    run(work())


@pytest.mark.parametrize("go", [erased, mended, filling])
def test_the_index_forgets_who_goes_at_once(tmp_path: Path, go) -> None:
    """Without waiting for somebody to search; the others are found as before."""

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            await filled(cache)
            packing, cache.finder.go_on = cache.finder.go_on, lambda: None
            await go(cache)
            assert indexed(cache) == (set() if go is filling else {"boris", "clara"})
            cache.finder.go_on = packing
            assert await found(cache) == {"m-12", "m-2"}

    run(work())
