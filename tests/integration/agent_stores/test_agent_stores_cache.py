"""The cache on real SQLite: pages, verdicts, tags that move, members that go, programmes."""

import asyncio
import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from kit.loops import run
from till_agent.audit_trail import AUDIT_FILE, read
from till_agent.balances import OwnEffects
from till_agent.cache import CacheStore, CacheUnavailable, pages
from till_sync.asking import MemberAnswer
from till_sync.wire import ExpiringPoints, MemberRow, OpResult, ProgrammeRow
from unit.agent_stores.stores_kit import Identity, cache_in, draft, journal_in, once, page


def member(member_id: str, balance: int = 0, *tags: str, **other: Any) -> MemberRow:
    """A member's row."""
    return MemberRow(member_id=member_id, balance=balance, tags=tags, **other)


def balance_of(cache: CacheStore, member_id: str) -> tuple[int, tuple[int, int]] | None:
    """(balance, included) of a member."""
    cached = cache.by_id(member_id)
    return None if cached is None else (cached.row.balance, cached.included)


def programme(version: int, *, active: bool = True, body: str | None = None) -> ProgrammeRow:
    """A programme as the cloud sends it."""
    document = body or json.dumps({"format": 1, "id": "club", "version": version, "currency": "RUB"})
    digest = hashlib.sha256(document.encode()).hexdigest()
    return ProgrammeRow(programme_id="club", version=version, digest=digest, active=active, body=document)


def test_a_member_comes_back_as_the_cloud_sent_it(tmp_path: Path):
    """By id and by every tag, with the age of the page, after a restart too."""
    row = MemberRow(
        member_id="m-1",
        status="blocked",
        tier="gold",
        name_masked="Ан** К.",
        phone_masked="+7 *** 12",
        card_masked="22**34",
        language="kk",
        tags=("card:aa", "phone:bb"),
        balance=-5,
        held=3,
        expiring=ExpiringPoints(points=4, at_ms=99),
        position=17,
    )

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            assert (cache.member_count, cache.as_of_ms, await cache.cursor(), cache.floor) == (0, 0, "", None)
            await cache.store_page(page(row, acked=7))
        async with cache_in(tmp_path) as cache:
            for found in (cache.by_id("m-1"), cache.by_tag("card:aa"), cache.by_tag("phone:bb")):
                assert found is not None
                assert (found.row, found.as_of_ms, found.included) == (row, 1_007, (1, 7))
            assert cache.by_id("m-2") is None
            assert cache.by_tag("card:zz") is None
            assert (cache.member_count, cache.as_of_ms, await cache.cursor()) == (1, 1_007, "after 7")

    run(work())


def test_look_ups_go_on_when_the_memory_for_them_was_given_back(tmp_path: Path):
    """It comes back as it is wanted; of a closed file there is none."""

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(member("m-1", 5), member("m-2", 7), acked=1))
            for _ in range(2):
                assert (balance_of(cache, "m-1"), balance_of(cache, "m-2")) == ((5, (1, 1)), (7, (1, 1)))
                cache.give_back()
        cache.give_back()

    run(work())


