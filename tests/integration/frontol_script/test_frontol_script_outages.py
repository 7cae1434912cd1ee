"""The agent stops, starts again in mid-receipt, or is never there; Frontol starts again; answers get lost."""

from pathlib import Path

import pytest

from integration.frontol_script.frontol_script_kit import PAYMENT, POINTS, Host, checks, edit, install
from kit.chain import ANNA
from kit.world import Till

BREAD = {"code": 11, "price": 19.99, "quantity": 3}
NOBODY = 9
"""The port of a service that nobody has run for decades."""
DEAD = "The loyalty programme does not answer. Sell without it."


@pytest.fixture
def frontol(host: Host, till: Till) -> Host:
    """A Frontol whose scenario talks to the till, and asks again at once after no answer."""
    settings = {"port": till.port, "token": till.pos.token, "pauseMs": 0, **PAYMENT}
    return host.new(settings, http={"mode": "real"})


def calls_at(frontol: Host, port: int) -> None:
    """From now on; at `NOBODY` there is no agent, as when it was stopped."""
    frontol.ask(f"tillsideSettings.port = {port}")


def uid_of_last(frontol: Host) -> str:
    uid: str = frontol.seen["closedValues"]["tillsideUid"]
    return uid


def test_an_agent_that_is_started_again_in_mid_receipt_is_not_noticed(frontol: Host, till: Till) -> None:
    """Killed after the points were reserved: the reservation holds, and the receipt is closed as it stands."""
    frontol.open(BREAD, card=ANNA.card)
    assert frontol.does("addPayment", code=POINTS, amount=5)
    till.kill()
    till.start().wait_members()
    seen = frontol.close()
    assert seen["said"] == []
    assert till.pos.ask("GET", f"/v1/sales/{uid_of_last(frontol)}")["sale"]["calculation"]["redeemed_minor"] == 500


def test_a_frontol_that_is_started_again_in_mid_receipt_knows_everything(frontol: Host, till: Till) -> None:
    """What the scenario knows of a receipt is in the receipt."""
    frontol.open(BREAD, card=ANNA.card)
    frontol.tell("addPayment", code=POINTS, amount=7)
    frontol.tell("restart")
    frontol.close(print=True)
    (body,) = frontol.bodies("PUT", "/v1/sales/")
    assert (body["redeem_points"], body["member"]) == (700, {"reference": ANNA.member_id})
    assert len(frontol.seen["printed"]) > 4


def test_without_an_agent_everything_is_sold_and_told_once(frontol: Host, till: Till) -> None:
    """A card, a wish to pay by points, two receipts. When the agent is back it is asked, and the cashier told, once."""
    calls_at(frontol, NOBODY)
    frontol.tell("openSession")
    assert frontol.seen["said"] == [DEAD]
    frontol.open(BREAD, card=ANNA.card)
    assert frontol.seen["said"] == []
    assert not frontol.does("addPayment", code=POINTS, amount=5)
    assert len(frontol.seen["said"]) == 1
    frontol.close()
    lost = uid_of_last(frontol)
    frontol.open(BREAD)
    frontol.close()
    assert frontol.seen["shop"]["tillsideUnknown"].split(",")[0].startswith(lost)
    assert len(frontol.seen["shop"]["tillsideUnknown"].split(",")) == 2
    calls_at(frontol, till.port)
    assert frontol.does("openDocument")
    assert [text.count("sales report") for text in frontol.seen["said"]] == [2]
    assert frontol.seen["shop"]["tillsideUnknown"] == ""
    frontol.tell("cancel")
    assert frontol.does("openDocument")
    assert frontol.seen["said"] == []


def test_a_card_that_nobody_answered_for_is_asked_about_at_the_end(frontol: Host, till: Till) -> None:
    """The agent came up meanwhile: the member earns."""
    calls_at(frontol, NOBODY)
    frontol.open(BREAD, card=ANNA.card)
    calls_at(frontol, till.port)
    frontol.close()
    sale = till.pos.ask("GET", f"/v1/sales/{uid_of_last(frontol)}")["sale"]
    assert sale["member"]["reference"] == ANNA.member_id
    assert sale["calculation"]["earned_points"] > 0


def test_a_sale_whose_answer_was_lost_is_asked_about_and_nobody_hears_of_it(frontol: Host, till: Till) -> None:
    """The agent has it: both tries arrived, and the second was the first again."""
    frontol.open(BREAD)
    frontol.tell("payRest")
    frontol.tell("lose", path="/v1/sales/")
    assert frontol.does("close")
    assert frontol.seen["said"] == [DEAD]
    uid = uid_of_last(frontol)
    assert frontol.seen["shop"]["tillsideUnknown"].startswith(uid)
    assert till.pos.ask("GET", f"/v1/sales/{uid}")["state"] == "committed"
    frontol.tell("find")
    assert frontol.does("openDocument")
    assert (frontol.seen["said"], frontol.seen["shop"]["tillsideUnknown"]) == ([], "")


def test_an_agent_that_does_not_answer_is_left_alone_for_a_while(host: Host) -> None:
    """A till whose agent is off must not wait for each card and line; the sale is tried all the same."""
    host.new({"port": NOBODY, "token": "x", "discountEvent": "Programme", **PAYMENT}, http={"mode": "real"})
    host.open(BREAD, BREAD, card=ANNA.card)
    assert host.seen["calls"] == []
    host.close()
    assert {call["method"] for call in host.seen["calls"]} == {"PUT"}


def test_a_token_that_nobody_knows_stops_no_sale(host: Host, till: Till) -> None:
    """The agent's own word is shown, if it has one, and the receipt is closed."""
    host.new({"port": till.port, "token": "w" * 43, **PAYMENT}, http={"mode": "real"})
    host.open(BREAD, card=ANNA.card)
    seen = host.close()
    assert [call["status"] for call in seen["calls"] if call["method"] == "PUT"] == [401]
    assert len(seen["said"]) == 1


def test_a_till_is_connected_by_the_command_alone(host: Host, till: Till, tmp_path: Path) -> None:
    """Installed, checked, loaded as it lies there: a member earns. Then its token is none that the agent knows."""
    install(tmp_path, till.config)
    assert all(each["good"] for each in checks(tmp_path).values())
    host.new({}, script=tmp_path / "tillside.js", http={"mode": "real"})
    host.open(BREAD, card=ANNA.card)
    assert host.close()["closedValues"]["tillsideSent"] == "1"
    edit(tmp_path / "tillside.js", till.pos.token, "w" * 43)
    assert "does not know it" in checks(tmp_path)["token"]["found"]
