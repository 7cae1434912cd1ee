"""A wish beyond the till's own grant, at a real cloud: had at once with a line, and the grant kept without one."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.bridge.agent_kit import body_of
from integration.bridge.test_bridge_offline_spending import Shop, chain, core, granted, hold, member, spend, spendable
from till_agent.exceptions import CloudUnreachable

HALF = "lending = { share_basis_points = 4000 }\n"
"""Of what Kim has: a wish for more is the cloud's to grant."""


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as made:
        yield made


def test_all_points_are_had_at_once_where_this_till_s_own_grant_is_lacking(
    tmp_path: Path, stack: contextlib.ExitStack
) -> None:
    """Within one call: the cloud asks for the grant, the till gives it back and asks again."""
    shop = Shop(tmp_path, chain(tmp_path, HALF), stack)
    shop.open("t1")
    lent = shop.lend()["t1"]
    wish = shop.balance()[0] // 100 * 100
    assert lent < wish
    till = shop.tills["t1"]
    answer = hold(till, wish, "large")
    assert body_of(answer)["hold"].startswith("h-t1-")
    assert shop.ask("SELECT released FROM grants WHERE holder = 't1'") == [(lent,)]
    shop.verify()


def test_a_line_that_was_just_cut_leaves_the_grant_here(tmp_path: Path, stack: contextlib.ExitStack) -> None:
    """The till does not know yet: the cashier hears what can be spent, and spends it; the cloud takes it as it was."""
    shop = Shop(tmp_path, chain(tmp_path, HALF), stack)
    shop.open("t1")
    lent = shop.lend()["t1"]
    wish = shop.balance()[0] // 100 * 100
    till = shop.tills["t1"]
    shop.line.cut()
    answer = hold(till, wish, "large")
    assert (answer.json["code"], answer.json["available_points"]) == ("offline_limit", lent)
    assert spendable(till) == lent
    spend(till, lent // 100 * 100, "large")
    shop.mend()
    assert shop.verdicts() == set()
    shop.verify()


def test_an_answer_that_is_lost_on_its_way_spends_nothing_twice(tmp_path: Path, stack: contextlib.ExitStack) -> None:
    """The cloud reserved the points of the first try; what is spent of the grant comes after their release."""
    shop = Shop(tmp_path, chain(tmp_path, HALF), stack)
    shop.open("t1")
    lent = shop.lend()["t1"]
    till = shop.tills["t1"]
    _lose_one_answer(till)
    answer = hold(till, lent + 100, "large")
    assert answer.json["code"] in ("offline_limit", "cloud_unreachable")
    assert shop.ask("SELECT points, state FROM holds") == [(lent + 100, "open")]
    shop.line.cut()
    till.wait_for(lambda: not core(till).worker.status.online)
    spend(till, lent // 100 * 100, "large")
    shop.mend()
    till.wait_for(lambda: granted(till) == lent % 100)
    assert shop.ask("SELECT state FROM holds") == [("released",)]
    assert shop.verdicts() == set()
    assert shop.balance()[1] == 0
    assert member(till)["unconfirmed_points"] == 0
    shop.verify()


def _lose_one_answer(till: Any) -> None:
    """The request goes out and is answered; the answer never comes in."""
    gateway = core(till).desk._parts.gateway
    reserve = gateway.reserve

    async def lost(request: Any, *, budget_ms: int) -> Any:
        await reserve(request, budget_ms=budget_ms)
        gateway.reserve = reserve
        core(till).worker.line.unreachable()
        raise CloudUnreachable("the answer was lost")

    gateway.reserve = lost
