"""A cloud that is down, slow, broken, or not the cloud at all: sales go on, nothing is taken for acknowledged, and when
the line is back the queue drains and each op has had its effect once."""

import random
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from kit.bridge import receipt
from kit.cashier import Cashier
from kit.chain import ANNA, Chain
from kit.proof import DoubledError, LostError, at_cloud
from kit.proxy import Mode
from kit.waiting import wait_for
from kit.world import Till, World

pytestmark = pytest.mark.faults

SEED = 20171223
SALES = 6
FAILURES = 2
"""Attempts that are seen to fail before the line is mended."""


class Trouble(NamedTuple):
    """A line's trouble: what is answered, and to which calls (the end of their path)."""

    name: str
    mode: Mode
    path_end: str = ""
    reaches_cloud: bool = False


TROUBLES = (
    Trouble("500", "500"),
    Trouble("500 to pushes only", "500", "/ops"),
    Trouble("HTML with 200", "html"),
    Trouble("HTML with 200 to pushes only", "html", "/ops"),
    Trouble("foreign JSON with 200", "json", "/ops"),
    Trouble("a captive portal", "portal"),
    Trouble("carried out, and HTML with 200 for an answer", "swallow", "/ops", reaches_cloud=True),
    Trouble("carried out, and no answer", "reset", "/ops", reaches_cloud=True),
)


def ops_at_cloud(world: World, till: Till) -> int:
    """How many ops of the till the cloud holds."""
    return int(at_cloud(world.cloud_db, "SELECT count(*) FROM ops WHERE till = ?", till.name)[0][0])


def nothing_acknowledged(world: World, till: Till, acked: int, *, reaches_cloud: bool) -> None:
    """LostError when the till believes of an op that the cloud has it, though nobody said so."""
    sync = till.admin.ask("GET", "/v1/sync")
    if sync["acked_seq"] != acked or sync["waiting"] != sync["last_seq"] - acked:
        raise LostError(f"expected {acked} to be acknowledged, not {sync}")
    if not reaches_cloud:
        assert ops_at_cloud(world, till) == acked


def failed_or_acknowledged(world: World, till: Till, trouble: Trouble, before: int, acked: int) -> bool:
    """Whether enough attempts failed since `before`; or the till took one for an acknowledgement and tries no other."""
    failed = world.line.count(trouble.mode, trouble.path_end) >= before + FAILURES
    return failed or till.admin.ask("GET", "/v1/sync")["acked_seq"] != acked


def seen_by_store_it(till: Till, trouble: Trouble) -> None:
    """A line that brings nothing is down. Where only pushes fail the cloud is there, and what can be asked of it is."""
    told = {"offline"} if not trouble.path_end else {"offline", "sync_halted"}
    till.wait_status(lambda s: told & {problem["code"] for problem in s["problems"]}, f"one of {told} to be told")
    if trouble.path_end:
        return
    sync = till.admin.ask("GET", "/v1/sync")
    assert (sync["online"], bool(sync["last_error"])) == (False, True)
    assert till.pos.identify(card=ANNA.card)["offline"] is True
    wish = {"sale_uid": "held", "member": {"card": ANNA.card}, "points": 10}
    held = till.pos.send("POST", "/v1/holds", wish)
    by_the_till = held.is_success and held.json()["hold"].startswith("g-")
    assert by_the_till or (held.status_code, held.json()["code"]) == (503, "cloud_unreachable")


def settled(world: World, till: Till) -> None:
    """The queue drains; the cloud holds every op once, and none moved points twice."""
    till.drain()
    if ops_at_cloud(world, till) != till.last_seq():
        raise LostError(f"the cloud holds {ops_at_cloud(world, till)} ops, the journal {till.last_seq()}")
    twice = at_cloud(
        world.cloud_db, "SELECT till, kind, uid FROM movements GROUP BY 1, 2, 3 HAVING till > '' AND count(*) > 1"
    )
    if twice:
        raise DoubledError(f"moved points twice: {twice}")
    world.verify()


def go_through(world: World, till: Till, cashier: Cashier, trouble: Trouble) -> None:
    """Sales before, during and after the trouble."""
    cashier.sell()
    till.drain()
    acked = till.last_seq()
    before = world.line.count(trouble.mode, trouble.path_end)
    world.line.mode = lambda _, path: trouble.mode if path.partition("?")[0].endswith(trouble.path_end) else "pass"
    try:
        cashier.sell(SALES)
        till.admin.send("POST", "/v1/sync")
        wait_for(lambda: failed_or_acknowledged(world, till, trouble, before, acked), f"{FAILURES} attempts to fail")
        nothing_acknowledged(world, till, acked, reaches_cloud=trouble.reaches_cloud)
        seen_by_store_it(till, trouble)
        cashier.sell()
        nothing_acknowledged(world, till, acked, reaches_cloud=trouble.reaches_cloud)
    finally:
        world.line.mode = "pass"
    settled(world, till)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, forking_chain: Chain) -> Iterator[tuple[World, Till, Cashier]]:
    """A till that goes through all troubles; at the end everything is proven from the files."""
    with World(tmp_path_factory.mktemp("cloud"), forking_chain) as world:
        world.start_cloud()
        till = world.till().start().wait_members()
        cashier = Cashier(till, random.Random(SEED))
        yield world, till, cashier
        world.prove(till, cashier.answers, set(cashier.tried))


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
def test_a_line_in_trouble_neither_stops_sales_nor_acknowledges_them(
    shop: tuple[World, Till, Cashier], trouble: Trouble
) -> None:
    """Sales are answered, the status says what is wrong, nothing counts as sent; then all is sent, once."""
    go_through(*shop, trouble)


