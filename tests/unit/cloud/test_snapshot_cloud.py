"""When a snapshot is made, which one is offered, when it goes; and what a till's first page after it brings."""

import os
from pathlib import Path

import pytest

from integration.agent_stores.snapshot_kit import add_members, make_snapshot
from till_cloud import snapshots
from till_cloud.exceptions import RefusedError
from till_cloud.jobs.snapshots import remove_old
from till_cloud.store import meta, tills
from till_sync import snapshot_layout
from till_sync.wire import GrantRow, MemberRow
from unit.cloud.cloud_kit import Chain, chain


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(snapshot_layout, "LEAST_MEMBERS", 10)
    with chain(tmp_path / "c.db") as made:
        add_members(made, 20)
        yield made


def due(world: Chain, after_ms: int = 0) -> bool:
    folder = snapshots.folder_of(world.centre.path)
    return world.centre.read(lambda c: snapshots.is_due(c, folder, world.wall.ms + after_ms))


def offered(world: Chain) -> str:
    folder = snapshots.folder_of(world.centre.path)
    return world.centre.read(lambda c: snapshots.answer(c, folder, world.wall.ms)).snapshot


def test_one_is_due_when_there_is_none_or_it_is_old_and_behind(world: Chain) -> None:
    """An old one that lacks nothing is as good as new; a small base needs none."""
    assert due(world)
    make_snapshot(world)
    assert not due(world, snapshots.OLDEST_MS)
    world.member("m-new")
    assert not due(world, snapshots.LEAST_AGE_MS)
    assert due(world, snapshots.OLDEST_MS)


def test_a_small_base_is_left_to_pages(world: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_layout, "LEAST_MEMBERS", 21)
    assert not due(world)


def test_an_old_one_stays_while_it_is_fetched(world: Chain) -> None:
    """By its last fetch, an hour; the newest stays for ever."""
    first = make_snapshot(world)
    world.member("m-new")
    world.wall.ms += 1
    second = make_snapshot(world)
    folder = snapshots.folder_of(world.centre.path)
    assert offered(world) == second.snapshot
    now_ms = int((folder / first.snapshot).stat().st_mtime * 1000)
    assert remove_old(world.centre, now_ms + snapshots.GRACE_MS - 1_000) == 0
    os.utime(folder / first.snapshot, (0, 0))
    assert remove_old(world.centre, now_ms) == 1
    assert [path.name for path in folder.iterdir()] == [second.snapshot]


def test_one_of_another_life_of_the_database_or_without_a_file_is_not_offered(world: Chain) -> None:
    row = make_snapshot(world)
    world.centre.write(lambda c: meta.set_incarnation(c, "other")).result()
    with pytest.raises(RefusedError, match="no snapshot"):
        offered(world)
    world.centre.write(lambda c: meta.set_incarnation(c, row.snapshot.split("-")[1])).result()
    assert offered(world) == row.snapshot
    (snapshots.folder_of(world.centre.path) / row.snapshot).unlink()
    with pytest.raises(RefusedError, match="no snapshot"):
        offered(world)


def test_the_first_page_after_it_brings_the_tills_grants(world: Chain) -> None:
    """They may be older than the snapshot, which is everybody's."""
    till = world.till()

    def lend(connection) -> None:
        member = "m-0000015"
        connection.execute("UPDATE balances SET granted = 5 WHERE member_id = ?", (member,))
        connection.execute(
            "INSERT INTO grants (holder, member_id, epoch, points, granted, position) VALUES (?, ?, 1, 5, 5, ?)",
            (till.name, member, meta.position(connection)),
        )

    world.centre.write(lend).result()
    make_snapshot(world)
    folder = snapshots.folder_of(world.centre.path)
    cursor = world.centre.read(lambda c: snapshots.answer(c, folder, 0)).cursor
    row = world.centre.quick(lambda c: tills.till(c, till.name))
    page = world.centre.changes(row, since=cursor, limit=100, with_grants=True)
    assert [each.points for each in page.rows if isinstance(each, GrantRow)] == [5]
    assert not [each for each in page.rows if isinstance(each, MemberRow)]
    assert not page.more
    again = world.centre.changes(row, since=page.next, limit=100, with_grants=True)
    assert again.rows == ()
