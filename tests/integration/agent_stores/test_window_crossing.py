"""Windows, answers and snapshots that cross: what was read before is told after, and nobody is lost or kept by it."""

import asyncio
from pathlib import Path

import pytest

from integration.agent_stores.snapshot_kit import PullingTill, pulling, run, served, tag
from integration.agent_stores.test_digests_mend import COLUMNS, planted, rounds
from integration.agent_stores.window_kit import HERE, days, held, member, members, seen, two_stores
from till_cloud import erasing, snapshots
from till_cloud.store import snapshots as snapshot_rows
from till_sync import digests
from till_sync.asking import MemberAnswer, MemberQuestion
from unit.cloud.cloud_kit import Chain

GHOST = "m-0000005x"


@pytest.fixture
def world(tmp_path: Path) -> Chain:
    return two_stores(tmp_path / "cloud.db")


@pytest.fixture(autouse=True)
def stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short stretches, and no waiting between two digests."""
    monkeypatch.setattr(digests, "STRETCH_MEMBERS", 7)
    monkeypatch.setattr("till_sync.pull.CHECK_EVERY_MS", 0)
    monkeypatch.setattr("till_cloud.rationing.SHARE", 0)


async def asked(here: PullingTill, number: int) -> MemberAnswer:
    return await here.client.member(MemberQuestion(tags=(tag("card", number),)), timeout_ms=9_000)


@pytest.mark.parametrize("waits", [False, True])
def test_who_leaves_while_a_new_cache_is_built_is_not_in_it(world: Chain, tmp_path: Path, *, waits: bool) -> None:
    """The snapshot has them still; the pages after it tell that they went, but for whom waiting ops speak of."""
    till = world.till()

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            row = await asyncio.to_thread(snapshots.make, world.centre.path, wall_ms=world.wall, scope="s1")
            world.centre.write(lambda connection: snapshot_rows.add(connection, row)).result()
            world.wall.ms += 60 * 86_400_000
            seen(world, "s1", [1, 2])
            days(world, 31)
            if waits:
                here.cache._waiting = lambda _included: frozenset([tag("card", 5)])
            await here.pull()
            assert "snapshots" in here.requests
            assert held(here) == members([1, 2, *([5] if waits else [])])
            await rounds(here, 4)
            assert here.cache.divergences == 0
            here.cache._waiting = lambda _included: frozenset()
            await here.pull()
            assert held(here) == members([1, 2])

    run(work())


def test_a_digest_made_before_somebody_was_asked_for_is_no_divergence(world: Chain, tmp_path: Path) -> None:
    """The answer about them overtakes the page, which lacks them; its stretch is compared another time."""
    till, strangers = world.till(), iter(range(45, 60))

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            await here.pull()
            await rounds(here, 4)
            inner = here.transport._inner.exchange

            async def overtaken(method, path, **more):
                reply = await inner(method, path, **more)
                if "check=" in path:
                    assert await here.cache.take(await asked(here, next(strangers)))
                return reply

            here.transport._inner.exchange = overtaken
            await rounds(here, 6)
            here.transport._inner.exchange = inner
            await here.pull()
            assert held(here) == members([*HERE, *range(45, 51)])
            await rounds(here, 6)
            assert here.cache.divergences == 0
            planted(tmp_path / "cache.db", "UPDATE balances SET balance = balance + 1 WHERE member_id = 'm-0000005'")
            await rounds(here, 6)
            assert here.cache.divergences > 0

    run(work())


def test_an_answer_that_comes_after_the_news_that_they_went_is_too_late(world: Chain, tmp_path: Path) -> None:
    """Who was erased meanwhile must not lie on the till again; who has only left comes back when asked for anew."""
    till = world.till()

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            await here.pull()
            late = await asked(here, 5)
            world.centre.write(lambda c: erasing.erase(c, member(5), [], world.wall())).result()
            await here.pull()
            assert not await here.cache.take(late)
            assert here.cache.by_id(member(5)) is None
            days(world, 91)
            await here.pull()
            assert held(here) == set()
            world.wall.ms += 1
            assert await here.cache.take(await asked(here, 6))
            await here.pull()
            assert held(here) == {member(6)}

    run(work())


def test_who_was_erased_is_not_taken_over_into_a_new_cache(world: Chain, tmp_path: Path) -> None:
    """Not even one of whom waiting ops speak: of them nothing is to stay."""
    till = world.till()

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            await here.pull()
            row = await asyncio.to_thread(snapshots.make, world.centre.path, wall_ms=world.wall, scope="s1")
            world.centre.write(lambda connection: snapshot_rows.add(connection, row)).result()
            world.centre.write(lambda c: erasing.erase(c, member(5), [], world.wall())).result()
            here.cache._waiting = lambda _included: frozenset([member(5), member(6)])
            here.puller._loader.forget()
            await here.cache.reset()
            await here.pull()
            assert "snapshots" in here.requests
            assert held(here) == members(HERE) - {member(5)}
            await rounds(here, 4)
            assert here.cache.divergences == 0

    run(work())


def test_mending_keeps_whom_waiting_ops_speak_of(world: Chain, tmp_path: Path) -> None:
    """Their balance is shown until the cloud has the ops; then they go, as who is nobody to this store."""
    till = world.till()

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            await here.pull()
            await rounds(here, 4)
            planted(
                tmp_path / "cache.db",
                f"INSERT INTO members SELECT '{GHOST}', generation, data FROM members WHERE member_id = 'm-0000006'",
                f"INSERT INTO balances SELECT '{GHOST}', {COLUMNS} FROM balances WHERE member_id = 'm-0000006'",
            )
            here.cache._waiting = lambda _included: frozenset([GHOST])
            await rounds(here, 6)
            assert here.cache.divergences == 1
            assert held(here) == members(HERE) | {GHOST}
            here.cache._waiting = lambda _included: frozenset()
            await rounds(here, 6)
            assert here.cache.divergences == 1
            assert held(here) == members(HERE)

    run(work())
