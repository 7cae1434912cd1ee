"""Goods of a sale that was journalled anew after the cloud had it, under another id, come back once all the same."""

from pathlib import Path

import pytest

from fakes.till import receipt
from integration.returns.test_returns_anywhere import ANNA, OPENING, Shop, a_shop, back
from kit.loops import run
from till_agent.api import SaleRequest
from till_agent.exceptions import DeskProblem
from till_cloud.verify import verify
from till_sync.wire import HelloAnswer

OTHER_EPOCH = 4
"""Of which the journal knows nothing: so it is taken for an old copy."""


async def sold_and_put_aside(shop: Shop) -> None:
    """The cloud takes the sale, its answer is lost, and the journal is put aside: what waits has other ids then."""
    journal = shop.first.journal
    await shop.first.desk.sell("u1", SaleRequest(receipt=receipt(10_000), member=ANNA, number="8"))
    batch = await journal.next_batch(max_ops=10, max_bytes=10**6, incarnation="")
    assert batch is not None
    shop.chain.centre.push("t1", batch).result()
    await journal.reconcile(
        HelloAnswer(
            incarnation="another",
            till="t1",
            store="s1",
            epoch=OTHER_EPOCH,
            acked_seq=0,
            head_hash="",
            server_time_ms=1_763_700_000_001,
        )
    )
    assert (journal.figures.epoch, journal.figures.waiting) == (OTHER_EPOCH + 1, 1)
    await journal.caught_up()


async def too_much(shop: Shop, uid: str) -> None:
    """Half of the goods, of which four tenths are left."""
    with pytest.raises(DeskProblem) as caught:
        await back(shop.first, uid, (1, 500))
    assert caught.value.code == "return_quantity_exceeds"


async def nothing_is_left(shop: Shop) -> None:
    """All is back, wherever one comes with it."""
    for core in (shop.first, shop.second):
        with pytest.raises(DeskProblem) as caught:
            await back(core, "again")
        assert caught.value.code == "return_nothing_left"


def test_what_another_till_took_back_counts_before_and_after_the_second_copy_is_refused(tmp_path: Path) -> None:
    """And the rest comes back here, once."""

    async def case() -> None:
        async with a_shop(tmp_path) as shop:
            await sold_and_put_aside(shop)
            await back(shop.second, "b", (1, 600))
            await shop.sync(shop.second)
            await too_much(shop, "a")
            await shop.sync()
            assert ("rejected", "sale_repeated") in shop.verdicts("t1")
            await too_much(shop, "a")
            await back(shop.first, "c", (1, 400))
            await shop.sync()
            await nothing_is_left(shop)
            assert shop.chain.balances("m-anna") == (OPENING, 0, 0)
            assert shop.chain.centre.read(verify).holds
            for core in (shop.first, shop.second):
                shown = await core.desk.identify(ANNA)
                assert (shown.balance_points, shown.unconfirmed_points) == (OPENING, 0)

    run(case())
