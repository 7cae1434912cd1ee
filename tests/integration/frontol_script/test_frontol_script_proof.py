"""Points that a member has to prove for, or that are fewer than the quote said: what is asked and what is then paid.

The agent of these tests is the small one within the host, which refuses as the bridge does.
"""

from typing import Any

import pytest

from integration.frontol_script.frontol_script_kit import PAYMENT, POINTS, Host


def asked_for(host: Host, wish: list[str], **agent: Any) -> list[float]:
    """What points pay of 100.00 after the key and these inputs."""
    host.new(PAYMENT, http={"mode": "canned", **agent})
    host.open({"price": 100}, card="2900000000018")
    host.tell("key", name="tillsideRedeem", inputs=wish)
    return [payment["amount"] for payment in host.seen["payments"]]


def test_a_pin_is_asked_for_and_goes_nowhere_but_into_the_reservation(host: Host) -> None:
    """It is in no value of the document."""
    assert asked_for(host, ["40", "2580"], proof=["pin", "code"], above=1000) == [40]
    assert host.seen["asked"][1] == "The customer's PIN"
    assert [body.get("pin") for body in host.bodies("POST", "/v1/holds")] == [None, "2580"]
    assert "2580" not in str(host.seen["values"] | {"tillsideHeldUntil": ""})  # a time may have any four digits


def test_a_wrong_pin_is_told_in_the_agents_words(host: Host) -> None:
    """And nothing is paid by points."""
    assert asked_for(host, ["40", "1111"], proof=["pin"], above=1000) == []
    assert host.seen["said"] == ["Wrong PIN. Tries left: 4."]


@pytest.mark.parametrize("given", [["40"], ["40", ""]])
def test_without_a_proof_points_pay_what_needs_none(host: Host, given: list[str]) -> None:
    """The cashier pressed Esc, or keyed nothing."""
    assert asked_for(host, given, proof=["pin"], above=1000) == [10]
    assert "Points can pay only 10.00." in host.seen["said"]


def test_a_code_is_sent_to_the_members_phone_and_compared(host: Host) -> None:
    """Both calls name one uid; the phone is kept nowhere."""
    assert asked_for(host, ["40", "79990000101", "1234"], proof=["code"], above=1000) == [40]
    first, second = host.bodies("POST", "/v1/confirmations")
    assert (first["uid"], first["phone"], "code" in first) == (second["uid"], "79990000101", False)
    assert host.bodies("POST", "/v1/holds")[-1]["confirmation"] == "c-77"
    assert "9990000101" not in str(host.seen["values"])


def test_a_wrong_code_leaves_what_needs_none(host: Host) -> None:
    """And the agent's word about it."""
    assert asked_for(host, ["40", "79990000101", "9999"], proof=["code"], above=1000) == [10]
    assert "code sent" in host.seen["said"]


def test_fewer_points_than_the_quote_said_pay_less(host: Host) -> None:
    """Part of them lies elsewhere just now, or there is no line: what is to be had is taken."""
    assert asked_for(host, ["40"], available=1500) == [15]
    assert host.does("close") is False, "the rest is not paid yet"
    host.close()
    (body,) = host.bodies("PUT", "/v1/sales/")
    assert body["redeem_points"] == 1500


def test_a_proven_payment_by_its_key_passes_the_end_of_the_receipt(host: Host) -> None:
    """What was proven once is not asked for again when the receipt is closed."""
    assert asked_for(host, ["40", "2580"], proof=["pin"], above=1000) == [40]
    seen = host.close()
    assert (seen["asked"], seen["said"]) == ([], [])
    assert host.bodies("PUT", "/v1/sales/")[0]["redeem_points"] == 4000
    assert POINTS not in [each.get("kind") for each in host.bodies("PUT", "/v1/sales/")[0]["payments"]]
