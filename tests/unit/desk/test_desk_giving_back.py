"""Giving back many grants, and a cashier who wants a hold meanwhile."""

import asyncio
from typing import Any

from fakes.till import FakeTill, anna
from till_agent.api import HoldCreate
from till_agent.ports import CachedGrant
from unit.desk.test_desk_offline_spending import ANNA

MANY = 50


def test_a_cashier_waits_for_one_grant_that_is_given_back_and_not_for_all() -> None:
    """A night when the points of many end must not be felt at the till."""
    till = FakeTill().know(anna()).lend(100)
    for number in range(MANY):
        name = f"m-{number:04}"
        till.cache.grants[name] = CachedGrant(member_id=name, points=10, epoch=1, recall=10, included=(1, 0))
    given_before: list[int] = []
    commit = till.journal.commit

    async def slow(decide: Any) -> Any:
        await asyncio.sleep(0)
        return await commit(decide)

    till.journal.commit = slow  # type: ignore[method-assign]  # as a disk does

    async def cashier() -> None:
        await asyncio.sleep(0)
        await till.desk.hold(HoldCreate(sale_uid="u1", member=ANNA, points=100))
        given_before.append(len(till.journal.entries))

    async def both() -> int:
        giving = asyncio.create_task(till.desk.give_back_grants())
        await cashier()
        return await giving

    assert till.run(both()) == MANY
    assert given_before[0] <= 3


def test_what_failed_is_counted_as_not_given_back() -> None:
    """Those that were written are on their way; the next look sees to the rest."""
    till = FakeTill().know(anna())
    for name in ("m-1", "m-2", "m-3"):
        till.cache.grants[name] = CachedGrant(member_id=name, points=10, epoch=1, recall=10, included=(1, 0))

    def breaks() -> None:
        till.journal.broken = len(till.journal.entries) >= 1

    till.journal.before_turn = breaks
    assert till.run(till.desk.give_back_grants()) == 2
    till.journal.before_turn = lambda: None
    till.journal.broken = False
    assert till.run(till.desk.give_back_grants()) == 1
