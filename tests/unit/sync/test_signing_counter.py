"""The counter of a till's requests: it rises, over crashes too, and a broken disk stops nobody."""

import asyncio
import random
from pathlib import Path

import pytest

from kit.loops import run
from till_sync import counters
from till_sync.counters import BLOCK, COUNTER_FILE, Counter


async def take(counter: Counter, count: int) -> list[int]:
    return [await counter.next() for _ in range(count)]


def test_crashes_skip_numbers_and_repeat_none(tmp_path: Path) -> None:
    """Any number of requests, then another process: each number is larger than all before."""

    async def case() -> None:
        chance = random.Random(3)
        last = 0
        for _ in range(30):
            taken = await take(Counter(tmp_path / COUNTER_FILE), chance.choice((1, 2, BLOCK - 1, BLOCK, BLOCK + 2)))
            assert taken[0] > last
            assert taken == sorted(set(taken))
            last = taken[-1]

    run(case())


def test_mutant_that_keeps_the_number_after_its_use_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the file written late, a crash would repeat numbers."""
    monkeypatch.setattr(counters, "replace_file", lambda path, content: None)
    with pytest.raises(AssertionError):
        test_crashes_skip_numbers_and_repeat_none(tmp_path)


def test_numbers_that_are_taken_at_once_differ(tmp_path: Path) -> None:
    async def case() -> None:
        counter = Counter(tmp_path / COUNTER_FILE)
        taken = await asyncio.gather(*(counter.next() for _ in range(3 * BLOCK)))
        assert len(set(taken)) == 3 * BLOCK

    run(case())


def test_the_file_is_written_once_a_block_and_is_private(tmp_path: Path) -> None:
    async def case() -> None:
        path = tmp_path / COUNTER_FILE
        counter = Counter(path)
        await take(counter, 10)
        first = path.read_text("ascii")
        await take(counter, BLOCK - 20)
        assert path.read_text("ascii") == first
        assert path.stat().st_mode & 0o777 == 0o600
        assert [each.name for each in tmp_path.iterdir()] == [COUNTER_FILE]

    run(case())


def test_what_the_cloud_says_is_heeded_and_kept(tmp_path: Path) -> None:
    """Never downwards."""

    async def case() -> None:
        path = tmp_path / COUNTER_FILE
        counter = Counter(path)
        await counter.next()
        counter.raise_to(50_000)
        assert await counter.next() == 50_000
        counter.raise_to(3)
        assert await counter.next() == 50_001
        assert await Counter(path).next() > 50_001

    run(case())


@pytest.mark.parametrize("text", ["", "rubbish", "-5\n", "9" * 100, "\x00" * 8, "12 13"])
def test_a_file_that_says_nothing_stops_nobody(text: str, tmp_path: Path) -> None:
    async def case() -> None:
        path = tmp_path / COUNTER_FILE
        path.write_text(text, "ascii")
        taken = await take(Counter(path), 3)
        assert taken == [taken[0], taken[0] + 1, taken[0] + 2]
        assert 0 < taken[0] <= 2**53

    run(case())


def test_a_disk_that_takes_nothing_stops_nobody(tmp_path: Path) -> None:
    """A directory stands where the file should be."""

    async def case() -> None:
        (tmp_path / COUNTER_FILE).mkdir()
        assert await take(Counter(tmp_path / COUNTER_FILE), 3) == [1, 2, 3]
        assert [each.name for each in tmp_path.iterdir()] == [COUNTER_FILE]

    run(case())
