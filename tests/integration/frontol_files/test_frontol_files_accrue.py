"""Sales that the bridge never saw: found in a report, and journalled once, whatever happens in between."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fakes.frontol_report import FrontolTill
from integration.bridge.agent_kit import ANNA_CARD
from integration.frontol_files.reports_kit import watched
from till_agent.audit_trail import AUDIT_FILE, read
from till_sync.problems import ProblemError

STRANGER = "2900000000025"


def _till(**fields: object) -> FrontolTill:
    """A till whose day is yesterday: its sales are over, and young enough."""
    day = (datetime.now().astimezone() - timedelta(days=1)).strftime("%d.%m.%Y")
    return FrontolTill(day=day, **fields)  # type: ignore[arg-type]  # its own fields


def _lines(body: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body["receipt"]["lines"]
    return found


def test_a_sale_that_the_bridge_never_saw_earns_once(tmp_path: Path) -> None:
    """By the report's lines, card, payments and local time; reading the report again changes nothing."""
    till = _till()
    till.sale(ANNA_CARD, lines=(("milk", 1000, 6_000), ("bread", 2000, 4_000)))
    uid = till.uid
    with watched(tmp_path) as shop:
        till.write(shop.path)
        before = shop.balance(ANNA_CARD)
        shop.look()
        assert shop.states() == [("accrued", "unseen_sale")]
        assert shop.balance(ANNA_CARD) == before + 5
        assert shop.ops() == [("sale", uid)]
        sale = shop.agent.call("GET", "/v1/queue/1", client="admin").json["body"]
        assert sale["clock"]["local_time"].endswith("T09:01:05")
        lines = [(each["sku"], each.get("quantity_thousandths", 1000), each["amount_minor"]) for each in _lines(sale)]
        assert lines == [("milk", 1000, 6_000), ("bread", 2000, 4_000)]
        assert sale["payments"] == [{"kind": "cash", "amount_minor": 10_000}]
        assert (sale["number"], sale["shift"], sale["cashier"]) == ("101", "466", "3")
        assert shop.path.read_bytes().startswith(b"@\r\n1\r\n466\r\n")
        till.report = "467"
        till.write(shop.path)
        shop.look(3)
        assert shop.ops() == [("sale", uid)]
        assert shop.balance(ANNA_CARD) == before + 5


@pytest.mark.parametrize("named", [{"number": "101", "shift": "466"}, {}])
def test_a_sale_of_the_bridge_is_no_finding(tmp_path: Path, named: dict[str, str]) -> None:
    """Told apart by shift and number; without them by the amount and the time."""
    till = _till()
    till.sale(ANNA_CARD)
    at = (datetime.now().astimezone() - timedelta(days=1)).strftime("%Y-%m-%dT09:03:00")
    with watched(tmp_path) as shop:
        shop.sell("own-1", 10_000, ANNA_CARD, local_time=at, **named)
        till.write(shop.path)
        shop.look()
        assert shop.states() == [("matched", "")]
        assert shop.ops() == [("sale", "own-1")]


def test_the_uid_in_the_user_values_names_the_sale(tmp_path: Path) -> None:
    """Our scenario keeps it there; the same uid again is refused by the journal, so it can't count twice."""
    till = _till()
    till.sale(ANNA_CARD, user_values="x=1|tillsideUid=0d8f1e9c-2f0a-4a6e-9f57-2f3d1c9a7b10|y=2")
    uid = "0d8f1e9c-2f0a-4a6e-9f57-2f3d1c9a7b10"
    with watched(tmp_path) as shop:
        till.write(shop.path)
        shop.look()
        assert shop.ops() == [("sale", uid)]
        body = {
            "receipt": {"lines": [{"number": 1, "sku": "milk", "amount_minor": 10_000}]},
            "member": {"card": ANNA_CARD},
        }
        assert shop.agent.call("PUT", f"/v1/sales/{uid}", body).status == 409


