"""Which members a store's tills are to hold: by imports, operations, merges, and in a database of a former release."""

import sqlite3
from pathlib import Path

import pytest

from till_cloud import snapshots, windows
from till_cloud.csv_members import LineReader, rows
from till_cloud.importing import Importer
from till_cloud.jobs.running import run_jobs
from till_cloud.jobs.windows import judge
from till_cloud.store import meta, tills
from till_cloud.store import windows as window_rows
from till_cloud.store.windows import WINDOWS
from unit.cloud.cloud_kit import Chain

TABLES = ("window_members", "window_days", "erasures")


@pytest.fixture
def world(tmp_path: Path) -> Chain:
    made = Chain(tmp_path / "cloud.db")
    yield made
    made.centre.close()


def imported(world: Chain, names: list[str], store: str = "") -> None:
    """As `cloud member import` does."""

    def transact(work) -> None:
        world.centre.write(work).result()

    key = world.centre.write(meta.identifier_key).result()
    reader = LineReader(world.programme, key)
    importer = Importer(
        reader, transact=transact, wall_ms=world.wall, new_id=lambda: "m-x", report=pytest.fail, store=store
    )
    importer.take(rows(iter(["member_id\n", *(f"{name}\n" for name in names)])))
    transact(judge)


def inside(world: Chain) -> list[tuple]:
    return world.rows("SELECT store, member_id FROM window_members WHERE inside = 1 ORDER BY 1, 2")


def judged(world: Chain) -> str:
    return world.centre.read(lambda c: meta.told(c, window_rows.JUDGED))


def test_an_import_is_seen_everywhere_and_holds_windows_back_while_it_is_most(world: Chain) -> None:
    """A chain that has just moved to us does not meet its members as strangers."""
    imported(world, ["m-1", "m-2"])
    assert inside(world) == [("", "m-1"), ("", "m-2")]
    assert judged(world) == "off"
    imported(world, [f"m-{number}" for number in range(3, 6)], "s1")
    assert judged(world) == "off"  # in between what was judged stands
    imported(world, [f"m-{number}" for number in range(6, 9)], "s1")
    assert judged(world) == "on"
    assert ("s1", "m-8") in inside(world)


def test_every_operation_says_that_its_member_is_there(world: Chain) -> None:
    """Of a sale without a member nobody is; a refused one says nothing."""
    till = world.till()
    for name in ("m-1", "m-2"):
        world.member(name)
    till.sale("a", "m-1", 10_000)
    till.sale("b", "", 10_000)
    till.push()
    assert inside(world) == [("s1", "m-1")]
    world.hold(till, "h-1", world.member("m-3", points=500), 100)
    assert inside(world) == [("s1", "m-1"), ("s1", "m-3")]


def test_where_a_merged_member_was_seen_the_one_kept_was(world: Chain) -> None:
    till = world.till()
    for name in ("m-1", "m-2"):
        world.member(name)
    till.sale("a", "m-1", 10_000)
    till.push()

    world.merge("m-1", "m-2")
    assert ("s1", "m-2") in inside(world)


def test_a_merged_member_who_came_lately_keeps_the_other_from_leaving(world: Chain) -> None:
    """Both are known in the store; the one kept had not been there for long."""
    for name in ("m-1", "m-2"):
        world.member(name)

    long_ago_ms = world.wall() - 89 * window_rows.DAY_MS
    world.centre.write(lambda c: window_rows.put(c, "s1", "m-1", world.wall(), 0)).result()
    world.centre.write(lambda c: window_rows.put(c, "s1", "m-2", long_ago_ms, 0)).result()
    world.merge("m-1", "m-2")
    assert world.centre.read(lambda c: window_rows.seen_at(c, "s1", "m-2")) == (True, world.wall())


def jobs(world: Chain) -> None:
    run_jobs(lambda block: world.centre.write(block).result(), registry=world.centre.registry, wall_ms=world.wall)


