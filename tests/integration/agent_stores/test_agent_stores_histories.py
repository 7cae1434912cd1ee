"""What random histories of journal, cache and effects come to too seldom, each told once: see the model beside this.

The mistakes that each of them shows are planted in `tests/faults/journal/test_journal_mutants_model.py`.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from msgspec import structs

from integration.agent_stores.stores_cloud import ModelCloud
from integration.agent_stores.test_agent_stores_model import Till
from kit.loops import run
from till_sync.asking import MemberAnswer
from till_sync.wire import MemberRow, OpResult

Answer = tuple[int, int, tuple[OpResult, ...]]
"""Of a push: epoch, acknowledged up to, verdicts."""


class World:
    """One till and a cloud that knows m-1 with 100 points."""

    def __init__(self, folder: Path) -> None:
        self.till = Till(folder)
        self.cloud = ModelCloud()
        self.cloud.add("m-1", 100)

    async def pull(self) -> None:
        """All that is new, in one page."""
        cursor = await self.till.cache.cursor()
        await self.till.cache.store_page(self.cloud.page(cursor, 10))

    async def push(self) -> Answer:
        """All that waits; the answer is on its way."""
        batch = await self.till.journal.next_batch(max_ops=10, max_bytes=10**6, incarnation="i")
        assert batch is not None
        return (batch.epoch, *self.cloud.push(batch))

    async def restart(self) -> None:
        """As of what is on the disk."""
        await self.till.close()
        await self.till.open()

    @property
    def shown(self) -> int:
        """To the cashier, of m-1."""
        return self.till.shown("m-1")


@contextlib.asynccontextmanager
async def world_in(folder: Path) -> AsyncIterator[World]:
    """A till that is closed at the end."""
    world = World(folder)
    await world.till.open()
    try:
        yield world
    finally:
        await world.till.close()


async def a_page_of_before(folder: Path) -> None:
    """Asked for before an op was sent, and here after it was acknowledged, with a member whom nobody here knew: the
    cache kept no verdict of theirs, so the op counts beside what the page says."""
    async with world_in(folder) as world:
        late = world.cloud.page("", 10)
        await world.till.sell("s-1", "m-1", 7)
        await world.till.journal.record(*await world.push())
        await world.till.cache.store_page(late)
        assert world.shown == 107


async def an_answer_about_somebody_of_before(folder: Path) -> None:
    """As that, where the desk asks the cloud about one whom nobody here knew, beside all that the worker does."""
    async with world_in(folder) as world:
        asked = world.cloud.page("", 10)
        await world.till.cache.store_page(structs.replace(asked, rows=()))
        await world.till.sell("s-1", "m-1", 7)
        await world.till.journal.record(*await world.push())
        (row,) = asked.rows
        assert isinstance(row, MemberRow)
        answer = MemberAnswer(
            incarnation=asked.incarnation,
            epoch=asked.epoch,
            acked_seq=asked.acked_seq,
            server_time_ms=asked.server_time_ms,
            member=row,
        )
        assert await world.till.cache.take(answer)
        assert world.shown == 107


async def a_page_older_than_a_verdict(folder: Path) -> None:
    """The verdict told what another till has done since; the page that comes late does not take it back. The worker
    pushes and pulls in turn; the cache does not rely on it."""
    async with world_in(folder) as world:
        await world.pull()
        world.cloud.change("m-1", 1)
        late = world.cloud.page(await world.till.cache.cursor(), 10)
        world.cloud.change("m-1", 30)
        await world.till.sell("s-1", "m-1", 7)
        await world.till.journal.record(*await world.push())
        assert world.shown == 138
        await world.till.cache.store_page(late)
        assert world.shown == 138


async def a_verdict_older_than_a_page(folder: Path) -> None:
    """The answer to a push is lost, and then the push is halted, while pages still come: one brings what the op did and
    what another till did after it. The verdict, when it is told again, is of before that."""
    async with world_in(folder) as world:
        await world.pull()
        await world.till.sell("s-1", "m-1", 7)
        await world.push()
        world.cloud.change("m-1", 30)
        await world.pull()
        assert world.shown == 137
        _epoch, _acked, (verdict,) = again = await world.push()
        assert (verdict.status, verdict.balance) == ("duplicate", 107)
        await world.till.journal.record(*again)
        assert world.shown == 137


async def a_cloud_put_back(folder: Path) -> None:
    """What it lost counts beside its balances again as soon as it is known, and not only once it is sent again."""
    async with world_in(folder) as world:
        backup = world.cloud.backup()
        await world.till.sell("s-1", "m-1", 7)
        await world.till.journal.record(*await world.push())
        await world.pull()
        assert (world.shown, len(world.till.effects)) == (107, 0)
        world.cloud = backup
        world.cloud.incarnation += 1
        await world.till.journal.reconcile(world.cloud.hello())
        await world.till.cache.reset()
        await world.pull()
        assert world.shown == 107
        await world.till.journal.record(*await world.push())
        await world.pull()
        assert (world.shown, world.cloud.balances["m-1"]) == (107, 107)


async def a_death_between_journal_and_cache(folder: Path) -> None:
    """The journal has it that the cloud has the op, the cache has no verdict: no op waits, and yet the balance lacks
    one after the start."""
    async with world_in(folder) as world:
        await world.pull()
        await world.till.sell("s-1", "m-1", 7)
        world.till.journal._verdicts = None  # it dies before it hands them on
        await world.till.journal.record(*await world.push())
        await world.restart()
        assert await world.till.journal.waiting() == 0
        assert world.shown == 107
        await world.pull()
        assert (world.shown, len(world.till.effects)) == (107, 0)


HISTORIES: dict[str, Callable[[Path], Awaitable[None]]] = {
    "a page of before an op": a_page_of_before,
    "an answer about somebody of before an op": an_answer_about_somebody_of_before,
    "a page older than a verdict": a_page_older_than_a_verdict,
    "a verdict older than a page": a_verdict_older_than_a_page,
    "a cloud put back": a_cloud_put_back,
    "a death between journal and cache": a_death_between_journal_and_cache,
}


@pytest.mark.parametrize("name", HISTORIES)
def test_what_is_shown_stays_right_through(name: str, tmp_path: Path):
    """Each own op counts once, and what the cloud has told is not taken back."""
    run(HISTORIES[name](tmp_path))