def test_the_bridges_own_sale_takes_the_reports_place_when_it_comes_later(tmp_path: Path) -> None:
    """Under another uid, by its shift and number: what the report earned is taken back."""
    till = _till()
    till.sale(ANNA_CARD)
    with watched(tmp_path) as shop:
        before = shop.balance(ANNA_CARD)
        till.write(shop.path)
        shop.look()
        at = (datetime.now().astimezone() - timedelta(days=1)).strftime("%Y-%m-%dT09:01:02")
        shop.sell("late-1", 10_000, ANNA_CARD, number="101", shift="466", local_time=at)
        assert shop.balance(ANNA_CARD) == before + 10
        shop.look()
        assert shop.states() == [("withdrawn", "unseen_sale")]
        assert shop.balance(ANNA_CARD) == before + 5
        shop.look()
        assert [kind for kind, _ in shop.ops()] == ["sale", "sale", "void"]


def test_a_sale_of_another_sum_is_for_a_person_whichever_came_first(tmp_path: Path) -> None:
    """Shift and number are the receipt's, and the sum is not: nothing is taken back silently, both stand, and the
    finding names what to void. It stays so however often is looked."""
    till = _till()
    till.sale(ANNA_CARD)
    till.sale(ANNA_CARD)
    at = (datetime.now().astimezone() - timedelta(days=1)).strftime("%Y-%m-%dT09:01:02")
    with watched(tmp_path) as shop:
        shop.sell("first", 5_000, ANNA_CARD, number="102", shift="466", local_time=at)
        till.write(shop.path)
        shop.look()
        assert shop.states() == [("accrued", "unseen_sale"), ("found", "differs")]
        before = shop.balance(ANNA_CARD)
        shop.sell("later", 5_000, ANNA_CARD, number="101", shift="466", local_time=at)
        shop.look(3)
        assert shop.states() == [("found", "differs"), ("found", "differs")]
        assert shop.balance(ANNA_CARD) > before
        assert [kind for kind, _ in shop.ops()] == ["sale"] * 3
        found = shop.documents()[0]
        assert found.sale_uid == "later"
        assert found.detail == f"goods: 10000, 5000; both are in the journal: {found.uid}"
        assert shop.decide(found.id, "dismiss") == "dismissed"


def test_listed_sales_wait_for_a_person(tmp_path: Path) -> None:
    """Accepted they are journalled, dismissed they are not, and both are over."""
    till = _till()
    till.sale(ANNA_CARD)
    till.sale(ANNA_CARD)
    with watched(tmp_path, policy="list") as shop:
        till.write(shop.path)
        shop.look()
        assert shop.states() == [("found", "unseen_sale")] * 2
        assert shop.ops() == []
        first, second = [each.id for each in shop.documents()]
        assert shop.decide(first, "accept") == "accrued"
        assert shop.decide(second, "dismiss") == "dismissed"
        audited = [line.what for line in read(tmp_path / "state" / AUDIT_FILE)[0]]
        assert audited == ["findings_accepted", "findings_dismissed"]
        assert len(shop.ops()) == 1
        with pytest.raises(ProblemError, match="finding_unknown"):
            shop.decide(first, "accept")


def test_sales_of_nobody_are_counted_and_not_listed(tmp_path: Path) -> None:
    """No point depends on them."""
    till = _till()
    till.sale()
    with watched(tmp_path) as shop:
        till.write(shop.path)
        shop.look()
        assert shop.states() == [("ignored", "")]


def test_a_card_that_names_nobody_is_for_a_person(tmp_path: Path) -> None:
    """It may be a bank's card: nothing of it is kept."""
    till = _till()
    till.sale("4111111111111111")
    with watched(tmp_path) as shop:
        till.write(shop.path)
        shop.look()
        assert shop.states() == [("found", "card_unknown")]
    for each in (tmp_path / "state").rglob("*"):
        if each.is_file():
            assert b"4111111111111111" not in each.read_bytes()


