"""The till sells while members leave it: who is looked up meanwhile stays, and their balance never falls back."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from integration.agent_stores.snapshot_kit import PullingTill, make_snapshot, tag
from integration.agent_stores.test_digests_mend import rounds
from integration.agent_stores.window_kit import (
    DAY_MS,
    GHOST,
    HERE,
    MEMBERS,
    at_till,
    days,
    held,
    judged,
    member,
    members,
    ops_wait,
    plant_ghost,
    seen,
)
from integration.bridge.agent_kit import body_of, enrol_by_hand, fill_cache, live_agent, settings_for
from kit.loops import run
from till_agent.balances import OwnEffects
from till_agent.cache.lookups import LATELY_MS
from till_agent.cache.matching import wanted
from till_cloud import erasing
from till_sync.asking import MemberAnswer
from till_sync.ops import OpId, Subject
from till_sync.wire import ChangesAnswer, LeftRow, MemberRow
from unit.agent_stores.stores_kit import Identity, StepClock, cache_in, draft, journal_in, once, page
from unit.cloud.cloud_kit import Chain

pytestmark = pytest.mark.usefixtures("short_stretches")

EARNED = 7


class SoldBetween:
    """Sells to a member for the first time when the cache has just asked whom waiting operations speak of: what it
    writes then knows nothing of the sale. `shown` are the balances since, also one after each write; `in_file` says
    whether a kill -9 right after that write leaves them to the next start."""

    def __init__(self, here: PullingTill, member_id: str) -> None:
        self.member_id = member_id
        self.shown: list[int | None] = []
        self.effects = OwnEffects()
        self.by_card: list[str | None] = []
        self.in_file: list[bool] = []
        self._here = here
        self._run = here.cache._run
        here.cache._waiting, here.cache._run = self._asked, self._looked_after

    def shows(self) -> int | None:
        """Their balance at the till now; None when nobody is found."""
        found = self._here.cache.by_id(self.member_id)
        return None if found is None else found.row.balance + self.effects.effect((self.member_id,), found.included)

    def _asked(self, included: tuple[int, int]) -> frozenset[str]:
        spoken = self.effects.speak_of(included)
        if not self.shown:
            free = threading.Event()
            self._here.cache._thread.submit(free.wait, 60)
            asyncio.get_running_loop().call_soon(self._sell, free)
        return spoken

    def _sell(self, page_may_go_on: threading.Event) -> None:
        assert self.shows() is not None
        self.effects.add(Subject(member_id=self.member_id), OpId("k1", 1, 1), EARNED)
        self.shown.append(self.shows())
        page_may_go_on.set()

    async def _looked_after(self, work):
        done = await self._run(work)
        if self.shown:
            self.shown.append(self.shows())
            self.in_file.append(self._here.cache._lookups.is_here(self.member_id))
            found = self._here.cache.by_tag(tag("card", 5))
            self.by_card.append(found and found.row.member_id)
        return done


async def told(here: PullingTill, world: Chain) -> str:
    """A page says that they left."""
    days(world, 91)
    return member(5)


async def anew(here: PullingTill, world: Chain) -> str:
    """All is pulled anew, and they don't come."""
    judged(world, "on")
    return member(45)


async def new_cache(here: PullingTill, world: Chain) -> str:
    """A new cache is built, without them."""
    judged(world, "on")
    await asyncio.to_thread(make_snapshot, world, "s1")
    here.puller._loader._not_before_ms = 0
    return member(45)


async def mended(here: PullingTill, world: Chain) -> str:
    """A stretch is read anew in which the cloud has nobody of that name."""
    plant_ghost(here)
    return GHOST


