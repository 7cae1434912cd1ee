"""Of who left and is kept no page says what their balance includes: own operations of before are added still."""

import contextlib
from functools import partial
from pathlib import Path
from typing import Any

from kit.loops import run
from till_agent.balances import OwnEffects
from till_agent.cache import leaving
from till_agent.cache.opening import open_writer
from till_agent.cache.pages import Progress, write_page
from till_agent.cache.schema import BY_ID
from till_agent.core import _waiting
from till_agent.registrations import Registrations
from till_sync.ops import AttachCardBody, OpId, Subject
from till_sync.snapshot_rows import OF_SNAPSHOT
from till_sync.wire import LeftRow, MemberRow
from unit.agent_stores.stores_kit import TILL, cache_in, page

WAITS = frozenset({"m-1"})
LEFT = LeftRow(member_id="m-1", position=9)


def test_the_floor_rests_while_somebody_is_kept_who_left(tmp_path: Path) -> None:
    """Below it own operations are forgotten; the second one moved a balance that the till was not told (seed 1,805)."""

    async def work() -> None:
        waiting = WAITS
        async with cache_in(tmp_path, waiting=lambda _included: waiting) as cache:
            await cache.store_page(page(MemberRow(member_id="m-1", balance=100), acked=1))
            assert cache.floor == (1, 1)
            await cache.store_page(page(LEFT, acked=2))
            await cache.store_page(page(acked=3))
            assert cache.floor == (1, 1)
            found = cache.by_id("m-1")
            assert found is not None
            assert found.included == (1, 1)
            waiting = frozenset()
            await cache.store_page(page(acked=4))
            assert (cache.by_id("m-1"), cache.floor) == (None, (1, 4))

    run(work())


def test_the_floor_rests_for_one_who_is_looked_up_while_a_page_lets_them_go(tmp_path: Path) -> None:
    """They are taken in again as they were: with the verdict on an operation lost, their row lacks it still."""

    async def work() -> None:
        async with cache_in(tmp_path) as cache:
            await cache.store_page(page(MemberRow(member_id="m-1", balance=100), acked=1))
            write = cache._run

            async def written_while_they_are_looked_up(work: Any) -> Any:
                assert cache.by_id("m-1") is not None
                return await write(work)

            cache._run = written_while_they_are_looked_up
            await cache.store_page(page(LEFT, acked=2))
            found = cache.by_id("m-1")
            assert found is not None
            assert (found.included, cache.floor) == ((1, 1), (1, 1))
            cache._run = write
            await cache.store_page(page(acked=2))
            assert (cache.by_id("m-1"), cache.floor) == (None, (1, 2))

    run(work())


def test_who_is_kept_for_a_card_goes_when_the_cloud_has_answered(tmp_path: Path) -> None:
    """It refused the card, so they were not seen there: were the card spoken of until the floor is past it, neither
    would they ever go, nor the floor."""
    registrations = Registrations()
    given = AttachCardBody(
        uid="c-1",
        store="s-1",
        at_wall_ms=1,
        at_mono_ms=1,
        boot="boot-1",
        subject=Subject(member_id="m-1"),
        card_tag="card-1",
    )

    async def work() -> None:
        waiting = partial(_waiting, OwnEffects(), registrations)
        async with cache_in(tmp_path, waiting=waiting, on_complete=registrations.forget) as cache:
            await cache.store_page(page(MemberRow(member_id="m-1"), acked=1))
            registrations.note(OpId(TILL, 1, 2), given)
            await cache.store_page(page(LEFT, acked=1))
            assert cache.by_id("m-1") is not None
            await cache.store_page(page(acked=2))
            assert (cache.by_id("m-1"), cache.floor) == (None, (1, 2))
            assert registrations.attached("card-1") is None

    run(work())


def built(folder: Path, name: str, balance: int, *, of_snapshot: bool) -> tuple[Path, Progress]:
    """A cache that has m-1, as a page or a snapshot brought them."""
    path = folder / name
    connection, progress = open_writer(path, TILL)
    with contextlib.closing(connection):
        progress = write_page(connection, progress, page(MemberRow(member_id="m-1", balance=balance), acked=1))
        if of_snapshot:
            connection.execute("UPDATE balances SET included_epoch = ?, facts_epoch = ?", (OF_SNAPSHOT, OF_SNAPSHOT))
    return path, progress


def test_who_left_since_the_snapshot_is_taken_from_the_cache_that_serves(tmp_path: Path) -> None:
    """The snapshot is older than an operation that the cloud took before they left; the verdict is in the old cache."""
    old, _ = built(tmp_path, "old.db", 174, of_snapshot=False)
    new, progress = built(tmp_path, "new.db", 100, of_snapshot=True)
    with (
        contextlib.closing(open_writer(old, TILL)[0]) as serving,
        contextlib.closing(open_writer(new, TILL)[0]) as building,
    ):
        write_page(building, progress, page(LEFT, acked=2), None, WAITS, serves=False)
        assert leaving.carry_over(serving, building, (0, 0), WAITS, set()) == 0
        row = building.execute(BY_ID, ("m-1",)).fetchone()
        assert (row[2], row[7:9]) == (174, (1, 1))


def test_what_a_row_of_a_snapshot_includes_is_written_down_when_they_leave(tmp_path: Path) -> None:
    """A later snapshot or pull says of all such rows what they include, and of this one it would not be so."""
    path, progress = built(tmp_path, "cache.db", 100, of_snapshot=True)
    with contextlib.closing(open_writer(path, TILL)[0]) as connection:
        connection.execute("BEGIN")
        write_page(connection, progress, page(LEFT, acked=2), None, WAITS)
        row = connection.execute(BY_ID, ("m-1",)).fetchone()
        assert row[7:9] == progress.base
        connection.execute("COMMIT")
