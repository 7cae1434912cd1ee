"""Windows, answers and snapshots that cross: what was read before is told after, and nobody is lost or kept by it."""

import asyncio
from pathlib import Path

import pytest

from integration.agent_stores.snapshot_kit import PullingTill, make_snapshot, pulling, served, tag
from integration.agent_stores.test_digests_mend import COLUMNS, planted, rounds
from integration.agent_stores.window_kit import (
    GHOST,
    HERE,
    at_till,
    days,
    held,
    member,
    members,
    ops_wait,
    plant_ghost,
    seen,
)
from kit.loops import run
from till_cloud import erasing
from till_sync.asking import MemberAnswer, MemberQuestion
from unit.cloud.cloud_kit import Chain

pytestmark = pytest.mark.usefixtures("short_stretches")


def erase(world: Chain, number: int) -> None:
    world.centre.write(lambda c: erasing.erase(c, member(number), [], world.wall())).result()


async def asked(here: PullingTill, number: int) -> MemberAnswer:
    return await here.client.member(MemberQuestion(tags=(tag("card", number),)), timeout_ms=9_000)


@pytest.mark.parametrize("waits", [False, True])
def test_who_leaves_while_a_new_cache_is_built_is_not_in_it(world: Chain, tmp_path: Path, *, waits: bool) -> None:
    """The snapshot has them still; the pages after it tell that they went, but for whom waiting ops speak of."""
    till = world.till()

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            await asyncio.to_thread(make_snapshot, world, "s1")
            world.wall.ms += 60 * 86_400_000
            seen(world, "s1", [1, 2])
            days(world, 31)
            if waits:
                ops_wait(here, tag("card", 5))
            await here.pull()
            assert "snapshots" in here.requests
            assert held(here) == members([1, 2, *([5] if waits else [])])
            await rounds(here, 4)
            assert here.cache.divergences == 0
            ops_wait(here)
            await here.pull()
            assert held(here) == members([1, 2])

    run(work())


def test_a_digest_made_before_somebody_was_asked_for_is_no_divergence(world: Chain, tmp_path: Path) -> None:
    """The answer about them overtakes the page, which lacks them; its stretch is compared another time."""
    strangers = iter(range(45, 60))

    async def work(here: PullingTill) -> None:
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

    at_till(world, tmp_path, work)


def test_an_answer_that_comes_after_the_news_that_they_went_is_too_late(world: Chain, tmp_path: Path) -> None:
    """Who was erased meanwhile must not lie on the till again; who has only left comes back when asked for anew."""

    async def work(here: PullingTill) -> None:
        late = await asked(here, 5)
        erase(world, 5)
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

    at_till(world, tmp_path, work)


def test_who_was_erased_is_not_taken_over_into_a_new_cache(world: Chain, tmp_path: Path) -> None:
    """Not even one of whom waiting ops speak: of them nothing is to stay."""

    async def work(here: PullingTill) -> None:
        await asyncio.to_thread(make_snapshot, world, "s1")
        erase(world, 5)
        ops_wait(here, member(5), member(6))
        here.puller._loader.forget()
        await here.cache.reset()
        await here.pull()
        assert "snapshots" in here.requests
        assert held(here) == members(HERE) - {member(5)}
        await rounds(here, 4)
        assert here.cache.divergences == 0

    at_till(world, tmp_path, work)


def test_mending_keeps_whom_waiting_ops_speak_of(world: Chain, tmp_path: Path) -> None:
    """Their balance is shown until the cloud has the ops; then they go, as who is nobody to this store."""

    async def work(here: PullingTill) -> None:
        await rounds(here, 4)
        plant_ghost(here)
        ops_wait(here, GHOST)
        await rounds(here, 6)
        assert here.cache.divergences == 1
        assert held(here) == members(HERE) | {GHOST}
        ops_wait(here)
        await rounds(here, 6)
        assert here.cache.divergences == 1
        assert held(here) == members(HERE)

    at_till(world, tmp_path, work)


@pytest.mark.parametrize("told", [True, False], ids=["told between", "away"])
@pytest.mark.parametrize("anew", [False, True], ids=["page", "anew"])
def test_who_left_and_is_erased_then_goes_whatever_waits(
    world: Chain, tmp_path: Path, *, told: bool, anew: bool
) -> None:
    """The till keeps them for its ops, and the store has nothing to do with them any more: it is told all the same."""

    async def work(here: PullingTill) -> None:
        ops_wait(here, member(5), member(6))
        days(world, 91)
        if told:
            await here.pull()
            assert held(here) == members([5, 6])
        erase(world, 5)
        if anew:
            here.puller._loader.forget()
            await here.cache.reset()
        await here.pull()
        assert "snapshots" not in here.requests
        assert held(here) == {member(6)}
        assert here.cache.by_tag(tag("phone", 5)) is None
        await rounds(here, 4)
        assert here.cache.divergences == 0

    at_till(world, tmp_path, work)


def test_whoever_became_another_is_erased_with_them_where_they_left(world: Chain, tmp_path: Path) -> None:
    """The cloud knows both as one; a till that kept the one of before for its ops forgets them too."""

    async def work(here: PullingTill) -> None:
        ops_wait(here, member(5))
        days(world, 91)
        await here.pull()
        world.merge(member(5), member(59))
        await here.pull()
        erase(world, 59)
        await here.pull()
        assert held(here) == set()

    at_till(world, tmp_path, work)


def test_mending_lets_go_of_the_erased_whatever_waits(world: Chain, tmp_path: Path) -> None:
    """A cache that has them again, by whatever accident, is mended without them."""

    async def work(here: PullingTill) -> None:
        erase(world, 5)
        await here.pull()
        planted(
            here.cache._path,
            "INSERT INTO members SELECT 'm-0000005', generation, data FROM members WHERE member_id = 'm-0000006'",
            f"INSERT INTO balances SELECT 'm-0000005', {COLUMNS} FROM balances WHERE member_id = 'm-0000006'",
        )
        ops_wait(here, member(5))
        await rounds(here, 6)
        assert here.cache.divergences == 1
        assert held(here) == members(HERE) - {member(5)}

    at_till(world, tmp_path, work)
