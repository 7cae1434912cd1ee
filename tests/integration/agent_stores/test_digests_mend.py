"""A cache that has come apart from the cloud is found by digests, mended by reading the stretch anew, and counted."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.agent_stores.snapshot_kit import PullingTill, add_members, make_snapshot, pulling, served, tag
from kit.loops import run
from till_sync import digests
from till_sync.pull import CHECK_EVERY_MS
from unit.cloud.cloud_kit import Chain, Till

MEMBERS = 300


@pytest.fixture
def world(tmp_path: Path) -> Chain:
    chain = Chain(tmp_path / "cloud.db")
    add_members(chain, MEMBERS)
    return chain


@pytest.fixture
def stretch(monkeypatch: pytest.MonkeyPatch) -> int:
    """Short stretches, and no waiting between two digests."""
    monkeypatch.setattr(digests, "STRETCH_MEMBERS", 100)
    monkeypatch.setattr("till_sync.pull.CHECK_EVERY_MS", 0)
    monkeypatch.setattr("till_cloud.rationing.SHARE", 0)
    return 100


def planted(path: Path, *statements: str) -> None:
    """A change that no page brought."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=5)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def cloud_rows(chain: Chain) -> list[tuple]:
    return chain.rows("SELECT member_id, balance FROM balances ORDER BY member_id")


def cached_rows(path: Path) -> list[tuple]:
    connection = sqlite3.connect(path, timeout=5)
    try:
        return connection.execute(
            "SELECT m.member_id, b.balance FROM members m JOIN balances b USING (member_id) ORDER BY 1"
        ).fetchall()
    finally:
        connection.close()


COLUMNS = (
    "balance, held, position, expiring_points, expiring_at_ms, included_epoch, included_seq, as_of_ms, inactive, "
    "facts, facts_epoch, facts_seq"
)
OTHER_PROFILE = "SELECT data FROM members WHERE member_id = 'm-0000151'"
DIVERGENCES: dict[str, tuple[str, ...]] = {
    "a balance": ("UPDATE balances SET balance = balance + 1 WHERE member_id = 'm-0000150'",),
    "a deleted member": (
        "DELETE FROM members WHERE member_id = 'm-0000150'",
        "DELETE FROM balances WHERE member_id = 'm-0000150'",
    ),
    "a balance lost": ("DELETE FROM balances WHERE member_id = 'm-0000150'",),
    "a member whom the cloud does not have": (
        "INSERT INTO members SELECT 'm-0000150x', generation, data FROM members WHERE member_id = 'm-0000151'",
        f"INSERT INTO balances SELECT 'm-0000150x', {COLUMNS} FROM balances WHERE member_id = 'm-0000151'",
    ),
    "a card that leads nowhere": (f"DELETE FROM tags WHERE tag = '{tag('card', 150)}'",),
    "a card that leads to another": (f"UPDATE tags SET member_id = 'm-0000007' WHERE tag = '{tag('card', 150)}'",),
    "a profile": (f"UPDATE members SET data = ({OTHER_PROFILE}) WHERE member_id = 'm-0000150'",),
}


@pytest.mark.usefixtures("stretch")
@pytest.mark.parametrize("what", DIVERGENCES)
@pytest.mark.parametrize("from_snapshot", [False, True], ids=["pages", "snapshot"])
def test_a_divergence_is_found_mended_and_counted(
    world: Chain, tmp_path: Path, what: str, *, from_snapshot: bool
) -> None:
    """Within one round of digests, whatever it is; the next round finds nothing."""
    till = world.till()
    if from_snapshot:
        make_snapshot(world)

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            await here.pull()
            await rounds(here, 5)
            assert here.cache.divergences == 0
            planted(tmp_path / "cache.db", *DIVERGENCES[what])
            await rounds(here, 5)
            assert here.cache.divergences == 1
            assert cached_rows(tmp_path / "cache.db") == cloud_rows(world)
            for kind in ("card", "phone"):
                found = here.cache.by_tag(tag(kind, 150))
                assert found is not None
                assert (found.row.member_id, found.row.balance, found.row.name_masked) == ("m-0000150", 150, "Name 150")
            assert here.cache.member_count == MEMBERS
            await rounds(here, 5)
            assert here.cache.divergences == 1

    run(work())


@pytest.mark.usefixtures("stretch")
def test_sales_between_digests_are_no_divergence(world: Chain, tmp_path: Path) -> None:
    """What one's own ops and other tills changed has come with pages; a verdict alone is not held against the cache."""
    till, other = world.till(), world.till("k2")

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            await here.pull()
            for number in range(12):
                mine = sold(till, number, f"m-{number * 20:07}")
                if number % 3 == 0:
                    await here.cache.record_results(1, mine)
                sold(other, number, f"m-{number * 20 + 5:07}")
                await here.pull()
            assert here.cache.divergences == 0

    run(work())


@pytest.mark.usefixtures("stretch")
@pytest.mark.parametrize("mutant", ["a page lacks a row", "a page's removal is forgotten"])
def test_a_broken_feed_is_found_by_the_digests(world: Chain, tmp_path: Path, mutant: str) -> None:
    """The mutant: the cursor moves past a change that no page brought. Digests find it; nothing else does."""
    from till_cloud.store import members

    till = world.till()
    page_of: Callable[..., list] = members.page

    def lacking(*asked: object, **named: object) -> list:
        return [row for row in page_of(*asked, **named) if row.member_id != "m-0000042"]

    async def work() -> None:
        async with served(world) as port, pulling(tmp_path, world, till, port) as here:
            await here.pull()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(members, "page", lacking)
                patch.setattr("till_sync.pull.CHECK_EVERY_MS", CHECK_EVERY_MS)
                here.puller._check_due_ms = 2**62
                if mutant == "a page lacks a row":
                    sold(till, 1, "m-0000042")
                else:
                    world.centre.write(
                        lambda c: [
                            c.execute("UPDATE members SET status = 'removed' WHERE member_id = 'm-0000042'"),
                            c.execute("DELETE FROM identifiers WHERE member_id = 'm-0000042'"),
                        ]
                    ).result()
                await here.pull()
            assert here.cache.divergences == 0
            here.puller._check_due_ms = 0
            await rounds(here, 5)
            assert here.cache.divergences == 1
            found = here.cache.by_id("m-0000042")
            balance = world.rows("SELECT balance FROM balances WHERE member_id = 'm-0000042'")[0][0]
            assert (found.row.balance if found else None) == (balance if mutant == "a page lacks a row" else None)

    run(work())


def sold(till: Till, number: int, member: str) -> tuple:
    till.sale(f"{till.name}-{number}", member, 10_000)
    return till.push().results


async def rounds(here: PullingTill, times: int) -> None:
    for _ in range(times):
        await here.pull()
