"""A till without a cache takes the cloud's snapshot over real HTTP, and goes on with pages from there."""

from pathlib import Path

import pytest

from integration.agent_stores.snapshot_kit import add_members, make_snapshot, pulling, served, tag
from kit.loops import run
from unit.cloud.cloud_kit import Chain

MEMBERS = 6_000


@pytest.fixture
def world(tmp_path: Path) -> Chain:
    chain = Chain(tmp_path / "cloud.db")
    add_members(chain, MEMBERS)
    return chain


def test_a_first_load_takes_the_snapshot_and_one_page(world: Chain, tmp_path: Path) -> None:
    """Members, tags, balances and the programme are there; what changed since came with the page."""
    till = world.till()
    make_snapshot(world)
    world.member("m-later", points=70, tags=("card:0000000a",))

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            await here.pull()
            assert here.requests == ["hello", "snapshot", "snapshots", "changes"]
            assert (here.cache.member_count, here.cache.filling) == (MEMBERS + 1, False)
            found = here.cache.by_tag(tag("card", 17))
            assert found is not None
            assert (found.row.member_id, found.row.balance, found.row.name_masked) == ("m-0000017", 17, "Name 17")
            assert here.cache.by_tag("card:0000000a") is not None
            assert here.cache.programme() is not None
            assert here.floors == [(0, 0)]
            assert not list(tmp_path.glob("cache.db.*"))

    run(work())


def test_with_no_snapshot_members_come_by_pages(world: Chain, tmp_path: Path) -> None:
    """404 `snapshot_none` is asked for once."""
    till = world.till()

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            await here.pull()
            assert here.requests.count("snapshot") == 1
            assert here.cache.member_count == MEMBERS

    run(work())
