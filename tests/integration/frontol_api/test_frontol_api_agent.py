"""Frontol at a running agent over HTTP: its address, its key, repeats over a restart, and what is kept."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.bridge.agent_kit import ANNA_CARD, ANNA_PHONE, LiveAgent, live_agent
from integration.frontol_api.frontol_api_kit import FrontolClient, enrolled_till, entries, frontol_settings
from kit.frontol_documents import NORMAL_UID, position
from till_config.settings import SlipSettings

ANNA = {"mobilePhone": ANNA_PHONE}
CASH = [{"type": "cash", "mode": "fiscal", "amount": 150}]
LINES = (position(1, 100.5), position(2, "49,50"))


@pytest.fixture
def till(tmp_path: Path) -> Path:
    return enrolled_till(tmp_path)


@pytest.fixture
def agent(till: Path) -> Iterator[LiveAgent]:
    with live_agent(frontol_settings(till)) as running:
        yield running


def test_a_receipt_is_sold_and_answered_the_same_after_a_restart(till: Path) -> None:
    """The disk is the real one: the same bytes, and one row."""
    with live_agent(frontol_settings(till)) as agent:
        frontol = FrontolClient(agent)
        told = frontol.good("calculate", *LINES, client=ANNA)
        assert told.windows == ["Нет связи: бонусы начисляются, списать их сейчас нельзя."]
        first = frontol.good("confirm", *LINES, client=ANNA, payments=CASH)
        assert first.json["printingInformation"][0][0] == {"type": "text", "text": "Аптека № 1"}
        assert (
            agent.call("GET", f"/v1/sales/{NORMAL_UID}", client="admin").json["sale"]["calculation"]["earned_points"]
            == 7
        )
    with live_agent(frontol_settings(till)) as agent:
        again = FrontolClient(agent).good("confirm", *LINES, client=ANNA, payments=CASH, uid=NORMAL_UID)
        assert again.raw == first.raw
        assert entries(agent) == [("sale", NORMAL_UID)]


def test_what_is_called_by_the_bridge_knows_the_same_sale(agent: LiveAgent) -> None:
    """A script that tells of it too, under the uid as Frontol's scenario normalises it, changes nothing."""
    FrontolClient(agent).good("confirm", *LINES, payments=CASH)
    body = {"receipt": {"lines": [{"number": 1, "sku": "a", "amount_minor": 1}]}}
    assert agent.call("PUT", f"/v1/sales/{NORMAL_UID}", body, client="frontol").code == "uid_conflict"
    assert entries(agent) == [("sale", NORMAL_UID)]


def test_only_frontols_key_opens(agent: LiveAgent) -> None:
    frontol = FrontolClient(agent)
    raw = json.dumps({"client": {"card": ANNA_CARD}}).encode()
    for headers in ({}, {"Authorization": "FrontolAuth " + "0" * 32}, {"Authorization": f"Bearer {frontol.key}"}):
        answer = frontol.post("/client", raw, headers, signed=False)
        assert (answer.status, answer.code) == (401, 110)
    assert frontol.post("/client", raw).status == 200
    assert frontol.post("/client/", raw).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://pos.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example:1"},
        {"Content-Type": "text/plain"},
    ],
)
def test_a_page_gets_nothing_even_with_the_key(agent: LiveAgent, headers: dict[str, str]) -> None:
    frontol = FrontolClient(agent)
    answer = frontol.post("/document", json.dumps({"action": "confirm", "uid": "u"}).encode(), headers)
    assert answer.status in (403, 415)
    assert entries(agent) == []


def test_without_an_access_client_there_is_no_such_address(tmp_path: Path) -> None:
    settings = frontol_settings(enrolled_till(tmp_path))
    plain = type(settings)(agent=settings.agent, bridge=settings.bridge)
    with live_agent(plain) as agent:
        frontol = FrontolClient(agent)
        assert frontol.post("/client", b"{}").status in (401, 403)


def test_answers_in_ascii_have_an_address_of_their_own(agent: LiveAgent) -> None:
    plain = FrontolClient(agent).client(card=ANNA_CARD)
    ascii_only = FrontolClient(agent, "/frontol/ascii").client(card=ANNA_CARD)
    assert ascii_only.json == plain.json
    assert ascii_only.raw.isascii()


def test_slips_are_not_given_where_none_are_printed(till: Path) -> None:
    """`slips.print` off: a slip is printed on request, by whoever asks for it."""
    with live_agent(frontol_settings(till, slips=SlipSettings(print=False))) as agent:
        assert FrontolClient(agent).good("confirm", *LINES, client=ANNA, payments=CASH).json == {"code": 0}
        assert agent.call("GET", f"/v1/sales/{NORMAL_UID}/slip", client="frontol").status == 200


def test_calls_are_counted_and_nothing_personal_is_logged(agent: LiveAgent, caplog: pytest.LogCaptureFixture) -> None:
    frontol = FrontolClient(agent)
    frontol.client(card=ANNA_CARD)
    frontol.document("calculate", position(1, "oops"), client={"card": ANNA_CARD})
    figures = agent.call("GET", "/metrics", client="admin").body.decode()
    assert 'operation="frontol_client"' in figures
    assert ANNA_CARD not in caplog.text


def test_a_body_beyond_the_limit_is_refused_unread(agent: LiveAgent) -> None:
    frontol = FrontolClient(agent)
    assert frontol.post("/document", b'{"a":"' + b"x" * 2_200_000 + b'"}').status == 413
