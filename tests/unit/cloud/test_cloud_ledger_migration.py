"""A database of the first release, with content, becomes one of this: its ledger adds up, and its sales come back."""

import sqlite3
from pathlib import Path

import pytest
import sqlite_utils

from till_cloud.centre import Centre
from till_cloud.store import migrations, tills
from till_cloud.store.connection import APPLICATION_ID, SCHEMA_VERSION
from till_cloud.verify import verify
from unit.cloud.cloud_kit import Chain, Till, Wall, chain, programme

KEPT = (
    *("meta", "counters", "stores", "tills", "enrolment_codes", "programmes", "members", "identifiers", "balances"),
    *("lots", "movements", "lot_moves", "ops", "sales", "reversals", "holds", "flags"),
)
PURCHASES = "SELECT member_id, purchases, last_purchase, largest_purchase_minor FROM members ORDER BY member_id"
MADE = [("m-1", 1, "2027-01-15", 9_700), ("m-2", 2, "2027-01-15", 20_000), ("m-3", 0, "2027-01-15", 900)]


def sell_the_day(till: Till) -> None:
    """A sale by points, and sales, a void and returns of two members."""
    till.sale("a", "m-1", 10_000, redeem=300, hold="h")
    till.sale("b", "m-2", 10_000, 5_000)
    till.take_return("r", "b", [(1, 1000)])
    till.sale("c", "m-2", 700)
    till.void("c")
    till.sale("d", "m-3", 900)
    till.take_return("r3", "d")
    till.sale("e", "m-2", 20_000)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A chain's day as the first release would have left it: every row of every table that it had.

    The day is made by today's code, then poured into a schema made by the first migration alone.
    """
    with chain(tmp_path / "new.db") as world:
        world.member("m-1", points=1000, tags=("card:0000beef",))
        world.member("m-2")
        world.member("m-3")
        till = world.till()
        world.hold(till, "h", "m-1", 300)
        world.hold(till, "h2", "m-1", 100)
        sell_the_day(till)
        till.push()
        made = world.rows(PURCHASES)
        assert made == MADE
    path = tmp_path / "old.db"
    target = sqlite3.connect(path, isolation_level=None)
    first = sqlite_utils.Database(target)
    migrations.migrations.apply(first, stop_before="0002-whole-programme")
    target.execute("PRAGMA foreign_keys=OFF")
    target.execute("ATTACH ? AS made", (str(tmp_path / "new.db"),))
    for table in KEPT:
        columns = [row[1] for row in target.execute(f"PRAGMA main.table_info({table})")]
        names = ", ".join(columns)
        source = names
        if table == "lots":
            # The first release numbered a lot by the position of the movement that issued it.
            source = names.replace("lot,", "position,", 1)
        target.execute(f"INSERT INTO main.{table} ({names}) SELECT {source} FROM made.{table}")
    target.execute("UPDATE lot_moves SET lot = (SELECT position FROM made.lots l WHERE l.lot = lot_moves.lot)")
    target.execute(f"PRAGMA application_id={APPLICATION_ID}")
    target.execute("PRAGMA user_version=1")
    target.close()
    return path


def test_every_row_is_kept_and_the_ledger_adds_up(old: Path) -> None:
    before = {table: count(old, table) for table in KEPT}
    assert before["lots"] == 6
    centre = Centre(old, wall_ms=Wall())
    try:
        found = centre.read(verify)
        assert found.holds, found.breaches
        assert {table: count(old, table) for table in KEPT} == before
        rows = centre.read(lambda c: c.execute("SELECT lot, position, active_at_ms FROM lots").fetchall())
        assert all(lot == position and active is None for lot, position, active in rows)
        assert centre.read(lambda c: c.execute("PRAGMA user_version").fetchone()[0]) == SCHEMA_VERSION
        assert centre.read(lambda c: c.execute("PRAGMA foreign_key_check").fetchall()) == []
    finally:
        centre.close()


def test_members_have_made_the_purchases_that_they_made(old: Path) -> None:
    """As if they had been counted all along; a sale that was voided or wholly brought back was none."""
    centre = Centre(old, wall_ms=Wall())
    try:
        found = centre.read(lambda c: c.execute(PURCHASES).fetchall())
        assert found == [*MADE[:2], ("m-3", 0, "", 0)]
    finally:
        centre.close()


def test_a_day_that_a_till_made_up_is_not_believed(old: Path) -> None:
    """A purchase of the year 9999 would keep its member from ever having been silent."""
    connection = sqlite3.connect(old)
    with connection:
        connection.execute(
            'UPDATE ops SET body = CAST(replace(CAST(body AS TEXT), \'"business_date":"2027-01-15"\','
            ' \'"business_date":"9999-01-01"\') AS BLOB)'
        )
    connection.close()
    centre = Centre(old, wall_ms=Wall())
    try:
        days = centre.read(lambda c: c.execute("SELECT DISTINCT last_purchase FROM members").fetchall())
        assert days == [("2027-01-16",), ("",)]
    finally:
        centre.close()


def test_goods_sold_before_come_back_after(old: Path, tmp_path: Path) -> None:
    """The rest of sale b: 500 of 1,500 points came back before, the others now, from the lot numbered as ever."""
    old.rename(tmp_path / "new.db")
    for leftover in ("new.db-wal", "new.db-shm"):
        (tmp_path / leftover).unlink(missing_ok=True)
    with chain_again(tmp_path / "new.db") as (world, till):
        till.take_return("r2", "b")
        assert till.push_last().status == "applied"
        assert world.balances("m-2") == (2000, 0, 0), "the points of sale e"
        assert world.centre.read(verify).holds


def count(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    finally:
        connection.close()


class chain_again:  # noqa: N801 - used as a context, as `chain` is
    """The same chain opened again, with a till that goes on where it stopped."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self):
        world = Chain.__new__(Chain)
        world.wall, world._ids, world.programme = Wall(), 0, programme()
        world.centre = Centre(self._path, wall_ms=world.wall)
        self._world = world
        till = Till(world, "k1", "")
        sell_the_day(till)
        assert world.centre.read(lambda c: tills.till(c, "k1")).head_hash == till.heads[-1]
        return world, till

    def __exit__(self, *_: object) -> None:
        self._world.centre.close()