def test_rows_and_cursor_are_stored_together_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A disk that fails at the last statement leaves the page before, cursor and all; the same page can come again."""

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(member("m-1", 5, "card:aa"), acked=1))
            whole = pages.save_progress

            def fail(connection: sqlite3.Connection, progress: pages.Progress) -> None:
                whole(connection, progress)
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise error

            monkeypatch.setattr(pages, "save_progress", fail)
            second = page(member("m-1", 9, "card:bb"), member("m-2", 1), acked=2)
            with pytest.raises(CacheUnavailable):
                await cache.store_page(second)
            monkeypatch.setattr(pages, "save_progress", whole)
            assert (balance_of(cache, "m-1"), await cache.cursor(), cache.member_count) == ((5, (1, 1)), "after 1", 1)
            assert cache.by_tag("card:aa") is not None
            await cache.store_page(second)
            assert (balance_of(cache, "m-1"), await cache.cursor(), cache.member_count) == ((9, (1, 2)), "after 2", 2)

    run(work())


def test_a_verdict_moves_a_balance_only_forward(tmp_path: Path):
    """To the figure right after the newest op that was judged; members that are not cached are left out."""

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            expiring = ExpiringPoints(points=1, at_ms=2)
            await cache.store_page(page(member("m-1", 100, "card:aa", expiring=expiring), acked=5))
            old = OpResult(seq=5, status="duplicate", member_id="m-1", balance=1)
            new = OpResult(seq=6, status="applied", member_id="m-1", balance=110, held=7, position=30)
            newer = OpResult(seq=8, status="adjusted", member_id="m-1", balance=90, position=31)
            await cache.record_results(1, (old, OpResult(seq=7, status="applied", member_id="m-9", balance=3)))
            assert balance_of(cache, "m-1") == (100, (1, 5))
            await cache.record_results(1, (new,))
            found = cache.by_tag("card:aa")
            assert found is not None
            assert (found.row.balance, found.row.held, found.row.position, found.included) == (110, 7, 30, (1, 6))
            assert found.row.expiring == expiring
            await cache.record_results(1, (newer, new))
            assert balance_of(cache, "m-1") == (90, (1, 8))
            await cache.record_results(2, (OpResult(seq=1, status="applied", member_id="m-1", balance=91),))
            assert balance_of(cache, "m-1") == (91, (2, 1))
            assert cache.by_id("m-9") is None

    run(work())


def test_a_page_that_is_older_than_a_verdict_leaves_the_balance(tmp_path: Path):
    """It was read before the op was applied; who the member is it tells all the same."""

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(member("m-1", 100), acked=5))
            await cache.record_results(1, (OpResult(seq=9, status="applied", member_id="m-1", balance=150),))
            await cache.store_page(page(member("m-1", 100, tier="gold"), acked=8))
            found = cache.by_id("m-1")
            assert found is not None
            assert (found.row.balance, found.row.tier, found.included) == (150, "gold", (1, 9))
            await cache.store_page(page(member("m-1", 170, tier="gold"), acked=9))
            assert balance_of(cache, "m-1") == (170, (1, 9))

    run(work())


def test_a_removed_member_is_gone_with_its_tags(tmp_path: Path):
    """And can come back."""

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(member("m-1", 5, "card:aa"), member("m-2", 6, "card:bb"), acked=1))
            await cache.store_page(page(member("m-1", status="removed"), member("m-7", status="removed"), acked=2))
            assert (cache.by_id("m-1"), cache.by_tag("card:aa"), cache.member_count) == (None, None, 1)
            assert cache.by_tag("card:bb") is not None
            # Told in the till's audit log: how many it had, and no name of any.
            assert [(line.what, line.facts) for line in read(tmp_path / AUDIT_FILE)[0]] == [
                ("member_erased", {"members": "1"})
            ]
            await cache.store_page(page(member("m-1", 7, "card:aa"), acked=3))
            assert (balance_of(cache, "m-1"), cache.member_count) == ((7, (1, 3)), 2)

    run(work())


@pytest.mark.parametrize("order", ["winner first", "loser first", "one page", "one page, other order"])
def test_a_tag_that_moved_leads_to_its_new_member(tmp_path: Path, order: str):
    """In whatever order the two rows come; it is in one member's row only."""
    winner, loser = member("m-2", 2, "card:bb", "card:aa"), member("m-1", 1, "phone:cc")

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(member("m-1", 1, "card:aa", "phone:cc"), member("m-2", 2, "card:bb"), acked=1))
            if order == "winner first":
                await cache.store_page(page(winner, acked=2))
                stripped = cache.by_id("m-1")
                assert stripped is not None
                assert stripped.row.tags == ("phone:cc",)
                await cache.store_page(page(loser, acked=3))
            elif order == "loser first":
                await cache.store_page(page(loser, acked=2))
                assert cache.by_tag("card:aa") is None
                await cache.store_page(page(winner, acked=3))
            else:
                rows = (winner, loser) if order == "one page" else (loser, winner)
                await cache.store_page(page(*rows, acked=2))
            for tag, expected in (("card:aa", "m-2"), ("card:bb", "m-2"), ("phone:cc", "m-1")):
                found = cache.by_tag(tag)
                assert found is not None
                assert found.row.member_id == expected
                assert tag in found.row.tags

    run(work())


