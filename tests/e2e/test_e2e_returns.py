"""Bought at one till, brought back at another: two agents and a cloud as real processes."""

from kit.bridge import receipt
from kit.chain import ANNA
from kit.waiting import wait_for
from kit.world import World


def test_goods_come_back_at_another_till_than_the_one_that_sold_them(world: World) -> None:
    """Part at the other till, part at the seller's, refused without a line, the rest with it: Anna has what she had."""
    world.start_cloud()
    world.start_printer()
    seller = world.till("till-1").start().wait_members()
    other = world.till("till-2").start().wait_members()
    basket = receipt(10_000, 5_000, 2_500, member={"card": ANNA.card}, number="77")
    hold = seller.pos.ask("POST", "/v1/holds", {"sale_uid": "s-1", "member": {"card": ANNA.card}, "points": 1_000})
    sold = seller.pos.send("PUT", "/v1/sales/s-1", basket | {"redeem_points": 1_000, "hold": hold["hold"]})
    answers = {"s-1": sold.content}
    seller.drain()

    part = {"sale_uid": "s-1", "lines": [{"number": 1, "quantity_thousandths": 1000}]}
    back = other.pos.ask("PUT", "/v1/returns/r-1", part)
    assert (back["sale_op"], back["member"]["reference"]) == ("till-1:1:1", ANNA.member_id)
    wait_for(lambda: [text for text in world.slip_texts() if "Return of goods" in text], "the slip of the return")
    other.drain()
    assert seller.pos.refused("PUT", "/v1/returns/r-2", part) == (409, "return_quantity_exceeds")
    seller.pos.ask("PUT", "/v1/returns/r-2", part | {"lines": [{"number": 2, "quantity_thousandths": 400}]})
    seller.drain()

    world.line.cut()
    other.wait_status(lambda status: not status["sync"]["online"], "the line to be down")
    refused = other.pos.send("PUT", "/v1/returns/r-3", {"sale_uid": "s-1"})
    assert (refused.status_code, refused.json()["code"], refused.json()["retryable"]) == (409, "sale_elsewhere", True)
    assert refused.json()["cashier"].startswith("This is not a receipt of this till")
    assert other.pos.ask("PUT", "/v1/returns/r-1", part) == back
    world.line.mend()
    other.drain()
    other.pos.ask("PUT", "/v1/returns/r-3", {"sale_uid": "s-1"})
    assert other.pos.refused("PUT", "/v1/returns/r-4", {"sale_uid": "s-1"}) == (409, "return_nothing_left")
    assert other.pos.refused("GET", "/v1/sales/s-1") == (404, "sale_unknown")

    rows = [row for till in (seller, other) for row in world.prove_ops(till, answers if till is seller else {})]
    world.prove_balances(rows)
    shown = world.command("cloud", "member", "show", ANNA.member_id, "--json").out
    assert f'"balance": {ANNA.points}' in shown
