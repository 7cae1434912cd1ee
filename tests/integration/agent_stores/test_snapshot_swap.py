"""The new cache takes the other's place: look-ups never fail, own ops count once, a crash leaves one or the other."""

import asyncio
import contextlib
import itertools
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from integration.agent_stores.snapshot_kit import KNOWN, PullingTill, add_members, make_snapshot, pulling, served
from kit.loops import run
from till_agent.cache import CacheStore, CacheUnavailable, leaving, lookups, schema
from till_agent.cache import store as store_module
from till_agent.cache.aside import Aside
from till_agent.cache.opening import open_writer
from till_agent.cache.pages import write_page
from till_sync.wire import LeftRow, MemberRow
from unit.agent_stores.stores_kit import TILL, page
from unit.cloud.cloud_kit import Chain, Till

MEMBERS = 600
MEMBER = "m-0000300"


@pytest.fixture
def world(tmp_path: Path) -> Chain:
    chain = Chain(tmp_path / "cloud.db")
    add_members(chain, MEMBERS)
    return chain


def sell(till: Till, number: int, member: str = MEMBER) -> tuple:
    """One sale, pushed at once; the cloud's results."""
    till.sale(f"s{number}", member, 10_000)
    return till.push().results


def shown(here: PullingTill, till: Till, effect: int = 1_000) -> int:
    """Decision 0006: the cached balance and the effects of own ops that it does not include."""
    found = here.cache.by_id(MEMBER)
    assert found is not None
    newer = [op for op in till.ops if (till.epoch, op.seq) > found.included]
    return found.row.balance + effect * len(newer)


def begin_anew(here: PullingTill) -> None:
    """As after 410: the cursor is forgotten, and a snapshot may be asked for."""
    here.puller._loader._not_before_ms = 0


async def all_but_the_page(here: PullingTill, world: Chain) -> str:
    """A new snapshot is fetched, and waits for the page after it; gives the incarnation."""
    make_snapshot(world)
    await here.cache.reset()
    begin_anew(here)
    incarnation = await here.greet()
    assert (await here.puller.pull(incarnation, known=KNOWN)).more
    return incarnation


def test_own_ops_count_once_whatever_the_snapshot_includes(world: Chain, tmp_path: Path) -> None:
    """Before the snapshot, between it and the load, while the new cache is being built, and after it; with verdicts
    that come late.
    """
    till = world.till()
    sell(till, 1)
    make_snapshot(world)
    before_snapshot = till.push().results

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            sell(till, 2)
            await here.pull()
            assert shown(here, till) == 300 + 2_000
            await here.cache.record_results(1, before_snapshot)
            assert shown(here, till) == 300 + 2_000
            late = sell(till, 3, "m-0000001")
            own = sell(till, 4)
            await here.cache.record_results(1, (*late, *own))
            found = here.cache.by_id(MEMBER)
            assert found is not None
            assert (found.included, found.row.balance) == ((1, 4), 300 + 3_000)
            await here.pull()
            assert here.cache.by_id(MEMBER).row.balance == 300 + 3_000

    run(work())


def test_who_is_kept_in_a_new_cache_does_not_hold_its_floor_down(tmp_path: Path) -> None:
    """They come from the cache that serves, and `Aside.carry_over` says what that one includes (seed 5,725)."""
    connection, progress = open_writer(tmp_path / "new.db", TILL)
    with contextlib.closing(connection):
        progress = write_page(connection, progress, page(MemberRow(member_id="m-1"), acked=0, more=True), serves=False)
        left = page(LeftRow(member_id="m-1", position=9), acked=4)
        progress = write_page(connection, progress, left, None, frozenset({"m-1"}), serves=False)
        assert leaving.is_any(connection)
        assert progress.floor == (1, 4)


def load_with_own_ops_before(world: Chain, folder: Path) -> None:
    """Two own ops, then the snapshot; the verdict on the first one comes late."""
    till = world.till()
    first = sell(till, 1)
    sell(till, 2)
    make_snapshot(world)

    async def work() -> None:
        async with served(world) as port, pulling(folder, world, till, port) as here:
            await here.pull()
            found = here.cache.by_id(MEMBER)
            assert (found.included, found.row.balance) == ((1, 2), 2_300)
            await here.cache.record_results(1, first)
            found = here.cache.by_id(MEMBER)
            assert (found.included, found.row.balance) == ((1, 2), 2_300)

    run(work())


