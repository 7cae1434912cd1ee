"""Grants in the cache on real SQLite, and what the real journal says of them after a restart."""

from pathlib import Path
from typing import Any

import pytest

from kit.loops import run
from till_agent.cache.reading import Reader
from till_agent.ports import CachedGrant, Seen
from till_sync.asking import HoldRequest
from till_sync.wire import GrantRow, MemberRow
from unit.agent_stores.stores_kit import TILL, StepClock, cache_in, journal_in, page

ANNA = "m-anna"


def grant(points: int, member_id: str = ANNA, **other: Any) -> GrantRow:
    return GrantRow(member_id=member_id, points=points, epoch=1, **other)


def test_a_grant_is_as_the_newest_page_has_it_and_goes_with_its_points(tmp_path: Path) -> None:
    """With the own ops that it includes; a restart changes nothing."""

    async def test() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(grant(100), grant(30, "m-boris")))
            await cache.store_page(page(grant(80, recall=20, until_ms=7), acked=3))
            expected = CachedGrant(member_id=ANNA, points=80, epoch=1, recall=20, until_ms=7, included=(1, 3))
            assert (cache.grant(ANNA), cache.granted(1), cache.granted(2)) == (expected, (2, 110), (0, 0))
        async with cache_in(tmp_path) as cache:
            assert (cache.grant(ANNA), cache.granted(1)) == (expected, (2, 110))
            await cache.store_page(page(grant(0), acked=4))
            assert (cache.grant(ANNA), cache.granted(1)) == (None, (1, 30))

    run(test())


def test_a_till_without_grants_looks_for_none_and_finds_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look-up less for each customer; after the first page with a grant, and after a restart, it is found."""
    asked: list[str] = []
    fetch = Reader.fetch

    def count(self: Reader, statement: str, values: tuple[object, ...]) -> Any:
        asked.append(statement)
        return fetch(self, statement, values)

    monkeypatch.setattr(Reader, "fetch", count)

    async def test() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(MemberRow(member_id=ANNA)))
            assert (cache.grant(ANNA), asked) == (None, [])
            await cache.store_page(page(grant(100), acked=1))
            assert cache.grant(ANNA) is not None
        async with cache_in(tmp_path) as cache:
            assert cache.grant(ANNA) is not None
            assert len(asked) == 2

    run(test())


def test_what_is_to_be_given_back_is_found(tmp_path: Path) -> None:
    """What was recalled, and what has ended by then."""

    async def test() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(grant(5, "a", recall=1), grant(5, "b", until_ms=50), grant(5, "c")))
            assert [row.member_id for row in cache.grants_due(49, 10)] == ["a"]
            assert [row.member_id for row in cache.grants_due(50, 10)] == ["a", "b"]

    run(test())


def test_a_pull_from_the_beginning_leaves_only_what_it_brings(tmp_path: Path) -> None:
    """Until it is through, the former ones serve."""

    async def test() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(grant(5, "a"), grant(6, "b")))
            await cache.reset()
            await cache.store_page(page(grant(7, "b"), more=True, next="x"))
            assert (cache.grant("a"), cache.grant("b")) != (None, None)
            await cache.store_page(page())
            assert cache.grant("a") is None
            assert cache.granted(1) == (1, 7)

    run(test())


def test_another_incarnation_s_grants_are_worth_nothing(tmp_path: Path) -> None:
    """The cloud that granted them is not the one that will be asked to pay."""

    async def test() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(grant(5, "a"), grant(6, "b")))
            await cache.store_page(page(grant(7, "b"), incarnation="i-2", more=True, next="x"))
            assert cache.grant("a") is None
            assert cache.granted(1) == (1, 7)

    run(test())


def test_when_the_newest_page_came_outlives_a_restart(tmp_path: Path) -> None:
    """By both clocks of the till and the name of the boot."""

    async def test() -> None:
        clock = StepClock()
        async with cache_in(tmp_path, clock=clock) as cache:
            assert cache.seen is None
            await cache.store_page(page(MemberRow(member_id=ANNA)))
            clock.mono += 500
        async with cache_in(tmp_path, clock=clock) as cache:
            assert cache.seen == Seen(mono_ms=1_000, boot="boot-1", wall_ms=1_700_000_000_000)

    run(test())


def test_a_till_s_own_holds_are_granted_in_one_step_and_found_by_voucher(tmp_path: Path) -> None:
    """Also after a restart, when the mirror has forgotten the resolved ones."""
    wanted = {"till": TILL, "sale_uid": "u", "member_id": ANNA, "points": 5}

    async def test() -> None:
        async with journal_in(tmp_path) as journal:
            for hold in ("v-0000000a.x", "v-0000000a.y", "v-0000000ab.z", f"g-{TILL}-1-q"):
                await journal.holds.own(HoldRequest(hold=hold, **wanted), 99)
            await journal.holds.refused("v-0000000a.x")
        async with journal_in(tmp_path) as journal:
            found = {each.hold: each.state for each in await journal.holds.of_voucher("v-0000000a")}
            assert found == {"v-0000000a.x": "released", "v-0000000a.y": "granted"}
            assert [each.hold for each in journal.holds.unresolved()] == [
                "v-0000000a.y",
                "v-0000000ab.z",
                f"g-{TILL}-1-q",
            ]

    run(test())