def test_a_new_chain_is_looked_at_with_its_first_member_and_a_large_one_each_hour(
    world: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cloud runs before there is anybody: tills would hold the whole base for an hour, whatever the jobs' command
    is told to do. What is judged as before is not written again."""
    jobs(world)
    assert judged(world) == ""
    till = world.till()
    world.member("m-1")
    till.sale("a", "m-1", 10_000)
    till.push()
    jobs(world)
    assert judged(world) == "on"

    def again(connection: sqlite3.Connection) -> int:
        before = connection.total_changes
        judge(connection)
        return connection.total_changes - before

    assert world.centre.write(again).result() == 0
    monkeypatch.setattr("till_cloud.jobs.windows.SMALL_MEMBERS", 3)
    for name in ("m-2", "m-3"):
        world.member(name)
        world.centre.write(lambda c, name=name: window_rows.put(c, "", name, world.wall(), 1)).result()
    jobs(world)
    assert judged(world) == "off"
    for name in ("m-4", "m-5", "m-6", "m-7", "m-8"):
        world.member(name)
    jobs(world)
    assert judged(world) == "off"
    world.wall.ms += 3_600_000
    jobs(world)
    assert judged(world) == "on"


def test_the_whole_base_is_not_read_to_judge_how_much_of_it_was_imported(world: Chain) -> None:
    """In the writer's turn, once an hour: a third of a second of a million members, and more of a cold disk."""
    plan = world.rows(f"EXPLAIN QUERY PLAN {window_rows._MEMBERS}")
    assert all("COVERING INDEX" in step[-1] for step in plan), plan


def test_a_till_that_asks_for_the_whole_base_again_is_told_of(world: Chain, caplog: pytest.LogCaptureFixture) -> None:
    """It went back to a former release, or somebody has its token. A till that never kept a window is nothing new."""
    name = world.till().name
    world.centre.note_window(name, asks=False)
    world.centre.note_window(name, asks=True)
    assert caplog.text == ""
    for _ in range(2):
        world.centre.note_window(name, asks=False)
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"Till {name} asks for the whole base, not for its store's members any more: is it of a former release again?"
    ]


@pytest.mark.parametrize("sells", [True, False])
def test_a_database_of_a_former_release_is_read_for_who_was_where(world: Chain, *, sells: bool) -> None:
    """Who bought lately is seen there; of a chain that has not sold yet everybody is seen everywhere."""
    till = world.till()
    for name in ("m-1", "m-2"):
        world.member(name)
    if sells:
        till.sale("a", "m-1", 10_000)
        till.push()

    def again(connection) -> None:
        for table in TABLES:
            connection.execute(f"DROP TABLE {table}")
        connection.execute("ALTER TABLE members DROP COLUMN seen_at_ms")
        connection.execute("ALTER TABLE tills DROP COLUMN takes_window")
        connection.execute("UPDATE members SET added_at_ms = 1")
        for statement in WINDOWS.split(";\n"):
            connection.execute(statement)

    world.centre.write(again).result()
    assert inside(world) == ([("s1", "m-1")] if sells else [("", "m-1"), ("", "m-2")])


def test_snapshots_are_made_of_what_tills_hold(world: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a store whose tills keep its window, of all while a till of a former release asks; none for the forgotten."""
    monkeypatch.setattr("till_sync.snapshot_layout.LEAST_MEMBERS", 1)
    imported(world, ["m-1"], "s1")
    old, new = world.till("k1"), world.till("k2")
    world.centre.note_window(new.name, asks=True)
    due = world.centre.read(lambda c: snapshots.due(c, tmp_path / "none", world.wall()))
    assert due == [windows.WHOLE, "s1"]
    world.centre.note_window(old.name, asks=True)
    assert world.centre.read(lambda c: snapshots.scopes(c, world.wall())) == ["s1"]
    late = world.wall() + 61 * 86_400_000
    assert world.centre.read(lambda c: snapshots.scopes(c, late)) == [windows.WHOLE]
    assert world.centre.read(lambda c: tills.till(c, "k1")).store == "s1"
