"""What goes wrong while a snapshot comes: cut lines, restarts of either end, other bytes, no room."""

import os
from pathlib import Path

import pytest

from integration.agent_stores.snapshot_kit import KNOWN, PullingTill, add_members, make_snapshot, pulling, served, tag
from kit.loops import run
from till_cloud import snapshots
from till_sync import snapshots as loading
from till_sync.exceptions import CloudUnreachable
from till_sync.transport import Reply
from unit.cloud.cloud_kit import Chain

MEMBERS = 6_000


@pytest.fixture
def world(tmp_path: Path) -> Chain:
    chain = Chain(tmp_path / "cloud.db")
    add_members(chain, MEMBERS)
    return chain


@pytest.fixture
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot takes some ten ranges, and each pull fetches one."""
    monkeypatch.setattr(loading, "FIRST_RANGE_BYTES", 64 * 1024)
    monkeypatch.setattr(loading, "MOST_RANGE_BYTES", 64 * 1024)
    monkeypatch.setattr(loading, "FETCH_TURN_MS", 0)


async def fetch_some(here: PullingTill, times: int = 3) -> str:
    incarnation = await here.greet()
    for _ in range(times):
        assert (await here.puller.pull(incarnation, known=KNOWN)).more
    return incarnation


def ranges(here: PullingTill) -> int:
    return here.requests.count("snapshots")


def is_whole(here: PullingTill) -> bool:
    found = here.cache.by_tag(tag("phone", 4321))
    return here.cache.member_count == MEMBERS and found is not None and found.row.balance == 4321


@pytest.mark.usefixtures("small_ranges")
def test_a_till_that_was_restarted_fetches_the_rest(world: Chain, tmp_path: Path) -> None:
    """The bytes that came stay; the same snapshot is gone on with."""
    till = world.till()
    row = make_snapshot(world)

    async def work() -> None:
        async with served(world) as port:
            async with pulling(tmp_path, world, till, port) as before:
                await fetch_some(before)
                assert before.puller.loading.fetched_bytes == 3 * 64 * 1024
            async with pulling(tmp_path, world, till, port) as here:
                await here.pull()
                assert ranges(here) == -(-row.bytes // (64 * 1024)) - 3
                assert is_whole(here)
                assert here.puller.loading == loading.Loading()

    run(work())


@pytest.mark.usefixtures("small_ranges")
def test_a_cut_line_costs_the_range_under_way(world: Chain, tmp_path: Path) -> None:
    """The error goes to whoever runs the rounds; the next pull goes on."""
    till = world.till()
    row = make_snapshot(world)

    def cut(path: str, reply: Reply) -> Reply:
        if "/snapshots/" in path and len(here_paths) % 4 == 3:
            here_paths.append(path)
            raise CloudUnreachable("cut")
        here_paths.append(path)
        return reply

    here_paths: list[str] = []

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            incarnation = await here.greet()
            here.transport.broken = cut
            failed, more = 0, True
            while more:
                try:
                    more = (await here.puller.pull(incarnation, known=KNOWN)).more
                except CloudUnreachable:
                    failed += 1
            assert failed > 1
            assert ranges(here) == -(-row.bytes // (64 * 1024)) + failed
            assert is_whole(here)

    run(work())


@pytest.mark.usefixtures("small_ranges")
@pytest.mark.parametrize("kept", [True, False], ids=["the old one is kept", "the old one is gone"])
def test_a_newer_snapshot_in_mid_fetch(world: Chain, tmp_path: Path, *, kept: bool) -> None:
    """A cloud that came back with another snapshot: the old one is finished while it is kept, else the new begun."""
    till = world.till()
    first = make_snapshot(world)

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            incarnation = await fetch_some(here)
            world.member("m-later", points=5)
            world.wall.ms += 1
            second = make_snapshot(world)
            folder = snapshots.folder_of(world.centre.path)
            if not kept:
                (folder / first.snapshot).unlink()
            while (await here.puller.pull(incarnation, known=KNOWN)).more:
                pass
            asked = {path.split("/")[3].partition("?")[0] for path in here.transport.paths if "/snapshots/" in path}
            assert asked == ({first.snapshot} if kept else {first.snapshot, second.snapshot})
            assert here.cache.member_count == MEMBERS + 1
            assert here.cache.divergences == 0

    run(work())


@pytest.mark.parametrize("how", ["garbled", "another file", "cut short", "html"])
def test_bytes_that_are_not_the_snapshots_are_refused(
    world: Chain, tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Members come by pages then, and the snapshot is not asked for again at once."""
    till = world.till()
    make_snapshot(world)

    def broken(path: str, reply: Reply) -> Reply:
        if "/snapshots/" not in path:
            return reply
        if how == "html":
            return Reply(200, {"content-type": "text/html"}, b"<html>log in</html>")
        body = bytearray(reply.body)
        body[len(body) // 2] ^= 1
        if how == "another file":
            body = bytearray(os.urandom(len(body)))
        if how == "cut short":
            body = body[:-100]
        return Reply(reply.status, reply.headers, bytes(body))

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            here.transport.broken = broken
            await here.pull()
            assert is_whole(here)
            await here.cache.reset()
            await here.pull()
            assert here.requests.count("snapshot") == 1
            assert not list(tmp_path.glob("cache.db.*"))

    run(work())
    assert "The snapshot can't be used" in caplog.text


def test_no_room_on_the_disk_means_pages(world: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot wants room for itself, for the new cache and for sales."""
    till = world.till()
    row = make_snapshot(world)
    free = 4 * row.bytes + 64 * 1024 * 1024 - 1
    monkeypatch.setattr("shutil.disk_usage", lambda _path: _Usage(free))

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            await here.pull()
            assert ranges(here) == 0
            assert is_whole(here)

    run(work())


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


def test_a_cursor_that_is_gone_brings_a_snapshot_while_the_old_cache_serves(world: Chain, tmp_path: Path) -> None:
    """410: members are known at every moment, and the cache is the snapshot's afterwards."""
    till = world.till()

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            await here.pull()
            make_snapshot(world)
            here.puller._loader._not_before_ms = 0
            here.cache._progress = await here.cache._write(_spoil_cursor)
            incarnation, more = await here.greet(), True
            while more:
                assert is_whole(here)
                more = (await here.puller.pull(incarnation, known=KNOWN)).more
            assert is_whole(here)
            assert here.cache._progress.generation == 1
            assert "snapshots" in here.requests

    run(work())


def _spoil_cursor(connection):
    from till_agent.cache import pages

    connection.execute("UPDATE progress SET cursor = 'no-cursor-of-this-cloud'")
    return pages.load_progress(connection)
