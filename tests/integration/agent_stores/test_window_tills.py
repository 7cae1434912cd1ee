"""A till holds the members seen in its store: they come by pages, by snapshots, by being asked for, and they leave."""

import asyncio
from pathlib import Path

import pytest

from integration.agent_stores.snapshot_kit import PullingTill, make_snapshot, pulling, served, tag
from integration.agent_stores.test_digests_mend import planted, rounds
from integration.agent_stores.window_kit import (
    HERE,
    MEMBERS,
    THERE,
    at_till,
    days,
    held,
    jobs,
    judged,
    member,
    members,
    ops_wait,
    seen,
    till_in,
)
from kit.loops import run
from till_cloud import former, windows
from till_cloud.exceptions import CursorError
from till_cloud.meeting import HOUR_MS
from till_cloud.store import tills
from till_sync.asking import MemberQuestion
from till_sync.exceptions import CloudBusy, CloudRefused
from till_sync.retry_after import SLOT_LIMIT_MS, RetryAfter
from till_sync.wire import LeftRow, MemberRow, SnapshotAnswer
from unit.cloud.cloud_kit import Chain

pytestmark = pytest.mark.usefixtures("short_stretches")

TABLES = ("members", "balances", "tags")


@pytest.fixture(autouse=True)
def short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages look at few changes."""
    monkeypatch.setattr("till_cloud.store.windows.SCAN_MEMBERS", 9)


def test_a_till_holds_whom_its_store_has_seen_and_nobody_else(world: Chain, tmp_path: Path) -> None:
    """Also after sales at either store: who is new in one comes to its tills, and to no other's."""
    mine, other = world.till(), till_in(world, "s2", "k2")

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, mine, port) as here:
            await here.pull()
            assert held(here) == members(HERE)
            other.sale("o-1", member(40), 10_000)
            other.push()
            mine.sale("m-1", member(50), 10_000)
            mine.sale("m-2", member(3), 10_000)
            mine.push()
            await here.pull()
            assert held(here) == members([*HERE, 50])
            assert here.cache.by_id(member(50)).row.balance == 50 + 1000
            assert here.cache.window_days == 90
            await rounds(here, 12)
            assert here.cache.divergences == 0

    run(work())


def test_who_is_not_seen_for_long_leaves_the_till(world: Chain, tmp_path: Path) -> None:
    async def work(here: PullingTill) -> None:
        world.wall.ms += 60 * 86_400_000
        seen(world, "s1", [1, 2])
        assert days(world, 31).window_left == len(HERE) - 2 + len(THERE)
        await here.pull()
        assert held(here) == members([1, 2])
        assert here.cache.by_tag(tag("card", 5)) is None
        await rounds(here, 4)
        assert here.cache.divergences == 0
        seen(world, "s1", [5])
        await here.pull()
        assert here.cache.by_tag(tag("card", 5)).row.balance == 5

    at_till(world, tmp_path, work)


@pytest.mark.parametrize("named", ["id", "tag"])
def test_a_member_with_waiting_ops_stays_until_the_cloud_has_them(world: Chain, tmp_path: Path, named: str) -> None:
    """And is no divergence meanwhile, though the cloud's digests leave them out."""
    key = {"id": member(5), "tag": tag("phone", 5)}[named]

    async def work(here: PullingTill) -> None:
        ops_wait(here, key)
        days(world, 91)
        await here.pull()
        assert held(here) == {member(5)}
        assert here.cache.by_tag(tag("card", 5)).row.balance == 5
        await rounds(here, 3)
        assert here.cache.divergences == 0
        ops_wait(here)
        await here.pull()
        assert held(here) == set()

    at_till(world, tmp_path, work)


def test_a_member_with_waiting_ops_stays_when_all_is_pulled_anew(world: Chain, tmp_path: Path) -> None:
    """As on the day when the chain begins to keep windows: tills held the whole base until then."""
    judged(world, "off")

    async def work(here: PullingTill) -> None:
        assert held(here) == members(range(MEMBERS))
        assert here.cache.window_days == 0
        ops_wait(here, member(45))
        judged(world, "on")
        await here.pull()
        assert held(here) == members([*HERE, 45])
        assert here.cache.by_tag(tag("card", 45)).row.balance == 45

    at_till(world, tmp_path, work)


