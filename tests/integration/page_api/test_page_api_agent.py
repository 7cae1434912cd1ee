"""What the pages ask, of a real agent with a journal and a cache on disk."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from integration.bridge.agent_kit import (
    ANNA_CARD,
    ANNA_PHONE,
    LiveAgent,
    enrol_by_hand,
    fill_cache,
    live_agent,
    settings_for,
)
from till_config.settings import PrinterSettings
from till_config.settings_frontol import PageSettings

LINES = [
    {"number": 1, "sku": "milk", "name": "Молоко", "amount_minor": 10_000},
    {"number": 2, "sku": "tea", "name": "Чай", "amount_minor": 20_000, "quantity_thousandths": 2000},
]


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[LiveAgent]:
    """An enrolled till that knows Anna; its printer is not there."""
    enrol_by_hand(tmp_path)
    fill_cache(tmp_path)
    printer = PrinterSettings(name="receipt", driver="tcp", host="127.0.0.1", port=9)
    with live_agent(settings_for(tmp_path, printers=(printer,), pages=PageSettings(sell=True))) as running:
        yield running


def sell(agent: LiveAgent, uid: str, **changes: object) -> None:
    body = {"receipt": {"lines": LINES}, "member": {"phone": ANNA_PHONE}, "number": uid, "print_slip": False}
    reply = agent.call("PUT", f"/v1/sales/{uid}", body | changes)
    assert reply.status == 200, reply.body


def test_a_page_learns_what_it_must_know_first(agent: LiveAgent) -> None:
    facts = agent.call("GET", "/v1/page").json
    assert (facts["till"], facts["store_name"], facts["time_zone"]) == ("t1", "Аптека № 1", "Asia/Almaty")
    assert (facts["currency"], facts["currency_exponent"], facts["points_exponent"]) == ("RUB", 2, 0)
    assert (facts["programme"], facts["country"], facts["sell"], facts["language"]) == ("demo 1", "RU", True, "ru")
    assert facts["scopes"] == ["register", "sale"]
    assert agent.call("GET", "/v1/page", client="admin").json["scopes"] == ["admin", "register", "sale"]


def test_sales_are_listed_and_looked_into_and_given_back(agent: LiveAgent) -> None:
    for number in range(5):
        sell(agent, f"s-{number}")
    sell(agent, "s-nobody", member=None)
    page = agent.call("GET", "/v1/sales?limit=4").json
    assert [each["uid"] for each in page["sales"]] == ["s-nobody", "s-4", "s-3", "s-2"]
    assert page["sales"][1]["phone_masked"] == "+7 *** ***-12-34"
    rest = agent.call("GET", f"/v1/sales?limit=4&before={page['before']}").json
    assert ([each["uid"] for each in rest["sales"]], rest["before"]) == (["s-1", "s-0"], 0)
    lines = agent.call("GET", "/v1/sales/s-1/lines").json
    assert [(each["name"], each["left_thousandths"]) for each in lines["lines"]] == [("Молоко", 1000), ("Чай", 2000)]
    back = {"sale_uid": "s-1", "lines": [{"number": 2, "quantity_thousandths": 500}]}
    assert agent.call("PUT", "/v1/returns/r-1", back).status == 200
    lines = agent.call("GET", "/v1/sales/s-1/lines").json
    assert (lines["state"], lines["lines"][1]["left_thousandths"], lines["lines"][1]["left_minor"]) == (
        "returned_in_part",
        1500,
        15_000,
    )
    assert agent.call("GET", "/v1/sales/s-9/lines").code == "sale_unknown"
    for bad in ("limit=0", "limit=101", "before=x", "before=99999999999999999"):
        assert agent.call("GET", f"/v1/sales?{bad}").code == "parameter_invalid"


def test_members_are_found_and_shown_masked(agent: LiveAgent) -> None:
    found = agent.call("GET", f"/v1/members?query={quote('анна 12-34')}")
    (member,) = found.json["members"]
    assert (member["reference"], member["name_masked"], member["balance_points"]) == ("m-anna", "Анна К.", 500)
    assert agent.call("POST", "/v1/identify", {"reference": member["reference"]}).json["tier_title"] == "standard"
    assert ANNA_PHONE[2:].encode() not in found.body
    assert ANNA_CARD.encode() not in found.body
    for bad in ("", "?query=", "?query=a", "?query=" + "a" * 61, "?query=ab&limit=51"):
        assert agent.call("GET", f"/v1/members{bad}").code == "parameter_invalid"


def test_who_may_not_is_refused(agent: LiveAgent) -> None:
    assert agent.call("GET", "/v1/logs").code == "scope_missing"
    no_token = agent.call("GET", "/v1/sales", Authorization="")
    assert no_token.status == 401


def test_status_speaks_the_language_that_is_asked_for(agent: LiveAgent) -> None:
    """A device that does not work has one thing to do; the disk has its figures; problems have a beginning."""
    agent.wait_for(lambda: any(each.state == "absent" for each in agent.running.agent.board.health()))
    agent.wait_for(lambda: agent.running.agent.disk.room.free_bytes >= 0)
    status = agent.call("GET", "/v1/status?language=ru").json
    (printer,) = [each for each in status["devices"] if each["device"] == "receipt"]
    assert re.search("[а-я]", printer["fix"])
    texts = {each["code"]: each["text"] for each in status["problems"]}
    assert texts["no_cloud_url"].startswith("не задан cloud.url")
    assert 0 < status["disk_free_bytes"] <= status["disk_total_bytes"]
    recent = {each["code"]: each for each in status["recent"]}
    assert recent["no_cloud_url"]["until_ms"] == 0
    assert recent["no_cloud_url"]["text"] == texts["no_cloud_url"]
    english = agent.call("GET", "/v1/status").json
    assert {each["code"]: each["text"] for each in english["problems"]}["no_cloud_url"].startswith(
        "cloud.url is not set"
    )
    assert agent.call("GET", "/v1/status?language=xx").code == "parameter_invalid"


def test_the_tail_of_the_log_is_read_on_and_names_no_member(agent: LiveAgent) -> None:
    """Through sales, registrations, searches and refusals with numbers in them, and a careless log line."""
    start = agent.call("GET", "/v1/logs?limit=1000", client="admin").json["lines"]
    after = start[-1]["seq"] if start else 0
    sell(agent, "s-1")
    agent.call("PUT", "/v1/sales/s-2", {"receipt": {"lines": LINES}, "member": {"card": ANNA_CARD[:-1] + "9"}})
    agent.call("POST", "/v1/identify", {"code": "4276 1600 1234 5678"})
    agent.call("GET", f"/v1/members?query={quote('анна ' + ANNA_PHONE)}")
    logging.getLogger("till_agent.careless").warning("asked for %s", ANNA_PHONE, extra={"who": ANNA_CARD})
    tail = agent.call("GET", f"/v1/logs?after={after}&limit=1000", client="admin")
    lines = tail.json["lines"]
    assert [each["seq"] for each in lines] == list(range(after + 1, after + 1 + len(lines)))
    (careless,) = [each for each in lines if each["logger"] == "till_agent.careless"]
    assert (careless["level"], careless["message"], careless["fields"]) == (
        "warning",
        "asked for +[digits]",
        {"who": "[digits]"},
    )
    text = json.dumps([each | {"at_ms": 0} for each in lines], ensure_ascii=False)  # times have any four digits
    for secret in (ANNA_PHONE[2:], ANNA_CARD, "5678", "Анна"):
        assert secret not in text
    assert agent.call("GET", "/v1/logs?after=99999", client="admin").json["lines"][0]["seq"] >= 1


def test_the_tail_is_gone_with_the_agent(tmp_path: Path) -> None:
    """An agent within another program leaves that program's log as it was."""
    before = list(logging.getLogger().handlers)
    with live_agent(settings_for(tmp_path)) as agent:
        assert agent.call("GET", "/v1/page").json["till"] == ""
        assert agent.call("GET", "/v1/sales").code == "till_not_enrolled"
        assert len(logging.getLogger().handlers) == len(before) + 1
    assert logging.getLogger().handlers == before
