"""An agent with nothing around it: it starts, sells, and says what is missing wherever one may look."""

from typing import Any

from kit.bridge import receipt
from kit.chain import ANNA, PEOPLE
from kit.processes import free_port
from kit.waiting import wait_for
from kit.world import World


def codes(status: dict[str, Any]) -> set[str]:
    """The stable codes of all problems in a status."""
    return {problem["code"] for problem in status["problems"]}


def told(answer: dict[str, Any]) -> set[str]:
    """The codes of what the cashier is told."""
    return {message["code"] for message in answer["messages"]}


def test_an_agent_that_is_not_enrolled_says_so_everywhere(world: World) -> None:
    """It answers, refuses sales with a stable code and a sentence for the cashier, and waits for its identity."""
    till = world.till("till-9").start()
    assert till.pos.send("GET", "/livez").status_code == 200
    ready = till.pos.send("GET", "/readyz")
    assert (ready.status_code, ready.json()["ready"], ready.json()["reason"]) == (503, False, "till_not_enrolled")
    assert {"cloud", "cache", "programme"} <= set(ready.json()["missing"]), "what sales would go on without"
    status = till.wait_status(lambda s: {"till_not_enrolled", "scanner_absent"} <= codes(s), "all that is missing")
    assert (status["ready"], status["sync"]["enrolled"]) == (False, False)
    for path, body in (("identify", {"card": ANNA.card}), ("quotes", receipt(100))):
        answer = till.pos.send("POST", f"/v1/{path}", body)
        assert (answer.status_code, answer.json()["code"]) == (503, "till_not_enrolled")
        assert answer.json()["cashier"]
    assert till.pos.refused("PUT", "/v1/sales/alone-1", receipt(100)) == (503, "till_not_enrolled")
    till.stop()


def test_an_agent_without_cloud_cache_scanner_and_printer_sells_and_says_what_is_missing(world: World) -> None:
    """Then each comes: the queue drains, the slip is printed once, the member is known."""
    world.line.cut()
    printer_port = free_port()
    till = world.till(printer_port=printer_port).start()

    ready = till.pos.send("GET", "/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (200, True), "a till sells with nothing around it"
    status = till.wait_status(
        lambda s: (
            {"offline", "no_programme", "scanner_absent", "printer_absent"} <= codes(s) and s["sync"]["last_error"]
        ),
        "all that is missing",
    )
    assert (status["ready"], status["sync"]["online"], status["members_cached"]) == (True, False, 0)
    found = till.pos.identify(card=ANNA.card)
    assert (found["known"], found["status"], found["offline"], found["as_of_ms"]) == (False, "unknown", True, 0)
    assert (found["spendable_points"], told(found)) == (0, {"member_not_here", "no_programme"})
    assert till.pos.identify(phone=ANNA.phone)["status"] == "unknown"
    assert till.pos.refused("POST", "/v1/identify", {"scan": "4111 1111 1111 1111"}) == (422, "bank_card")
    quote = till.pos.quote(receipt(10_000, member={"card": ANNA.card}, redeem_points=-1))
    assert (quote["offline"], quote["calculation"]["programme_id"], quote["as_of_ms"]) == (True, "", 0)
    assert "no_programme" in told(quote) | told(quote["member"]), "the cashier is told"
    hold = {"sale_uid": "alone-1", "member": {"card": ANNA.card}, "points": 100}
    assert till.pos.refused("POST", "/v1/holds", hold)[1] == "member_not_here"
    sold = till.pos.send("PUT", "/v1/sales/alone-1", receipt(10_000, member={"card": ANNA.card}, number="1"))
    assert (sold.status_code, sold.json()["offline"]) == (200, True)
    sale = till.pos.ask("GET", "/v1/sales/alone-1")
    assert (sale["sync"], sale["slip"]["state"]) == ("waiting", "queued")

    world.start_scanner()
    till.wait_device("scanner", "ready")
    world.start_printer(port=printer_port)
    slip = wait_for(world.slip_texts, "the slip that waited for its printer")[0]
    assert "Receipt 1" in slip
    world.line.mend()
    world.start_cloud()
    till.drain()
    till.wait_members()
    assert not {"offline", "no_programme", "scanner_absent", "printer_absent"} & codes(till.status())
    view = till.pos.ask("GET", "/v1/sales/alone-1")
    assert view["sync"] == "adjusted", "the cloud worked the points out"
    known = wait_for(
        lambda: m if (m := till.pos.identify(card=ANNA.card))["balance_points"] == 5_250 else None, "the pull"
    )
    assert (known["known"], known["unconfirmed_points"]) == (True, 0)
    assert till.status()["members_cached"] == len(PEOPLE)
    assert len(world.slip_texts()) == 1
    world.verify()
    till.stop()