def test_a_card_of_somebody_else_beside_the_members_is_no_doubt(tmp_path: Path) -> None:
    """A discount card of a partner or of the staff stands in the same field: whose points these are is plain."""
    till = _till()
    till.sale("4111111111111111", ANNA_CARD)
    till.sale(ANNA_CARD, "staff-7")
    with watched(tmp_path) as shop:
        before = shop.balance(ANNA_CARD)
        till.write(shop.path)
        shop.look()
        assert shop.states() == [("accrued", "unseen_sale"), ("accrued", "unseen_sale")]
        assert shop.balance(ANNA_CARD) > before


def test_goods_that_came_back_are_taken_back_where_the_report_names_the_sale(tmp_path: Path) -> None:
    """By the base document; half of the goods, half of the points."""
    till = _till()
    sold = till.sale(ANNA_CARD, lines=(("milk", 2000, 20_000),))
    till.begin(ANNA_CARD, operation=1)
    till.line("milk", -1000, -10_000)
    till.pay(-10_000)
    till.close(-10_000, ANNA_CARD, base=str(sold))
    with watched(tmp_path) as shop:
        before = shop.balance(ANNA_CARD)
        till.write(shop.path)
        shop.look()
        assert shop.states() == [("accrued", "unseen_sale"), ("accrued", "unseen_return")]
        assert shop.balance(ANNA_CARD) == before + 5
        assert [kind for kind, _ in shop.ops()] == ["sale", "return"]


def test_goods_of_no_named_sale_are_listed(tmp_path: Path) -> None:
    """Which sale's points should go back nobody can tell."""
    till = _till()
    till.begin(ANNA_CARD, operation=1)
    till.line("milk", -1000, -10_000)
    till.pay(-10_000)
    till.close(-10_000, ANNA_CARD)
    with watched(tmp_path) as shop:
        till.write(shop.path)
        shop.look()
        assert shop.states() == [("found", "return_without_sale")]


def test_a_cancelled_document_that_was_sold_is_voided(tmp_path: Path) -> None:
    """The cash register failed after the bridge had the sale: it never happened."""
    till = _till()
    till.begin(ANNA_CARD)
    till.line("milk", 1000, 10_000)
    till.close(10_000, ANNA_CARD, kind=56)
    at = (datetime.now().astimezone() - timedelta(days=1)).strftime("%Y-%m-%dT09:01:02")
    with watched(tmp_path) as shop:
        before = shop.balance(ANNA_CARD)
        shop.sell("own-1", 10_000, ANNA_CARD, number="101", shift="466", local_time=at)
        till.write(shop.path)
        shop.look()
        assert shop.states() == [("accrued", "cancelled_sold")]
        assert shop.balance(ANNA_CARD) == before


def test_differences_of_points_and_totals_are_listed(tmp_path: Path) -> None:
    """The journal stays as it is: a person looks."""
    till = _till()
    till.begin(ANNA_CARD)
    till.line("milk", 1000, 9_000)
    till.bonus(1_000)
    till.pay(8_000)
    till.close(9_000, ANNA_CARD, earned=400)
    with watched(tmp_path) as shop:
        at = (datetime.now().astimezone() - timedelta(days=1)).strftime("%Y-%m-%dT09:01:02")
        shop.sell("own-1", 10_000, ANNA_CARD, number="101", shift="466", local_time=at)
        till.write(shop.path)
        shop.look()
        assert shop.states() == [("found", "differs")]
        assert shop.documents()[0].detail == "goods: 9000, 10000; paid by points: 1000, 0; earned: 400, 500"


def test_points_spent_without_the_bridge_are_for_a_person(tmp_path: Path) -> None:
    """Accepted, the part that money paid earns."""
    till = _till()
    till.begin(ANNA_CARD)
    till.line("milk", 1000, 10_000)
    till.bonus(4_000)
    till.pay(6_000)
    till.close(10_000, ANNA_CARD)
    with watched(tmp_path) as shop:
        before = shop.balance(ANNA_CARD)
        till.write(shop.path)
        shop.look()
        assert shop.states() == [("found", "points_spent")]
        assert shop.decide(shop.documents()[0].id, "accept") == "accrued"
        assert shop.balance(ANNA_CARD) == before + 3