@pytest.mark.parametrize("waits", [False, True])
def test_a_new_cache_comes_from_the_stores_own_snapshot(world: Chain, tmp_path: Path, *, waits: bool) -> None:
    """Who is spoken of by waiting ops is taken over from the cache that serves."""
    judged(world, "off")

    async def work(here: PullingTill) -> None:
        judged(world, "on")
        row = await asyncio.to_thread(make_snapshot, world, "s1")
        assert row.members == len(HERE)
        if waits:
            ops_wait(here, tag("card", 45))
        here.puller._loader._not_before_ms = 0
        await here.pull()
        assert "snapshots" in here.requests
        assert held(here) == members([*HERE, *([45] if waits else [])])
        assert (here.cache.by_tag(tag("phone", 45)) is not None) is waits
        await rounds(here, 5)
        assert here.cache.divergences == 0

    at_till(world, tmp_path, work)


def test_who_is_asked_for_is_served_and_comes_into_the_window(world: Chain, tmp_path: Path) -> None:
    """At once for the till that asked, with the next page for the others of its store; nobody is made of nothing."""
    till, beside, other = world.till(), world.till("k2"), till_in(world, "s2", "k3")

    async def work() -> None:
        async with (
            served(world) as port,
            pulling(tmp_path / "1", world, till, port) as here,
            pulling(tmp_path / "2", world, beside, port) as neighbour,
            pulling(tmp_path / "3", world, other, port) as elsewhere,
        ):
            for each in (here, neighbour, elsewhere):
                await each.pull()
            answer = await here.client.member(MemberQuestion(tags=(tag("phone", 45),)), timeout_ms=9_000)
            assert await here.cache.take(answer)
            assert here.cache.by_tag(tag("card", 45)).row.balance == 45
            nobody = await here.client.member(MemberQuestion(tags=("card:" + "0" * 32,)), timeout_ms=9_000)
            assert nobody.member is None
            assert not await here.cache.take(nobody)
            for each in (here, neighbour, elsewhere):
                await each.pull()
            assert held(here) == held(neighbour) == members([*HERE, 45])
            assert held(elsewhere) == members(THERE)
            await rounds(here, 6)
            assert here.cache.divergences == 0

    for name in "123":
        (tmp_path / name).mkdir()
    run(work())