@pytest.mark.parametrize("leave", [told, anew, new_cache, mended])
def test_who_is_sold_to_while_a_page_takes_them_away_stays(
    world: Chain, tmp_path: Path, leave: Callable[[PullingTill, Chain], Awaitable[str]]
) -> None:
    """The sale came after the cache had asked whom sales speak of, and before the page: the balance shown never falls
    back, and when the cloud has the sale they go."""
    if leave in (anew, new_cache):
        judged(world, "off")

    async def work(here: PullingTill) -> None:
        till = SoldBetween(here, await leave(here, world))
        await rounds(here, 8)
        assert till.shown[0] is not None
        assert till.shown[0] > EARNED
        assert len(till.shown) > 1
        assert set(till.shown) == {till.shown[0]}
        assert set(till.in_file) == {True}
        assert till.shows() == till.shown[0]
        assert ("snapshots" in here.requests) is (leave is new_cache)
        ops_wait(here)
        await rounds(here, 8)
        assert till.member_id not in held(here)

    at_till(world, tmp_path, work)


def test_who_is_brought_back_is_found_by_card_and_by_name(world: Chain, tmp_path: Path) -> None:
    """As before, and counted as a member; the digests that lack them are no divergence."""

    async def named(here: PullingTill) -> set[str]:
        hits = await here.cache.finder.find(wanted("Name"), MEMBERS)
        assert here.cache.finder._packing is not None
        await here.cache.finder._packing
        return {hit.row.member_id for hit in hits.members}

    async def work(here: PullingTill) -> None:
        assert await named(here) == members(HERE)
        till = SoldBetween(here, await told(here, world))
        await here.pull()
        assert await named(here) == {member(5)}
        assert held(here) == {member(5)}
        found = here.cache.by_tag(tag("phone", 5))
        assert found is not None
        assert found == here.cache.by_id(till.member_id)
        await rounds(here, 4)
        assert here.cache.divergences == 0

    at_till(world, tmp_path, work)


def test_a_card_leads_to_who_is_going_until_they_are_brought_back(world: Chain, tmp_path: Path) -> None:
    """Looked up in the very moment of the commit, and before the second one, when the file has them no more."""

    async def work(here: PullingTill) -> None:
        lookups, write, loop = here.cache._lookups, here.cache._run, asyncio.get_running_loop()
        keep, by_card, in_file = lookups.keep, [], []

        async def look() -> None:
            assert here.cache.by_id(member(5)) is not None

        def at_commit(connection, progress, page):
            kept = keep(connection, progress, page)
            asyncio.run_coroutine_threadsafe(look(), loop).result(60)
            return kept

        async def looked_after(work):
            done = await write(work)
            found = here.cache.by_tag(tag("card", 5))
            by_card.append(found and found.row.member_id)
            in_file.append(lookups.is_here(member(5)))
            return done

        days(world, 91)
        lookups.keep, here.cache._run = at_commit, looked_after
        await here.pull()
        assert by_card == [member(5)] * 2
        assert in_file == [False, True]
        assert held(here) == {member(5)}
        assert here.cache.by_tag(tag("card", 6)) is None

    at_till(world, tmp_path, work)


def test_who_is_looked_up_while_a_page_changes_them_is_as_it_says(tmp_path: Path) -> None:
    """Others leave with it, so it is noted who is looked up; that brings back nobody who is there."""

    async def work() -> None:
        asked, free = asyncio.Event(), threading.Event()

        def waiting(_included: tuple[int, int]) -> frozenset[str]:
            asked.set()
            return frozenset()

        async with cache_in(tmp_path, waiting=waiting) as cache:
            await cache.store_page(page(*[MemberRow(member_id=each, balance=5, position=1) for each in ("m-1", "m-2")]))
            cache._thread.submit(free.wait, 60)
            asked.clear()
            changed = MemberRow(member_id="m-1", balance=50, position=3)
            storing = asyncio.ensure_future(cache.store_page(page(changed, LeftRow(member_id="m-2", position=2))))
            await asked.wait()
            assert cache.by_id("m-1") is not None
            free.set()
            await storing
            await cache.store_page(page(acked=1))
            found = cache.by_id("m-1")
            assert found is not None
            assert (found.row.balance, cache.member_count) == (50, 1)

    run(work())


