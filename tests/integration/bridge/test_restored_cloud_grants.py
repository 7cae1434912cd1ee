"""Real tills before a cloud that was put back from a backup, and does not know what it has lent them since."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.bridge.serving_kit import cloud_served, tillside
from integration.bridge.test_bridge_offline_spending import Shop, chain, core, granted, hold, member, spend, spendable


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as made:
        yield made


def set_back(shop: Shop, backup: Path) -> None:
    """The line leads to another cloud from now on: the backup's."""
    tillside("cloud", "init", "--restored", "--db", str(backup))
    shop.database = backup
    shop.line._target = shop.stack.enter_context(cloud_served(backup))


def test_tills_give_up_what_the_restored_cloud_does_not_know(tmp_path: Path, stack: contextlib.ExitStack) -> None:
    """One spent of it before, with and without a line, and has given a hold: those receipts are closed as they were
    sold, spend nothing at the cloud, and are told to staff. What is left of the grants no till spends any more."""
    shop = Shop(tmp_path, chain(tmp_path), stack)
    shop.open("t1", "t2")
    backup = tmp_path / "backup.db"
    tillside("cloud", "backup", "--db", str(shop.database), str(backup))
    lent = shop.lend()
    assert lent["t1"] >= 5_000
    assert lent["t2"] > 0
    one, two = shop.tills["t1"], shop.tills["t2"]
    before = shop.balance()[0]
    earned = spend(one, 1_000, "before")["calculation"]["earned_points"]
    shop.drain("t1")
    shop.cut()
    earned += spend(one, 2_000, "without")["calculation"]["earned_points"]
    kept = hold(one, 1_000, "under-way").json["hold"]
    assert kept.startswith("g-")
    set_back(shop, backup)
    shop.mend()
    for till in (one, two):
        till.wait_for(lambda till=till: granted(till) == 0)
    assert shop.verdicts() == {("adjusted", "grant_missing")}
    assert shop.balance() == (before + earned, 0, 0, 0)
    shop.cut()
    assert (spendable(one), spendable(two)) == (0, 0)
    assert hold(two, 1_000, "no").status in (409, 503)
    shop.mend()
    assert sorted(shop.ask("SELECT code, till_points - cloud_points FROM flags WHERE code = 'grant_missing'")) == [
        ("grant_missing", -2_000),
        ("grant_missing", -1_000),
    ]
    for till in (one, two):
        till.on_loop(core(till).sync_now)
        shown = member(till)
        assert (shown["balance_points"], shown["unconfirmed_points"]) == (before + earned, 0)
        assert core(till).journal.figures.rejected == 0
    assert shop.lend()["t1"] > 0
    spend(one, 1_000, "again")
    shop.drain("t1")
    assert shop.balance()[3] == 0
    assert len(shop.ask("SELECT 1 FROM ops WHERE status = 'adjusted'")) == 2
    shop.verify()
