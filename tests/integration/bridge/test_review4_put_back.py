"""A whole state directory put back from a copy: journal, cache, identity and counter are all as they were then."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.bridge.agent_kit import LiveAgent, body_of, receipt
from integration.bridge.test_bridge_offline_spending import KIM, Shop, chain, core, hold, member, spend, spendable


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as made:
        yield made


def sell(till: LiveAgent, uid: str, amount: int) -> Any:
    return body_of(till.call("PUT", f"/v1/sales/{uid}", receipt(amount) | KIM))


def with_an_old_copy(folder: Path, stack: contextlib.ExitStack) -> tuple[Shop, int]:
    """A till that is not running, with its directory as it was while two sales waited; both, and two more, are at the
    cloud. Gives the shop, and what was granted in all."""
    shop = Shop(folder, chain(folder), stack)
    shop.open("t1")
    lent = shop.lend()["t1"]
    shop.cut()
    sell(shop.tills["t1"], "waits", 30_000)
    spend(shop.tills["t1"], 1_000, "spent-before")
    shop.stop("t1")
    shutil.copytree(folder / "t1", folder / "copy")
    till = shop.start("t1")
    shop.mend()
    spend(till, 2_000, "spent-after")
    sell(till, "after", 70_000)
    shop.drain("t1")
    shop.stop("t1")
    shutil.rmtree(folder / "t1")
    (folder / "copy").rename(folder / "t1")
    return shop, lent


def test_with_a_line_it_goes_on_in_a_new_epoch_and_nothing_is_lost_or_doubled(
    tmp_path: Path, stack: contextlib.ExitStack
) -> None:
    """What waited in the copy is known at the cloud, and staff hear that the journal was replaced, not of refusals."""
    shop, _lent = with_an_old_copy(tmp_path, stack)
    before = shop.balance()
    till = shop.start("t1")
    till.on_loop(core(till).sync_now)
    figures = core(till).journal.figures
    assert (figures.epoch, figures.waiting, figures.rejected, figures.repeated) == (2, 0, 0, 2)
    status = body_of(till.call("GET", "/v1/status", client="admin"))
    codes = {each["code"] for each in status["problems"]}
    assert "journal_replaced" in codes
    assert "ops_rejected" not in codes
    assert (shop.balance()[0], shop.balance()[3]) == (before[0], 0)
    shown = member(till)
    assert (shown["balance_points"], shown["unconfirmed_points"]) == (before[0], 0)
    # The cash software asks again what it was answered before: it is taken, and moves nothing.
    sell(till, "waits", 30_000)
    sell(till, "after", 70_000)
    shop.drain("t1")
    assert shop.balance()[0] == before[0]
    assert shop.verdicts() == {("rejected", "sale_repeated")}
    assert core(till).journal.figures.rejected == 0
    earned = spend(till, 1_000, "next")["calculation"]["earned_points"]
    shop.drain("t1")
    assert shop.balance()[0] == before[0] - 1_000 + earned
    shop.verify()


def test_without_a_line_what_it_spends_a_second_time_is_told_and_nobody_owes(
    tmp_path: Path, stack: contextlib.ExitStack
) -> None:
    """Nothing on its disk tells it that it is a copy. What its old grant covers the cloud takes for paid, spends no
    points of the new one for it, and flags it."""
    shop, lent = with_an_old_copy(tmp_path, stack)
    shop.line.cut()
    before = shop.balance()
    till = shop.start("t1")
    till.wait_for(lambda: till.running.agent.open_core is not None)
    assert spendable(till) == lent - 1_000
    again = (lent - 1_000) // 100 * 100
    earned = spend(till, again, "second-time")["calculation"]["earned_points"]
    assert hold(till, 1_000, "x").status in (409, 503)
    shop.mend()
    assert core(till).journal.figures.epoch == 2
    assert ("adjusted", "grant_missing") in shop.verdicts()
    balance, held, _granted, debt = shop.balance()
    assert (held, debt) == (0, 0)
    assert balance == before[0] + earned
    assert "grant_missing" in {code for (code,) in shop.ask("SELECT code FROM flags")}
    shop.verify()