def test_a_till_may_ask_so_often_an_hour(world: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stolen till that tries out numbers gets no further."""
    monkeypatch.setattr("till_cloud.meeting.ASKED_AN_HOUR", 3)
    till = world.till()

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            question = MemberQuestion(tags=("card:" + "0" * 32,))
            for _ in range(3):
                await here.client.member(question, timeout_ms=9_000)
            with pytest.raises(CloudBusy, match="3 questions") as refused:
                await here.client.member(question, timeout_ms=9_000)
            left_ms = HOUR_MS - world.wall.ms % HOUR_MS
            assert refused.value.retry_after == RetryAfter(min(left_ms, SLOT_LIMIT_MS), slot=True)
            world.wall.ms += left_ms
            await here.client.member(question, timeout_ms=9_000)

    run(work())


def test_a_till_asks_about_so_many_strangers_an_hour(
    world: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each number counts once, however it is asked about, and nobody of its own store; past them nothing is told."""
    monkeypatch.setattr("till_cloud.meeting.STRANGERS_AN_HOUR", 5)
    till = world.till()
    strange = MemberQuestion(tags=tuple(f"card:{number:032}" for number in range(4)))
    of_another_store, too_many = MemberQuestion(tags=(tag("card", 45),)), MemberQuestion(tags=(tag("card", 46),))

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:

            async def ask(question: MemberQuestion) -> str:
                answer = await here.client.member(question, timeout_ms=9_000)
                return answer.member.member_id if answer.member is not None else ""

            for _ in range(2):
                assert await ask(strange) == ""
                assert await ask(of_another_store) == member(45)
            with pytest.raises(CloudBusy, match="at most 5 numbers"):
                await ask(too_many)
            assert await ask(MemberQuestion(tags=(tag("card", 5),))) == member(5)
            assert await ask(strange) == ""
            world.wall.ms += 3_600_000
            assert await ask(too_many) == member(46)

    run(work())
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [each.partition(":")[0] for each in told] == ["Till k1 asks about more people than a store meets"]


def test_a_till_gets_the_files_of_its_own_members_only(world: Chain, tmp_path: Path) -> None:
    """Nobody fetches another store's, nor the whole base's once that is refused."""
    till = world.till()
    made: dict[str, SnapshotAnswer] = {}

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            for scope in ("s1", "s2", windows.WHOLE):
                row = await asyncio.to_thread(make_snapshot, world, scope)
                made[scope] = SnapshotAnswer(
                    snapshot=row.snapshot,
                    format=row.format,
                    cursor="",
                    bytes=row.bytes,
                    sha256=row.sha256,
                    members=row.members,
                    as_of_ms=0,
                    incarnation="",
                    server_time_ms=0,
                )

            async def fetch(scope: str) -> str:
                try:
                    await here.client.snapshot_bytes(made[scope], 0, 16)
                except CloudRefused as refused:
                    return refused.code
                return ""

            gone = "snapshot_gone"
            assert [await fetch(scope) for scope in ("s1", "s2", windows.WHOLE)] == ["", gone, ""]
            world.centre.write(lambda connection: former.choose(connection, "closed")).result()
            assert [await fetch(scope) for scope in ("s1", "s2", windows.WHOLE)] == ["", gone, gone]
            # As a former release asks, which knows nothing of windows: its pulls halt by this, and no push does.
            here.client._protocol = 2
            with pytest.raises(CloudRefused, match="409 window_needed: expected a till") as refused:
                await here.client.changes("", limit=10)
            assert type(refused.value) is CloudRefused
            assert (refused.value.code, refused.value.retryable) == ("window_needed", False)

    run(work())


@pytest.mark.parametrize(
    "planting",
    [
        ("UPDATE balances SET balance = balance + 1 WHERE member_id = 'm-0000005'",),
        ("DELETE FROM members WHERE member_id = 'm-0000005'",),
        tuple(f"UPDATE {name} SET member_id = 'm-0000045' WHERE member_id = 'm-0000005'" for name in TABLES),
    ],
    ids=["a balance", "one lacks", "another is there"],
)
def test_a_divergence_is_found_within_the_window(world: Chain, tmp_path: Path, planting: tuple[str, ...]) -> None:
    async def work(here: PullingTill) -> None:
        await rounds(here, 6)
        assert here.cache.divergences == 0
        planted(tmp_path / "cache.db", *planting)
        await rounds(here, 8)
        assert here.cache.divergences > 0
        assert held(here) == members(HERE)
        assert here.cache.by_id(member(5)).row.balance == 5

    at_till(world, tmp_path, work)


def test_a_former_till_gets_what_it_got(world: Chain, tmp_path: Path) -> None:
    """Everybody, and no row that it can't read; a till that goes back to a former release begins anew."""
    row = tills_row(world, world.till().name)
    page = world.centre.changes(row, since="", limit=1000)
    assert {each.member_id for each in page.rows if isinstance(each, MemberRow)} == members(range(MEMBERS))
    assert page.window_days == 0
    days(world, 91)
    after = world.centre.changes(row, since=page.next, limit=1000)
    assert not [each for each in after.rows if isinstance(each, LeftRow)]
    mine = world.centre.changes(row, since="", limit=1000, windowed=True)
    for since, windowed in ((mine.next, False), (after.next, True)):
        with pytest.raises(CursorError) as refused:
            world.centre.changes(row, since=since, limit=1000, windowed=windowed)
        assert refused.value.stale
    world.centre.close()


def test_the_whole_base_by_choice_of_chain_or_store(world: Chain, tmp_path: Path) -> None:
    row = tills_row(world, world.till().name)

    def scope() -> str:
        return world.centre.read(lambda c: windows.scope_of(c, row.store, asked=True))

    def choose(store: str, count: int | None) -> None:
        world.centre.write(lambda c: windows.choose(c, store, count, world.wall())).result()

    assert scope() == "s1"
    choose("s1", 0)
    assert scope() == windows.WHOLE
    choose("s1", None)
    choose("", 0)
    assert scope() == windows.WHOLE
    choose("s1", 30)
    assert scope() == "s1"
    assert days(world, 31).window_left == len(HERE)
    choose("s1", 60)
    assert jobs(world).window_back == len(HERE)
    world.centre.close()


def test_who_was_lent_points_stays(world: Chain) -> None:
    """A grant is no use to a till that does not know whose it is."""
    world.till()
    put = """INSERT INTO grants (holder, member_id, epoch, points, granted, position)
        VALUES ('k1', 'm-0000005', 1, 2, 2, 999)"""
    world.centre.write(lambda c: c.execute(put)).result()
    days(world, 91)
    inside = world.rows("SELECT store, member_id FROM window_members WHERE inside = 1")
    assert inside == [("s1", "m-0000005")]
    world.centre.close()


def tills_row(world: Chain, name: str) -> tills.TillRow:
    return world.centre.read(lambda c: tills.till(c, name))
