"""A member's figures are the same wherever a till hears of them: verdict, page, snapshot, digest."""

import sqlite3
from pathlib import Path

import pytest

from integration.agent_stores.snapshot_kit import make_snapshot
from till_cloud import snapshots
from till_sync import digests, snapshot_layout
from till_sync.snapshot_file import unpack
from till_sync.wire import MemberRow
from unit.cloud.grants_kit import LendingChain


def test_a_debt_is_off_the_balance_in_all_of_them(
    world: LendingChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member who owes, with points left that a receipt keeps: the shown balance must not jump with the next page."""
    monkeypatch.setattr(snapshot_layout, "LEAST_MEMBERS", 1)
    till = world.taker()
    world.member("m-1", points=300)
    till.sale("a", "m-1", 10_000)
    till.push_last()
    world.hold(till, "h", "m-1", 1_250)
    till.take_return("r", "a")
    verdict = till.push_last()
    assert world.balances("m-1") == (1_250, 1_250, 950)

    page = world.pull(till)
    shown = next(row for row in page.rows if isinstance(row, MemberRow))
    assert (verdict.balance, verdict.held) == (300, 1_250)
    assert (shown.balance, shown.held) == (300, 1_250)

    row = world.centre.authenticate(till.name, f"Bearer {till.token}")
    stretch = world.centre.changes(row, since=page.next, limit=10, with_grants=True, check="").stretch
    assert stretch is not None
    assert stretch.digest == digests.digest_of([shown], [], after="", last="").digest

    snapshot = make_snapshot(world)
    cache = tmp_path / "cache.db"
    unpack(snapshots.folder_of(world.centre.path) / snapshot.snapshot, cache, sha256=snapshot.sha256)
    file = sqlite3.connect(cache)
    assert file.execute("SELECT balance FROM balances WHERE member_id = 'm-1'").fetchall() == [(300,)]
    file.close()


def test_a_voucher_keeps_its_points_from_everybody_and_a_grant_does_not(world: LendingChain) -> None:
    """Verdict, hold and page say the same: what can't be called back is held."""
    till, other = world.taker(), world.taker("k2")
    world.member("m-1", points=1000)
    world.give(till, "m-1", 500)
    world.voucher(300)
    assert world.hold(other, "h", "m-1", 100).held == 400
    other.sale("a", "m-1", 100)
    assert other.push_last().held == 400
    shown = next(row for row in world.pull(till).rows if isinstance(row, MemberRow))
    assert shown.held == 400