def test_a_member_untouched_since_the_snapshot_includes_what_the_cache_does(world: Chain, tmp_path: Path) -> None:
    """A verdict on an op from before is no news to it."""
    load_with_own_ops_before(world, tmp_path)


@pytest.mark.parametrize("mutant", ["rows of a snapshot include nothing", "a late verdict counts"])
def test_a_cache_that_forgets_what_a_snapshot_includes_is_noticed(
    world: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutant: str
) -> None:
    """Own ops would be counted twice, or an old balance be taken for the newest."""
    if mutant == "a late verdict counts":
        monkeypatch.setattr(schema, "JUDGE_BALANCE_SINCE_SNAPSHOT", schema.JUDGE_BALANCE)
    else:
        as_member = lookups.as_member
        monkeypatch.setattr(lookups, "as_member", lambda columns, _base: as_member(columns, (0, 0)))
    with pytest.raises(AssertionError):
        load_with_own_ops_before(world, tmp_path)


def test_sales_and_look_ups_go_on_while_a_new_cache_is_built(world: Chain, tmp_path: Path) -> None:
    """The old cache serves until the new one has every change; the shown balance never goes back."""
    till = world.till()

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            await here.pull()
            make_snapshot(world)
            figures: list[int] = []
            done = asyncio.Event()

            async def look() -> None:
                while not done.is_set():
                    figures.append(shown(here, till))
                    await asyncio.sleep(0)

            looking = asyncio.create_task(look())
            for number in itertools.count(1):
                await asyncio.to_thread(sell, till, number)
                if number == 3:
                    await here.cache.reset()
                    begin_anew(here)
                await here.cache.record_results(1, till.push().results)
                if not (await here.puller.pull(await here.greet(), known=KNOWN)).more and number > 6:
                    break
            done.set()
            await looking
            assert "snapshots" in here.requests
            assert figures == sorted(figures)
            assert figures[-1] == 300 + 1_000 * len(till.ops)

    run(work())


def test_a_disk_that_fails_while_the_new_cache_is_built_leaves_the_old_one(
    world: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is asked for again, for the old cache."""
    till = world.till()

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            await here.pull()
            incarnation = await all_but_the_page(here, world)
            with monkeypatch.context() as patch:
                patch.setattr(Aside, "write_page", full)
                with pytest.raises(CacheUnavailable):
                    await here.puller.pull(incarnation, known=KNOWN)
            assert here.cache.by_id(MEMBER) is not None
            await here.pull()
            assert (here.cache.member_count, here.cache.filling) == (MEMBERS, False)
            assert not list(tmp_path.glob("cache.db.next*"))

    run(work())


STEPS = ("finish", "checkpoint", "close", "unlink", "fsync", "replace", "fsync again", "done")


@pytest.mark.parametrize("step", range(len(STEPS)), ids=STEPS)
def test_a_crash_in_the_swap_leaves_the_old_cache_or_the_new(
    world: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """What lies in the folder before each step of the swap opens as one of the two, whole."""
    till = world.till()
    copies: list[Path] = []

    def copy(*_: object, **__: object) -> None:
        target = tmp_path / f"copy-{len(copies)}"
        target.mkdir()
        for path in tmp_path.glob("cache.db*"):
            if path.suffix != ".db-shm":
                shutil.copy2(path, target / path.name)
        copies.append(target)

    def watched(function):
        def call(*args, **kwargs):
            copy()
            return function(*args, **kwargs)

        return call

    async def swap() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            await here.pull()
            incarnation = await all_but_the_page(here, world)
            with monkeypatch.context() as patch:
                patch.setattr(Aside, "finish", watched(Aside.finish))
                patch.setattr(CacheStore, "_close_writer", watched(CacheStore._close_writer))
                patch.setattr(store_module, "put_in_place", watched(store_module.put_in_place))
                patch.setattr(Path, "replace", watched(Path.replace))
                patch.setattr(os, "fsync", watched(os.fsync))
                await here.puller.pull(incarnation, known=KNOWN)
                copy()

    async def opened(folder: Path) -> None:
        cache = CacheStore(folder / "cache.db", till.name)
        await cache.start()
        assert cache.member_count == MEMBERS
        assert [cache.by_id(f"m-{number:07}").row.balance for number in range(MEMBERS)] == list(range(MEMBERS))
        assert not (folder / "cache.db.damaged").exists()
        assert not (folder / "cache.db.next").exists()
        await cache.stop()

    run(swap())
    assert len(copies) >= len(STEPS) - 1
    if step < len(copies):
        run(opened(copies[step]))