def test_who_was_erased_is_not_brought_back(world: Chain, tmp_path: Path) -> None:
    """Whatever was sold to them meanwhile: of them nothing is to stay."""

    async def work(here: PullingTill) -> None:
        world.wall.ms += 60 * DAY_MS
        seen(world, "s1", [1, 2])
        days(world, 31)
        world.centre.write(lambda c: erasing.erase(c, member(1), [], world.wall())).result()
        till = SoldBetween(here, member(1))
        await here.pull()
        assert till.shown
        assert held(here) == members([2])
        assert till.shows() is None

    at_till(world, tmp_path, work)


def test_who_was_erased_while_a_new_cache_was_made_is_not_brought_back_into_it(world: Chain, tmp_path: Path) -> None:
    """The page that says so came before the one with which the new cache is whole; till then the old one serves."""

    async def work(here: PullingTill) -> None:
        await asyncio.to_thread(make_snapshot, world, "s1")
        world.centre.write(lambda c: erasing.erase(c, member(5), [], world.wall())).result()
        store, tills = here.cache.store_page, []

        async def in_two(page: ChangesAnswer) -> None:
            await store(msgspec.structs.replace(page, more=True))
            tills.append(SoldBetween(here, member(5)))
            await store(msgspec.structs.replace(page, rows=()))

        here.cache.store_page = in_two
        here.puller._loader.forget()
        await here.cache.reset()
        await here.pull()
        assert "snapshots" in here.requests
        assert [till.shown[0] is not None for till in tills] == [True]
        assert held(here) == members(HERE) - {member(5)}

    at_till(world, tmp_path, work)


def test_who_is_brought_again_by_an_answer_is_as_the_cloud_says(tmp_path: Path) -> None:
    """A page takes them away while they are looked up, and an answer about them, newer than the page, comes between:
    they are neither as they were before, nor somebody who is to go."""

    async def work() -> None:
        asked, free = asyncio.Event(), threading.Event()

        def waiting(_included: tuple[int, int]) -> frozenset[str]:
            asked.set()
            return frozenset()

        async with cache_in(tmp_path, waiting=waiting) as cache:
            await cache.store_page(page(MemberRow(member_id="m-1", balance=5, position=1)))
            cache._thread.submit(free.wait, 60)
            asked.clear()
            storing = asyncio.ensure_future(cache.store_page(page(LeftRow(member_id="m-1", position=2))))
            await asked.wait()
            assert cache.by_id("m-1") is not None
            again = MemberRow(member_id="m-1", balance=50, position=3)
            answer = MemberAnswer(incarnation="i-1", member=again, epoch=1, acked_seq=0, server_time_ms=2_000)
            taking = asyncio.ensure_future(cache.take(answer))
            await asyncio.sleep(0)  # it stands behind the page
            free.set()
            await storing
            assert await taking
            await cache.store_page(page(acked=1))
            found = cache.by_id("m-1")
            assert found is not None
            assert (found.row.balance, cache.member_count) == (50, 1)

    run(work())


def test_who_was_looked_up_within_a_minute_stays(world: Chain, tmp_path: Path) -> None:
    """A sale about them may be on its way to the disk, so that nobody knows of it yet."""
    clock = StepClock()

    async def work(here: PullingTill) -> None:
        days(world, 91)
        assert here.cache.by_tag(tag("card", 5)) is not None
        assert here.cache.by_id(member(6)) is not None
        assert here.cache.by_id(member(59)) is None
        await here.pull()
        assert held(here) == members([5, 6])
        clock.mono += LATELY_MS - 1
        assert here.cache.by_id(member(6)) is not None
        clock.mono += 2
        await here.pull()
        assert held(here) == members([6])
        await rounds(here, 3)
        assert here.cache.divergences == 0

    at_till(world, tmp_path, work, clock)