def test_a_tag_that_comes_back_to_an_unchanged_row_is_found(tmp_path: Path):
    """It went to another member and back between two pulls of its first member's row."""

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(member("m-1", 1, "card:aa"), member("m-2", 2), acked=1))
            await cache.store_page(page(member("m-2", 2, "card:aa"), acked=2))
            await cache.store_page(page(member("m-2", 2), acked=3))
            await cache.store_page(page(member("m-1", 1, "card:aa"), acked=4))
            found = cache.by_tag("card:aa")
            assert found is not None
            assert found.row.member_id == "m-1"

    run(work())


def test_a_pull_from_the_beginning_drops_what_it_does_not_bring(tmp_path: Path):
    """Until it is through, the old rows serve; then those that the cloud has no more are gone."""

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(member("m-1", 1, "card:aa"), member("m-2", 2, "card:bb"), acked=4))
            await cache.reset()
            assert await cache.cursor() == ""
            assert cache.filling
            await cache.store_page(page(member("m-3", 3), acked=4, more=True))
            assert (cache.member_count, balance_of(cache, "m-2")) == (3, (2, (1, 4)))
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(member("m-1", 1, "card:aa"), acked=4))
            assert (cache.member_count, cache.by_id("m-2"), cache.by_tag("card:bb")) == (2, None, None)
            assert cache.by_tag("card:aa") is not None
            assert not cache.filling

    run(work())


def test_a_cloud_restored_from_a_backup_is_believed(tmp_path: Path):
    """Its rows replace those of the former incarnation, though they include fewer own ops."""

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(member("m-1", 90), member("m-2", 50), acked=9))
            await cache.reset()
            await cache.store_page(page(member("m-1", 40), acked=4, incarnation="i-2", more=True))
            assert (balance_of(cache, "m-1"), cache.floor) == ((40, (1, 4)), (1, 4))
            await cache.record_results(1, (OpResult(seq=5, status="applied", member_id="m-1", balance=45),))
            await cache.store_page(page(member("m-1", 40), member("m-2", 20), acked=4, incarnation="i-2"))
            assert balance_of(cache, "m-1") == (45, (1, 5))
            assert balance_of(cache, "m-2") == (20, (1, 4))
            assert cache.floor == (1, 4)

    run(work())


def test_the_floor_is_told_when_the_cache_is_complete(tmp_path: Path):
    """Only a page with which the pull is through says what every cached balance includes."""
    told: list[tuple[int, int]] = []

    async def work() -> None:
        async with cache_in(tmp_path, on_complete=told.append) as cache:
            await cache.store_page(page(member("m-1", 1), acked=3, more=True))
            assert (told, cache.floor) == ([], (1, 3))
            await cache.store_page(page(member("m-2", 1), acked=5))
            await cache.store_page(page(acked=6, more=True))
            await cache.store_page(page(acked=8))
            await cache.store_page(page(acked=7))
            assert (told, cache.floor) == ([(1, 5), (1, 8), (1, 8)], (1, 8))
        async with cache_in(tmp_path) as cache:
            assert cache.floor == (1, 8)

    run(work())


