"""Facts of members in the real stores: kept as the cloud sent them, and added to by own ops without counting twice."""

from pathlib import Path
from typing import Any

import pytest

from kit.loops import run
from till_agent.balances import OwnEffects
from till_agent.cache import open_cache
from till_agent.journal.changes import NOTHING, pack_change
from till_agent.ports import Draft
from till_loyalty.receipt import Line, Place, Receipt, StoreClock, Usage
from till_loyalty.results import Accrual, Calculation, DiscountGiven, Reversal
from till_sync.ops import OpId, SaleBody, Subject, VoidBody, encode_body
from till_sync.wire import ChangesAnswer, MemberFacts, MemberRow, OpResult
from unit.agent_stores.stores_kit import TILL, draft, journal_in, once

FACTS = MemberFacts(
    segments=("vip",),
    birthday="02-29",
    member_since="2024-01-31",
    purchases=7,
    last_purchase="2026-11-01",
    usage=(Usage(rule="daily", per="day", key="2026-11-21", amount=30, uses=2), Usage(rule="c", per="life", uses=1)),
    coupons=("welcome",),
    referral_code="ANNA7",
)
ANNA = MemberRow(member_id="m-1", tags=("card:1",), balance=100, inactive=40, position=1, facts=FACTS)


def page(*rows: MemberRow, acked: int = 0, **other: Any) -> ChangesAnswer:
    """A whole answer of the cloud."""
    fields: dict[str, Any] = {
        "incarnation": "i",
        "rows": rows,
        "next": f"c{acked}",
        "more": False,
        "epoch": 1,
        "acked_seq": acked,
        "server_time_ms": 1_000 + acked,
    }
    return ChangesAnswer(**(fields | other))


def verdict(seq: int, balance: int) -> OpResult:
    """The cloud took an op of m-1."""
    return OpResult(seq=seq, status="applied", member_id="m-1", balance=balance, position=seq)


def sale(uid: str, *, day: str = "2026-11-21", member: str = "m-1", later: str = "", points: int = 10) -> Draft:
    """A sale that uses a daily limit, a budget and a coupon's code."""
    receipt = Receipt(lines=(Line(number=1, sku="milk", amount_minor=1_000),))
    result = Calculation(
        programme_id="p",
        programme_version=1,
        total_minor=1_000,
        payable_minor=900,
        lines=(),
        earned_points=points,
        accruals=(Accrual(rule="daily", line=1, base_minor=900, points=points, active_from=later),),
        discounts=(DiscountGiven(rule="off", line=1, base_minor=1_000, amount_minor=100),),
        coupons=("c",),
    )
    body = SaleBody(
        uid=uid,
        store="s",
        at_wall_ms=1,
        at_mono_ms=1,
        boot="b",
        clock=StoreClock(local_time=f"{day}T10:00:00", business_date=day),
        subject=Subject(member_id=member) if member.startswith("m-") else Subject(tag=member),
        receipt=receipt,
        result=result,
        programme_digest="d",
        usage=(
            Usage(rule="daily", per="day", key=day, amount=points, uses=1),
            Usage(rule="c", per="code", key="X", uses=1),
        ),
    )
    return draft(uid, member=member, points=points, body=encode_body(body))


def void(uid: str, seq: int, *, member: str = "m-1") -> Draft:
    """Cancels the sale with that seq."""
    body = VoidBody(
        uid=uid,
        store="s",
        at_wall_ms=1,
        at_mono_ms=1,
        boot="b",
        sale_uid=uid,
        sale_op=str(OpId(TILL, 1, seq)),
        subject=Subject(member_id=member),
        reversal=Reversal(lines=(), money_back_minor=900, points_back=0, points_taken=10),
        usage=(Usage(rule="c", per="code", key="X", uses=-1),),
    )
    return draft(uid, kind="void", about_uid=uid, member=member, points=-10, body=encode_body(body))


