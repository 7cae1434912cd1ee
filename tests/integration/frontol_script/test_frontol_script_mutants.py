"""A scenario with a mistake in it is found out: each promise has a check that holds for ours and fails for that one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from integration.frontol_script.frontol_script_kit import DISCOUNT, MARKETING, PAYMENT, POINTS, SCRIPT, Host
from till_agent.frontol.naming import normal_uid

CARD = "2900000000018"
GUID = "{6F9619FF-8B86-D011-B42D-00CF4FC964FF}"


class Mistake(NamedTuple):
    """`old` becomes `new`, and `check` fails."""

    old: str
    new: str
    check: Callable[[Host, Path], None]


def sale_of(host: Host) -> dict[str, Any]:
    (body,) = host.bodies("PUT", "/v1/sales/")
    return body


def storno_lines_are_not_sold(host: Host, script: Path) -> None:
    host.new(PAYMENT, script=script)
    host.open({"price": 10}, {"price": 5, "storno": 1})
    host.close()
    assert len(sale_of(host)["receipt"]["lines"]) == 1


def sums_of_fractions_are_exact(host: Host, script: Path) -> None:
    host.new(script=script)
    assert host.ask("tillside.parts.minor(0.145 * 3)") == 44


def a_missing_member_stops_nothing(host: Host, script: Path) -> None:
    settings = {"language": "en", "pauseMs": 0} | PAYMENT
    found = host.tell("sweep", what="members", script=str(script), settings=settings, marketing=[])
    assert (found["whole"], found["found"]) == ([], [])


def points_that_no_longer_fit_do_not_pay(host: Host, script: Path) -> None:
    host.new(PAYMENT, script=script)
    host.open({"price": 100}, card=CARD)
    assert host.does("addPayment", code=POINTS, amount=50)
    host.tell("changePosition", index=1, price=60)
    host.tell("payRest")
    assert not host.does("close")


def a_payment_by_points_is_reserved(host: Host, script: Path) -> None:
    host.new(PAYMENT, script=script)
    host.open({"price": 100}, card=CARD)
    assert host.does("addPayment", code=POINTS, amount=50)
    assert [body["points"] for body in host.bodies("POST", "/v1/holds")] == [5000]
    assert not host.does("addPayment", code=POINTS, amount=50), "half is the most"


def a_network_error_is_remembered_as_unknown(host: Host, script: Path) -> None:
    host.new(PAYMENT, script=script)
    host.open({"price": 1})
    host.tell("payRest")
    host.tell("failing", kind="12029")
    assert host.does("close")
    assert host.seen["shop"]["tillsideUnknown"].startswith(host.seen["closedValues"]["tillsideUid"])


def a_cancelled_receipt_releases(host: Host, script: Path) -> None:
    host.new(PAYMENT, script=script)
    host.open({"price": 100}, card=CARD)
    host.tell("addPayment", code=POINTS, amount=50)
    host.tell("cancel", hasDocumentAfter=False)
    assert [call["path"] for call in host.seen["calls"] if call["method"] == "DELETE"] == ["/v1/holds/h-1"]


def names_of_goods_arrive(host: Host, script: Path) -> None:
    host.new(PAYMENT, script=script)
    host.open({"price": 1, "name": "Қант"})
    host.close()
    assert sale_of(host)["receipt"]["lines"][0]["name"] == "Қант"


def uids_are_the_agents(host: Host, script: Path) -> None:
    host.new(script=script)
    assert host.ask(f"tillside.parts.normalUid('{GUID}')") == normal_uid(GUID)


def what_frontol_took_is_what_is_spent(host: Host, script: Path) -> None:
    host.new(DISCOUNT, script=script, marketing=MARKETING)
    host.open({"price": 100}, card=CARD)
    host.tell("key", name="tillsideRedeem", inputs=["12.75"])
    host.close()
    assert sale_of(host)["redeem_points"] == 1200


def nobody_is_asked_for_a_while_after_no_answer(host: Host, script: Path) -> None:
    host.new(PAYMENT | {"discountEvent": "Programme"}, script=script)
    host.tell("failing", kind="refused")
    host.open({"price": 1}, card=CARD)
    host.tell("addPosition", price=2)
    assert host.seen["calls"] == []


def a_sale_without_an_answer_is_sent_again(host: Host, script: Path) -> None:
    host.new(PAYMENT, script=script)
    host.open({"price": 1})
    host.tell("payRest")
    host.tell("failing", kind="lost", once=True)
    assert host.does("close")
    assert len(host.bodies("PUT", "/v1/sales/")) == 2
    assert host.seen["closedValues"]["tillsideSent"] == "1"


def points_are_no_payment_of_money(host: Host, script: Path) -> None:
    host.new(PAYMENT, script=script)
    host.open({"price": 100}, card=CARD)
    host.tell("addPayment", code=POINTS, amount=50)
    host.close()
    assert sale_of(host)["payments"] == [{"kind": "cash", "amount_minor": 5000}]


MISTAKES = {
    "storno is sold": Mistake(
        'isSet(read(position, "storno", 0)) || !quantity', "!quantity", storno_lines_are_not_sold
    ),
    "numbers are cut at once": Mistake("cut(cut(places, 6), count)", "cut(places, count)", sums_of_fractions_are_exact),
    "a failure goes on to Frontol": Mistake(
        'outcome = name === "addPaymentBefore"',
        'throw failure; outcome = name === "addPaymentBefore"',
        a_missing_member_stops_nothing,
    ),
    "nothing is looked at before the end": Mistake(
        "if (!isCovered(doc)) {", "if (false) {", points_that_no_longer_fit_do_not_pay
    ),
    "points pay without being reserved": Mistake(
        "if (own || !isPoints(payment) ||", "if (true || !isPoints(payment) ||", a_payment_by_points_is_reserved
    ),
    "what is unknown is forgotten": Mistake("remember(uid, number);", "", a_network_error_is_remembered_as_unknown),
    "a cancelled receipt keeps its points": Mistake(
        "} else if (gone !== null && gone.hold) {", "} else if (false) {", a_cancelled_receipt_releases
    ),
    "letters go out as they are": Mistake(" || unit > 126", "", names_of_goods_arrive),
    "names keep their capitals": Mistake(
        '.replace(/[{}()\\[\\]]+$/, "")).toLowerCase();', '.replace(/[{}()\\[\\]]+$/, ""));', uids_are_the_agents
    ),
    "what was wished is spent": Mistake(
        "keepPoints(doc, pointsFor(paid, best.redeemable), paid);", "", what_frontol_took_is_what_is_spent
    ),
    "everybody waits each time": Mistake(
        "if (!isUrgent && now() < pausedUntil) {", "if (false) {", nobody_is_asked_for_a_while_after_no_answer
    ),
    "a sale is sent once": Mistake(
        "if (answer.dead || answer.status >= 500 || answer.status === 429) {\n            answer = call",
        "if (false) {\n            answer = call",
        a_sale_without_an_answer_is_sent_again,
    ),
    "points are money": Mistake(
        'if (isPoints(payment) || isSet(read(payment, "storno", 0))) {',
        'if (isSet(read(payment, "storno", 0))) {',
        points_are_no_payment_of_money,
    ),
}


@pytest.mark.parametrize("check", dict.fromkeys(mistake.check for mistake in MISTAKES.values()))
def test_ours_keeps_the_promise(host: Host, check: Callable[[Host, Path], None]) -> None:
    """So that it is the mistake that is noticed."""
    check(host, SCRIPT)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_scenario_with_the_mistake_is_noticed(host: Host, tmp_path: Path, name: str) -> None:
    """By its check."""
    mistake = MISTAKES[name]
    text = SCRIPT.read_text(encoding="ascii")
    assert text.count(mistake.old) == 1, f"expected its place once, not {text.count(mistake.old)} times"
    broken = tmp_path / "broken.js"
    broken.write_text(text.replace(mistake.old, mistake.new), encoding="ascii")
    with pytest.raises((AssertionError, KeyError, ValueError)):
        mistake.check(host, broken)
