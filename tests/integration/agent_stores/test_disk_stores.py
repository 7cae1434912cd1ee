"""Journal and cache on a disk that takes no more (RLIMIT_FSIZE), and a cache whose log was cut, changed or deleted."""

import asyncio
import contextlib
import random
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.agent_stores.test_agent_stores_cache_damage import cache_in, page_of
from kit.loops import run
from till_agent.balances import OwnEffects
from till_agent.cache import CacheUnavailable
from till_agent.exceptions import JournalUnavailable
from unit.agent_stores.stores_kit import draft, journal_in, once

SEED = 3
MEMBERS = 100
CUTS = 12


@contextlib.contextmanager
def largest_file(limit: int) -> Iterator[None]:
    """No file of this process may grow beyond `limit` bytes meanwhile; what would is refused as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_journal_that_may_not_grow_refuses_and_goes_on_where_it_was(tmp_path: Path):
    """Refused more than once, each time on a file that was opened anew; then the same uid is sold, once."""

    async def work() -> None:
        effects = OwnEffects()
        async with journal_in(tmp_path, effects=effects) as journal:
            await journal.commit(once(draft("s-1", points=5)))
            with largest_file(4096):
                for uid in ("s-2", "s-2", "s-3"):
                    with pytest.raises(JournalUnavailable):
                        await journal.commit(once(draft(uid, points=5, body=b"x" * 50_000)))
            assert effects.effect(("m-1",), (0, 0)) == 5
            for uid in ("s-2", "s-3", "s-2"):
                await journal.commit(once(draft(uid, points=5)))
            assert await journal.verify() == await journal.waiting() == 3
            assert effects.effect(("m-1",), (0, 0)) == 15
            assert journal.report.reason == "new"

    run(work())


def test_a_journal_can_not_be_opened_where_nothing_may_be_written_and_can_afterwards(tmp_path: Path):
    """A start on a full disk: said, nothing half made, and the next one goes through."""

    async def work() -> None:
        with largest_file(1024), pytest.raises(JournalUnavailable):
            async with journal_in(tmp_path):
                pass
        async with journal_in(tmp_path) as journal:
            await journal.commit(once(draft("s-1")))
            assert await journal.verify() == 1

    run(work())


def test_a_cache_that_may_not_grow_says_so_and_goes_on(tmp_path: Path):
    """The page is refused, look-ups go on with what was there, and the next page goes through."""

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page_of(3))
            with largest_file(4096), pytest.raises(CacheUnavailable):
                await cache.store_page(page_of(3_000, acked=2))
            assert cache.by_id("m-2") is not None
            await cache.store_page(page_of(3_000, acked=3))
            assert cache.by_id("m-2999") is not None

    run(work())


def image(folder: Path) -> dict[str, bytes]:
    """The files of a cache in use."""
    folder.mkdir()

    async def work() -> dict[str, bytes]:
        async with cache_in(folder) as cache:
            await cache.store_page(page_of(MEMBERS))
            return {path.name: path.read_bytes() for path in folder.iterdir()}

    return run(work())


def check(folder: Path, files: dict[str, bytes]) -> None:
    """It opens, answers, and holds everything after the next pull, from the beginning if need be."""
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)

    async def work() -> None:
        async with cache_in(folder) as cache:
            for number in range(0, MEMBERS, 7):
                found = cache.by_id(f"m-{number}")
                assert found is None or found.row.member_id == f"m-{number}"
            with contextlib.suppress(CacheUnavailable):
                await cache.store_page(page_of(MEMBERS, acked=2))
            async with asyncio.timeout(10):
                while cache.by_tag(f"card:{MEMBERS - 1}") is None:
                    with contextlib.suppress(CacheUnavailable):
                        await cache.store_page(page_of(MEMBERS, acked=3))
            for number in range(MEMBERS):
                assert cache.by_id(f"m-{number}") is not None

    run(work())


def test_a_cache_whose_log_is_damaged_is_filled_again(tmp_path: Path):
    """The log deleted, cut at places, with a changed bit; the log's index garbled."""
    files = image(tmp_path / "made")
    log = files["cache.db-wal"]
    draw = random.Random(SEED)
    kinds = [
        {name: content for name, content in files.items() if name != "cache.db-wal"},
        {name: content for name, content in files.items() if name != "cache.db-shm"},
        files | {"cache.db-shm": b"\xa5" * 32_768},
    ]
    kinds += [files | {"cache.db-wal": log[: draw.randrange(len(log)) // 512 * 512]} for _ in range(CUTS)]
    for _ in range(CUTS):
        changed = bytearray(log)
        bit = draw.randrange(len(log) * 8)
        changed[bit // 8] ^= 1 << bit % 8
        kinds.append(files | {"cache.db-wal": bytes(changed)})
    for number, kind in enumerate(kinds):
        check(tmp_path / str(number), kind)