def test_what_the_cloud_knows_of_a_member_and_of_the_till_is_kept_over_a_restart(tmp_path: Path) -> None:
    """Facts, points not active yet, shares of budgets and the place come back as they were sent."""
    place = Place(store="s-1", region="north", groups=("big",), channel="till")

    async def work() -> None:
        cache = await open_cache(tmp_path / "cache.db", TILL)
        await cache.store_page(page(ANNA, acked=3, shares={"daily": 500}, place=place))
        await cache.stop()
        cache = await open_cache(tmp_path / "cache.db", TILL)
        found = cache.by_tag("card:1")
        assert found is not None
        assert found.row == ANNA
        assert found.facts_included == (1, 3)
        assert (cache.shares.left, cache.shares.included) == ({"daily": 500}, (1, 3))
        assert cache.place == place
        await cache.store_page(page(acked=4, shares={"daily": 450}))
        assert cache.shares.left == {"daily": 450}
        assert cache.place == place, "a cloud that does not say where the till stands takes nothing back"
        await cache.stop()

    run(work())


def test_a_verdict_moves_the_balance_and_leaves_the_facts_where_they_stand(tmp_path: Path) -> None:
    """So own ops count on top of the facts until a page brings them, even one that is too old for the balance."""

    async def work() -> None:
        cache = await open_cache(tmp_path / "cache.db", TILL)
        await cache.store_page(page(ANNA, acked=1))
        await cache.record_results(1, (verdict(2, 110), verdict(3, 120)))
        found = cache.by_id("m-1")
        assert found is not None
        assert (found.row.balance, found.included, found.facts_included) == (120, (1, 3), (1, 1))
        newer = MemberFacts(purchases=8)
        await cache.store_page(
            page(MemberRow(member_id="m-1", tags=("card:1",), balance=110, inactive=5, facts=newer), acked=2)
        )
        found = cache.by_id("m-1")
        assert found is not None
        assert (found.row.balance, found.included) == (120, (1, 3))
        assert (found.row.facts.purchases, found.row.inactive, found.facts_included) == (8, 5, (1, 2))
        await cache.stop()

    run(work())


def test_own_sales_change_facts_at_once_and_after_a_restart_alike(tmp_path: Path) -> None:
    """Limits, purchases, coupon codes and budgets; for members and for tags that nobody knows here."""

    async def work() -> None:
        effects = OwnEffects()
        async with journal_in(tmp_path, effects=effects) as journal:
            for each in (sale("a"), sale("b", later="2026-12-01"), sale("c", member="card:9"), sale("v"), void("v", 4)):
                await journal.commit(once(each))
        again = OwnEffects()
        async with journal_in(tmp_path, effects=again, floor=(0, 0)):
            pass
        for seen in (effects, again):
            pending = seen.facts(("m-1", "card:1"), (0, 0))
            assert pending.purchases == 2
            assert pending.last_purchase == "2026-11-21"
            assert pending.inactive == (("2026-12-01", 10),)
            assert [each.amount for each in pending.usage if each.rule == "daily"] == [10, 10, 10], "limits stay used"
            assert sum(each.uses for each in pending.usage if each.per == "code") == 2, "a voided sale's code is back"
            assert seen.facts(("card:9",), (0, 0)).purchases == 1
            assert seen.code_uses("c", "X") == 3
            assert (seen.given("daily", (0, 0)), seen.given("off", (1, 2))) == (40, 200)

    run(work())


def test_ops_that_the_facts_include_count_no_more(tmp_path: Path) -> None:
    """By the row's own mark, and for good once every row includes them."""

    async def work() -> None:
        effects = OwnEffects()
        async with journal_in(tmp_path, effects=effects) as journal:
            for each in (sale("a"), sale("b"), void("a", 1)):
                await journal.commit(once(each))
        assert effects.facts(("m-1",), (1, 1)).purchases == 0, "the sale that counts, less the one that was voided"
        assert effects.facts(("m-1",), (1, 2)).purchases == -1
        assert effects.facts(("m-1",), (1, 3)).usage == ()
        effects.forget((1, 2))
        assert effects.facts(("m-1",), (0, 0)).purchases == -1
        assert effects.given("daily", (0, 0)) == 0
        effects.forget((1, 3))
        assert effects.facts(("m-1",), (0, 0)).purchases == 0
        assert effects.code_uses("c", "X") == 0

    run(work())


@pytest.mark.parametrize("body", [b"", b"[]", b'{"sale_op":"no op"}', b'{"usage":7}', b"\xff"])
def test_a_body_that_says_nothing_changes_nothing(body: bytes) -> None:
    """A journal of another program's version still opens."""
    assert pack_change("void", body) == NOTHING
    assert pack_change("hold-release", body) == NOTHING
