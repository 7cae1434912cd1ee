"""A voucher and a journal that is not the one which remembers what became of it."""

import dataclasses
from typing import Any

import pytest

from fakes.till import FakeTill
from till_agent.api import Identify
from till_agent.desk import Desk
from till_agent.desk.covering import SKEW_MS
from till_agent.exceptions import DeskProblem
from unit.desk.test_desk_offline_spending import cut_off, hold, member


def since(till: FakeTill, began_ms: int) -> FakeTill:
    """The same till, whose journal began then."""
    parts: Any = dataclasses.replace(till.parts(), epoch_began_ms=lambda: began_ms)
    till.desk = Desk(parts)
    return till


def test_a_voucher_from_before_a_new_journal_is_not_taken() -> None:
    """Nobody here knows whether it was: the cloud gives its points back when it hears of the new journal."""
    till = cut_off()
    till = since(till, till.clock.wall)
    who = Identify(scan=till.voucher(70, made_at_ms=till.clock.wall - 1))
    with pytest.raises(DeskProblem, match="voucher_expired"):
        member(till, who)
    with pytest.raises(DeskProblem, match="voucher_expired"):
        hold(till, 70, who=who)


def test_one_that_was_made_since_is_taken_and_any_by_a_till_s_first_journal() -> None:
    """Nothing was forgotten there."""
    till = cut_off()
    till = since(till, till.clock.wall - SKEW_MS)
    assert hold(till, 70, who=Identify(scan=till.voucher(70))).points == 70
    first = since(cut_off(), 0)
    assert hold(first, 70, who=Identify(scan=first.voucher(70, made_at_ms=1))).points == 70