def test_of_many_who_were_looked_up_the_newest_are_remembered(world: Chain, tmp_path: Path, monkeypatch) -> None:
    """A search shows hundreds, and memory has an end."""
    monkeypatch.setattr("till_agent.cache.lookups.KEPT", 3)
    clock = StepClock()

    async def work(here: PullingTill) -> None:
        days(world, 91)
        for number in (1, 2, 3, 4, 2):
            here.cache.by_id(member(number))
        await here.pull()
        assert held(here) == members([2, 3, 4])

    at_till(world, tmp_path, work, clock)


def test_a_page_waits_until_it_is_known_whom_operations_of_a_new_journal_speak_of(tmp_path: Path) -> None:
    """They are read beside sales, which wait for none of it."""

    async def work() -> None:
        identity, effects, may_load = Identity(), OwnEffects(), asyncio.Event()
        async with (
            journal_in(tmp_path, identity, effects=effects) as journal,
            cache_in(tmp_path, waiting=effects.speak_of) as cache,
        ):
            cache.caught_up = journal.caught_up
            await cache.store_page(page(MemberRow(member_id="m-1"), MemberRow(member_id="m-2")))
            await journal.commit(once(draft("s-1", member="m-1")))
            load = journal._rebuilding.load

            async def load_when_told(floor: tuple[int, int] | None) -> None:
                await may_load.wait()
                await load(floor)

            journal._rebuilding.load = load_when_told
            effects.forget((1, 1))  # as when the journal was opened as another
            journal._rebuilding.load_later((0, 0))
            left = [LeftRow(member_id=each, position=9) for each in ("m-1", "m-2")]
            storing = asyncio.ensure_future(cache.store_page(page(*left)))
            await journal.commit(once(draft("s-2", member="m-nobody")))
            assert not storing.done()
            may_load.set()
            await storing
            assert (cache.by_id("m-1") is not None, cache.by_id("m-2")) == (True, None)

    run(work())


def test_a_page_waits_for_the_newest_of_new_journals(tmp_path: Path) -> None:
    """The journal was put aside once more while another was read."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            loads = [asyncio.Event(), asyncio.Event()]
            begun = iter(loads)
            journal._rebuilding.load = lambda _floor: next(begun).wait()
            journal._rebuilding.load_later(None)
            waiting = asyncio.ensure_future(journal.caught_up())
            await asyncio.sleep(0)
            first = journal._rebuilding._later
            assert first is not None
            journal._rebuilding.load_later(None)
            loads[0].set()
            await first
            for _ in range(10):  # whoever waits for the first alone goes on in the next turns of the loop
                await asyncio.sleep(0)
            assert not waiting.done()
            loads[1].set()
            await waiting

    run(work())


def test_a_card_given_to_somebody_is_an_operation_about_them(tmp_path: Path) -> None:
    """It moves no points, and all the same they stay until the cloud has it; also after a restart."""
    enrol_by_hand(tmp_path)
    fill_cache(tmp_path)
    page = ChangesAnswer(
        incarnation="i1",
        rows=(LeftRow(member_id="m-anna", position=9), LeftRow(member_id="m-nobody", position=9)),
        next="c2",
        more=False,
        epoch=0,
        acked_seq=0,
        server_time_ms=1_763_700_000_001,
    )
    with live_agent(settings_for(tmp_path)) as agent:
        given = body_of(agent.call("POST", "/v1/members/m-anna/cards", {"uid": "c-1", "card": "2900000000025"}))
        assert given["state"] == "attached"
    with live_agent(settings_for(tmp_path)) as agent:
        core = agent.running.agent.open_core
        assert core is not None
        agent.on_loop(lambda: core.cache.store_page(page))
        assert agent.on_loop(lambda: core.cache.by_id("m-anna")) is not None
        assert core.cache.caught_up == core.journal.caught_up
