"""A whole state directory put back from a copy: journal, cache, identity and counter are all as they were then."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.bridge.agent_kit import LiveAgent, body_of, receipt
from integration.bridge.serving_kit import tillside
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


def test_a_voucher_is_not_taken_again_by_a_till_that_forgot_it(tmp_path: Path, stack: contextlib.ExitStack) -> None:
    """Its journal is lost with the sale that used it; a voucher made since is taken as any."""
    shop = Shop(tmp_path, chain(tmp_path, "lending = { share_basis_points = 0 }\n"), stack)
    shop.open("t1")
    words = ("cloud", "voucher", "issue", "m-kim", "--till", "t1", "--points", "7000", "--db", str(shop.database))
    text = next(word for word in tillside(*words).split() if word.startswith("TSV1."))
    shop.cut()
    till = shop.tills["t1"]
    who = {"member": {"scan": text}}
    held = body_of(till.call("POST", "/v1/holds", {"sale_uid": "v", "points": 7_000} | who))["hold"]
    body_of(till.call("PUT", "/v1/sales/v", receipt(1_000_000) | who | {"redeem_points": 7_000, "hold": held}))
    shop.stop("t1")
    for path in (tmp_path / "t1").glob("journal.db*"):
        path.unlink()
    till = shop.start("t1")
    till.wait_for(lambda: till.running.agent.open_core is not None)
    assert till.call("POST", "/v1/identify", {"scan": text}).json["code"] == "voucher_expired"
    shop.mend()
    body_of(till.call("PUT", "/v1/sales/y", receipt(10_000) | KIM))
    shop.drain("t1")
    assert shop.ask("SELECT state, resolved_by FROM vouchers") == [("returned", "epoch")]
    assert shop.balance()[2:] == (0, 0)
    shop.verify()