def test_the_programme_to_sell_by_is_parsed_once(tmp_path: Path):
    """And kept until another one is active; former versions can be asked for."""

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            assert cache.programme() is None
            await cache.store_page(page(programme(1), acked=1))
            first = cache.programme()
            assert first is not None
            assert (first.programme.version, first.digest) == (1, programme(1).digest)
            await cache.store_page(page(member("m-1", 1), acked=2))
            assert cache.programme() is first
            await cache.store_page(page(programme(2), programme(1, active=False), acked=3))
            second = cache.programme()
            assert second is not None
            assert second.programme.version == 2
            assert cache.programme_version("club", 2) is second.programme
            old = cache.programme_version("club", 1)
            assert old is not None
            assert old.version == 1
            assert cache.programme_version("club", 1) is old
            assert cache.programme_version("club", 3) is None
            await cache.store_page(page(programme(2, active=False), acked=4))
            assert cache.programme() is None
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(programme(2), acked=5))
        async with cache_in(tmp_path) as cache:
            kept = cache.programme()
            assert kept is not None
            assert kept.programme.version == 2

    run(work())


@pytest.mark.parametrize("bad", ["not a programme", '{"format": 99}', None], ids=["rubbish", "later format", "digest"])
@pytest.mark.parametrize("bad_first", [True, False])
def test_a_programme_that_can_not_be_used_leaves_the_one_before(tmp_path: Path, bad: str | None, bad_first: bool):
    """The pull goes on, and so do sales by the programme that is there."""
    broken = programme(2, body=bad)
    if bad is None:
        broken = ProgrammeRow(programme_id="club", version=2, digest="0" * 64, active=True, body=broken.body)

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(programme(1), acked=1))
            rows = [broken, programme(1, active=False)]
            await cache.store_page(page(*(rows if bad_first else reversed(rows)), acked=2))
            assert await cache.cursor() == "after 2"
            kept = cache.programme()
            assert kept is not None
            assert kept.programme.version == 1
            assert cache.programme_version("club", 2) is None

    run(work())


def test_look_ups_go_on_while_a_page_is_written(tmp_path: Path):
    """They see the rows of before or of after, never some of each."""
    size = 3_000

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(*(member(f"m-{n}", 1) for n in range(size)), acked=1))
            task = asyncio.ensure_future(cache.store_page(page(*(member(f"m-{n}", 2) for n in range(size)), acked=2)))
            seen = []
            while not task.done():
                first, last = balance_of(cache, "m-0"), balance_of(cache, f"m-{size - 1}")
                assert first is not None
                assert last is not None
                # The second look may already be after the commit, never before the first.
                assert first[0] <= last[0]
                seen.append(first[0])
                await asyncio.sleep(0)
            assert seen[0] == 1
            assert balance_of(cache, "m-0") == (2, (1, 2))

    run(work())


def test_a_restart_amid_the_first_pull_keeps_sight_of_acknowledged_sales(tmp_path: Path):
    """The first page came before any own op; the op is acknowledged, and the agent dies before the cache knows."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal, cache_in(tmp_path) as cache:
            await cache.store_page(page(member("m-1", 100), epoch=0, more=True))
            await journal.commit(once(draft("s-1", points=7)))
            await journal.record(1, 1, ())
        effects = OwnEffects()
        async with (
            cache_in(tmp_path, on_complete=effects.forget) as cache,
            journal_in(tmp_path, Identity(1), effects=effects, floor=cache.floor),
        ):
            found = cache.by_id("m-1")
            assert found is not None
            assert found.row.balance + effects.effect(("m-1",), found.included) == 107
            await cache.store_page(page(member("m-1", 107), acked=1))
            assert (balance_of(cache, "m-1"), len(effects)) == ((107, (1, 1)), 0)

    run(work())


def test_an_answer_about_a_member_is_older_than_a_page_that_overtook_it(tmp_path: Path):
    """Who was blocked in between stays blocked, until the cloud says something else."""

    async def case():
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page())
            await cache.store_page(page(member("m-1", 500, status="blocked"), acked=2))
            late = MemberAnswer(
                incarnation="i-1", epoch=1, acked_seq=1, server_time_ms=1_001, member=member("m-1", 500)
            )
            assert await cache.take(late)
            known = cache.by_id("m-1")
            assert known is not None
            assert known.row.status == "blocked"

    run(case())
