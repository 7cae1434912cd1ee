"""Goods sold at one till and brought back at two: real cores, real cloud, one member's points."""

import asyncio
import contextlib
import dataclasses
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fakes.till import receipt
from integration.cloud.cloud_http_kit import served
from kit.loops import run
from till_agent.api import HoldCreate, Identify, QuoteRequest, ReturnLineRequest, ReturnRequest, SaleRequest
from till_agent.core import Core, Surroundings, open_core
from till_agent.exceptions import DeskProblem
from till_cloud.store import meta
from till_cloud.verify import verify
from till_config.settings import AgentSettings, CloudSettings, Settings
from till_drivers.spool import Spool
from till_loyalty.programme import Rule, Tier
from till_loyalty.rule_parts import Coupon, Who
from till_sync.clock import SystemClock
from till_sync.identity import IDENTITY_FILE, Identity, save_identity
from unit.cloud.cloud_kit import Chain, Wall, programme

RULES = programme(
    tier_period="year",
    tiers=(Tier(id="standard"), Tier(id="gold", from_spend_minor=15_000)),
    rules=(Rule(id="base", percent_basis_points=1000), Rule(id="gift", points=333, who=Who(coupon="once"))),
    coupons=(Coupon(id="once", codes=("ONCE",), uses_per_member=1),),
)
ANNA = Identify(reference="m-anna")
OPENING = 5_000
ONCE_AN_HOUR_MS = 3_600_000
"""Nothing goes to the cloud but when the test says so."""


@dataclasses.dataclass
class Shop:
    """Two tills of a chain."""

    chain: Chain
    first: Core
    second: Core

    async def sync(self, *cores: Core) -> None:
        """An exchange, of both unless one is named."""
        for core in cores or (self.first, self.second):
            assert await core.sync_now()
            assert core.worker is not None
            assert core.worker.status.last_error == ""

    def verdicts(self, till: str) -> list[tuple[str, str]]:
        return [
            (status, code)
            for status, code in self.chain.rows("SELECT status, code FROM ops WHERE till = ? ORDER BY seq", till)
        ]

    async def is_as_before_the_sale(self) -> None:
        """Points, lots, tier, spending, coupon; and both tills show it."""
        await self.sync()
        await self.sync()
        assert self.chain.balances("m-anna") == (OPENING, 0, 0)
        assert self.chain.rows("SELECT sum(left) FROM lots WHERE member_id = 'm-anna'") == [(OPENING,)]
        assert self.chain.rows("SELECT tier FROM members WHERE member_id = 'm-anna'") == [("standard",)]
        assert {spent for (spent,) in self.chain.rows("SELECT spent_minor FROM member_spend")} <= {0}
        assert [uses for (uses,) in self.chain.rows("SELECT uses FROM member_usage WHERE rule = 'once'")] in ([], [0])
        assert self.chain.rows("SELECT purchases FROM members WHERE member_id = 'm-anna'") == [(0,)]
        assert self.chain.centre.read(verify).holds
        for core in (self.first, self.second):
            shown = await core.desk.identify(ANNA)
            assert (shown.balance_points, shown.unconfirmed_points) == (OPENING, 0)


async def a_core(folder: Path, chain: Chain, name: str, url: str) -> Core:
    state = folder / name
    state.mkdir(mode=0o700)
    identity = Identity(
        till=name,
        store="s1",
        store_name="First",
        time_zone="Europe/Moscow",
        token=chain.till(name).token,
        identifier_key=chain.centre.read(meta.identifier_key).hex(),
    )
    save_identity(state / IDENTITY_FILE, identity)
    clock = SystemClock()
    settings = Settings(
        agent=AgentSettings(state_dir=str(state), language="en"),
        cloud=CloudSettings(url=url, poll_interval_ms=ONCE_AN_HOUR_MS, spread_ms=0),
    )
    around = Surroundings(
        settings=settings,
        identity_path=state / IDENTITY_FILE,
        clock=clock,
        spool=Spool(state / "spool.db", wall_ms=clock.wall_ms),
        printer=None,
        on_sync=lambda _status: None,
    )
    core = await open_core(identity, around)
    core.start_sync()
    return core


@contextlib.asynccontextmanager
async def a_shop(folder: Path) -> AsyncIterator[Shop]:
    """Anna with her points, and two tills that know her."""
    wall = Wall(int(time.time() * 1000))
    async with served(folder / "c.db", rules=RULES, wall=wall) as (chain, client):
        chain.member("m-anna", points=OPENING, tier="standard")
        async with contextlib.AsyncExitStack() as stack:
            cores = []
            for name in ("t1", "t2"):
                cores.append(await a_core(folder, chain, name, str(client.base_url)))
                stack.push_async_callback(cores[-1].stop)
            shop = Shop(chain, *cores)
            await shop.sync()
            yield shop


async def sell(shop: Shop, uid: str = "u1") -> None:
    """At the first till, by points and a coupon; the cloud has it."""
    basket = receipt(9_999, 7_001, 3_333)
    await shop.first.desk.quote(QuoteRequest(receipt=basket, member=ANNA, codes=("ONCE",)))
    held = await shop.first.desk.hold(HoldCreate(sale_uid=uid, member=ANNA, points=1_900))
    request = SaleRequest(
        receipt=basket,
        member=ANNA,
        redeem_points=1_900,
        hold=held.hold,
        codes=("ONCE",),
        number="7",
    )
    sale = json.loads((await shop.first.desk.sell(uid, request)).body)
    assert sale["calculation"]["redeemed_points"] == 1_900
    assert sale["calculation"]["coupons"] == ["once"]
    await shop.sync()
    assert shop.chain.rows("SELECT tier FROM members") == [("gold",)]