def test_a_cloud_that_is_down_stops_nobody_and_is_found_again_by_itself(world: World) -> None:
    """Nobody asks for it: the queue drains when the line is back."""
    world.start_cloud()
    till = world.till().start().wait_members()
    cashier = Cashier(till, random.Random(SEED))
    cashier.sell()
    till.drain()
    world.line.cut()
    cashier.sell(SALES)
    till.wait_status(lambda s: not s["sync"]["online"], "the till to notice")
    cashier.sell(SALES)
    nothing_acknowledged(world, till, 1, reaches_cloud=False)
    world.line.mend()
    wait_for(lambda: ops_at_cloud(world, till) == 1 + 2 * SALES, "the queue to drain by itself", patience_s=60)
    world.prove(till, cashier.answers, set(cashier.tried))


def sell_while_the_cloud_is_slow(world: World, till: Till, mode: Mode) -> Cashier:
    """Sales are answered while a push is provably still under way."""
    cashier = Cashier(till, random.Random(SEED))
    world.line.mode = lambda _, path: mode if path.endswith("/ops") else "pass"
    cashier.sell()
    wait_for(lambda: world.line.held, "a push to be under way")
    stuck = world.line.count(mode, "/ops")
    till.pos.http.timeout = 4
    cashier.sell(SALES)
    assert (world.line.held, world.line.count(mode, "/ops")) == (1, stuck), "the same push is still under way"
    return cashier


@pytest.mark.parametrize("mode", ["late", "stall"])
def test_no_sale_waits_for_a_slow_cloud(world: World, mode: Mode) -> None:
    """Whether the slow answer comes in the end or never does."""
    world.start_cloud()
    till = world.till().start().wait_members()
    cashier = sell_while_the_cloud_is_slow(world, till, mode)
    assert till.admin.ask("GET", "/v1/sync")["acked_seq"] == 0
    world.line.mode = "pass"
    world.prove(till, cashier.answers, set(cashier.tried))


def test_a_hold_that_is_answered_too_late_is_one_hold_all_the_same(world: World) -> None:
    """The cashier is told to go on without, tries again when the line is back, and the points are reserved once."""
    world.start_cloud()
    till = world.till().start().wait_members()
    world.line.mode = lambda _, path: "late" if path.endswith("/holds") else "pass"
    wish = {"sale_uid": "held", "member": {"card": ANNA.card}, "points": 1_000}
    assert till.pos.refused("POST", "/v1/holds", wish) == (503, "cloud_unreachable")
    world.line.mode = "pass"
    holds = "SELECT hold, state, points FROM holds WHERE sale_uid = 'held'"
    late = wait_for(lambda: at_cloud(world.cloud_db, holds), "the cloud to carry out what it was asked")
    till.drain()
    hold = till.pos.ask("POST", "/v1/holds", wish)["hold"]
    assert late == at_cloud(world.cloud_db, holds) == [(hold, "open", 1_000)]
    spending = receipt(4_000, member={"card": ANNA.card}, redeem_points=1_000, hold=hold)
    sold = till.pos.send("PUT", "/v1/sales/held", spending)
    assert sold.json()["calculation"]["redeemed_points"] == 1_000
    world.prove(till, {"held": sold.content}, {"held"})
    assert at_cloud(world.cloud_db, holds) == [(hold, "used", 1_000)]


def test_a_till_that_takes_a_page_for_the_cloud_is_found_out(world: World) -> None:
    """Mutant: HTML with 200 acknowledges."""
    world.start_cloud()
    till = world.till().start("page-acknowledges").wait_members()
    with pytest.raises(LostError):
        go_through(world, till, Cashier(till, random.Random(SEED)), TROUBLES[3])


def test_a_cloud_that_applies_a_repeated_op_again_is_found_out(world: World) -> None:
    """Mutant: what was carried out, and sent again for want of an answer, moves points twice."""
    world.start_cloud("applies-again")
    till = world.till().start().wait_members()
    with pytest.raises(DoubledError):
        go_through(world, till, Cashier(till, random.Random(SEED)), TROUBLES[6])


@pytest.mark.mutants
def test_a_sale_that_waits_for_the_cloud_is_found_out(world: World) -> None:
    """Mutant: the answer leaves when the cloud has heard of the sale."""
    world.start_cloud()
    till = world.till().start("sale-waits-for-cloud").wait_members()
    till.pos.http.timeout = 4
    with pytest.raises(AssertionError):
        sell_while_the_cloud_is_slow(world, till, "late")
    till.kill()
