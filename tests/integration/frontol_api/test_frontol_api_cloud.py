"""Frontol with a real cloud and a real line: points that are reserved, a restart in mid-receipt, another till."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.bridge.agent_kit import LiveAgent, body_of, live_agent
from integration.bridge.registration_kit import CODES, Line, chain_of, enrolled, live_cloud
from integration.frontol_api.frontol_api_kit import FrontolClient
from kit.frontol_documents import NORMAL_UID, UID, position
from till_cloud.store.connection import open_reader
from till_cloud.verify import verify

KIM = {"mobilePhone": "+79161231235"}
NEW = "+79161231234"
BACK = "{AAAAAAAA-0000-0000-0000-000000000001}"
BONUS = {"type": "bonus", "mode": "nonFiscal", "amount": 20}
CLIENTS = """
[[bridge.clients]]
name = "frontol"
scopes = ["sale", "register"]
[[bridge.clients]]
name = "admin"
scopes = ["sale", "register", "admin"]
[frontol]
access_client = "frontol"
"""
FORM = {"name": "Олег", "birthDate": "31.01.1990", "consent": "yes", "way": "code"}

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def till_of(settings: Any) -> Iterator[tuple[LiveAgent, FrontolClient]]:
    """A running till that knows its members and has its line."""
    with live_agent(settings) as agent:
        agent.wait_for(lambda: is_ready(agent))
        yield agent, FrontolClient(agent)


def is_ready(agent: LiveAgent) -> bool:
    core = agent.running.agent.open_core
    if core is None or core.worker is None:
        return False
    return core.cache.programme() is not None and core.cache.member_count > 0 and core.worker.line.online


def drained(agent: LiveAgent) -> None:
    assert body_of(agent.call("POST", "/v1/sync", client="admin"))["waiting"] == 0


def test_a_day_of_frontol(tmp_path: Path) -> None:
    """Points reserved and the agent restarted before the confirm; a refund at another till; the line cut; a new member
    by a code that was really sent. At the end the ledger agrees with itself and with what was told."""
    database = chain_of(tmp_path)
    with live_cloud(tmp_path, database) as port, Line(port) as line:
        first = enrolled(tmp_path, database, "t1", port, through=line, clients=CLIENTS)
        second = enrolled(tmp_path, database, "t2", port, clients=CLIENTS)
        lines = (position(1, 100.5), position(2, "49,50", minimumPrice=45))
        with till_of(first) as (_, frontol):
            told = frontol.good("calculate", *lines, client=KIM).json
            assert told["client"]["availableAmount"] == 75
            paid = frontol.good("payByBonus", *lines, client=KIM, payment={"mode": "nonFiscal", "amount": 20})
            assert sum(paid.column("paidAmount")) == 20
        with till_of(first) as (agent, frontol):
            cash = {"type": "cash", "mode": "fiscal", "amount": 130}
            sold = frontol.good("confirm", *lines, client=KIM, payments=[BONUS, cash])
            assert sold.windows == []
            stored = body_of(agent.call("GET", f"/v1/sales/{NORMAL_UID}", client="frontol"))["sale"]
            assert stored["calculation"]["redeemed_minor"] == 2_000
            drained(agent)
            line.cut()
            refused = frontol.document("payByBonus", *lines, uid="u2", client=KIM, payment={"amount": 5})
            assert refused.code == 203
            frontol.good("confirm", *lines, uid="u2", client=KIM, payments=[cash])
            line.mend()
            agent.wait_for(lambda: is_ready(agent))
            drained(agent)
            check = frontol.extra("check", FORM, mobilePhone=NEW)
            assert check.code == 410
            code = json.loads((tmp_path / CODES).read_text().splitlines()[-1])["code"]
            assert frontol.extra("check", FORM | {"code": code}, mobilePhone=NEW).code == 0
            assert frontol.extra("execute", FORM | {"code": code}, mobilePhone=NEW).windows[0] == (
                "Покупатель зарегистрирован."
            )
            drained(agent)
        with till_of(second) as (agent, frontol):
            back = {"type": "refundReceipt", "uid": BACK, "referenceUid": UID, "client": KIM}
            refund = frontol.good("confirm", position(1, 49.5, referenceIndex=2), **back)
            assert refund.json["printingInformation"]
            assert frontol.good("confirm", position(1, 49.5, referenceIndex=2), **back).raw == refund.raw
            drained(agent)
    with contextlib.closing(open_reader(database)) as connection:
        assert verify(connection).breaches == ()
        states = connection.execute("SELECT kind, status FROM ops ORDER BY till, seq").fetchall()
    assert {status for _, status in states} == {"applied"}
    # What was asked for when the line was cut may be reserved at the cloud: it is given back.
    assert [kind for kind, _ in states if kind != "hold-release"] == ["sale", "sale", "register", "return"]