async def back(core: Core, uid: str, *lines: tuple[int, int], of: str = "u1") -> dict[str, Any]:
    wishes = tuple(ReturnLineRequest(number=number, quantity_thousandths=quantity) for number, quantity in lines)
    answered = await core.desk.give_back(uid, ReturnRequest(sale_uid=of, lines=wishes))
    found: dict[str, Any] = json.loads(answered.body)
    return found


def test_a_sale_comes_back_in_pieces_at_both_tills(tmp_path: Path) -> None:
    """Pieces at once at both, none of them at the cloud when the others are made; then the rest at the other till:
    everything is as before, once."""

    async def case() -> None:
        async with a_shop(tmp_path) as shop:
            await sell(shop)
            pieces = [
                (shop.first, "a", (1, 300)),
                (shop.second, "b", (1, 333)),
                (shop.second, "c", (2, 500), (3, 100)),
                (shop.first, "d", (2, 499)),
                (shop.second, "e", (3, 777)),
            ]
            await asyncio.gather(*(back(core, uid, *lines) for core, uid, *lines in pieces))  # type: ignore[arg-type]  # pairs of numbers
            await shop.sync(shop.second)
            await back(shop.first, "f", (1, 1))
            await shop.sync()
            rest = await back(shop.second, "g")
            assert [row["number"] for row in rest["reversal"]["lines"]] == [1, 2, 3]
            assert rest["sale_op"] == "t1:1:1"
            await shop.sync(shop.second)
            with pytest.raises(DeskProblem) as caught:
                await back(shop.first, "h")
            assert caught.value.code == "return_nothing_left"
            await shop.is_as_before_the_sale()
            assert {status for till in ("t1", "t2") for status, _ in shop.verdicts(till)} <= {"applied", "adjusted"}

    run(case())


def test_two_tills_that_take_everything_back_at_once_give_it_back_once(tmp_path: Path) -> None:
    """Neither can know of the other: the cloud takes the first and rejects the second, and both show the truth. The
    till that was second goes by the cloud's word from then on."""

    async def case() -> None:
        async with a_shop(tmp_path) as shop:
            await sell(shop)
            await asyncio.gather(back(shop.first, "r"), back(shop.second, "r"))
            await shop.sync(shop.second)
            await shop.is_as_before_the_sale()
            assert shop.verdicts("t2") == [("applied", "")]
            assert shop.verdicts("t1")[-1] == ("rejected", "quantity_exceeds")
            for core in (shop.first, shop.second):
                with pytest.raises(DeskProblem) as caught:
                    await back(core, "again")
                assert caught.value.code == "return_nothing_left"

    run(case())


def test_returns_that_wait_for_the_line_count_at_their_till(tmp_path: Path) -> None:
    """The cloud knows the sale and none of this till's returns of it: two in a row are not the same goods twice."""

    async def case() -> None:
        async with a_shop(tmp_path) as shop:
            await sell(shop)
            first = await back(shop.second, "a", (1, 1000))
            with pytest.raises(DeskProblem) as caught:
                await back(shop.second, "b", (1, 1))
            assert (caught.value.code, caught.value.extras["left_thousandths"]) == ("return_quantity_exceeds", 0)
            rest = await back(shop.second, "c")
            assert shop.chain.rows("SELECT count(*) FROM reversals") == [(0,)]
            moved = [each["reversal"]["points_back"] - each["reversal"]["points_taken"] for each in (first, rest)]
            shown = await shop.second.desk.identify(ANNA)
            assert (shown.balance_points, shown.unconfirmed_points) == (OPENING, sum(moved))
            await shop.is_as_before_the_sale()

    run(case())


def test_without_a_line_only_own_sales_come_back(tmp_path: Path) -> None:
    """The other till's waits for the line, said at once; a repetition of what was done needs none."""

    async def case() -> None:
        async with a_shop(tmp_path) as shop:
            await sell(shop)
            done = await back(shop.second, "a", (1, 500))
            for core in (shop.first, shop.second):
                assert core.worker is not None
                core.worker.line.unreachable()
            with pytest.raises(DeskProblem) as caught:
                await back(shop.second, "b")
            assert (caught.value.code, caught.value.status, caught.value.retryable) == ("sale_elsewhere", 409, True)
            assert await back(shop.second, "a", (1, 500)) == done
            await back(shop.first, "c", (2, 1000))
            await shop.sync()
            await back(shop.second, "b")
            await shop.is_as_before_the_sale()

    run(case())


def test_a_sale_that_its_till_has_not_sent_yet_is_unknown(tmp_path: Path) -> None:
    """And comes back once it has."""

    async def case() -> None:
        async with a_shop(tmp_path) as shop:
            await shop.first.desk.sell("u1", SaleRequest(receipt=receipt(10_000), member=ANNA))
            with pytest.raises(DeskProblem) as caught:
                await back(shop.second, "a")
            assert (caught.value.code, caught.value.status) == ("sale_unknown", 404)
            await shop.sync(shop.first)
            assert (await back(shop.second, "a"))["reversal"]["points_taken"] == 1_000
            await shop.is_as_before_the_sale()

    run(case())
